import type { Heartbeat } from '../../protocol/heartbeat.js'
import type { WindowMax } from '../../protocol/window.js'
import { check, isObject, requireInteger, withDefaults, type Defaults } from '../../shared/validate.js'
import { memoryStreams } from '../stores/memory-streams.js'
import type { MaybePromise } from '../../shared/maybe-promise.js'
import type { Rate } from '../ordering/token-bucket.js'
import type { CompanionCodec, FrameCodec } from '../../protocol/frame-codec.js'
import type { StreamStore } from '../stores/stream-store.js'
import { originsCheck, type Origins } from './origins.js'
import { wayFinder, type TrustProxy, type WayFinder } from './proxies.js'
import type { UpgradeRequest } from './upgrade-request.js'

/** The argument of `authenticate`. */
export interface Credential {
  /** The value of the client's `auth`; undefined when it has none. It comes from outside: check it. */
  readonly auth: unknown
  readonly request: UpgradeRequest
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal
}

/** The result of `authenticate`. What else it has comes back as `session.identity`. */
export interface Identity {
  /** The name of the user. Sessions, and the record of handled messages, belong to it. */
  readonly user: string
  /** When it expires, in milliseconds since 1970. The client is requested to renew it in time. Default: never. */
  readonly expiresAt?: number | undefined
}

/** The limits for every client. */
export interface Limits {
  /** The longest frame that is read, in bytes. Default: 1 MiB. */
  readonly frameBytesMax: number
  /** How much of a client's messages may be unacknowledged. Default: 512 messages, 1 MiB. */
  readonly window: WindowMax
  /**
   * How many messages of a session are handled per second, the others later. Default: 20,000, less than half of what a
   * process can handle, so that a session alone cannot keep it busy for ever.
   */
  readonly messagesPerSecond: number
  /** How many of them at once after a rest. Default: 100,000: a queue that drains after days offline is no attack. */
  readonly messagesBurst: number
  /**
   * How many other frames a connection may send per second; beyond, it is closed with 4429. Default: 2,000, twice what a
   * fast mouse gives to a page that sends each of its moves as a volatile message.
   */
  readonly framesPerSecond: number
  /** How many of them at once after a rest. Default: 10,000. */
  readonly framesBurst: number
  /** How many connections there may be at a time; another is closed with 1013. Default: 100,000. */
  readonly connectionsMax: number
  /**
   * How many clients a second should return after all have lost their links: with 10,000 connections, the default spreads
   * them over 10 s, once a first dial has failed. Default: 1,000.
   */
  readonly returnsPerSecond: number
  /**
   * How many connections one address may have at a time, of IPv6 one /64; another is closed with 1013 and reported as
   * `TOO_MANY`. Behind a proxy, set `trustProxy`: else all clients have its address. Default: 100,000, as `connectionsMax`.
   */
  readonly connectionsPerAddressMax: number
  /**
   * How many sessions one user may have; for another one, that of the user which was away longest is ended, and where none
   * is away, the new one is closed with 1013 and reported as `TOO_MANY`. Where nobody is authenticated, all are one user.
   * Default: 200,000, as `sessionsMax`.
   */
  readonly sessionsPerUserMax: number
  /** How many sessions there may be; for another one, the session that was away longest is ended. Default: 200,000. */
  readonly sessionsMax: number
  /** By when a client must have sent its `hello`, in milliseconds. Default: 10,000. */
  readonly helloTimeoutMs: number
  /** How many bytes may wait in a socket; then nothing more is written until it drains. Default: 4 MiB. */
  readonly bufferedBytesMax: number
  /**
   * How long they may wait, in milliseconds, while nothing leaves the socket, or less than a link of 64 kbit/s carries;
   * then the client does not read, and is closed with 1013. A client that has acknowledged nothing for so long, and has
   * everything that was written, takes nothing: from then on the limits count that the store has for one stream.
   * Default: 15,000.
   */
  readonly stalledMs: number
  /** How much of a session's stream may be unacknowledged while it is `writable`. Default: 1,000 messages, 1 MiB. */
  readonly highWaterMark: WindowMax
}

/** Limits, some of them. */
export type LimitOptions = Partial<Omit<Limits, 'window' | 'highWaterMark'>> & {
  readonly window?: Partial<WindowMax>
  readonly highWaterMark?: Partial<WindowMax>
}

/** Options of the engine. Every one has a default. */
export interface EngineOptions<I extends Identity = Identity> {
  /**
   * Returns the user of a client, or null to refuse it (4401). Throw a `HoldfastError` with the code `FORBIDDEN` to refuse
   * it for good (4403); any other error counts as the server's own (1011).
   * Default: every client is accepted, and identified only by the secret ids of its session and writers.
   */
  readonly authenticate?: (credential: Credential) => MaybePromise<I | null | undefined | false>
  /** The store for streams and cursors. Default: `memoryStreams()`. */
  readonly streams?: StreamStore
  readonly limits?: LimitOptions
  /**
   * How long a handler may run, in milliseconds. Then its message is rejected, its `signal` aborts, `HANDLER_TIMEOUT` is
   * reported, and the next message is handled, whether it has ended or not. Default: 120,000.
   */
  readonly handlerTimeoutMs?: number
  /**
   * How long a connected session waits for a listener of `session`, and then for the promises that its listeners return,
   * in milliseconds. Meanwhile nothing of it is handled or acknowledged. Then `LISTENER_TIMEOUT` is reported and the client
   * closed with 1011: it comes back, to the same session where nobody listened, else to a new one. Default: 30,000.
   */
  readonly listenerTimeoutMs?: number
  /**
   * How long `authenticate` may take, in milliseconds; then the client is closed with 1011 and comes back. Default: 10,000.
   */
  readonly authTimeoutMs?: number
  /**
   * How long an operation of the store may take, in milliseconds; then it counts as failed. `memoryStreams` is always in
   * time. Default: 10,000.
   */
  readonly storeTimeoutMs?: number
  /**
   * For how long a user whose connections are gone counts as present in its rooms, for `join`, `leave` and `members`, in
   * milliseconds. Default: 10,000.
   */
  readonly presenceGraceMs?: number
  /**
   * Whether a client is told what its handler threw, word for word. It may name a database or a file, so that only a
   * `HoldfastError`, such as a `RejectedError`, is told otherwise, and of all else that the handler failed. Default: false.
   */
  readonly exposeErrors?: boolean
  /**
   * When a client is pinged, and how long it may be silent then. It has longer while a long message of its comes in, and
   * for what it has yet to read as long as a link of 64 kbit/s needs, 131 s at most. Default: 25,000 and 15,000.
   */
  readonly heartbeatMs?: Partial<Heartbeat>
  /**
   * The pages that may connect: a list of origins such as `https://example.com` and of all subdomains of one,
   * `https://*.example.com`, or a function that is asked for each connection. Default: all pages. Requests without an
   * Origin header (non-browser clients) are allowed, and the function is not asked.
   *
   * @example createServer({ origins: ['https://example.com', 'https://*.example.com', 'http://localhost:5173'] })
   * @example createServer({ origins: (origin) => tenants.has(new URL(origin).hostname) })
   */
  readonly origins?: Origins
  /**
   * The proxies in front of the server whose `X-Forwarded-For`, `-Proto` and `-Host` are believed: how many there are, or
   * their addresses. Without them these headers are whatever the client has written. With a number, the server must be out
   * of reach but through that many proxies. Default: false, none.
   *
   * @example createServer({ trustProxy: ['loopback', '10.0.0.0/8'] })
   */
  readonly trustProxy?: TrustProxy
  /**
   * What is spoken beside JSON: `msgpack()` of `holdfast/msgpack`, so that bytes, dates and BigInts come and go as what
   * they are. Then handlers meet them, and `NaN`, in what any client sends. A client that speaks JSON all the same gets a
   * date as its `toJSON`, and bytes in Base64, BigInts and `NaN` as strings. Default: JSON alone.
   */
  readonly codec?: CompanionCodec
}

/** Options with every default in place. */
export interface ResolvedOptions {
  readonly authenticate: NonNullable<EngineOptions['authenticate']>
  readonly streams: StreamStore
  /** The codec beside JSON. */
  readonly codec: FrameCodec | undefined
  readonly handlerTimeoutMs: number
  readonly listenerTimeoutMs: number
  readonly authTimeoutMs: number
  readonly storeTimeoutMs: number
  readonly presenceGraceMs: number
  readonly exposeErrors: boolean
  readonly limits: Limits
  readonly heartbeat: Heartbeat
  /** Whether pages of this origin may connect. */
  readonly isAllowed: (origin: string) => boolean
  /** Whether that is known of each page that was let in: there is a list of them. */
  readonly hasOrigins: boolean
  readonly findWay: WayFinder
  /** How many frames a connection may send that no window bounds. */
  readonly frameRate: Rate
  /** How many messages of a session are handled. */
  readonly messageRate: Rate
  /** How many frames of a connection may wait for an answer of the store or of `authenticate`. */
  readonly queueMax: WindowMax
}

const WINDOW: WindowMax = { messages: 512, bytes: 2 ** 20 }

const HIGH_WATER_MARK: WindowMax = { messages: 1_000, bytes: 2 ** 20 }

const LIMITS: Omit<Limits, 'window' | 'highWaterMark'> = {
  frameBytesMax: 2 ** 20,
  messagesPerSecond: 20_000,
  messagesBurst: 100_000,
  framesPerSecond: 2_000,
  framesBurst: 10_000,
  connectionsMax: 100_000,
  connectionsPerAddressMax: 100_000,
  returnsPerSecond: 1_000,
  sessionsMax: 200_000,
  sessionsPerUserMax: 200_000,
  helloTimeoutMs: 10_000,
  bufferedBytesMax: 4 * 2 ** 20,
  stalledMs: 15_000,
}

/** Every option of the engine. What is made for each server anew has only its place here. */
export const ENGINE_DEFAULTS = {
  authenticate: undefined,
  streams: undefined,
  codec: undefined,
  limits: { ...LIMITS, window: WINDOW, highWaterMark: HIGH_WATER_MARK },
  handlerTimeoutMs: 120_000,
  listenerTimeoutMs: 30_000,
  authTimeoutMs: 10_000,
  storeTimeoutMs: 10_000,
  presenceGraceMs: 10_000,
  exposeErrors: false,
  heartbeatMs: { interval: 25_000, timeout: 15_000 },
  origins: undefined,
  trustProxy: undefined,
} satisfies Defaults<EngineOptions>

/** @throws {TypeError | RangeError} that names the option, the value and the rule */
export function resolveOptions(engineOptions: EngineOptions): ResolvedOptions {
  const options = withDefaults('createServer', engineOptions, ENGINE_DEFAULTS, requireInteger)
  const { authenticate = () => ({ user: '' }), streams = memoryStreams(), limits, origins, trustProxy } = options
  const { codec, handlerTimeoutMs, listenerTimeoutMs, authTimeoutMs, storeTimeoutMs, exposeErrors, presenceGraceMs } =
    options
  check('authenticate', authenticate, 'a function', typeof authenticate === 'function')
  const isStore = isObject(streams) && typeof streams.open === 'function'
  check('streams', streams, 'a store such as memoryStreams()', isStore)
  check('codec', codec, 'msgpack()', codec === undefined || (isObject(codec) && isObject(codec.frames)))
  return {
    authenticate,
    streams,
    codec: codec?.frames,
    handlerTimeoutMs,
    listenerTimeoutMs,
    authTimeoutMs,
    storeTimeoutMs,
    presenceGraceMs,
    exposeErrors,
    limits,
    heartbeat: options.heartbeatMs,
    isAllowed: originsCheck(origins),
    hasOrigins: origins !== undefined,
    findWay: wayFinder(trustProxy),
    frameRate: { perSecond: limits.framesPerSecond, burst: limits.framesBurst },
    messageRate: { perSecond: limits.messagesPerSecond, burst: limits.messagesBurst },
    queueMax: { messages: limits.window.messages + limits.framesBurst, bytes: limits.window.bytes },
  }
}
