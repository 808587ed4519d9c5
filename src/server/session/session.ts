import { DeliveryError, type HoldfastError, type StorageError } from '../../shared/errors.js'
import { INTERNAL_ERROR, SUPERSEDED, TRY_AGAIN_LATER } from '../../protocol/close-codes.js'
import type { EndReason, Session } from '../base/api.js'
import { endError, noSession, notReady, serverFailed, SESSION_CLOSE_CODES, superseded } from '../base/close-reasons.js'
import type { EngineContext, Member } from '../base/context.js'
import type { Deadline, Timed } from '../base/deadlines.js'
import type { VolatileMessage } from '../base/wire.js'
import type { Attached, StreamEntry, StreamMessage } from '../stores/stream-store.js'
import { Asks } from './asks.js'
import { HandlerContext } from './handler-context.js'
import { HandlerQueue, type QueueOwner } from './handler-queue.js'
import { Handlers, requireName, type Incoming, type Outcome } from './handlers.js'
import { PublicSession } from './public-session.js'
import { Readiness, type ReadinessOwner, type Reception } from './readiness.js'
import { SessionLifetime } from './session-lifetime.js'
import { SessionLifecycle } from './session-lifecycle.js'
import type { SessionClient, SessionLink, SessionState } from './session-link.js'
import { SessionRooms } from './session-rooms.js'
import { StreamWriter, type StreamOwner, type StreamPosition } from './stream-writer.js'

/** The engine, from a session's side. */
export interface SessionHost {
  sessionChanged(session: ServerSession, state: SessionState): void
}

/** A session, through all its connections. Of its parts, those that many sessions never need are made when needed. */
export class ServerSession implements Member, QueueOwner, ReadinessOwner, StreamOwner, Timed {
  readonly id: string
  readonly user: string
  readonly publicSession: Session
  readonly rooms: SessionRooms
  readonly #context: EngineContext
  readonly #host: SessionHost
  readonly #stream: StreamWriter
  readonly #queue: HandlerQueue
  readonly #deadline: Deadline
  readonly #lifecycle: SessionLifecycle
  readonly #readiness: Readiness
  readonly #lifetime: SessionLifetime
  #handlers: Handlers | undefined = undefined
  #asks: Asks | undefined = undefined
  #link: SessionLink | undefined = undefined
  #client: SessionClient
  #hasEnded = false

  /** @param start where its stream stands; `isInherited`: an earlier server had it, in rooms that this one does not know */
  constructor(
    context: EngineContext,
    host: SessionHost,
    { id, client }: { readonly id: string; readonly client: SessionClient },
    start: StreamPosition,
    isInherited: boolean,
  ) {
    this.id = id
    this.user = client.identity.user
    this.#client = client
    this.#context = context
    this.#host = host
    this.publicSession = new PublicSession(this)
    this.#stream = new StreamWriter(context, this, start)
    this.#queue = new HandlerQueue(context, this)
    this.#deadline = context.deadlines.create(this)
    this.#lifecycle = new SessionLifecycle(context)
    this.#readiness = new Readiness(context, this, isInherited)
    this.#lifetime = new SessionLifetime(context)
    this.rooms = new SessionRooms(context, this)
    // Until a connection is attached, which may never be.
    this.#lifetime.away()
    this.#schedule()
  }

  get isConnected(): boolean {
    return this.#link !== undefined
  }

  get client(): SessionClient {
    return this.#client
  }

  get handlers(): Handlers {
    return (this.#handlers ??= new Handlers(this.#context))
  }

  get asks(): Asks {
    return (this.#asks ??= new Asks(this.#context, this))
  }

  get lifecycle(): Session['lifecycle'] {
    return this.#lifecycle.listeners
  }

  get writable(): boolean {
    return this.#stream.isWritable
  }

  get isSending(): boolean {
    return this.#link?.isSending ?? false
  }

  get isReady(): boolean {
    return this.#readiness.isReady
  }

  send(event: string, data: unknown): PromiseLike<void> | undefined {
    requireName(event)
    const entry = { head: { t: 'm', e: event }, payload: this.#context.codec.encode(event, data) } as const
    if (!this.#hasEnded) this.append(entry)
    else this.#context.report(new DeliveryError('SESSION_ENDED', `"${event}" was sent to a session that has ended`))
    return this.#stream.whenWritable()
  }

  volatile(event: string, data: unknown): void {
    requireName(event)
    this.sendVolatile({ event, payload: this.#context.codec.encode(event, data) })
  }

  sendVolatile(message: VolatileMessage): void {
    this.#link?.writeVolatile(message)
  }

  append(entry: StreamEntry): boolean {
    if (this.#hasEnded) return false
    this.#stream.append(entry)
    return !this.#hasEnded
  }

  flush(): Promise<void> {
    return this.#stream.flush()
  }

  close(code: number, reason: string): void {
    this.end('closed', code, reason)
  }

  /** A connection has the session from now on, and is sent what was missed; an older one is closed with 4409. */
  attach(link: SessionLink, attached: Pick<Attached, 'epoch' | 'messages'>, handled: number): void {
    const old = this.#link
    this.#link = link
    this.#client = link.client
    this.#queue.attach(link)
    old?.close(SUPERSEDED, 'superseded', superseded())
    this.#lifetime.connected()
    this.#readiness.attached(true)
    for (const message of attached.messages) link.deliver(message)
    this.#stream.renew(attached, handled)
    if (this.#hasEnded) return
    this.#schedule()
    this.#host.sessionChanged(this, 'connected')
    this.#lifecycle.connected()
  }

  /** The application has met the session: what comes is handled once what its listeners have promised has settled. */
  met(reception: Reception): void {
    this.#readiness.met(reception)
    this.work()
  }

  /** A connection was attached in the store and is gone already. */
  renew(attached: Attached): void {
    this.#stream.renew(attached, 0)
    if (this.#link || this.#hasEnded) return
    this.#lifetime.away()
    this.#schedule()
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
    this.#readiness.attached(false)
    this.#lifetime.away()
    this.#schedule()
    this.#host.sessionChanged(this, 'away')
    this.#lifecycle.disconnected(closeCode, closeReason)
    // Last, since it may end the session.
    if (!this.#hasEnded) this.#stream.touch()
  }

  /** The client has handled the stream up to here; false when that is no news. */
  acknowledge(sequence: number): boolean {
    this.#lifetime.touched()
    return this.#stream.acknowledge(sequence)
  }

  receiveVolatile(event: string, data: unknown): void {
    const incoming = { event, data, isRequest: false }
    if (!this.isReady || this.#readiness.isMissing(incoming)) return
    this.handlers.run(incoming, HandlerContext.ofVolatile(this.#context.platform.wallNow()), () => {})
  }

  concurrencyOf(request: string): number {
    return this.handlers.concurrencyOf(request)
  }

  runHandlers(incoming: Incoming, context: HandlerContext, ended: (outcome: Outcome) => void): void {
    if (!this.#readiness.isMissing(incoming)) return this.handlers.run(incoming, context, ended)
    // The client brings the message to its next session, which has listeners of its own.
    this.#fail()
    ended({ status: 'later', afterMs: 0 })
  }

  work(): void {
    this.#queue.work()
    this.#schedule()
  }

  elapsed(now: number): void {
    if (now >= this.#lifetime.expiresAt) this.end('expired')
    this.#readiness.elapsed(now)
    if (now >= this.#lifetime.touchAt) {
      this.#lifetime.touched()
      this.#stream.touch()
    }
    // Also when the session has ended: a handler outlives it.
    if (now >= this.#queue.deadline) this.#queue.elapsed(now)
    this.#schedule()
  }

  end(
    reason: EndReason,
    closeCode = SESSION_CLOSE_CODES[reason],
    closeReason: string = reason,
    error = endError(reason),
  ): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#readiness.end()
    this.#lifetime.over()
    const link = this.#link
    this.#link = undefined
    this.#queue.attach(undefined)
    this.#queue.end()
    this.#schedule()
    link?.close(closeCode, closeReason, error)
    this.rooms.end()
    this.#stream.end(reason)
    this.#asks?.end()
    this.#host.sessionChanged(this, 'ended')
    this.#lifecycle.disconnected(closeCode, closeReason)
    this.#lifecycle.ended(reason)
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

  onMissed(): void {
    this.end('lost', TRY_AGAIN_LATER, 'restart', noSession())
  }

  onUnready(error: HoldfastError, isFinal: boolean): void {
    this.#context.report(error)
    if (isFinal) this.#fail()
    // Somebody may listen when the client comes back, and the stream goes on.
    else this.#link?.close(INTERNAL_ERROR, error.code, notReady())
  }

  #fail(): void {
    this.end('failed', INTERNAL_ERROR, 'SERVER_FAILED', notReady())
  }

  #schedule(): void {
    const { touchAt, expiresAt } = this.#lifetime
    this.#deadline.set(Math.min(touchAt, expiresAt, this.#queue.deadline, this.#readiness.deadline))
  }
}
