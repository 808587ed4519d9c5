import { NUMBER_MAX } from '../shared/validate.js'
import { watchSignals, type Signal } from './page-lifecycle.js'
import { createTransport, type Transport, type TransportListener, type WebSocketClass } from './transport.js'

/** Notes of a page for the next page in its tab. */
export interface Notes {
  /** A note that the last page left, which is then gone; undefined where there is none. */
  recall(key: string): string | undefined
  keep(key: string, note: string): void
}

/** Everything that a client takes from its surroundings; the simulation brings its own. */
export interface Platform {
  /** Milliseconds that never step back. */
  now(): number
  /** Milliseconds since 1970. */
  wallNow(): number
  /** What URLs are relative to: the page's own URL, or that in its `<base>`; undefined where there is no page. */
  readonly pageUrl?: string | undefined
  /** Whether the page is out of view, so that its timers may fire once a minute; absent: it is not. */
  readonly isHidden?: boolean | undefined
  /** Uniform in [0, 1). */
  random(): number
  /** 128 random bits as 22 characters of base64url. */
  createId(): string
  /** Calls back once after `delayMs`; the returned function calls it off. */
  setTimer(callback: () => void, delayMs: number): () => void
  createTransport(listener: TransportListener): Transport
  watchSignals(listener: (signal: Signal) => void): () => void
  /** Notes of a page for the next page in its tab. Default: in `sessionStorage`. */
  readonly notes?: Notes | undefined
  /** For an error that nobody listens for: reported as uncaught, as the browser does with a listener of its own. */
  throwLater(error: unknown): void
}

/**
 * The class that is given, or the global one.
 *
 * @throws {TypeError} where there is none, as in Node before 22
 */
export function nativeClass(given: WebSocketClass | undefined): WebSocketClass {
  const Native = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
  if (Native) return Native
  throw new TypeError(
    'There is no global WebSocket here: pass one as options.WebSocket, such as that of the package "ws"',
  )
}

/**
 * The browser, or Node. Globals are looked up when they are used, so that a server can render a page that imports this.
 *
 * @param Native the WebSocket class to use; default: the global one
 */
export const systemPlatform = (Native?: WebSocketClass): Platform => ({
  now: () => performance.now(),
  wallNow: () => Date.now(),
  get pageUrl() {
    const { document, location } = globalThis as { document?: Document; location?: Location }
    return document?.baseURI ?? location?.href
  },
  get isHidden() {
    return (globalThis as { document?: Document }).document?.hidden
  },
  random: () => Math.random(),
  createId: () =>
    btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replace(
      /[+/=]/g,
      (symbol) => ({ '+': '-', '/': '_' })[symbol] ?? '',
    ),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), NUMBER_MAX))
    return () => clearTimeout(timer)
  },
  createTransport(listener) {
    return createTransport(nativeClass(Native), listener)
  },
  watchSignals,
  throwLater: (error) =>
    queueMicrotask(() => {
      throw error
    }),
})
