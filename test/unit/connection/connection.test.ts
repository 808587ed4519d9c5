import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Dialect } from '../../../src/dialects/dialect.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { ConnectError, ConnectionLostError, RefusedError, type HoldfastError } from '../../../src/shared/errors.js'
import { json } from '../../../src/protocol/codec.js'
import type { Effect, Input } from '../../../src/connection/inputs-effects.js'
import { createSession, type SessionOptions } from '../../../src/connection/connection.js'
import { createFakeHost } from '../../support/fake-host.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

interface Options extends SessionOptions {
  readonly dialect: Dialect
}

const OPTIONS: Options = {
  dialect: plain({ ping: 'ping', pong: 'pong' }),
  retryDelayMs: { min: 1_000, max: 30_000 },
  stableAfterMs: 5_000,
  connectTimeoutMs: 10_000,
  heartbeatMs: { interval: 25_000, timeout: 15_000 },
  maxAttempts: Infinity,
  shouldReconnect: undefined,
}

/** A session on a clock of its own, with every effect it asked for. */
function setUp(given: Partial<Options> = {}, random: () => number = () => 0.5) {
  const options = { ...OPTIONS, ...given }
  const session = createSession(options, options.dialect.open(createFakeHost()), random)
  const effects: Effect[] = []
  const driver = {
    session,
    now: 0,
    tell(...inputs: (Input | Extract<Input, { type: string }>['type'])[]): Effect[] {
      const mine = inputs.flatMap((input) =>
        session.handle(typeof input === 'string' ? ({ type: input } as Input) : input, driver.now),
      )
      effects.push(...mine)
      return mine
    },
    /** Moves on to the deadline, and past all that is due there. */
    elapse(): Effect[] {
      driver.now = session.deadline
      return driver.tell('elapsed')
    },
    dials: () => effects.filter(({ type }) => type === 'dial'),
    /** How the session hung up since the last dial. */
    hangUps: () => effects.filter((effect) => effect.type === 'hangUp'),
    connect() {
      driver.tell('connect', 'opened')
      return driver
    },
    error(): HoldfastError {
      const { state } = session
      if (!('error' in state) || !state.error) throw new Error(`There is no error in the state ${state.status}`)
      return state.error
    },
  }
  return driver
}

const closed = (code: number, reason = ''): Input => ({ type: 'closed', code, reason })
const failed = (isFinal = false): Input => ({
  type: 'failed',
  error: isFinal ? new RefusedError('BLOCKED_BY_BROWSER', 'blocked') : new ConnectError('URL_FAILED', 'no url'),
  isFinal,
})
const frame = (text: string): Input => ({ type: 'frame', frame: text })
const types = (effects: Effect[]): string[] => effects.map(({ type }) => type)

const REACH: Record<string, (Input | Input['type'])[]> = {
  idle: [],
  connecting: ['connect'],
  connected: ['connect', 'opened'],
  waiting: ['connect', closed(1006)],
  suspended: ['connect', 'suspend'],
  closed: ['connect', 'close'],
}

const INPUTS: Record<string, Input> = {
  connect: { type: 'connect' },
  reconnect: { type: 'reconnect' },
  close: { type: 'close' },
  opened: { type: 'opened' },
  suspend: { type: 'suspend' },
  resume: { type: 'resume' },
  elapsed: { type: 'elapsed' },
  wake: { type: 'wake' },
  doubt: { type: 'doubt' },
  'closed 1006': closed(1006),
  'closed 4403': closed(4403),
  failed: failed(),
  blocked: failed(true),
  frame: frame('{"event":"m","data":1}'),
}

/** Where each input leads from each state. `.` is "nowhere". */
const EXPECTED = `
              idle       connecting connected  waiting    suspended  closed
connect       connecting .          .          connecting .          connecting
reconnect     .          connecting connecting connecting .          .
close         closed     closed     closed     closed     closed     .
opened        .          connected  .          .          .          .
suspend       .          suspended  suspended  suspended  .          .
resume        .          .          .          .          connecting .
elapsed       .          .          .          .          .          .
wake          .          .          .          .          .          .
doubt         .          .          .          .          .          .
closed~1006   .          waiting    waiting    .          .          .
closed~4403   .          waiting    closed     .          .          .
failed        .          waiting    .          .          .          .
blocked       .          closed     .          .          .          .
frame         .          .          .          .          .          .
`

const [columns = [], ...rows] = EXPECTED.trim()
  .split('\n')
  .map((line) => line.trim().split(/ +/))
const cells = rows.flatMap(([input = '', ...targets]) =>
  targets.map((to, column) => [columns[column] ?? '', input.replace('~', ' '), to] as const),
)

describe('every input in every state', () => {
  test.each(cells)('in %s, %s leads to %s', (from, name, to) => {
    const driver = setUp()
    driver.tell(...(REACH[from] ?? []))
    const before = driver.session.state
    const dials = driver.dials().length

    const effects = driver.tell(INPUTS[name]!)

    expect(driver.session.state.status).toBe(to === '.' ? from : to)
    expect(driver.dials().length - dials).toBe(to === 'connecting' ? 1 : 0)
    // Whoever looks at the state is told of each change, and only then.
    expect(types(effects).filter((type) => type === 'changed')).toHaveLength(driver.session.state === before ? 0 : 1)
    // Whatever we leave of our own will we also hang up.
    const isOurWill = ['reconnect', 'close', 'suspend'].includes(name)
    if (isOurWill) {
      const wasLinked = from === 'connecting' || from === 'connected'
      expect(types(effects).filter((type) => type === 'hangUp')).toHaveLength(wasLinked ? 1 : 0)
    }
    expect(Number.isNaN(driver.session.deadline)).toBe(false)
  })

  test('is covered', () => {
    expect(cells).toHaveLength(Object.keys(INPUTS).length * Object.keys(REACH).length)
    expect(new Set(cells.map(([from]) => from))).toEqual(new Set(Object.keys(REACH)))
    expect(new Set(cells.map(([, input]) => input))).toEqual(new Set(Object.keys(INPUTS)))
  })

  test('in any order, keeps the promises of a session', () => {
    const input = fc.oneof(
      fc.constantFrom(...Object.values(INPUTS), frame('?'), frame('pong'), closed(4401), closed(1000)),
      fc.constant('wait' as const),
    )
    fc.assert(
      fc.property(fc.array(input, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (inputs, maxAttempts) => {
        const driver = setUp({ maxAttempts })
        let isLinked = false
        for (const next of inputs) {
          if (next === 'wait' && driver.session.deadline === Infinity) continue
          const effects = next === 'wait' ? driver.elapse() : driver.tell(next)
          for (const effect of effects) {
            if (effect.type === 'hangUp') isLinked = false
            // The shell owns one socket: it is never asked for a second one.
            if (effect.type === 'dial' && isLinked) throw new Error('dialled while a link was up')
            if (effect.type === 'dial') isLinked = true
          }
          const { state, deadline } = driver.session
          if (!['connecting', 'connected'].includes(state.status)) isLinked = false
          const hasDeadline = ['connecting', 'connected', 'waiting'].includes(state.status)
          expect(deadline !== Infinity).toBe(hasDeadline)
          if (hasDeadline) expect(deadline).toBeGreaterThanOrEqual(driver.now)
          if (state.status === 'waiting') expect(state.attempt).toBeLessThanOrEqual(maxAttempts)
        }
      }),
    )
  })
})

describe('connecting', () => {
  test('numbers the attempts in a row', () => {
    const driver = setUp()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(failed())
    driver.elapse()

    expect(driver.dials()).toEqual([1, 2, 3].map((attempt) => ({ type: 'dial', attempt })))
    expect(driver.session.state).toMatchObject({ status: 'connecting', attempt: 3 })
  })

  test('has a deadline over the whole attempt, and hangs up when it has passed', () => {
    const driver = setUp()
    driver.now = 500
    driver.tell('connect')
    const deadline = driver.session.deadline
    driver.now = deadline - 1
    const early = driver.tell('elapsed')
    const late = driver.elapse()

    expect(deadline).toBe(10_500)
    expect(early).toEqual([])
    expect(types(late)).toEqual(['hangUp', 'changed'])
    expect(driver.session.state.status).toBe('waiting')
    expect(driver.error()).toMatchObject({ code: 'CONNECT_TIMEOUT', name: 'ConnectError' })
    expect(driver.error().message).toMatch(/\b10000 ms/)
  })

  test('is twice as patient after two time-outs in a row, and says so', () => {
    const driver = setUp()
    driver.tell('connect')
    const patience: number[] = []
    for (let attempt = 1; attempt <= 4; attempt++) {
      patience.push(driver.session.deadline - driver.now)
      driver.elapse()
      if (attempt === 3) expect(driver.error().message).toMatch(/\b20000 ms/)
      driver.elapse()
    }

    expect(patience).toEqual([10_000, 10_000, 20_000, 20_000])
  })

  test('is no more patient after a failure of another kind', () => {
    const driver = setUp()
    driver.tell('connect')
    driver.elapse()
    driver.elapse()
    driver.elapse()
    driver.elapse()
    driver.tell(closed(1006))
    driver.elapse()

    expect(driver.session.deadline - driver.now).toBe(10_000)
  })

  test('reports why an attempt failed, and waits with full jitter', () => {
    const driver = setUp({}, () => 0.25)
    driver.now = 100
    driver.tell('connect', closed(1006, 'gone'))

    expect(driver.session.state).toMatchObject({ status: 'waiting', attempt: 2, retryAt: 350 })
    expect(driver.error()).toBeInstanceOf(ConnectError)
    expect(driver.error().code).toBe('UNREACHABLE')
    expect(driver.error().message).toContain('1006')
    expect(driver.error().message).toContain('gone')
  })

  test('waits for its retry and not a moment less', () => {
    const driver = setUp()
    driver.tell('connect', closed(1006))
    driver.now = driver.session.deadline - 0.001

    expect(driver.tell('elapsed')).toEqual([])
    expect(types(driver.elapse())).toContain('dial')
  })

  test('doubles the bound of the wait with every failure, up to the maximum', () => {
    const driver = setUp({ retryDelayMs: { min: 1_000, max: 5_000 } })
    driver.tell('connect')
    const waits: number[] = []
    for (let attempt = 1; attempt <= 5; attempt++) {
      driver.tell(closed(1006))
      waits.push(driver.session.deadline - driver.now)
      driver.elapse()
    }

    expect(waits).toEqual([500, 1_000, 2_000, 2_500, 2_500])
  })

  test('gives up after maxAttempts with the reason of the last', () => {
    const driver = setUp({ maxAttempts: 2 })
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006, 'last'))

    expect(driver.session.state.status).toBe('closed')
    expect(driver.session.deadline).toBe(Infinity)
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error().code).toBe('ATTEMPTS_EXHAUSTED')
    expect(driver.error().cause).toMatchObject({ code: 'UNREACHABLE' })
    expect(driver.error().message).toContain('last')
  })

  test('starts afresh when it is asked to connect after it gave up', () => {
    const driver = setUp({ maxAttempts: 2 })
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006), 'connect')

    expect(driver.session.state).toEqual({ status: 'connecting', attempt: 1 })
    driver.tell(closed(1006))
    expect(driver.session.state.status).toBe('waiting')
  })

  test('stops when the browser makes no socket', () => {
    const driver = setUp()
    driver.tell('connect', failed(true))

    expect(driver.session.state.status).toBe('closed')
    expect(driver.error()).toMatchObject({ code: 'BLOCKED_BY_BROWSER', name: 'RefusedError' })
  })
})

describe('connected', () => {
  test('tells how a connection ended, with the true code and reason', () => {
    const driver = setUp().connect()
    driver.tell(closed(1012, 'service restart'))

    expect(driver.error()).toBeInstanceOf(ConnectionLostError)
    expect(driver.error()).toMatchObject({
      code: 'CONNECTION_CLOSED',
      closeCode: 1012,
      closeReason: 'service restart',
    })
  })

  test('counts a connection that did not last as one more failure', () => {
    const driver = setUp()
    driver.tell('connect')
    for (let attempt = 1; attempt <= 3; attempt++) {
      driver.tell('opened')
      driver.now += 4_999
      driver.tell(closed(1006))
      expect(driver.session.state).toMatchObject({ status: 'waiting', attempt: attempt + 1 })
      driver.elapse()
    }
  })

  test('forgets failures once a connection has lasted stableAfterMs', () => {
    const driver = setUp()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006))
    driver.elapse()
    driver.tell('opened')
    driver.now += 5_000
    driver.tell(closed(1006))

    expect(driver.session.state).toMatchObject({ status: 'waiting', attempt: 2 })
  })

  test.each([1000, 1003, 1007, 1008, 1010, 3003, 4400, 4403, 4404, 4406, 4410])('stops at close code %i', (code) => {
    const driver = setUp().connect()
    driver.tell(closed(code, 'why'))

    expect(driver.session.state.status).toBe('closed')
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error()).toMatchObject({
      code: 'REFUSED_BY_SERVER',
      cause: { closeCode: code, closeReason: 'why' },
    })
  })

  test.each([1001, 1005, 1006, 1011, 1012, 1013, 1015, 4408, 4429, 4500, 4999])(
    'comes back after close code %i',
    (code) => {
      const driver = setUp().connect()
      driver.tell(closed(code))

      expect(driver.session.state.status).toBe('waiting')
    },
  )

  test.each([3000, 4401])('tries once more after close code %i, with a fresh credential', (code) => {
    const driver = setUp().connect()
    driver.tell(closed(code))
    const once = driver.session.state.status
    driver.elapse()
    driver.tell('opened', closed(code))

    expect(once).toBe('waiting')
    expect(driver.session.state.status).toBe('closed')
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error()).toMatchObject({ code: 'UNAUTHORIZED', cause: { closeCode: code } })
  })

  test('forgives a refusal once a connection has lasted', () => {
    const driver = setUp().connect()
    driver.tell(closed(4401))
    driver.elapse()
    driver.tell('opened')
    driver.now += 5_000
    driver.tell(closed(4401))

    expect(driver.session.state.status).toBe('waiting')
  })

  test('lets shouldReconnect decide in place of the code', () => {
    const asked: unknown[] = []
    const shouldReconnect = (close: { code: number; reason: string }): boolean => {
      asked.push(close)
      return close.code === 1008
    }
    const stubborn = setUp({ shouldReconnect }).connect()
    stubborn.tell(closed(1008, 'policy'))
    const meek = setUp({ shouldReconnect }).connect()
    meek.tell(closed(1006))

    expect(stubborn.session.state.status).toBe('waiting')
    expect(meek.session.state.status).toBe('closed')
    expect(meek.error()).toMatchObject({ code: 'REFUSED_BY_SERVER' })
    expect(asked).toEqual([
      { code: 1008, reason: 'policy' },
      { code: 1006, reason: '' },
    ])
  })

  test('goes by the close code, and reports it, when shouldReconnect throws', () => {
    const shouldReconnect = (): boolean => {
      throw new RangeError('oops')
    }
    const driver = setUp({ shouldReconnect }).connect()

    const effects = driver.tell(closed(1006))

    expect(driver.session.state.status).toBe('waiting')
    expect(effects[0]).toMatchObject({
      type: 'report',
      error: { code: 'LISTENER_THREW', cause: new RangeError('oops') },
    })
  })

  test('reports a ping function that throws, and finds the link dead all the same', () => {
    const ping = (): string => {
      throw new RangeError('oops')
    }
    const driver = setUp({ dialect: plain({ ping }) }).connect()

    const question = driver.elapse()
    driver.elapse()

    expect(question).toMatchObject([{ type: 'report', error: { code: 'LISTENER_THREW' } }])
    expect(driver.error().code).toBe('HEARTBEAT_TIMEOUT')
  })

  test('asks shouldReconnect about connections, not about attempts', () => {
    const driver = setUp({
      shouldReconnect: () => {
        throw new Error('asked')
      },
    })
    driver.tell('connect', closed(1006))

    expect(driver.session.state.status).toBe('waiting')
  })

  test('hands messages over in the order they come, and takes no pong for one', () => {
    const driver = setUp().connect()

    const effects = driver.tell(frame('{"event":"a","data":1}'), frame('pong'), frame('{"event":"b"}'))

    expect(effects).toEqual([
      { type: 'message', message: { event: 'a', data: 1 } },
      { type: 'message', message: { event: 'b' } },
    ])
  })

  test('reports a bad frame and stays', () => {
    const driver = setUp().connect()

    const effects = driver.tell(frame('{'), frame('{"event":"m"}'))

    expect(types(effects)).toEqual(['report', 'message'])
    expect(effects[0]).toMatchObject({ error: { code: 'BAD_FRAME', name: 'RemoteProtocolError' } })
    expect(driver.session.state.status).toBe('connected')
  })

  test('reports whatever a codec throws as a bad frame', () => {
    const codec = {
      ...json(),
      decode: () => {
        throw new RangeError('too deep')
      },
    }
    const driver = setUp({ dialect: plain({ codec }) }).connect()

    expect(driver.tell(frame('x'))).toMatchObject([
      { type: 'report', error: { code: 'BAD_FRAME', cause: new RangeError('too deep') } },
    ])
  })

  test('leaves a peer that has sent eight bad frames in a row, and comes back later', () => {
    const driver = setUp().connect()
    driver.tell(...Array.from({ length: 7 }, () => frame('{')), frame('{"event":"m"}'))
    driver.tell(...Array.from({ length: 7 }, () => frame('{')))
    const seven = driver.session.state.status

    const effects = driver.tell(frame('{'))

    expect(seven).toBe('connected')
    expect(types(effects)).toEqual(['report', 'hangUp', 'changed'])
    expect(effects[1]).toMatchObject({ code: 4400 })
    expect(driver.session.state).toMatchObject({ status: 'waiting', error: { code: 'BAD_FRAME' } })
  })

  test('takes no frame but on a connection', () => {
    const driver = setUp()
    driver.tell('connect')

    expect(driver.tell(frame('{"event":"m"}'))).toEqual([])
  })

  test('asks for life, measures the round trip, and finds the dead link', () => {
    const driver = setUp().connect()
    const question = driver.elapse()
    driver.now += 30
    const answer = driver.tell(frame('pong'))
    driver.elapse()
    const end = driver.elapse()

    expect(question).toEqual([{ type: 'transmit', frame: 'ping' }])
    expect(answer).toEqual([{ type: 'roundTrip', rttMs: 30 }])
    expect(driver.now).toBe(65_000)
    expect(types(end)).toEqual(['hangUp', 'changed'])
    expect(driver.error()).toBeInstanceOf(ConnectionLostError)
    expect(driver.error().code).toBe('HEARTBEAT_TIMEOUT')
    expect(driver.error().message).toContain('39970 ms')
  })

  test('suspects nobody whom it cannot ask', () => {
    const driver = setUp({ dialect: plain() }).connect()

    expect(driver.session.deadline).toBe(Infinity)
    expect(driver.tell('wake', 'doubt')).toEqual([])
  })
})

describe('what the page does', () => {
  test.each(['wake', 'doubt'] as const)('%s on a connection probes it', (signal) => {
    const driver = setUp().connect()
    driver.now = 1_000

    const effects = driver.tell(signal)
    const end = driver.elapse()

    expect(effects).toEqual([{ type: 'transmit', frame: 'ping' }])
    expect(driver.now).toBe(6_000)
    expect(types(end)).toContain('hangUp')
    expect(driver.error().code).toBe('HEARTBEAT_TIMEOUT')
  })

  test('wake cuts a long wait, with jitter of the first retry', () => {
    const driver = setUp({ retryDelayMs: { min: 1_000, max: 600_000 } })
    driver.tell('connect')
    for (let attempt = 1; attempt <= 8; attempt++) {
      driver.tell(closed(1006))
      if (attempt < 8) driver.elapse()
    }
    const longWait = driver.session.deadline - driver.now

    driver.tell('wake')

    expect(longWait).toBe(64_000)
    expect(driver.session.deadline - driver.now).toBe(500)
    expect(driver.session.state).toMatchObject({ status: 'waiting', attempt: 9 })
  })

  test('wake never lengthens a wait', () => {
    const chances = [0.1, 0.9]
    const driver = setUp({}, () => chances.shift() ?? 0)
    driver.tell('connect', closed(1006), 'wake')

    expect(driver.session.deadline).toBe(100)
  })

  test('doubt does not hurry a wait', () => {
    const chances = [0.9, 0.1]
    const driver = setUp({}, () => chances.shift() ?? 0)
    driver.tell('connect', closed(1006), 'doubt')

    expect(driver.session.deadline).toBe(900)
  })

  test('suspend lets go of everything, and resume dials at once', () => {
    const driver = setUp().connect()

    const suspended = driver.tell('suspend')
    const deadline = driver.session.deadline
    const resumed = driver.tell('resume')

    expect(types(suspended)).toEqual(['hangUp', 'changed'])
    expect(deadline).toBe(Infinity)
    expect(types(resumed)).toEqual(['dial', 'changed'])
  })

  test('does not count being suspended as a failure', () => {
    const driver = setUp().connect()
    driver.tell('suspend', 'resume')

    expect(driver.session.state).toEqual({ status: 'connecting', attempt: 1 })
  })
})

describe('what the application asks', () => {
  test('reconnect drops a working link and dials at once, as the first attempt', () => {
    const driver = setUp()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell('opened')

    const effects = driver.tell('reconnect')

    expect(types(effects)).toEqual(['hangUp', 'dial', 'changed'])
    expect(driver.session.state).toEqual({ status: 'connecting', attempt: 1 })
  })

  test.each(['connect', 'reconnect'] as const)('%s cuts a wait', (input) => {
    const driver = setUp()
    driver.tell('connect', closed(1006))

    expect(types(driver.tell(input))).toEqual(['dial', 'changed'])
  })

  test('close hangs up in the orderly way and is not an error', () => {
    const driver = setUp().connect()

    const effects = driver.tell('close')

    expect(effects).toMatchObject([{ type: 'hangUp', code: 1000 }, { type: 'changed' }])
    expect(driver.session.state).toEqual({ status: 'closed', error: null })
    expect(driver.session.deadline).toBe(Infinity)
  })

  test('hangs up only with close codes that a browser lets us use', () => {
    const ends: ((driver: ReturnType<typeof setUp>) => void)[] = [
      (driver) => driver.tell('close'),
      (driver) => driver.tell('reconnect'),
      (driver) => driver.tell('suspend'),
      (driver) => driver.tell(...Array.from({ length: 8 }, () => frame('{'))),
      (driver) => (driver.elapse(), driver.elapse()),
    ]
    for (const end of ends) {
      const driver = setUp().connect()
      end(driver)

      expect(driver.hangUps()).toHaveLength(1)
      for (const { code, reason } of driver.hangUps() as { code: number; reason: string }[]) {
        expect(code === 1000 || (code >= 3000 && code <= 4999)).toBe(true)
        expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(123)
      }
    }
  })
})

test('the same inputs at the same times give the same effects', () => {
  const run = (): unknown => {
    const driver = setUp()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell('opened', frame('{"event":"m"}'), 'wake')
    driver.elapse()
    return [driver.session.state, driver.dials(), driver.hangUps()]
  }

  expect(run()).toEqual(run())
})
