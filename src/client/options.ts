import type { SendOptions } from '../shared/contract.js'
import { check, isObject, withDefaults, type Defaults } from '../shared/validate.js'
import type { MaybePromise } from '../shared/maybe-promise.js'
import type { DialContext, Dialect } from '../dialects/dialect.js'
import { memoryStore } from '../outbox/stores/memory-store.js'
import type { OutboxMax, Overflow } from '../outbox/overflow.js'
import type { OutboxStorage } from '../outbox/storage.js'
import { systemPlatform, type Platform } from '../platform/platform.js'
import type { RetryDelay } from '../connection/backoff.js'
import type { Heartbeat } from '../protocol/heartbeat.js'
import type { WebSocketClass } from '../platform/transport.js'

/**
 * Where to connect. A string that starts with `/` is relative to the page; it is resolved at each attempt, so that a server
 * may make the client that its page will use. `http:` means `ws:`, `https:` means `wss:`.
 */
export type UrlSource = string | URL | UrlProvider

/** Asked at each attempt. With `null`, or by throwing a `RefusedError`, it stops the client: there is nowhere to connect to. */
export type UrlProvider = (context: DialContext) => MaybePromise<string | URL | null>

/** Where the credential comes from. A `RefusedError` that it throws stops the client; whatever else it throws fails the attempt. */
export type AuthSource = (context: DialContext) => unknown

/** Options of `createClient`. Times are milliseconds; every value is checked at the call. */
export interface ClientOptions {
  /** Where to connect. A function is asked anew at every attempt, so that it can put a fresh ticket into the URL. */
  url: UrlSource
  /**
   * The credential for the server: a ticket, a token, any JSON value. Asked anew at every attempt, after a refusal with
   * 4401, and when the server asks for a fresh one. It goes into the first frame, never into the URL. Only with a dialect
   * that carries it, such as `reliable()`.
   */
  auth?: AuthSource
  /** How the server is spoken to. Default: `plain()` with JSON text frames; with the `createClient` of `holdfast/reliable`, `reliable()`. */
  dialect?: Dialect
  /** Where messages wait until they are delivered. Default: `memoryStore()`. */
  outbox?: OutboxStorage
  /** How much may wait. Default: `{ messages: 10_000, bytes: 16 MiB }`. */
  outboxMax?: Partial<OutboxMax>
  /** What gives way when the outbox is full. Default: `'reject'`: `send` throws. */
  overflow?: Overflow
  /** Bounds of the wait before a retry, which is drawn with full jitter. Default: `{ min: 500, max: 30_000 }`. */
  retryDelayMs?: Partial<RetryDelay>
  /** How many attempts in a row may fail before the client stops with `ATTEMPTS_EXHAUSTED`. Default: `Infinity`. */
  maxAttempts?: number
  /** How long a connection must last for its failures before to be forgotten. Default: 5,000. */
  stableAfterMs?: number
  /** How long an attempt may take, with the url provider, TCP, TLS and handshake. Doubled after two time-outs in a row. Default: 10,000. */
  connectTimeoutMs?: number
  /**
   * A dead link is found within `interval + timeout`, where the dialect can ping; a Socket.IO server has its own. An
   * answer that goes behind long messages has as much longer as a link of 64 kbit/s needs for them, 131 s at most. To
   * give it turns the ping of `plain()` on. Default: `{ interval: 25_000, timeout: 15_000 }`. */
  heartbeatMs?: Partial<Heartbeat>
  /** The longest message that `send` takes, encoded. Default: 1 MiB. */
  frameBytesMax?: number
  /** Decides on each close of a connection whether to come back. Default: by the close code, see `docs/errors.md`. */
  shouldReconnect?: (close: { code: number; reason: string }) => boolean
  /** The WebSocket class. Default: the global one. In Node before 22 pass that of the package `ws`, made with
   * `perMessageDeflate: false`: it forgets what it has compressed before that has left, so that we could not send it again. */
  WebSocket?: WebSocketClass
  /** Clock, timer, randomness and transport, for tests. */
  platform?: Platform
}

/** Of `send`: here once, and not at each call. */
export const SEND_DEFAULTS: Defaults<SendOptions> = {
  ttlMs: undefined,
  volatile: false,
  key: undefined,
  validWhile: undefined,
}

/** Options with nothing left open. */
export interface ResolvedOptions {
  readonly platform: Platform
  readonly url: UrlProvider
  readonly auth: AuthSource | undefined
  readonly dialect: Dialect
  readonly outbox: OutboxStorage
  readonly outboxMax: OutboxMax
  readonly overflow: Overflow
  readonly retryDelayMs: RetryDelay
  readonly maxAttempts: number
  readonly stableAfterMs: number
  readonly connectTimeoutMs: number
  readonly heartbeatMs: Heartbeat
  /** The same where the application has given it. */
  readonly heartbeatGiven: Heartbeat | undefined
  readonly frameBytesMax: number
  readonly shouldReconnect: ClientOptions['shouldReconnect']
}

/**
 * @param makeDialect the dialect where the options name none
 * @throws {TypeError} | {RangeError} that names the option, the value and the rule
 */
export function resolveOptions(clientOptions: ClientOptions, makeDialect: () => Dialect): ResolvedOptions {
  check('options', clientOptions, 'an object', isObject(clientOptions))
  const options = withDefaults('createClient', clientOptions, {
    url: undefined,
    auth: undefined,
    dialect: undefined,
    outbox: undefined,
    outboxMax: { messages: 10_000, bytes: 16 * 2 ** 20 },
    overflow: 'reject',
    retryDelayMs: { min: 500, max: 30_000 },
    maxAttempts: Infinity,
    stableAfterMs: 5_000,
    connectTimeoutMs: 10_000,
    heartbeatMs: { interval: 25_000, timeout: 15_000 },
    frameBytesMax: 2 ** 20,
    shouldReconnect: undefined,
    WebSocket: undefined,
    platform: undefined,
  })
  const { url } = clientOptions
  const { auth, dialect = makeDialect(), outbox = memoryStore(), overflow, retryDelayMs } = options
  const { heartbeatMs, shouldReconnect } = options
  const platform = options.platform ?? systemPlatform(options.WebSocket)
  const dial = typeof url === 'function' ? url : () => url
  // A path becomes a URL when it is dialled: a server that renders the page makes the client too, and never dials.
  if (typeof url !== 'function') parseUrl(url, platform.pageUrl ?? 'http://page')
  check('dialect', dialect, 'a dialect such as plain()', isObject(dialect) && typeof dialect.open === 'function')
  check(
    'outbox',
    outbox,
    'a storage such as memoryStore(), or persistent(store)',
    isObject(outbox) && typeof outbox.attach === 'function',
  )
  const isCallable = (value: unknown): boolean => ['function', 'undefined'].includes(typeof value)
  check('shouldReconnect', shouldReconnect, 'a function', isCallable(shouldReconnect))
  check('auth', auth, 'a function', isCallable(auth))
  check('auth', 'given', `absent: the dialect "${dialect.name}" has nothing to carry it`, !auth || dialect.acknowledges)
  check('WebSocket', options.WebSocket, 'a WebSocket class', isCallable(options.WebSocket))
  const isOverflow = ['reject', 'drop-oldest', 'drop-newest'].includes(overflow)
  check('overflow', overflow, "'reject', 'drop-oldest' or 'drop-newest'", isOverflow, RangeError)
  const { min, max } = retryDelayMs
  check('retryDelayMs.max', max, `at least min, ${min}`, max >= min, RangeError)
  return {
    ...options,
    auth: auth ?? dialect.hello,
    platform,
    url: dial,
    dialect,
    outbox,
    heartbeatGiven: clientOptions.heartbeatMs && heartbeatMs,
  }
}

/**
 * The URL as the WebSocket constructor wants it.
 *
 * @throws {TypeError} when it is not an absolute ws:, wss:, http: or https: URL, nor a path that starts with `/` on a page
 */
export function parseUrl(url: string | URL, pageUrl: string | undefined): string {
  const text = String(url)
  let parsed: URL | undefined
  try {
    parsed = new URL(text, text.startsWith('/') ? pageUrl : undefined)
  } catch {
    // Reported below, with the rule.
  }
  const isKnown = parsed && /^(ws|http)s?:$/.test(parsed.protocol) && parsed.host
  // What follows the question mark may be a ticket, and errors are logged.
  check(
    'url',
    text.includes('?') ? text.replace(/\?.*/, '?…') : url,
    'a ws: or wss: URL, or on a page a path that starts with "/"',
    isKnown,
  )
  return (parsed as URL).href.replace(/^http/, 'ws').replace(/#.*/, '')
}
