import { createEmitter, type EventNames, type Events } from '../../shared/emitter.js'
import { DeliveryError, type HoldfastError, type StorageError } from '../../shared/errors.js'
import { INTERNAL_ERROR, SUPERSEDED } from '../../protocol/close-codes.js'
import type { Body } from '../../protocol/codec.js'
import type { EndReason, Session, SessionEvents } from '../base/api.js'
import { endError, serverFailed, SESSION_CLOSE_CODES, superseded } from '../base/close-reasons.js'
import type { EngineContext, Member } from '../base/context.js'
import type { Deadline, Timed } from '../base/deadlines.js'
import type { Attached, StreamEntry, StreamMessage } from '../stores/stream-store.js'
import { HandlerContext } from './handler-context.js'
import { HandlerQueue, type MessageSource, type QueueOwner } from './handler-queue.js'
import { Handlers, requireName, type Incoming, type Outcome } from './handlers.js'
import { PublicSession } from './public-session.js'
import { StreamWriter, type StreamOwner, type StreamPosition } from './stream-writer.js'

/** The connection that has a session, from the session's side. */
export interface SessionLink extends MessageSource {
  deliver(message: StreamMessage): void
  writeVolatile(frame: Body): void
  /** Closes the connection; the session is notified of nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
  /** Whether something is on its way into the socket. */
  readonly isSending: boolean
}

/** `incomplete`: a message is missing in its stream, which must not be resumed even if the store can. */
export type SessionState = 'connected' | 'away' | 'ended' | 'incomplete'

/** The engine, from a session's side. */
export interface SessionHost {
  sessionChanged(session: ServerSession, state: SessionState): void
}

const SESSION_EVENTS: EventNames<SessionEvents> = { connected: true, disconnected: true, ended: true }
const NO_ROOMS: ReadonlySet<string> = new Set()

/** A session, through all its connections. Of its parts, those that many sessions never need are made when needed. */
export class ServerSession implements Member, QueueOwner, StreamOwner, Timed {
  readonly id: string
  readonly user: string
  readonly publicSession: Session
  readonly #context: EngineContext
  readonly #host: SessionHost
  readonly #stream: StreamWriter
  readonly #queue: HandlerQueue
  readonly #deadline: Deadline
  #handlers: Handlers | undefined = undefined
  #events: Events<SessionEvents> | undefined = undefined
  #lifecycle: Session['lifecycle'] | undefined = undefined
  #rooms: Set<string> | undefined = undefined
  #link: SessionLink | undefined = undefined
  #hasEnded = false
  /** Whether `connected` was told, so that `disconnected` follows. */
  #isToldConnected = false
  #touchAt = Infinity
  #expiresAt = Infinity

  /** @param start where its stream stands */
  constructor(
    context: EngineContext,
    host: SessionHost,
    { id, user }: Pick<Session, 'id' | 'user'>,
    start: StreamPosition,
  ) {
    this.id = id
    this.user = user
    this.#context = context
    this.#host = host
    this.publicSession = new PublicSession(this)
    this.#stream = new StreamWriter(context, this, start)
    this.#queue = new HandlerQueue(context, this)
    this.#deadline = context.deadlines.create(this)
    // Until a connection is attached, which may never be.
    this.#expireLater()
  }

  get isConnected(): boolean {
    return this.#link !== undefined
  }

  get handlers(): Handlers {
    this.#handlers ??= new Handlers(this.#context)
    return this.#handlers
  }

  get rooms(): ReadonlySet<string> {
    this.#rooms ??= new Set()
    return this.#rooms
  }

  get lifecycle(): Session['lifecycle'] {
    if (!this.#lifecycle) {
      const { on, once } = (this.#events = createEmitter<SessionEvents>(this.#context.report, SESSION_EVENTS))
      this.#lifecycle = { on, once }
    }
    return this.#lifecycle
  }

  get writable(): boolean {
    return this.#stream.isWritable
  }

  get isSending(): boolean {
    return this.#link?.isSending ?? false
  }

  send(event: string, data: unknown): PromiseLike<void> | undefined {
    requireName(event)
    const { codec, report } = this.#context
    const entry = { head: { t: 'm', e: event }, payload: codec.encode(event, data) } as const
    if (!this.#hasEnded) this.append(entry)
    else report(new DeliveryError('SESSION_ENDED', `"${event}" was sent to a session that has ended`))
    return this.#stream.whenWritable()
  }

  volatile(event: string, data: unknown): void {
    requireName(event)
    const { codec } = this.#context
    this.sendVolatile(codec.write({ t: 'v', e: event }, codec.encode(event, data)))
  }

  sendVolatile(frame: Body): void {
    this.#link?.writeVolatile(frame)
  }

  append(entry: StreamEntry): boolean {
    if (this.#hasEnded) return false
    this.#stream.append(entry)
    return !this.#hasEnded
  }

  flush(): Promise<void> {
    return this.#stream.flush()
  }

  join(room: string): void {
    if (this.#hasEnded) return
    this.#rooms ??= new Set()
    this.#rooms.add(room)
    this.#context.rooms.join(room, this)
  }

  leave(room: string): void {
    this.#rooms?.delete(room)
    this.#context.rooms.leave(room, this)
  }

  close(code: number, reason: string): void {
    this.end('closed', code, reason)
  }

  /** A connection has the session from now on, and is sent what was missed; an older one is closed with 4409. */
  attach(link: SessionLink, attached: Pick<Attached, 'epoch' | 'messages'>, handled: number): void {
    const { platform, streams } = this.#context
    const old = this.#link
    this.#link = link
    this.#queue.attach(link)
    old?.close(SUPERSEDED, 'superseded', superseded())
    this.#expiresAt = Infinity
    this.#touchAt = platform.now() + streams.ttlMs / 3
    for (const message of attached.messages) link.deliver(message)
    this.#stream.renew(attached, handled)
    if (this.#hasEnded) return
    this.#schedule()
    this.#host.sessionChanged(this, 'connected')
    this.#isToldConnected = true
    this.#events?.emit('connected', undefined)
  }

  /** A connection was attached in the store and is gone already. */
  renew(attached: Attached): void {
    this.#stream.renew(attached, 0)
    if (this.#link || this.#hasEnded) return
    this.#expireLater()
  }

  /** Attaching failed, and may have taken effect. */
  doubt(): void {
    this.#stream.doubt()
  }

  /** The store has ended its stream to make room for others. */
  overflowed(): void {
    this.#stream.overflowed()
  }

  /** Whether the store holds less of the stream than it was given. */
  isBehind(sequence: number): boolean {
    return this.#stream.isBehind(sequence)
  }

  /** The connection is gone: the client may come back for as long as the store keeps the stream. */
  detach(link: SessionLink, closeCode: number, closeReason: string): void {
    if (link !== this.#link) return
    this.#link = undefined
    this.#queue.attach(undefined)
    this.#touchAt = Infinity
    this.#expireLater()
    this.#host.sessionChanged(this, 'away')
    this.#tellDisconnected(closeCode, closeReason)
    // Last, since it may end the session.
    if (!this.#hasEnded) this.#stream.touch()
  }

  /** The client has handled the stream up to here; false when that is no news. */
  acknowledge(sequence: number): boolean {
    const { platform, streams } = this.#context
    this.#touchAt = platform.now() + streams.ttlMs / 3
    return this.#stream.acknowledge(sequence)
  }

  receiveVolatile(event: string, data: unknown): void {
    const context = HandlerContext.ofVolatile(this.#context.platform.wallNow())
    this.runHandlers({ event, data, isRequest: false }, context, () => {})
  }

  concurrencyOf(request: string): number {
    return this.handlers.concurrencyOf(request)
  }

  runHandlers(incoming: Incoming, context: HandlerContext, ended: (outcome: Outcome) => void): void {
    this.handlers.run(incoming, context, ended)
  }

  work(): void {
    this.#queue.work()
    this.#schedule()
  }

  elapsed(now: number): void {
    if (now >= this.#expiresAt) this.end('expired')
    if (now >= this.#touchAt) this.#touch()
    // Also when the session has ended: a handler outlives it.
    if (now >= this.#queue.deadline) this.#queue.elapsed(now)
    this.#schedule()
  }

  end(reason: EndReason, closeCode = SESSION_CLOSE_CODES[reason], closeReason: string = reason): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#touchAt = this.#expiresAt = Infinity
    const link = this.#link
    this.#link = undefined
    this.#queue.attach(undefined)
    this.#queue.end()
    this.#schedule()
    link?.close(closeCode, closeReason, endError(reason))
    for (const room of this.#rooms ?? NO_ROOMS) this.#context.rooms.leave(room, this)
    this.#rooms?.clear()
    this.#stream.end(reason)
    this.#host.sessionChanged(this, 'ended')
    this.#tellDisconnected(closeCode, closeReason)
    this.#events?.emit('ended', { reason })
  }

  onAppended(message: StreamMessage): void {
    this.#link?.deliver(message)
  }

  onStreamOver(reason: EndReason): void {
    this.end(reason)
  }

  onStoreFailure(): void {
    this.#link?.close(INTERNAL_ERROR, 'STORAGE_FAILED', serverFailed())
  }

  onIncomplete(): void {
    this.#host.sessionChanged(this, 'incomplete')
  }

  /** Nothing is lost: the client should come back. */
  onUnpersisted(error: StorageError): void {
    this.#context.report(error)
    this.#link?.close(INTERNAL_ERROR, error.code, error)
  }

  #tellDisconnected(closeCode: number, closeReason: string): void {
    if (!this.#isToldConnected) return
    this.#isToldConnected = false
    this.#events?.emit('disconnected', { closeCode, closeReason })
  }

  #schedule(): void {
    this.#deadline.set(Math.min(this.#touchAt, this.#expiresAt, this.#queue.deadline))
  }

  #touch(): void {
    const { platform, streams } = this.#context
    this.#touchAt = platform.now() + streams.ttlMs / 3
    this.#stream.touch()
  }

  #expireLater(): void {
    const { platform, streams } = this.#context
    this.#expiresAt = platform.now() + streams.ttlMs
    this.#schedule()
  }
}
