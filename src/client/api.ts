import type {
  Asks,
  Contract,
  EventName,
  FromServer,
  Params,
  RequestArguments,
  Requests,
  Result,
  SendArguments,
  ToServer,
  Untyped,
} from '../shared/contract.js'
import type { Gap } from '../dialects/dialect.js'
import type { HoldfastError } from '../shared/errors.js'
import type { MaybePromise } from '../shared/maybe-promise.js'
import type { IterateOptions, ListenOptions } from '../shared/emitter.js'
import type { Delivery } from '../outbox/delivery.js'
import type { OutboxItem } from '../outbox/outbox-item.js'
import type { ClientState } from './snapshot.js'

/** Lifecycle event → payload: what the client says of itself. The application's events have an emitter of their own. */
export interface LifecycleEvents {
  /** The connection is in another state. */
  state: ClientState
  /** A message is in the outbox's store. */
  stored: Delivery
  /** A message is delivered, as far as its receipt says. */
  delivered: Delivery
  /** A message will not be delivered: `delivery.error` says why. */
  failed: Delivery
  /**
   * The server is there: told on each connection, before anything goes out that waits. `recovered`: the session goes on, so
   * that the server still knows what it was told; else it is a new one, and `gap` follows where something may be missing.
   * A request that the listener makes before its first `await` goes out first, such as one that joins a room.
   */
  session: { readonly recovered: boolean }
  /** The connection is back, and something may be missing on one side or both. */
  gap: Gap
  /** A pong has come, this many milliseconds after its ping. */
  rtt: number
  /** What went wrong without failing a call: bad frames, throwing listeners, storage. Counted in `getState().errorCount`. */
  error: HoldfastError
}

/** How a client is closed. */
export interface CloseOptions {
  /** How long to wait, in milliseconds, for what is pending to be delivered first. Default: 0, not at all. */
  drainMs?: number
}

/** A connection that comes back, and an outbox that keeps what could not be sent. */
export interface Client<C extends Contract = Untyped> {
  /**
   * Starts connecting, and keeps at it until `close` or a final refusal. Cuts a wait short; does nothing while there is
   * a connection or an attempt.
   *
   * @throws {TypeError} where there is no WebSocket class, as in Node before 22
   */
  connect(): void
  /**
   * Drops the link or the attempt, if there is one, and dials at once with a fresh url: for a new login, or a button
   * that says "retry". After a final refusal and after `maxAttempts` it starts afresh, as `connect` does. Does nothing
   * before `connect` and after `close`.
   */
  reconnect(): void
  /**
   * Stops for good: no timer, listener or provider call is left. What is pending stays in the outbox's store; its
   * deliveries fail with `CLIENT_CLOSED`. Settles when the store has let go, or when `connect()` has called it off.
   * `connect()` starts anew; what is sent before it waits for it, as before the first `connect()`.
   */
  close(options?: CloseOptions): Promise<void>

  /**
   * Accepts a message for delivery, in the order of the calls, and sends it as soon as there is a connection. Before
   * `connect()` and after `close()` it waits for `connect()`.
   *
   * @throws {TypeError} for an event name that is not a non-empty string, or a wrong option
   * @throws {LocalProtocolError} `NOT_ENCODABLE` or `TOO_LARGE`; nothing was queued
   * @throws {DeliveryError} `OUTBOX_FULL` with `overflow: 'reject'`
   * @example const delivery = client.send('message', { text: 'hi' }, { ttlMs: 60_000 })
   */
  send<Name extends EventName<ToServer<C>>>(event: Name, ...rest: SendArguments<ToServer<C>[Name]>): Delivery

  /**
   * Asks the server, in turn with what is sent, and resolves with its answer. It settles exactly once, whatever happens
   * to the link: a request that may have been handled is sent again. With `reliable()` it has its old id, and is not
   * handled twice; a Socket.IO server cannot tell. It lives with this page: a request is not stored.
   *
   * @throws {DeliveryError} (as a rejection) `REJECTED` with the server's reason, `NO_HANDLER`, `REQUEST_TIMEOUT`,
   * `REQUEST_ABORTED`, `RESULT_LOST` when it was handled and its answer is gone with the session, `CLIENT_CLOSED`,
   * `OUTBOX_FULL`; after a timeout or an abort it may have been handled all the same
   * @throws {LocalProtocolError} (as a rejection) `NOT_ENCODABLE`, `TOO_LARGE`, or a dialect that knows no requests
   * @example const { members } = await client.request('join', { room: 'a' }, { timeoutMs: 5_000 })
   */
  request<Name extends EventName<Requests<C>>>(
    name: Name,
    ...rest: RequestArguments<Params<Requests<C>[Name]>>
  ): Promise<Result<Requests<C>[Name]>>

  /** Calls `listener` with the payload of each such event from the server, until the returned function is called. */
  on<Name extends EventName<FromServer<C>>>(
    event: Name,
    listener: (payload: FromServer<C>[Name]) => unknown,
    options?: ListenOptions,
  ): () => void
  /**
   * Answers what the server asks by `session.ask`, with what the handler returns or its promise resolves to. What it throws
   * fails the ask with its message. The answer survives the link, and is void once its session is lost. With `reliable()`,
   * and with `socketIo()` for what a server emits with an acknowledgement. One name should have one handler: of several
   * answers the first counts.
   *
   * @returns unbinds the handler
   * @example client.handle('confirm', async ({ text }) => dialog.confirm(text))
   */
  handle<Name extends EventName<Asks<C>>>(
    name: Name,
    handler: (params: Params<Asks<C>[Name]>) => MaybePromise<Result<Asks<C>[Name]>>,
    options?: ListenOptions,
  ): () => void
  /** As `on`, for the next event only. */
  once<Name extends EventName<FromServer<C>>>(
    event: Name,
    listener: (payload: FromServer<C>[Name]) => unknown,
    options?: ListenOptions,
  ): () => void
  /** The same events for a loop: `for await (const message of client.events('message'))`. Leaving the loop unbinds it. */
  events<Name extends EventName<FromServer<C>>>(
    event: Name,
    options?: IterateOptions,
  ): AsyncGenerator<FromServer<C>[Name], void>

  /** The state as an immutable value: the same object until something in it changes. */
  getState(): ClientState
  /** Calls `listener` soon after the state has changed, once for many changes. With `getState`, what `useSyncExternalStore` wants. */
  subscribe(listener: () => void): () => void

  readonly lifecycle: {
    on<Name extends keyof LifecycleEvents>(
      event: Name,
      listener: (payload: LifecycleEvents[Name]) => unknown,
      options?: ListenOptions,
    ): () => void
    once<Name extends keyof LifecycleEvents>(
      event: Name,
      listener: (payload: LifecycleEvents[Name]) => unknown,
      options?: ListenOptions,
    ): () => void
  }

  readonly outbox: {
    /** What is pending, oldest first. */
    list(): OutboxItem[]
    /**
     * Takes back a message that is not on its way; its delivery fails with `REMOVED`. False if there is none such. Where
     * the server acknowledges, what was ever on its way stays until that is known, and is not replaced nor expires.
     */
    remove(id: string): boolean
    /** Takes back all that is not on its way, and says how many. */
    clear(): number
    /** The last 100 messages that failed in this client's life, without those that a newer one of their `key` has replaced. */
    failed(): OutboxItem[]
  }
}
