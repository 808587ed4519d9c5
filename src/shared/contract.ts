/**
 * The contract types what both sides may say. It exists only for the compiler.
 *
 * ```ts
 * interface Chat {
 *   fromServer: { message: { from: string; text: string }; typing: { who: string } }
 *   toServer: { message: { text: string } }
 *   requests: { join: { params: { room: string }; result: { members: string[] } } }
 *   asks: { confirm: { params: { text: string }; result: boolean } }
 * }
 * const client = createClient<Chat>({ url: 'wss://example.com/live' })
 * client.on('message', (message) => message.text)     // typed
 * client.send('message', { text: 'hello' })           // typed
 * await client.request('join', { room: 'a' })         // typed
 * client.handle('confirm', ({ text }) => confirm(text)) // typed
 * ```
 */
export interface Contract {
  /** Event name → payload, for what the server sends. */
  fromServer?: object
  /** Event name → payload, for what the client sends. */
  toServer?: object
  /** Request name → `{ params, result }`, for what the client asks and the server answers. */
  requests?: object
  /** Ask name → `{ params, result }`, for what the server asks and the client answers. */
  asks?: object
}

/** What `createClient` assumes without a contract: any event name, any payload, and `unknown` on receipt. */
export interface Untyped {
  fromServer: Record<string, unknown>
  toServer: Record<string, unknown>
  requests: Record<string, { params: unknown; result: unknown }>
  asks: Record<string, { params: unknown; result: unknown }>
}

/** Event name → payload of what the server sends under contract `C`. */
export type FromServer<C extends Contract> = C extends { fromServer: infer Events extends object } ? Events : object

/** Event name → payload of what the client sends under contract `C`. */
export type ToServer<C extends Contract> = C extends { toServer: infer Events extends object } ? Events : object

/** Request name → `{ params, result }` under contract `C`. */
export type Requests<C extends Contract> = C extends { requests: infer Named extends object } ? Named : object

/** Ask name → `{ params, result }` under contract `C`. */
export type Asks<C extends Contract> = C extends { asks: infer Named extends object } ? Named : object

/** What a request is asked with; `undefined` where the contract names nothing. */
export type Params<Request> = Request extends { params: infer Given } ? Given : undefined

/** What a request is answered with. */
export type Result<Request> = Request extends { result: infer Given } ? Given : undefined

/** The event names of a map, as strings. */
export type EventName<Events> = keyof Events & string

/** How one message is sent. */
export interface SendOptions {
  /** How long the message is wanted, in milliseconds from now, the sleep of the machine included. If it has not been sent by then it fails with `EXPIRED`. Default: for ever. */
  ttlMs?: number
  /**
   * Send it now or not at all: never queued, never stored, fails with `NOT_CONNECTED` when it cannot go at once. With a
   * `key` it waits for room in the browser's buffer, while the connection lasts. Default: false.
   */
  volatile?: boolean
  /**
   * Of the messages that wait with the same key only the newest is sent; the older ones fail with `SUPERSEDED`. Volatile
   * ones replace each other, and no others.
   */
  key?: string
  /**
   * Asked right before the message is handed to the browser, now and again: whether it should still be sent. If it answers
   * anything but true, or throws, which is reported as `LISTENER_THREW`, the message fails with `INVALIDATED`. It is not
   * asked once a server that acknowledges may have handled the message. What it sends itself waits for its answer.
   *
   * A function cannot be stored: it holds while this page lives and its client is not closed. Whoever finds the message in
   * the store later sends it unasked; a `ttlMs` bounds that. Refused with `volatile`, which is sent at the call.
   *
   * @example client.send('bid', { price }, { ttlMs: 60_000, validWhile: () => auction.isOpen })
   */
  validWhile?: () => boolean
}

/** The arguments of `send` after the event name: the payload may be left out where the contract says `undefined`. */
export type SendArguments<Payload> = undefined extends Payload
  ? [payload?: Payload, options?: SendOptions]
  : [payload: Payload, options?: SendOptions]

/** How one request is made. */
export interface RequestOptions {
  /** How long the answer is waited for, in milliseconds from now, connected or not. Default: 30,000. `Infinity` waits for ever. */
  timeoutMs?: number
  /** Gives up when it aborts. */
  signal?: AbortSignal
}

/** The arguments of `request` after the name: the params may be left out where the contract says `undefined`. */
export type RequestArguments<Given> = undefined extends Given
  ? [params?: Given, options?: RequestOptions]
  : [params: Given, options?: RequestOptions]
