import { createEvents } from '../../shared/emitter.js'
import { DeliveryError, HoldfastError, type StorageError } from '../../shared/errors.js'
import { GOING_AWAY, INTERNAL_ERROR, NORMAL_CLOSURE, SUPERSEDED, TRY_AGAIN_LATER } from '../../protocol/close-codes.js'
import { sizeOf, type Body } from '../../protocol/codec.js'
import type { EndReason, MessageContext, Session, SessionEvents } from '../base/api.js'
import { refuse } from '../validate.js'
import { superseded } from '../base/close-reasons.js'
import type { Core, Member } from '../base/context.js'
import { createHandlers, requireName } from './handlers.js'
import { createStreamWriter } from './stream-writer.js'
import type { Attached, StreamEntry, StreamMessage } from '../stores/stream-store.js'
import { createWorker, type WorkSource } from './handler-queue.js'

/** The connection that has a session, from the session's side. */
export interface SessionLink extends WorkSource {
  deliver(message: StreamMessage): void
  writeVolatile(frame: Body): void
  /** Closes the connection; the session is told nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
}

/** A session, from the engine's side. */
export interface ServerSession extends Member {
  readonly id: string
  readonly user: string
  /** What the application sees. */
  readonly door: Session
  readonly isAway: boolean
  readonly isIdle: boolean
  /** A connection has it from now on, which is sent what was missed; an older one is closed with 4409. */
  attach(link: SessionLink, attached: Pick<Attached, 'epoch' | 'messages'>, handled: number): void
  /** A connection was attached in the store and is gone already. */
  renew(attached: Attached): void
  /** Attaching failed, and perhaps took effect. */
  doubt(): void
  /** Whether the store holds less of the stream than it was given. */
  isBehind(sequence: number): boolean
  /** The connection is gone: from now on it has so long to come back as the store keeps its stream. */
  detach(link: SessionLink, closeCode: number, closeReason: string): void
  /** The client has handled the stream up to here; false when that is no news. */
  acknowledge(sequence: number): boolean
  work(): void
  receiveVolatile(event: string, data: unknown): void
  end(reason: EndReason, closeCode?: number, closeReason?: string): void
}

/** How a connection is closed whose session has ended. */
const CLOSE_CODES: Record<EndReason, number> = {
  bye: NORMAL_CLOSURE,
  closed: NORMAL_CLOSURE,
  expired: TRY_AGAIN_LATER,
  overflow: TRY_AGAIN_LATER,
  evicted: TRY_AGAIN_LATER,
  lost: SUPERSEDED,
  superseded: SUPERSEDED,
  failed: INTERNAL_ERROR,
  stopped: GOING_AWAY,
}

/** `condemned`: the store may still have its stream, which must not be resumed since something is missing in it. */
export type SessionState = 'here' | 'away' | 'ended' | 'condemned'

/**
 * @param start the last message in the session's stream, and the last that is acknowledged
 * @param changed told of each change
 */
export function createSession(
  core: Core,
  { id, user }: Pick<ServerSession, 'id' | 'user'>,
  start: { readonly sequence: number; readonly acknowledged: number },
  changed: (session: ServerSession, state: SessionState) => void,
): ServerSession {
  const { platform, streams, codec } = core
  const rooms = new Set<string>()
  const handlers = createHandlers(codec, core.report)
  const lifecycle = createEvents<SessionEvents>(core.report)
  const deadline = core.deadlines.create(elapsed)
  let link: SessionLink | undefined
  let hasEnded = false
  let touchAt = Infinity
  let expiresAt = Infinity

  const schedule = (): void => {
    if (!hasEnded) deadline.set(Math.min(touchAt, expiresAt, worker.deadline))
  }

  /** The client should come back: nothing is lost. */
  const fail = (error: StorageError): void => {
    core.report(error)
    link?.close(INTERNAL_ERROR, error.code, error)
  }

  const stream = createStreamWriter(core, id, start, {
    appended: (message) => link?.deliver(message),
    over: (reason) => end(reason),
    failed: () => link?.close(INTERNAL_ERROR, 'STORAGE_FAILED', serverFailed()),
    condemned: () => changed(session, 'condemned'),
  })

  function touch(): void {
    touchAt = platform.now() + streams.ttlMs / 3
    stream.touch()
  }

  function elapsed(now: number): void {
    if (hasEnded) return
    if (now >= expiresAt) return end('expired')
    if (now >= touchAt) touch()
    if (now >= worker.deadline) worker.work()
    schedule()
  }

  function append(entry: StreamEntry): boolean {
    if (hasEnded) return false
    stream.append(entry)
    return !hasEnded
  }

  function end(reason: EndReason, closeCode = CLOSE_CODES[reason], closeReason: string = reason): void {
    if (hasEnded) return
    hasEnded = true
    deadline.set(Infinity)
    const last = link
    link = undefined
    worker.attach(undefined)
    last?.close(closeCode, closeReason, explanation(reason))
    for (const room of rooms) core.rooms.leave(room, session)
    rooms.clear()
    stream.end(reason)
    changed(session, 'ended')
    if (last) lifecycle.emit('disconnected', { closeCode, closeReason })
    lifecycle.emit('ended', { reason })
  }

  const door: Session = {
    id,
    user,
    rooms,
    lifecycle: { on: lifecycle.on, once: lifecycle.once },
    get isConnected() {
      return link !== undefined
    },
    on: handlers.on,
    onAny: handlers.onAny,
    handle: handlers.handle,
    handleAny: handlers.handleAny,
    flush: stream.flush,
    send(event, data?: unknown) {
      requireName(event)
      const entry = { head: { t: 'm', e: event }, payload: codec.encode(event, data) } as const
      if (!hasEnded) append(entry)
      else core.report(new DeliveryError('SESSION_ENDED', `"${event}" was sent to a session that has ended`))
    },
    volatile(event, data?: unknown) {
      requireName(event)
      session.sendVolatile(codec.write({ t: 'v', e: event }, codec.encode(event, data)))
    },
    join(room) {
      if (hasEnded) return
      rooms.add(room)
      core.rooms.join(room, session)
    },
    leave(room) {
      rooms.delete(room)
      core.rooms.leave(room, session)
    },
    close(code = NORMAL_CLOSURE, reason = 'closed') {
      checkClose(code, reason)
      end('closed', code, reason)
    },
  }

  const session: ServerSession = {
    id,
    user,
    door,
    get isAway() {
      return !link && !hasEnded
    },
    get isIdle() {
      return !worker.isRunning
    },
    append,
    end,
    sendVolatile: (frame) => link?.writeVolatile(frame),
    work() {
      worker.work()
      schedule()
    },
    attach(next, attached, handled) {
      const old = link
      link = next
      worker.attach(next)
      old?.close(SUPERSEDED, 'superseded', explanation('superseded'))
      expiresAt = Infinity
      touchAt = platform.now() + streams.ttlMs / 3
      for (const message of attached.messages) next.deliver(message)
      stream.renew(attached, handled)
      if (hasEnded) return
      schedule()
      changed(session, 'here')
      lifecycle.emit('connected', undefined)
    },
    renew(attached) {
      stream.renew(attached, 0)
      if (link || hasEnded) return
      expiresAt = platform.now() + streams.ttlMs
      schedule()
    },
    doubt: stream.doubt,
    isBehind: stream.isBehind,
    detach(gone, closeCode, closeReason) {
      if (gone !== link) return
      link = undefined
      worker.attach(undefined)
      touch()
      touchAt = Infinity
      if (hasEnded) return
      expiresAt = platform.now() + streams.ttlMs
      schedule()
      changed(session, 'away')
      lifecycle.emit('disconnected', { closeCode, closeReason })
    },
    acknowledge(sequence) {
      touchAt = platform.now() + streams.ttlMs / 3
      return stream.acknowledge(sequence)
    },
    receiveVolatile(event, data) {
      const context: MessageContext = { ...VOLATILE, signal: new AbortController().signal }
      handlers.run({ event, data, isRequest: false }, context, () => {})
    },
  }

  const worker = createWorker(core, session, handlers, fail)
  return session
}

const VOLATILE = { id: '', isRetransmitted: false, maybeDuplicate: false }

/** What a client is told whose session has ended; of an end that the application wanted, its own words. */
function explanation(reason: EndReason): HoldfastError | undefined {
  if (reason === 'superseded' || reason === 'lost') return superseded()
  if (reason === 'overflow') return new HoldfastError('OVERFLOW', 'More is unacknowledged than is kept')
  return reason === 'failed' ? serverFailed() : undefined
}

const serverFailed = (): HoldfastError => new HoldfastError('STORAGE_FAILED', 'The server failed')

/** RFC 6455 sections 5.5.1 and 7.4.2. */
function checkClose(code: number, reason: string): void {
  if (code !== NORMAL_CLOSURE && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new RangeError(`code is ${code}; it must be 1000, or an integer from 3000 to 4999`)
  }
  if (typeof reason !== 'string') refuse('reason', reason, 'a string')
  if (sizeOf(reason) > 123) throw new RangeError(`reason has ${sizeOf(reason)} bytes; it must have at most 123`)
}
