import type { Dialect, ReadyEvent } from '../dialects/dialect.js'
import {
  ConnectError,
  ConnectionLostError,
  isRefusal,
  RefusedError,
  type ErrorCode,
  type HoldfastError,
} from '../shared/errors.js'
import {
  BAD_REQUEST,
  LINK_ABANDONED,
  NORMAL_CLOSURE,
  NOT_ACCEPTABLE,
  type CloseAdvice,
} from '../protocol/close-codes.js'
import { fullJitter, type RetryDelay } from './backoff.js'
import { createLiveness, isLate, type Heartbeat, type Traffic } from '../protocol/heartbeat.js'
import type { Effect, Input } from './inputs-effects.js'
import { next, type ConnectionState, type Status, type Trigger } from './state.js'

export interface ConnectionOptions {
  readonly dialect: Pick<Dialect, 'advise' | 'badFramesMax'>
  readonly retryDelayMs: RetryDelay
  readonly stableAfterMs: number
  readonly connectTimeoutMs: number
  /** Null where the dialect cannot ping: then the server is only listened to. */
  readonly heartbeatMs: Heartbeat | null
  readonly maxAttempts: number
}

/**
 * The thinking of a connection, without a clock, a timer or a socket: it is told what happened and when, and answers
 * with effects and one deadline. The same inputs at the same times always give the same effects.
 */
export interface Connection {
  readonly state: ConnectionState
  /** When `elapsed` is due, on the clock of `handle`; `Infinity` when nothing is. */
  readonly deadline: number
  /** @param traffic what is on its way meanwhile; default: nothing */
  handle(input: Input, now: number, traffic?: Traffic): Effect[]
}

/** No server is obeyed that wants us to stay away for longer, in milliseconds. */
const RETRY_AFTER_MAX_MS = 600_000

/** In these states there is an attempt or a link, which leaving them must end. */
const LINKED: readonly Status[] = ['connecting', 'handshaking', 'connected']

/**
 * @param options `heartbeatMs` null where the server cannot be asked for life
 * @param random uniform in [0, 1)
 */
export function createConnection(options: ConnectionOptions, random: () => number): Connection {
  const { dialect, retryDelayMs, stableAfterMs, connectTimeoutMs, maxAttempts } = options
  const liveness = createLiveness(options.heartbeatMs)
  let state: ConnectionState = { status: 'idle' }
  let effects: Effect[] = []
  /** Attempts in a row that failed, or whose connection did not last. */
  let failures = 0
  /** Of those, how many of the last ran into the connect deadline. */
  let timeouts = 0
  /** Of those, how many the server ended because of our credential. */
  let refusals = 0
  let badFrames = 0
  /** Over how long the server wants its clients to return, if they all lose their links. */
  let spreadMs = 0
  /** What the server has said of the end of this connection. */
  let farewell: Extract<Input, { type: 'farewell' }> | undefined
  let attemptBy = Infinity
  let patienceMs = connectTimeoutMs
  let isForgiven = false

  const isLinked = (): boolean => LINKED.includes(state.status)

  /** Follows the table; does nothing where it has no such row. */
  function move(trigger: Trigger, now: number, error?: HoldfastError): void {
    const status = next(state.status, trigger)
    if (!status || status === 'connected') return // Only ready() leads there.
    if (isLinked() && trigger !== 'opened') {
      const code = trigger === 'close' ? NORMAL_CLOSURE : error ? closeCodeOf(error) : LINK_ABANDONED
      effects.push({ type: 'hangUp', code, reason: error?.code ?? trigger })
    }
    state = enter(status, now, error)
  }

  function enter(status: Exclude<Status, 'connected'>, now: number, error: HoldfastError | undefined): ConnectionState {
    const attempt = failures + 1
    switch (status) {
      case 'connecting':
        // Firefox delays attempts by itself after failures, inside CONNECTING: be more patient after two time-outs.
        patienceMs = connectTimeoutMs * (timeouts > 1 ? 2 : 1)
        attemptBy = now + patienceMs
        isForgiven = false
        farewell = undefined
        badFrames = 0
        effects.push({ type: 'dial', attempt })
        return { status, attempt }
      case 'handshaking':
        return { status, attempt }
      case 'waiting': {
        // Only lose() leads here, and it brings an error.
        // The spread of a herd applies once a dial has failed: one client that loses its link is no herd.
        const jitter = fullJitter(failures, retryDelayMs, random, failures > 1 ? spreadMs : 0)
        // The server may ask for more patience than ours, within reason.
        const delayMs = Math.max(jitter, Math.min(farewell?.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS))
        return { status, attempt, retryAt: now + delayMs, error: error as HoldfastError }
      }
      case 'closed':
        return { status, error: error ?? null }
      case 'idle':
      case 'suspended':
        return { status }
    }
  }

  /** The attempt failed or the connection ended: come back later, or stop. */
  function lose(error: HoldfastError, advice: CloseAdvice, now: number): void {
    if (state.status === 'connected' && now - state.connectedAt >= stableAfterMs) forgive()
    failures++
    timeouts = error.code === 'CONNECT_TIMEOUT' ? timeouts + 1 : 0
    if (advice === 'unauthorized') refusals++
    const stop: ErrorCode | false =
      advice === 'stop'
        ? 'REFUSED_BY_SERVER'
        : refusals > 1
          ? 'UNAUTHORIZED'
          : failures >= maxAttempts && 'ATTEMPTS_EXHAUSTED'
    if (!stop) move('lost', now, error)
    else if (isRefusal(error)) move('refused', now, error)
    else
      move('refused', now, new RefusedError(stop, `Stopped after ${failures} failed attempts. ${error.message}`, error))
  }

  function forgive(): void {
    failures = timeouts = refusals = 0
  }

  function ready(event: ReadyEvent, now: number): void {
    const { heartbeat, mayIgnorePings, sessionId, recovered, spreadMs: overMs } = event
    if (!next(state.status, 'ready')) return
    spread(overMs)
    liveness.start(now, heartbeat, mayIgnorePings)
    state = {
      status: 'connected',
      connectedAt: now,
      ...(sessionId !== undefined && { sessionId }),
      ...(recovered !== undefined && { recovered }),
    }
  }

  function spread(overMs = 0): void {
    spreadMs = Math.min(overMs, RETRY_AFTER_MAX_MS)
  }

  function broken(error: HoldfastError, now: number): void {
    // What our own side could not send says nothing of the server.
    if (error.name !== 'LocalProtocolError') liveness.received(now)
    effects.push({ type: 'report', error })
    if (isRefusal(error)) lose(error, error.code === 'UNAUTHORIZED' ? 'unauthorized' : 'stop', now)
    else if (++badFrames >= dialect.badFramesMax) lose(error, 'retry', now)
  }

  function closed({ code, reason, wish }: Extract<Input, { type: 'closed' }>, now: number): void {
    const words = farewell?.words ?? reason
    const ending = `close code ${code}${words && `, ${words}`}`
    if (state.status === 'connecting') {
      // A browser tells no cause: the likely ones are named.
      const error = new ConnectError(
        'UNREACHABLE',
        `No connection: ${ending}. Is the server up, the URL right with its path, and the dialect right? A companion server wants reliable()`,
      )
      lose(error, 'retry', now)
    } else {
      const error = new ConnectionLostError('CONNECTION_CLOSED', `Connection lost: ${ending}`, code, reason)
      lose(error, wish ?? dialect.advise(code), now)
    }
  }

  function elapsed(now: number, traffic?: Traffic): void {
    if (state.status === 'waiting') {
      if (now >= state.retryAt) move('due', now)
    } else if (state.status === 'connected') {
      const verdict = liveness.elapsed(now, traffic)
      if (verdict !== 'dead') return ping(verdict)
      const forMs = Math.round(now - liveness.receivedAt)
      const silence = new ConnectionLostError(
        'HEARTBEAT_TIMEOUT',
        `No frame from the server for ${forMs} ms`,
        LINK_ABANDONED,
        '',
      )
      lose(silence, 'retry', now)
    } else if (isLinked() && now >= attemptBy) {
      if (isLate(now, attemptBy, patienceMs) && !isForgiven) {
        // The thread was held up, throttled or asleep, and what the attempt waits for was held up with this timer.
        isForgiven = true
        attemptBy = now + patienceMs
        return
      }
      const error =
        state.status === 'handshaking'
          ? new ConnectError('CONNECT_TIMEOUT', `The server has not finished the handshake within ${patienceMs} ms`)
          : new ConnectError('CONNECT_TIMEOUT', `No connection within ${patienceMs} ms`)
      lose(error, 'retry', now)
    }
  }

  function react(input: Input, now: number, traffic?: Traffic): void {
    switch (input.type) {
      case 'frame':
        liveness.received(now)
        badFrames = 0
        return
      case 'pong': {
        const rttMs = liveness.pong(now)
        if (rttMs !== undefined) effects.push({ type: 'roundTrip', rttMs })
        return
      }
      case 'announced':
        return liveness.announced(input.bytes)
      case 'ready':
        return ready(input, now)
      case 'spread':
        return spread(input.spreadMs)
      case 'farewell':
        farewell = { ...farewell, ...input, retryAfterMs: input.retryAfterMs ?? farewell?.retryAfterMs }
        return
      case 'broken':
        if (isLinked()) broken(input.error, now)
        return
      case 'elapsed':
        return elapsed(now, traffic)
      case 'opened':
        move('opened', now)
        if (input.ready) ready(input.ready, now)
        return
      case 'closed':
        if (isLinked()) closed(input, now)
        return
      case 'failed':
        if (isRefusal(input.error)) lose(input.error, 'stop', now)
        else if (state.status === 'connecting') lose(input.error, 'retry', now)
        else effects.push({ type: 'report', error: input.error })
        return
      case 'wake':
      case 'doubt':
        if (state.status === 'connected') ping(liveness.probe(now, traffic, input.withinMs))
        else if (state.status === 'waiting' && input.type === 'wake') {
          // Drawn afresh, as a whole office comes back online together.
          state = { ...state, retryAt: Math.min(state.retryAt, now + fullJitter(1, retryDelayMs, random)) }
        }
        return
      case 'connect':
      case 'reconnect':
        if (state.status === 'closed' || input.type === 'reconnect') forgive()
        return move(state.status === 'waiting' ? 'due' : input.type, now)
      case 'suspend':
      case 'resume':
      case 'close':
        return move(input.type, now)
    }
  }

  function ping(verdict: 'ping' | 'dead' | undefined): void {
    if (verdict) effects.push({ type: 'ping' })
  }

  return {
    get state() {
      return state
    },
    get deadline() {
      if (state.status === 'waiting') return state.retryAt
      if (state.status === 'connected') return liveness.deadline
      return isLinked() ? attemptBy : Infinity
    },
    handle(input, now, traffic) {
      effects = []
      const before = state
      react(input, now, traffic)
      if (state !== before) effects.push({ type: 'changed' })
      return effects
    },
  }
}

/** What the server is told of how it has failed us. */
const closeCodeOf = ({ code }: HoldfastError): number =>
  code === 'PROTOCOL_MISMATCH' ? NOT_ACCEPTABLE : BROKEN_RULES.includes(code) ? BAD_REQUEST : LINK_ABANDONED

const BROKEN_RULES: readonly ErrorCode[] = ['BAD_FRAME', 'SEQUENCE_GAP', 'BAD_ACK']
