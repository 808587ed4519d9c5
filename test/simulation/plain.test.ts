import { expect, test } from 'vitest'
import { simulate } from '../../scripts/simulate.mjs'

/** How many seeds: `PLAIN_SEEDS=50000`. A failure names its seed: `npm run simulate -- --dialect plain --seed …` replays it. */
const SEEDS = Number(process.env['PLAIN_SEEDS'] ?? 600)

test('keeps what it promises to plain servers under every seeded fault', async () => {
  const { ran, failures } = await simulate({ dialect: 'plain', seeds: SEEDS })

  expect(failures.map(({ report }) => report)).toEqual([])
  expect(ran).toBe(SEEDS)
})
