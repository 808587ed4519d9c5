import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Input } from '../../../src/connection/inputs-effects.js'
import { RefusedError } from '../../../src/shared/errors.js'
import { createRandom } from '../../support/fake-platform.js'
import {
  BAD_FRAME,
  closed,
  driveConnection,
  failed,
  FRAME,
  OPENED,
  READY,
  types,
  type Told,
} from '../../support/connection-driver.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** In these there is an attempt or a link. */
const LINKED = ['connecting', 'handshaking', 'connected']

const REACH: Record<string, Told[]> = {
  idle: [],
  connecting: ['connect'],
  handshaking: ['connect', { type: 'opened' }],
  connected: ['connect', OPENED],
  waiting: ['connect', closed(1006)],
  suspended: ['connect', 'suspend'],
  closed: ['connect', 'close'],
}

const INPUTS: Record<string, Input> = {
  connect: { type: 'connect' },
  reconnect: { type: 'reconnect' },
  close: { type: 'close' },
  opened: { type: 'opened' },
  'opened ready': OPENED,
  ready: READY,
  suspend: { type: 'suspend' },
  resume: { type: 'resume' },
  elapsed: { type: 'elapsed' },
  wake: { type: 'wake' },
  doubt: { type: 'doubt' },
  'closed 1006': closed(1006),
  'closed 4403': closed(4403),
  failed: failed(),
  blocked: failed(true),
  frame: FRAME,
  pong: { type: 'pong' },
  farewell: { type: 'farewell', words: 'so long', retryAfterMs: 5_000 },
  'bad frame': BAD_FRAME,
  refused: { type: 'broken', error: new RefusedError('PROTOCOL_MISMATCH', 'a stranger') },
}

/** Where each input leads from each state. `.` is "nowhere". */
const EXPECTED = `
              idle       connecting  handshaking connected  waiting    suspended  closed
connect       connecting .           .           .          connecting .          connecting
reconnect     .          connecting  connecting  connecting connecting .          connecting
close         closed     closed      closed      closed     closed     closed     .
opened        .          handshaking .           .          .          .          .
opened~ready  .          connected   connected   .          .          .          .
ready         .          .           connected   .          .          .          .
suspend       .          suspended   suspended   suspended  suspended  .          .
resume        .          .           .           .          .          connecting .
elapsed       .          .           .           .          .          .          .
wake          .          .           .           .          .          .          .
doubt         .          .           .           .          .          .          .
closed~1006   .          waiting     waiting     waiting    .          .          .
closed~4403   .          waiting     closed      closed     .          .          .
failed        .          waiting     .           .          .          .          .
blocked       .          closed      closed      closed     .          .          .
frame         .          .           .           .          .          .          .
pong          .          .           .           .          .          .          .
farewell      .          .           .           .          .          .          .
bad~frame     .          .           .           .          .          .          .
refused       .          closed      closed      closed     .          .          .
`

const [columns = [], ...rows] = EXPECTED.trim()
  .split('\n')
  .map((line) => line.trim().split(/ +/))
const cells = rows.flatMap(([input = '', ...targets]) =>
  targets.map((to, column) => [columns[column] ?? '', input.replace('~', ' '), to] as const),
)

describe('every input in every state', () => {
  test.each(cells)('in %s, %s leads to %s', (from, name, to) => {
    const driver = driveConnection()
    driver.tell(...(REACH[from] ?? []))
    const before = driver.connection.state
    const dials = driver.dials().length

    const effects = driver.tell(INPUTS[name]!)

    expect(driver.connection.state.status).toBe(to === '.' ? from : to)
    expect(driver.dials().length - dials).toBe(to === 'connecting' ? 1 : 0)
    // Whoever looks at the state is told of each change, and only then.
    expect(types(effects).filter((type) => type === 'changed')).toHaveLength(driver.connection.state === before ? 0 : 1)
    // Whatever we leave of our own will we also hang up.
    const isOurWill = ['reconnect', 'close', 'suspend'].includes(name)
    if (isOurWill) {
      const wasLinked = LINKED.includes(from)
      expect(types(effects).filter((type) => type === 'hangUp')).toHaveLength(wasLinked ? 1 : 0)
    }
    expect(Number.isNaN(driver.connection.deadline)).toBe(false)
  })

  test('is covered', () => {
    expect(cells).toHaveLength(Object.keys(INPUTS).length * Object.keys(REACH).length)
    expect(new Set(cells.map(([from]) => from))).toEqual(new Set(Object.keys(REACH)))
    expect(new Set(cells.map(([, input]) => input))).toEqual(new Set(Object.keys(INPUTS)))
  })

  test('in any order, keeps its promises', () => {
    const input = fc.oneof(
      fc.constantFrom(...Object.values(INPUTS), closed(4401), closed(1000)),
      fc.constant('wait' as const),
    )
    fc.assert(
      fc.property(fc.array(input, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (inputs, maxAttempts) => {
        const driver = driveConnection({ maxAttempts })
        let isLinked = false
        for (const next of inputs) {
          if (next === 'wait' && driver.connection.deadline === Infinity) continue
          const effects = next === 'wait' ? driver.elapse() : driver.tell(next)
          for (const effect of effects) {
            if (effect.type === 'hangUp') isLinked = false
            // The client has one socket: it is never asked for a second one.
            if (effect.type === 'dial' && isLinked) throw new Error('dialled while a link was up')
            if (effect.type === 'dial') isLinked = true
          }
          const { state, deadline } = driver.connection
          if (!LINKED.includes(state.status)) isLinked = false
          const hasDeadline = [...LINKED, 'waiting'].includes(state.status)
          expect(deadline !== Infinity).toBe(hasDeadline)
          if (hasDeadline) expect(deadline).toBeGreaterThanOrEqual(driver.now)
          if (state.status === 'waiting') expect(state.attempt).toBeLessThanOrEqual(maxAttempts)
        }
      }),
    )
  })
})

describe('a log of inputs', () => {
  const step = fc.record({
    input: fc.constantFrom(...Object.values(INPUTS)),
    /** `null`: at the deadline. */
    afterMs: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.constant(null)),
  })

  test('gives the same effects, states and deadlines when it is told to a second connection', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
        const first = driveConnection({}, createRandom(seed))
        const log: [now: number, input: Input][] = []
        const seen: unknown[] = []
        for (const { input, afterMs } of steps) {
          const { deadline } = first.connection
          first.now = afterMs === null && deadline !== Infinity ? deadline : first.now + (afterMs ?? 0)
          const told = afterMs === null ? { type: 'elapsed' as const } : input
          log.push([first.now, told])
          seen.push([first.tell(told), first.connection.state, first.connection.deadline])
        }

        const second = driveConnection({}, createRandom(seed))
        const replayed = log.map(([now, input]) => {
          second.now = now
          return [second.tell(input), second.connection.state, second.connection.deadline]
        })

        expect(replayed).toEqual(seen)
      }),
    )
  })

  test('is made of values, and so are the effects: both can be written down', () => {
    const driver = driveConnection({ maxAttempts: 2 })
    const effects = [...Object.values(INPUTS), closed(1006)].flatMap((input) => driver.tell('connect', input, OPENED))

    expect(new Set(types(effects))).toEqual(new Set(['dial', 'hangUp', 'report', 'changed', 'ping']))
    // What holds a function cannot be cloned.
    expect(() => structuredClone([INPUTS, effects])).not.toThrow()
  })
})
