import { describe, expect, test } from 'vitest'
import { ConnectError, ConnectionLostError, RefusedError } from '../../../src/shared/errors.js'
import {
  BAD_FRAME,
  closed,
  CONNECTION_OPTIONS,
  driveConnection,
  failed,
  FRAME,
  OPENED,
  types,
} from '../../support/connection-driver.js'

describe('connecting', () => {
  test('numbers the attempts in a row', () => {
    const driver = driveConnection()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(failed())
    driver.elapse()

    expect(driver.dials()).toEqual([1, 2, 3].map((attempt) => ({ type: 'dial', attempt })))
    expect(driver.connection.state).toMatchObject({ status: 'connecting', attempt: 3 })
  })

  test('has a deadline over the whole attempt, and hangs up when it has passed', () => {
    const driver = driveConnection()
    driver.now = 500
    driver.tell('connect')
    const deadline = driver.connection.deadline
    driver.now = deadline - 1
    const early = driver.tell('elapsed')
    const late = driver.elapse()

    expect(deadline).toBe(10_500)
    expect(early).toEqual([])
    expect(types(late)).toEqual(['hangUp', 'changed'])
    expect(driver.connection.state.status).toBe('waiting')
    expect(driver.error()).toMatchObject({ code: 'CONNECT_TIMEOUT', name: 'ConnectError' })
    expect(driver.error().message).toMatch(/\b10000 ms/)
  })

  test('is twice as patient after two time-outs in a row, and says so', () => {
    const driver = driveConnection()
    driver.tell('connect')
    const patience: number[] = []
    for (let attempt = 1; attempt <= 4; attempt++) {
      patience.push(driver.connection.deadline - driver.now)
      driver.elapse()
      if (attempt === 3) expect(driver.error().message).toMatch(/\b20000 ms/)
      driver.elapse()
    }

    expect(patience).toEqual([10_000, 10_000, 20_000, 20_000])
  })

  test('is no more patient after a failure of another kind', () => {
    const driver = driveConnection()
    driver.tell('connect')
    driver.elapse()
    driver.elapse()
    driver.elapse()
    driver.elapse()
    driver.tell(closed(1006))
    driver.elapse()

    expect(driver.connection.deadline - driver.now).toBe(10_000)
  })

  test('reports why an attempt failed, and waits with full jitter', () => {
    const driver = driveConnection({}, () => 0.25)
    driver.now = 100
    driver.tell('connect', closed(1006, 'gone'))

    expect(driver.connection.state).toMatchObject({ status: 'waiting', attempt: 2, retryAt: 350 })
    expect(driver.error()).toBeInstanceOf(ConnectError)
    expect(driver.error().code).toBe('UNREACHABLE')
    expect(driver.error().message).toContain('1006')
    expect(driver.error().message).toContain('gone')
  })

  test('waits for its retry and not a moment less', () => {
    const driver = driveConnection()
    driver.tell('connect', closed(1006))
    driver.now = driver.connection.deadline - 0.001

    expect(driver.tell('elapsed')).toEqual([])
    expect(types(driver.elapse())).toContain('dial')
  })

  test('doubles the bound of the wait with every failure, up to the maximum', () => {
    const driver = driveConnection({ retryDelayMs: { min: 1_000, max: 5_000 } })
    driver.tell('connect')
    const waits: number[] = []
    for (let attempt = 1; attempt <= 5; attempt++) {
      driver.tell(closed(1006))
      waits.push(driver.connection.deadline - driver.now)
      driver.elapse()
    }

    expect(waits).toEqual([500, 1_000, 2_000, 2_500, 2_500])
  })

  test('gives up after maxAttempts with the reason of the last', () => {
    const driver = driveConnection({ maxAttempts: 2 })
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006, 'last'))

    expect(driver.connection.state.status).toBe('closed')
    expect(driver.connection.deadline).toBe(Infinity)
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error().code).toBe('ATTEMPTS_EXHAUSTED')
    expect(driver.error().cause).toMatchObject({ code: 'UNREACHABLE' })
    expect(driver.error().message).toContain('last')
  })

  test('starts afresh when it is asked to connect after it gave up', () => {
    const driver = driveConnection({ maxAttempts: 2 })
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006), 'connect')

    expect(driver.connection.state).toEqual({ status: 'connecting', attempt: 1 })
    driver.tell(closed(1006))
    expect(driver.connection.state.status).toBe('waiting')
  })

  test('stops when the browser makes no socket', () => {
    const driver = driveConnection()
    driver.tell('connect', failed(true))

    expect(driver.connection.state.status).toBe('closed')
    expect(driver.error()).toMatchObject({ code: 'BLOCKED_BY_BROWSER', name: 'RefusedError' })
  })
})

describe('connected', () => {
  test('tells how a connection ended, with the true code and reason', () => {
    const driver = driveConnection().connect()
    driver.tell(closed(1012, 'service restart'))

    expect(driver.error()).toBeInstanceOf(ConnectionLostError)
    expect(driver.error()).toMatchObject({
      code: 'CONNECTION_CLOSED',
      closeCode: 1012,
      closeReason: 'service restart',
    })
  })

  test('counts a connection that did not last as one more failure', () => {
    const driver = driveConnection()
    driver.tell('connect')
    for (let attempt = 1; attempt <= 3; attempt++) {
      driver.tell(OPENED)
      driver.now += 4_999
      driver.tell(closed(1006))
      expect(driver.connection.state).toMatchObject({ status: 'waiting', attempt: attempt + 1 })
      driver.elapse()
    }
  })

  test('forgets failures once a connection has lasted stableAfterMs', () => {
    const driver = driveConnection()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(closed(1006))
    driver.elapse()
    driver.tell(OPENED)
    driver.now += 5_000
    driver.tell(closed(1006))

    expect(driver.connection.state).toMatchObject({ status: 'waiting', attempt: 2 })
  })

  test.each([1003, 1007, 1008, 1010, 3003, 4400, 4403, 4404, 4406, 4410])('stops at close code %i', (code) => {
    const driver = driveConnection().connect()
    driver.tell(closed(code, 'why'))

    expect(driver.connection.state.status).toBe('closed')
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error()).toMatchObject({
      code: 'REFUSED_BY_SERVER',
      cause: { closeCode: code, closeReason: 'why' },
    })
  })

  test.each([1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015, 4408, 4429, 4500, 4999])(
    'comes back after close code %i',
    (code) => {
      const driver = driveConnection().connect()
      driver.tell(closed(code))

      expect(driver.connection.state.status).toBe('waiting')
    },
  )

  test.each([3000, 4401])('tries once more after close code %i, with a fresh credential', (code) => {
    const driver = driveConnection().connect()
    driver.tell(closed(code))
    const once = driver.connection.state.status
    driver.elapse()
    driver.tell(OPENED, closed(code))

    expect(once).toBe('waiting')
    expect(driver.connection.state.status).toBe('closed')
    expect(driver.error()).toBeInstanceOf(RefusedError)
    expect(driver.error()).toMatchObject({ code: 'UNAUTHORIZED', cause: { closeCode: code } })
  })

  test('forgives a refusal once a connection has lasted', () => {
    const driver = driveConnection().connect()
    driver.tell(closed(4401))
    driver.elapse()
    driver.tell(OPENED)
    driver.now += 5_000
    driver.tell(closed(4401))

    expect(driver.connection.state.status).toBe('waiting')
  })

  test('is left or kept as the application wishes, in place of the code', () => {
    const stubborn = driveConnection().connect()
    stubborn.tell({ type: 'closed', code: 1008, reason: 'policy', wish: 'retry' })
    const meek = driveConnection().connect()
    meek.tell({ type: 'closed', code: 1006, reason: '', wish: 'stop' })

    expect(stubborn.connection.state.status).toBe('waiting')
    expect(meek.connection.state.status).toBe('closed')
    expect(meek.error()).toMatchObject({ code: 'REFUSED_BY_SERVER' })
  })

  test('reports a bad frame and stays', () => {
    const driver = driveConnection().connect()

    const effects = driver.tell(BAD_FRAME, FRAME)

    expect(effects).toMatchObject([{ type: 'report', error: { code: 'BAD_FRAME', name: 'RemoteProtocolError' } }])
    expect(driver.connection.state.status).toBe('connected')
  })

  test('leaves a peer that has sent too many bad frames in a row, and comes back later', () => {
    const driver = driveConnection().connect()
    const { badFramesMax } = CONNECTION_OPTIONS.dialect
    const almost = Array.from({ length: badFramesMax - 1 }, () => BAD_FRAME)
    driver.tell(...almost, FRAME, ...almost)
    const before = driver.connection.state.status

    const effects = driver.tell(BAD_FRAME)

    expect(badFramesMax).toBe(8)
    expect(before).toBe('connected')
    expect(types(effects)).toEqual(['report', 'hangUp', 'changed'])
    expect(effects[1]).toMatchObject({ code: 4400 })
    expect(driver.connection.state).toMatchObject({ status: 'waiting', error: { code: 'BAD_FRAME' } })
  })

  test('counts no bad frames of the connection before', () => {
    const driver = driveConnection().connect()
    driver.tell(...Array.from({ length: 7 }, () => BAD_FRAME), 'reconnect', OPENED, BAD_FRAME)

    expect(driver.connection.state.status).toBe('connected')
  })

  test('takes no frame but on a connection', () => {
    const driver = driveConnection()
    driver.tell('connect')

    expect(driver.tell(FRAME, 'pong')).toEqual([])
  })

  test('asks for life, measures the round trip, and finds the dead link', () => {
    const driver = driveConnection().connect()
    const question = driver.elapse()
    driver.now += 30
    const answer = driver.tell(FRAME, 'pong')
    driver.elapse()
    const end = driver.elapse()

    expect(question).toEqual([{ type: 'ping' }])
    expect(answer).toEqual([{ type: 'roundTrip', rttMs: 30 }])
    expect(driver.now).toBe(65_000)
    expect(types(end)).toEqual(['hangUp', 'changed'])
    expect(driver.error()).toBeInstanceOf(ConnectionLostError)
    expect(driver.error().code).toBe('HEARTBEAT_TIMEOUT')
    expect(driver.error().message).toContain('39970 ms')
  })

  test('suspects nobody that it cannot ask', () => {
    const driver = driveConnection({ heartbeatMs: null }).connect()

    expect(driver.connection.deadline).toBe(Infinity)
    expect(driver.tell('wake', 'doubt')).toEqual([])
  })
})

describe('what the page does', () => {
  test.each(['wake', 'doubt'] as const)('%s on a connection probes it', (signal) => {
    const driver = driveConnection().connect()
    driver.now = 1_000

    const effects = driver.tell(signal)
    const end = driver.elapse()

    expect(effects).toEqual([{ type: 'ping' }])
    expect(driver.now).toBe(6_000)
    expect(types(end)).toContain('hangUp')
    expect(driver.error().code).toBe('HEARTBEAT_TIMEOUT')
  })

  test('wake cuts a long wait, with jitter of the first retry', () => {
    const driver = driveConnection({ retryDelayMs: { min: 1_000, max: 600_000 } })
    driver.tell('connect')
    for (let attempt = 1; attempt <= 8; attempt++) {
      driver.tell(closed(1006))
      if (attempt < 8) driver.elapse()
    }
    const longWait = driver.connection.deadline - driver.now

    driver.tell('wake')

    expect(longWait).toBe(64_000)
    expect(driver.connection.deadline - driver.now).toBe(500)
    expect(driver.connection.state).toMatchObject({ status: 'waiting', attempt: 9 })
  })

  test('wake never lengthens a wait', () => {
    const chances = [0.1, 0.9]
    const driver = driveConnection({}, () => chances.shift() ?? 0)
    driver.tell('connect', closed(1006), 'wake')

    expect(driver.connection.deadline).toBe(100)
  })

  test('doubt does not hurry a wait', () => {
    const chances = [0.9, 0.1]
    const driver = driveConnection({}, () => chances.shift() ?? 0)
    driver.tell('connect', closed(1006), 'doubt')

    expect(driver.connection.deadline).toBe(900)
  })

  test('suspend lets go of everything, and resume dials at once', () => {
    const driver = driveConnection().connect()

    const suspended = driver.tell('suspend')
    const deadline = driver.connection.deadline
    const resumed = driver.tell('resume')

    expect(types(suspended)).toEqual(['hangUp', 'changed'])
    expect(deadline).toBe(Infinity)
    expect(types(resumed)).toEqual(['dial', 'changed'])
  })

  test('does not count being suspended as a failure', () => {
    const driver = driveConnection().connect()
    driver.tell('suspend', 'resume')

    expect(driver.connection.state).toEqual({ status: 'connecting', attempt: 1 })
  })
})

describe('what the application asks', () => {
  test('reconnect drops a working link and dials at once, as the first attempt', () => {
    const driver = driveConnection()
    driver.tell('connect', closed(1006))
    driver.elapse()
    driver.tell(OPENED)

    const effects = driver.tell('reconnect')

    expect(types(effects)).toEqual(['hangUp', 'dial', 'changed'])
    expect(driver.connection.state).toEqual({ status: 'connecting', attempt: 1 })
  })

  test.each(['connect', 'reconnect'] as const)('%s cuts a wait', (input) => {
    const driver = driveConnection()
    driver.tell('connect', closed(1006))

    expect(types(driver.tell(input))).toEqual(['dial', 'changed'])
  })

  test('close hangs up in the orderly way and is not an error', () => {
    const driver = driveConnection().connect()

    const effects = driver.tell('close')

    expect(effects).toMatchObject([{ type: 'hangUp', code: 1000 }, { type: 'changed' }])
    expect(driver.connection.state).toEqual({ status: 'closed', error: null })
    expect(driver.connection.deadline).toBe(Infinity)
  })

  test('hangs up only with close codes that a browser lets us use', () => {
    const ends: ((driver: ReturnType<typeof driveConnection>) => void)[] = [
      (driver) => driver.tell('close'),
      (driver) => driver.tell('reconnect'),
      (driver) => driver.tell('suspend'),
      (driver) => driver.tell(...Array.from({ length: 8 }, () => BAD_FRAME)),
      (driver) => (driver.elapse(), driver.elapse()),
    ]
    for (const end of ends) {
      const driver = driveConnection().connect()
      end(driver)

      expect(driver.hangUps()).toHaveLength(1)
      for (const { code, reason } of driver.hangUps() as { code: number; reason: string }[]) {
        expect(code === 1000 || (code >= 3000 && code <= 4999)).toBe(true)
        expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(123)
      }
    }
  })
})
