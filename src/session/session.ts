import type { Dialect } from '../dialects/dialect.js'
import { ConnectError, ConnectionLostError, HoldfastError, RefusedError, RemoteProtocolError } from '../errors.js'
import { BAD_REQUEST, LINK_ABANDONED, NORMAL_CLOSURE } from '../protocol/close-codes.js'
import type { Body, Message, Received } from '../protocol/codec.js'
import { fullJitter, type RetryDelay } from './backoff.js'
import { createLiveness, type Heartbeat } from './liveness.js'
import { next, type ConnectionState, type Trigger } from './state.js'

/** What the session is told. */
export type Input =
  | { readonly type: 'connect' | 'reconnect' | 'close' | 'opened' | 'suspend' | 'resume' | 'elapsed' }
  /** `wake`: the page came into view or the machine online; `doubt`: it went offline. Hints to look at the link at once. */
  | { readonly type: 'wake' | 'doubt' }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string }
  /** The attempt failed before there was a socket; `final` where trying again cannot help. */
  | { readonly type: 'failed'; readonly error: HoldfastError; readonly final?: boolean }
  | { readonly type: 'frame'; readonly frame: Received }

/** What the session asks of its shell, in this order. */
export type Effect =
  /** Ask the url provider and open a socket; forget any earlier attempt. */
  | { readonly type: 'dial'; readonly attempt: number }
  /** Abandon the socket, or the attempt, at once: whatever it still says is not wanted. */
  | { readonly type: 'hangUp'; readonly code: number; readonly reason: string }
  | { readonly type: 'transmit'; readonly frame: Body }
  | { readonly type: 'deliver'; readonly message: Message }
  | { readonly type: 'roundTrip'; readonly rttMs: number }
  | { readonly type: 'report'; readonly error: HoldfastError }
  /** `state` is another than before. */
  | { readonly type: 'changed' }

export interface SessionOptions {
  readonly dialect: Dialect
  readonly retryDelayMs: RetryDelay
  readonly stableAfterMs: number
  readonly connectTimeoutMs: number
  readonly heartbeatMs: Heartbeat
  readonly maxAttempts: number
  readonly shouldReconnect: ((close: { code: number; reason: string }) => boolean) | undefined
}

/**
 * The thinking of a connection, without a clock, a timer or a socket: it is told what happened and when, and answers
 * with effects and one deadline. The same inputs at the same times always give the same effects.
 */
export interface Session {
  readonly state: ConnectionState
  /** When `elapsed` is due, on the clock of `handle`; `Infinity` when nothing is. */
  readonly deadline: number
  readonly receivedAt: number
  handle(input: Input, now: number): Effect[]
}

/** After so many bad frames in a row the peer is not believed to speak our dialect, and the link is closed. */
const BAD_FRAMES_MAX = 8

export function createSession(options: SessionOptions, random: () => number): Session {
  const { dialect, stableAfterMs, connectTimeoutMs, maxAttempts, shouldReconnect } = options
  const liveness = createLiveness(dialect.ping ? options.heartbeatMs : null)
  let state: ConnectionState = { status: 'idle' }
  let effects: Effect[] = []
  /** Attempts in a row that failed, or whose connection did not last. */
  let failures = 0
  /** Of those, how many of the last ran into the connect deadline. */
  let timeouts = 0
  /** How often in a row the server has called our credential bad. */
  let refusals = 0
  let badFrames = 0
  let attemptDeadline = Infinity

  /** Follows the table; returns false where it has no such row. */
  function move(trigger: Trigger, now: number, error?: HoldfastError): boolean {
    const to = next(state.status, trigger)
    if (!to) return false
    switch (to) {
      case 'idle':
        break
      case 'connecting':
        // Firefox delays connections by itself after failures, inside CONNECTING: be twice as patient after two time-outs.
        attemptDeadline = now + connectTimeoutMs * (timeouts >= 2 ? 2 : 1)
        state = { status: to, attempt: failures + 1 }
        effects.push({ type: 'dial', attempt: failures + 1 })
        break
      case 'handshaking':
        state = { status: to, attempt: failures + 1 }
        break
      case 'connected':
        liveness.start(now)
        badFrames = 0
        state = { status: to, connectedAt: now }
        break
      case 'waiting':
        state = {
          status: to,
          attempt: failures + 1,
          retryAt: now + fullJitter(failures, options.retryDelayMs, random),
          error: error as HoldfastError, // Only lose() pulls this trigger, and it has one.
        }
        break
      case 'suspended':
        state = { status: to }
        break
      case 'closed':
        state = { status: to, error: error ?? null }
    }
    return true
  }

  /** The attempt failed or the connection ended: come back later, or stop. */
  function lose(error: HoldfastError, advice: 'retry' | 'unauthorized' | 'stop', now: number): void {
    if (state.status === 'connected' && now - state.connectedAt >= stableAfterMs) forgive()
    failures++
    if (advice === 'unauthorized') refusals++
    else timeouts = error.code === 'CONNECT_TIMEOUT' ? timeouts + 1 : 0

    if (advice === 'unauthorized' && refusals > 1) {
      move('refused', now, new RefusedError('UNAUTHORIZED', `Refused twice in a row. ${error.message}`, error))
    } else if (advice === 'stop') {
      move(
        'refused',
        now,
        error instanceof RefusedError ? error : new RefusedError('REFUSED_BY_SERVER', error.message, error),
      )
    } else if (failures >= maxAttempts) {
      move(
        'refused',
        now,
        new RefusedError('ATTEMPTS_EXHAUSTED', `Gave up after ${failures} attempts. ${error.message}`, error),
      )
    } else {
      move('lost', now, error)
    }
  }

  function forgive(): void {
    failures = timeouts = refusals = 0
  }

  const hangUp = (code: number, reason: string): void => void effects.push({ type: 'hangUp', code, reason })
  const ping = (wanted: 'ping' | 'dead' | undefined): void => {
    if (wanted === 'ping' && dialect.ping) effects.push({ type: 'transmit', frame: dialect.ping() })
  }

  function receive(frame: Received, now: number): void {
    liveness.received(now)
    try {
      const meaning = dialect.read(frame)
      badFrames = 0
      if (meaning.type === 'message') {
        effects.push({ type: 'deliver', message: meaning.message })
      } else {
        const rttMs = liveness.pong(now)
        if (rttMs !== undefined) effects.push({ type: 'roundTrip', rttMs })
      }
    } catch (thrown) {
      const error =
        thrown instanceof HoldfastError
          ? thrown
          : new RemoteProtocolError('BAD_FRAME', `Cannot read a frame: ${String(thrown)}`, thrown)
      effects.push({ type: 'report', error })
      if (++badFrames < BAD_FRAMES_MAX) return
      hangUp(BAD_REQUEST, 'bad frames')
      lose(error, 'retry', now)
    }
  }

  function closed({ code, reason }: { code: number; reason: string }, now: number): void {
    const what = `close code ${code}${reason && ` "${reason}"`}`
    if (state.status === 'connecting')
      return lose(new ConnectError('UNREACHABLE', `No connection: ${what}`), 'retry', now)
    const error = new ConnectionLostError('CONNECTION_CLOSED', `The connection ended with ${what}`, code, reason)
    const advice = shouldReconnect ? (shouldReconnect({ code, reason }) ? 'retry' : 'stop') : dialect.advise(code)
    lose(error, advice, now)
  }

  function elapsed(now: number): void {
    if (state.status === 'waiting') {
      if (now >= state.retryAt) move('due', now)
    } else if (state.status === 'connected') {
      const { receivedAt } = liveness
      const verdict = liveness.elapsed(now)
      if (verdict !== 'dead') return ping(verdict)
      hangUp(LINK_ABANDONED, 'no sign of life')
      const silence = `No frame from the server for ${Math.round(now - receivedAt)} ms`
      lose(new ConnectionLostError('HEARTBEAT_TIMEOUT', silence, LINK_ABANDONED, 'no sign of life'), 'retry', now)
    } else if (now >= attemptDeadline && isDialling()) {
      hangUp(LINK_ABANDONED, 'connect timeout')
      lose(new ConnectError('CONNECT_TIMEOUT', `No connection after ${connectTimeoutMs} ms`), 'retry', now)
    }
  }

  const isDialling = (): boolean => state.status === 'connecting' || state.status === 'handshaking'

  function react(input: Input, now: number): void {
    switch (input.type) {
      case 'frame':
        if (state.status === 'connected') receive(input.frame, now)
        return
      case 'elapsed':
        return elapsed(now)
      case 'opened':
        // A plain server has nothing to say before it is spoken to: the open socket is the whole handshake.
        if (move('opened', now)) move('ready', now)
        return
      case 'closed':
        if (isDialling() || state.status === 'connected') closed(input, now)
        return
      case 'failed':
        if (state.status === 'connecting') lose(input.error, input.final ? 'stop' : 'retry', now)
        return
      case 'wake':
      case 'doubt':
        if (state.status === 'connected') ping(liveness.probe(now))
        // Drawn afresh, as a whole office comes back online together.
        else if (state.status === 'waiting' && input.type === 'wake') {
          state = { ...state, retryAt: Math.min(state.retryAt, now + fullJitter(1, options.retryDelayMs, random)) }
        }
        return
      case 'connect':
        if (state.status === 'closed') forgive()
        if (!move('connect', now)) move('due', now)
        return
      case 'reconnect':
        if (next(state.status, 'reconnect')) {
          forgive()
          if (state.status !== 'waiting') hangUp(LINK_ABANDONED, 'reconnecting')
        }
        return void move('reconnect', now)
      case 'suspend':
        if (next(state.status, 'suspend') && state.status !== 'waiting') hangUp(LINK_ABANDONED, 'page suspended')
        return void move('suspend', now)
      case 'resume':
        return void move('resume', now)
      case 'close':
        if (isDialling() || state.status === 'connected') hangUp(NORMAL_CLOSURE, '')
        return void move('close', now)
    }
  }

  return {
    get state() {
      return state
    },
    get deadline() {
      if (state.status === 'waiting') return state.retryAt
      if (state.status === 'connected') return liveness.deadline
      return isDialling() ? attemptDeadline : Infinity
    },
    get receivedAt() {
      return liveness.receivedAt
    },
    handle(input, now) {
      const before = state
      effects = []
      react(input, now)
      if (state !== before) effects.push({ type: 'changed' })
      return effects
    },
  }
}
