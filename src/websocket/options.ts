import { plain, type PlainOptions } from '../dialects/plain/plain.js'
import type { SubprotocolProvider } from '../dialects/plain/subprotocols.js'
import type { Dialect } from '../dialects/dialect.js'
import { NUMBER_MAX, withDefaults, type Defaults } from '../shared/validate.js'
import { resolveOptions, type ClientOptions, type UrlProvider } from '../client/options.js'
import type { Codec } from '../protocol/codec.js'

/** What `ClientOptions` has that makes sense for a WebSocket. */
type Core = Pick<
  ClientOptions,
  | 'retryDelayMs'
  | 'maxAttempts'
  | 'stableAfterMs'
  | 'connectTimeoutMs'
  | 'outbox'
  | 'outboxMax'
  | 'overflow'
  | 'heartbeatMs'
  | 'shouldReconnect'
  | 'WebSocket'
>

/**
 * Third argument of `new HoldfastWebSocket`, and what `HoldfastWebSocket.with` binds. Times are milliseconds; every value
 * is checked at the call. What is not described here is as in `ClientOptions`, but for `outboxMax`, which is
 * `{ messages: 100_000, bytes: 128 MiB }`, since a native socket takes all that it is given.
 */
export interface HoldfastWebSocketOptions extends Core, Pick<PlainOptions, 'hello' | 'welcome' | 'ping' | 'pong'> {
  /**
   * Whether a lost connection comes back. Default: true. With false an instance lives for one connection, as a native
   * one does: for libraries that make a new one by themselves.
   */
  reconnect?: boolean
  /** How long `close` waits while nothing more leaves for the server and it does not answer. Default: 10,000. */
  closeTimeoutMs?: number
}

const DEFAULTS = {
  reconnect: true,
  closeTimeoutMs: 10_000,
  hello: undefined,
  welcome: undefined,
  ping: undefined,
  pong: undefined,
  retryDelayMs: undefined,
  maxAttempts: undefined,
  stableAfterMs: undefined,
  connectTimeoutMs: undefined,
  outbox: undefined,
  outboxMax: { messages: 100_000, bytes: 128 * 2 ** 20 },
  overflow: undefined,
  heartbeatMs: undefined,
  shouldReconnect: undefined,
  WebSocket: undefined,
} satisfies Defaults<HoldfastWebSocketOptions>

/** Every frame is a message as it is, and the other way round. */
const RAW: Codec = {
  encode: (_event, data) => data as ReturnType<Codec['encode']>, // The class has made it one already.
  decode: (data) => ({ event: 'message', data }),
}

/** What a connection is made of. */
export interface Plan {
  /** Empty until a url provider has answered. */
  readonly url: string
  readonly client: ClientOptions
  readonly dialect: Dialect
  readonly reconnect: boolean
  readonly closeTimeoutMs: number
}

/**
 * What is given over what `HoldfastWebSocket.with` has bound.
 *
 * @throws {TypeError} | {RangeError} as `planOf`
 */
export function boundOptions(
  given: HoldfastWebSocketOptions | undefined,
  bound: HoldfastWebSocketOptions,
): HoldfastWebSocketOptions {
  withDefaults('HoldfastWebSocket', given, DEFAULTS)
  const named = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  return { ...bound, ...Object.fromEntries(named) }
}

/** @throws {TypeError} | {RangeError} that names the option, the value and the rule */
export function planOf(
  url: string | UrlProvider,
  subprotocols: readonly string[] | SubprotocolProvider,
  given?: HoldfastWebSocketOptions,
): Plan {
  const options = withDefaults('HoldfastWebSocket', given, DEFAULTS)
  const { reconnect, closeTimeoutMs, hello, welcome, ping, pong, ...core } = options
  // What is undefined is not given, whatever its type says.
  const talk = { codec: RAW, subprotocols, hello, welcome, ping, pong } as PlainOptions
  const client = {
    ...core,
    url,
    frameBytesMax: NUMBER_MAX, // No limit of its own: the outbox has one for all messages.
    // One attempt that fails is one too many, and so is one connection that ends.
    ...(reconnect ? {} : { maxAttempts: 1 }),
  } as ClientOptions
  const dialect = plain(talk)
  resolveOptions(client, () => dialect)
  return { url: typeof url === 'string' ? url : '', client, dialect: plain(talk), reconnect, closeTimeoutMs }
}
