import type {
  Asks,
  Contract,
  EventName,
  FromServer,
  Params,
  RequestArguments,
  Requests,
  Result,
  ToServer,
  Untyped,
} from '../../shared/contract.js'
import type { HoldfastError } from '../../shared/errors.js'
import type { MaybePromise } from '../../shared/maybe-promise.js'
import type { Identity } from './options.js'
import type { UpgradeRequest } from './upgrade-request.js'

/** The second argument of a handler. */
export interface MessageContext {
  /**
   * The message's id for ever, `delivery.id` of its sender; empty for a volatile message, which has none. It may be shown to
   * everybody: nobody can speak for the sender by it.
   */
  readonly id: string
  /** It may have been on a wire before. */
  readonly isRetransmitted: boolean
  /**
   * It may have been handled before, by a server that has lost its memory. Look its `id` up in your own database where
   * handling it twice would harm; all other messages are handled exactly once.
   */
  readonly maybeDuplicate: boolean
  /**
   * When the client wrote it, in milliseconds since 1970 of this server's clock: it may have waited for a connection since.
   * Exact to about a second.
   */
  readonly enqueuedAt: number
  /**
   * Aborts when the client cancels the request, since it does not wait for the reply any more, and when the handler has run
   * for `handlerTimeoutMs`: then the next message is handled, whether this handler has ended or not.
   */
  readonly signal: AbortSignal
}

/** Options of `session.handle`. */
export interface HandleOptions {
  /**
   * How many of these requests of the session may run beside each other, and beside its messages. Default: 1, the request
   * takes its turn among all messages. With more, the request is acknowledged when its handler begins, so that a server
   * that dies under the handler has lost it: the request fails with `RESULT_LOST` or `REQUEST_TIMEOUT` and is not handled
   * again.
   */
  readonly concurrency?: number
}

/**
 * Why a session ended: the client ended it (`bye`) or did not come back in time (`expired`), the application closed
 * it (`closed`), more was unacknowledged than is kept (`overflow`), the client could not resume it (`lost`), another
 * server has it (`superseded`), it made room for others (`evicted`), the store or a listener of `session` failed
 * (`failed`), or the server stopped: then the store has its stream still (`stopped`).
 */
export type EndReason =
  'bye' | 'expired' | 'closed' | 'overflow' | 'lost' | 'superseded' | 'evicted' | 'failed' | 'stopped'

/** What happens to a session. */
export interface SessionEvents {
  /** A connection has it again, after it was away. */
  connected: undefined
  /** It is away; what is sent to it waits. */
  disconnected: { readonly closeCode: number; readonly closeReason: string }
  /** It is over: what was not acknowledged is lost, unless it was `stopped`. */
  ended: { readonly reason: EndReason }
}

/** The arguments of a server's `send` after the event name. */
export type Payload<Data> = undefined extends Data ? [data?: Data] : [data: Data]

/** The receivers of a message: a session, a room, or all sessions. */
export interface Target<C extends Contract = Untyped> {
  /**
   * Sends a message that is kept until it is acknowledged, also while its receiver is away. A session that has ended gets
   * nothing, and the server emits `error` (`SESSION_ENDED`).
   *
   * @throws {LocalProtocolError} `NOT_ENCODABLE`
   * @throws {TypeError} for an event name that is not 1 to 256 characters
   */
  send<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void
  /** Best effort: only to connected sessions whose socket buffer has room; never stored, never retried. Throws as `send`. */
  volatile<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void
}

/** Many receivers. */
export interface Group<C extends Contract = Untyped> extends Target<C> {
  /**
   * The same without these sessions.
   *
   * @example server.to('lobby').except(session).send('joined', session.user)
   */
  except(...sessions: readonly { readonly id: string }[]): Group<C>
}

/** Which sessions are asked for; all that is given must be true of them. */
export interface SessionFilter {
  readonly user?: string
  readonly room?: string
}

/** A session as it was when it was asked for, and what it can be told. It may be at another server. */
export interface SessionView<C extends Contract = Untyped> extends Target<C> {
  /** Secret: a client of this user that knows it may resume the session. */
  readonly id: string
  readonly user: string
  readonly isConnected: boolean
  readonly rooms: ReadonlySet<string>
  join(room: string): void
  leave(room: string): void
  /** As `close` of a session. */
  close(code?: number, reason?: string): void
}

/** How `disconnect` closes. */
export interface DisconnectOptions {
  /**
   * 1000, or 3000 to 4999. After 4403, the default, and 1000 a client stops; after 4401 it asks its `auth` once more; after
   * most others it comes back as after any cut.
   */
  readonly code?: number
}

/** What a server does with many of its sessions. */
export interface SessionControl<C extends Contract = Untyped> {
  /** All sessions in a room, also those that are away. */
  to(room: string): Group<C>
  /** All sessions of a user, also those that are away: one for each page. */
  toUser(user: string): Group<C>
  /** Sends to every session, also those that are away. Throws as `session.send`. */
  broadcast<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void
  /**
   * The sessions of a user, in a room, or both; without a filter all. Each is a picture of the moment.
   *
   * @throws {TypeError} (as a rejection) for a wrong filter
   * @example for (const session of await server.sessions({ user: 'ann', room: 'lobby' })) session.leave('lobby')
   */
  sessions(filter?: SessionFilter): Promise<SessionView<C>[]>
  /**
   * The users that are present in a room, each once, in the order in which they joined: those with a session in it that is
   * connected, or has been away for no longer than `presenceGraceMs`.
   */
  members(room: string): Promise<string[]>
  /**
   * Ends all sessions of a user, and closes the connections, as `session.close` does: after a logout, or for somebody who
   * is banned. It does not keep the user out: see to it first that `authenticate` does.
   *
   * @param reason at most 123 bytes; the client finds it in its error. Default: `disconnected`
   * @throws {TypeError | RangeError} (as a rejection)
   * @example await server.disconnect('ann', 'banned')
   */
  disconnect(user: string, reason?: string, options?: DisconnectOptions): Promise<void>
}

/**
 * One page, through all its connections. Its handlers are bound in the listener of `session`, before that is done: its
 * first message may follow right behind. One message of it is handled at a time, in the order in which they were sent.
 */
export interface Session<C extends Contract = Untyped, I extends Identity = Identity> extends Omit<Target<C>, 'send'> {
  /** Secret: a client of this user that knows it may resume the session. */
  readonly id: string
  /** As `authenticate` named it. */
  readonly user: string
  /**
   * All that `authenticate` has returned: for the newest connection, and anew with each fresh credential. Where
   * `createServer` is given a contract, give it this type too: `createServer<Chat, Account>({ authenticate })`.
   */
  readonly identity: Readonly<I>
  /** The upgrade request of the newest connection: the client's address, headers, cookies, query. It outlives the connection. */
  readonly request: UpgradeRequest
  readonly isConnected: boolean
  /** Whether less than `limits.highWaterMark` is unacknowledged: else a sender that has a choice should wait. */
  readonly writable: boolean
  readonly rooms: ReadonlySet<string>
  /**
   * Handles an event. The message is acknowledged when the handler, or its promise, is done; if it throws, the client's
   * delivery fails with `REJECTED` and the error's message, or with the code of a thrown `HoldfastError`. Throw a
   * `RejectedError` where that is wanted, and a `RetryError` to be called again later. Of several
   * handlers each is called, and all must be done. An event without a handler is rejected with `NO_HANDLER`.
   *
   * @returns unbinds the handler
   * @example session.on('message', async ({ text }, { id }) => database.insert(id, text))
   */
  on<Name extends EventName<ToServer<C>>>(
    event: Name,
    handler: (data: ToServer<C>[Name], context: MessageContext) => unknown,
  ): () => void
  /**
   * Answers a request with what the handler returns. If it throws, the request fails as a message would.
   *
   * @throws {TypeError | RangeError} when the request has a handler, or for wrong options
   * @example session.handle('report', ({ year }) => database.report(year), { concurrency: 4 })
   */
  handle<Name extends EventName<Requests<C>>>(
    request: Name,
    handler: (params: Params<Requests<C>[Name]>, context: MessageContext) => MaybePromise<Result<Requests<C>[Name]>>,
    options?: HandleOptions,
  ): () => void
  /** Handles the events that have no handler of their own. The name comes from the client: it may be anything. */
  onAny(handler: (event: string, data: unknown, context: MessageContext) => unknown): () => void
  /** Answers the requests that have no handler of their own. */
  handleAny(handler: (request: string, params: unknown, context: MessageContext) => unknown): () => void
  /**
   * Sends as `Target.send` does, and hands back pressure: undefined while the session is `writable`, else a promise that
   * resolves when its client has taken half of what waits. The message is accepted either way. What is sent without
   * awaiting waits in memory: the session ends with `overflow` when its client takes nothing for `limits.stalledMs` and
   * more waits than the store keeps of one stream, or when the store is full and holds more of it than of any other.
   *
   * @returns a promise that rejects with `SESSION_ENDED` when the session ends first; it needs no handler
   * @throws as `Target.send`
   * @example for (const row of rows) await session.send('row', row)
   */
  send<Name extends EventName<FromServer<C>>>(
    event: Name,
    ...data: Payload<FromServer<C>[Name]>
  ): PromiseLike<void> | undefined
  /**
   * Asks the client, in turn with what is sent, and resolves with what its `handle` of this name returns. An ask waits for a
   * client that is away, and the answer survives the link; both are lost with the session, or with the page. A handler may
   * await it, and so may a listener of `session`: answers do not wait for their turn among the messages.
   *
   * @throws {DeliveryError} (as a rejection) `REQUEST_TIMEOUT`, after which the client may answer all the same,
   * `REQUEST_ABORTED`, `SESSION_ENDED`, `NO_HANDLER`, `REJECTED` with what the client's handler threw, or `TOO_LARGE` or `NOT_ENCODABLE` for what it
   * has returned
   * @throws {LocalProtocolError} (as a rejection) `NOT_ENCODABLE` for the params
   * @throws {TypeError | RangeError} (as a rejection) for a wrong name or option
   * @example if (await session.ask('confirm', { text: 'Delete all?' }, { timeoutMs: 60_000 })) database.clear()
   */
  ask<Name extends EventName<Asks<C>>>(
    name: Name,
    ...rest: RequestArguments<Params<Asks<C>[Name]>>
  ): Promise<Result<Asks<C>[Name]>>
  /** What happens to the session itself. */
  readonly lifecycle: {
    on<Name extends keyof SessionEvents>(event: Name, listener: (detail: SessionEvents[Name]) => unknown): () => void
    once<Name extends keyof SessionEvents>(event: Name, listener: (detail: SessionEvents[Name]) => unknown): () => void
  }
  /**
   * Resolves when the client has handled everything sent so far.
   *
   * @throws {DeliveryError} `SESSION_ENDED` when the session ends first
   */
  flush(): Promise<void>
  join(room: string): void
  leave(room: string): void
  /**
   * Ends the session and closes its connection. With 1000, the default, the client does not come back by itself.
   *
   * @param code 1000, or 3000 to 4999
   * @param reason at most 123 bytes
   * @throws {RangeError}
   */
  close(code?: number, reason?: string): void
}

/** A user comes into a room, or leaves it. */
export interface RoomEvent {
  readonly room: string
  readonly user: string
}

/** What happens at a server. */
export interface ServerEvents<C extends Contract = Untyped, I extends Identity = Identity> {
  /**
   * A client is here for the first time, or for the first time with this server. What it sends is handled when all
   * listeners, and the promises that they return, are done: so a listener may await before it binds the handlers, and must
   * not return a promise that lasts as long as the session. Without a listener, sessions wait for one. Both ends after
   * `listenerTimeoutMs`. Where one throws, or its promise is rejected, the session ends with `failed` at the first message
   * that it has no handler for; the client keeps the message, and comes back with it to a new session.
   */
  session: Session<C, I>
  /**
   * A user is in a room: with a first session, or back after an absence. Of a connection that drops and is back within
   * `presenceGraceMs`, nobody is told. Whoever is in a room when the first listener is bound is known, and not told.
   */
  join: RoomEvent
  /** A user's last session in a room has left it or ended, or is away for longer than `presenceGraceMs`. */
  leave: RoomEvent
  /** A client broke the protocol, a handler or listener threw, the store failed. Counted in `errorCount`. */
  error: HoldfastError
}
