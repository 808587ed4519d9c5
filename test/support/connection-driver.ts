import { createConnection, type ConnectionOptions } from '../../src/connection/connection.js'
import type { Effect, Input } from '../../src/connection/inputs-effects.js'
import { plain } from '../../src/dialects/plain/plain.js'
import type { ReadyEvent } from '../../src/dialects/dialect.js'
import { ConnectError, RefusedError, RemoteProtocolError, type HoldfastError } from '../../src/shared/errors.js'

export const CONNECTION_OPTIONS: ConnectionOptions = {
  dialect: plain(),
  retryDelayMs: { min: 1_000, max: 30_000 },
  stableAfterMs: 5_000,
  connectTimeoutMs: 10_000,
  heartbeatMs: { interval: 25_000, timeout: 15_000 },
  maxAttempts: Infinity,
}

/** The handshake of a plain server. */
export const READY: ReadyEvent = { type: 'ready' }

/** A socket is open, and that is the whole handshake. */
export const OPENED: Input = { type: 'opened', ready: READY }

export const FRAME: Input = { type: 'frame' }

/** A frame came that makes no sense. */
export const BAD_FRAME: Input = { type: 'broken', error: new RemoteProtocolError('BAD_FRAME', 'no JSON') }

export const closed = (code: number, reason = ''): Input => ({ type: 'closed', code, reason })

export const failed = (isFinal = false): Input => ({
  type: 'failed',
  error: isFinal ? new RefusedError('BLOCKED_BY_BROWSER', 'blocked') : new ConnectError('URL_FAILED', 'no url'),
})

export const types = (effects: readonly Effect[]): string[] => effects.map(({ type }) => type)

/** An input, or the name of one that has nothing but its name. */
export type Told =
  Input | 'connect' | 'reconnect' | 'close' | 'suspend' | 'resume' | 'elapsed' | 'wake' | 'doubt' | 'pong'

/** A connection on a clock of its own, with every effect that it asked for. */
export function driveConnection(given: Partial<ConnectionOptions> = {}, random: () => number = () => 0.5) {
  const connection = createConnection({ ...CONNECTION_OPTIONS, ...given }, random)
  const effects: Effect[] = []
  const driver = {
    connection,
    now: 0,
    tell(...inputs: Told[]): Effect[] {
      const mine = inputs.flatMap((input) =>
        connection.handle(typeof input === 'string' ? { type: input } : input, driver.now),
      )
      effects.push(...mine)
      return mine
    },
    /** Moves on to the deadline, and past all that is due there. */
    elapse(): Effect[] {
      driver.now = connection.deadline
      return driver.tell('elapsed')
    },
    dials: () => effects.filter(({ type }) => type === 'dial'),
    hangUps: () => effects.filter((effect) => effect.type === 'hangUp'),
    connect() {
      driver.tell('connect', OPENED)
      return driver
    },
    error(): HoldfastError {
      const { state } = connection
      if (!('error' in state) || !state.error) throw new Error(`There is no error in the state ${state.status}`)
      return state.error
    },
  }
  return driver
}
