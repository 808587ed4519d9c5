import { expect, test } from 'vitest'
import { simulate } from '../../scripts/simulate.mjs'
import { live } from './reliable/life.js'
import type { Plan } from './reliable/plan.js'
import plans from './reliable/plans.json' with { type: 'json' }

/** How many seeds: `SEEDS=1000000`. A failure names its seed, which `npm run simulate -- --seed …` replays. */
const SEEDS = Number(process.env['SEEDS'] ?? 20_000)

/** What must happen now and then, or the simulation tests less than it claims. */
const SOMETIMES = [
  ...[
    'resumed',
    'started',
    'resume',
    'window full',
    'handled a repeat',
    'handled again',
    'handled later',
    'answered',
    'append overflow',
  ],
  ...['append gone', 'session overflow', 'session expired', 'session failed', 'gap up: unknown', 'gap down: unknown'],
  ...[
    'gap down: overflow',
    'gap down: rollback',
    'gap down: superseded',
    'gap down: restart',
    'gap down and up: unknown',
  ],
  ...['failed REJECTED', 'failed EXPIRED', 'failed SUPERSEDED', 'failed REMOVED', 'failed TOO_LARGE'],
  ...['failed INVALIDATED', 'found unsent'],
  ...['failed STORAGE_FAILED', 'failed NOT_CONNECTED', 'unanswered REJECTED', 'unanswered REQUEST_TIMEOUT'],
  ...['last words', 'hide', 'note of a crash'],
  ...['listener awaited', 'listener failed', 'forgery closed with 4403', 'greeted', 'asked', 'asked SESSION_ENDED'],
  ...['client error STORAGE_UNAVAILABLE', 'sent from memory', 'speaks MessagePack'],
  ...['unanswered REQUEST_ABORTED', 'unanswered RESULT_LOST'],
]

test('keeps each message once and in order, or says so, under every seeded fault', async () => {
  const { ran, failures, counts } = await simulate({ seeds: SEEDS })

  expect(failures.map(({ report }) => report)).toEqual([])
  expect(ran).toBe(SEEDS)
  expect(SOMETIMES.filter((what) => !counts[what])).toEqual([])
})

/** Each is the smallest plan that once broke a promise. */
const past = plans as unknown as readonly { readonly name: string; readonly check: string; readonly plan: Plan }[]

test.each(past)('keeps $check although $name', async ({ plan }) => {
  const { violation } = await live(plan)

  expect(violation).toBeUndefined()
})
