import * as fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { HoldfastError } from '../../src/shared/errors.js'
import { createFakeWorld, placeOf, type FakeClient, type Frame } from '../support/server-world.js'

/** How many servers are beset: `RUNS=50000` for a night, few for a day. */
const RUNS = Number(process.env['RUNS'] ?? 150)

vi.setConfig({ testTimeout: 3_600_000 })

let fuzzed = 0
/** How often the fuzzer got where: a fuzzer that is always turned away at the door proves nothing. */
const reached: Record<string, number> = {}
const reach = (what: string): void => void (reached[what] = (reached[what] ?? 0) + 1)

afterAll(() => console.log(`${fuzzed} frames of hostile clients`, reached))

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

/** PROTOCOL.md, section 9: what a server may close with. */
const CODES = [1000, 1001, 1006, 1009, 1011, 1012, 1013, 4000, 4400, 4401, 4403, 4408, 4409, 4429]

const number = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 0.5, 2 ** 53 - 1, 2 ** 53, 1e300, '1', null, true, undefined) },
)
const mostly = <Value>(good: fc.Arbitrary<Value>, bad: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 20, arbitrary: good }, { weight: 1, arbitrary: bad })
const writer = mostly(
  fc.constantFrom('a', 'a', 'b', 'a~x', 'a~y', '__proto__', 'constructor'),
  fc.constantFrom('', 'x'.repeat(65), 5, null, undefined),
)
const name = mostly(
  fc.constantFrom('note', 'note', 'slow', 'throw', 'unknown', '__proto__'),
  fc.constantFrom('', 'x'.repeat(257), 5, undefined),
)
const writers = fc.oneof(
  { weight: 6, arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'a~x', '__proto__', 'c'), number, { maxKeys: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, [], 5, 'all', undefined, many(65)) },
)
/** `own` stands for where the client is, `other` for the session of somebody else. */
const stream = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('own', 'other', undefined) },
  { weight: 1, arbitrary: fc.record({ id: fc.constantFrom('guess', '', 5), s: number, g: writer, c: number }) },
)
const payload = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined))
const maybeOne = mostly(fc.constantFrom(1, undefined), fc.constantFrom(0, true))

const frame = fc.oneof(
  fc.record({ t: fc.constant('hello'), writers, stream, auth: payload }),
  {
    weight: 6,
    arbitrary: fc.record({ t: fc.constant('m'), w: writer, s: number, e: name, d: payload, u: maybeOne, r: maybeOne }),
  },
  fc.record({ t: fc.constantFrom('skip', 'cancel'), w: writer, s: number }),
  fc.record({ t: fc.constant('resume'), writers }),
  fc.record({ t: fc.constant('a'), s: number }),
  fc.record({ t: fc.constant('v'), e: name, d: payload }),
  fc.record({ t: fc.constant('auth'), auth: payload }),
  fc.constantFrom({ t: 'p' }, { t: 'o' }, { t: 'bye' }, { t: 'welcome' }, { t: 'toString' }, { t: 5 }, {}),
)
const raw = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '',
    'null',
    '[]',
    '5',
    '{"t":"m"',
    '['.repeat(5_000) + ']'.repeat(5_000),
    JSON.stringify('x'.repeat(9_000)),
  ),
)
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ say: frame }) },
  { weight: 1, arbitrary: fc.record({ say: raw }) },
  { weight: 1, arbitrary: fc.record({ flood: frame }) },
  { weight: 1, arbitrary: fc.constant({ drop: true as const }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1, 30, 1_000, 40_000, 200_000) }) },
)
/** Mostly a client that has said hello: the rest is turned away at the door. */
const siege = fc.array(fc.record({ client: fc.nat(2), step }), { maxLength: 80 })

function many(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`w${index}`, 1]))
}

test('a hostile client costs a typed error and a close code, never a throw, and nobody else anything', async () => {
  await fc.assert(
    fc.asyncProperty(siege, async (steps) => {
      const world = createFakeWorld({
        limits: { frameBytesMax: 8_000, window: { messages: 8, bytes: 4_000 }, framesPerSecond: 20, framesBurst: 40 },
        heartbeatMs: { interval: 10_000, timeout: 5_000 },
      })
      world.engine.on('session', (session) => {
        session.on('note', () => session.send('noted'))
        session.on('slow', () => new Promise((resolve) => world.clock.setTimer(() => resolve(undefined), 500)))
        session.on('throw', () => {
          throw new Error('no')
        })
        session.handle('note', (params) => params)
      })
      const clients: (FakeClient | undefined)[] = []

      const meet = (index: number): FakeClient => {
        const known = clients[index]
        if (known && !known.closed) return known
        const client = world.connect()
        clients[index] = client
        if (index > 0) client.say({ t: 'hello', writers: { a: 1 } })
        return client
      }
      const dress = (said: unknown, index: number): string => {
        if (typeof said === 'string') return said
        const { stream: where, ...rest } = said as Frame
        const whose = where === 'own' ? clients[index] : where === 'other' ? clients[(index + 1) % 3] : undefined
        const place = typeof where === 'object' ? where : whose?.of('welcome').length ? placeOf(whose) : undefined
        return JSON.stringify({ ...rest, ...(place && { stream: place }) })
      }

      for (const { client: index, step: one } of steps) {
        const client = meet(index)
        if ('drop' in one) {
          client.drop()
          clients[index] = undefined
        } else if ('wait' in one) await world.clock.advance(one.wait)
        else {
          const said = dress('say' in one ? one.say : one.flood, index)
          const times = 'flood' in one ? 60 : 1
          for (let time = 0; time < times; time++) client.say(said)
          fuzzed += times
        }
        await Promise.resolve()
        if (client.closed) {
          reach(String(client.closed.code))
          expect(CODES).toContain(client.closed.code)
        }
      }

      const honest = world.connect()
      honest.say({ t: 'hello', writers: { honest: 1 } }, { t: 'm', w: 'honest', s: 1, e: 'note' })
      await world.clock.advance(100)
      expect(honest.of('a')).toEqual([{ t: 'a', w: { honest: 1 } }])
      expect(honest.of('m')).toMatchObject([{ e: 'noted' }])
      if (world.sessions.length > 1) reach('a session')
      expect(world.errors.filter((error) => !(error instanceof HoldfastError))).toEqual([])
      expect(world.engine.connectionCount).toBeLessThanOrEqual(4)
      for (const client of clients) if (client && !client.closed) client.drop()
      honest.drop()
      await world.clock.advance(300_000)
      expect(world.engine.connectionCount).toBe(0)
      expect(world.engine.sessionCount).toBe(0)
      world.engine.close()
      expect(unhandled).toEqual([])
    }),
    { numRuns: RUNS },
  )
  expect(reached['a session']).toBeGreaterThan(0)
  expect(reached['4400']).toBeGreaterThan(0)
})
