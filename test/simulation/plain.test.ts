import { expect, test } from 'vitest'
import { simulate } from './run.js'

/** How many seeds, and from which: `SEEDS=50000 FROM=1`. A failure prints `SEED=…`; that one alone replays it. */
const { SEED, SEEDS = '300', FROM = '1' } = process.env

test('keeps what it promises to plain servers under every seeded fault', async () => {
  const from = Number(SEED ?? FROM)
  const to = SEED === undefined ? from + Number(SEEDS) : from + 1

  let lived = 0
  for (let seed = from; seed < to; seed++) {
    await simulate(seed)
    lived++
  }

  expect(lived).toBeGreaterThan(0)
})
