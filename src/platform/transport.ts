import Supervisor from 'partysocket/ws'
import type { Body, Received } from '../protocol/codec.js'
import { NUMBER_MAX } from '../shared/validate.js'

/** The part of the WebSocket constructor that we use; the browser's, or that of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string | string[]) => WebSocket

/** What a transport reports of its current socket; never anything of an abandoned one. */
export interface TransportListener {
  opened(): void
  /** `at` is when it came, on the clock of `performance.now()`, where the socket says so: asking the clock costs more. */
  frame(frame: Received, at?: number): void
  closed(code: number, reason: string): void
  /** The browser refused to make the socket at all: a malformed subprotocol, mixed content, or the page's security policy. */
  blocked(cause: unknown): void
}

/** One socket at a time. */
export interface Transport {
  /** Whether the socket takes frames. One that is closing would throw them away. */
  readonly isOpen: boolean
  /** Exactly one attempt, after the task that is under way; an earlier socket is abandoned. */
  open(url: string, subprotocols: readonly string[]): void
  /** Hands a frame to the open socket. */
  send(frame: Body): void
  /** Bytes in the browser's buffer. Still right after the socket has closed. */
  buffered(): number
  /** Abandons the socket at once. The closing handshake goes on without us: on a dead link it takes up to a minute. */
  drop(code: number, reason: string): void
}

/** `WebSocket.OPEN`. */
const OPEN = 1

/** The time of an event that is heard now is no further from ours, in milliseconds; else it is on another clock. */
const EVENT_LAG_MS = 100

/** The window, or the worker; in Node there are no such events. */
const page = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>

/**
 * The transport on partysocket, which makes, replaces and closes the native socket. Each `open` is a single shot:
 * partysocket never waits, retries, queues or times out by itself, since we decide when to dial.
 *
 * What happens is heard on the native socket, before partysocket: it turns a refused connection into a clean close
 * 1000, and it clones and dispatches every message, which costs as much as receiving it.
 */
export function createTransport(Native: WebSocketClass, listener: TransportListener): Transport {
  let target = ''
  let protocols: string[] | null = null
  let socket: WebSocket | undefined

  function makeSocket(url: string, offered?: string[]): WebSocket {
    let native: WebSocket
    try {
      native = offered ? new Native(url, offered) : new Native(url)
    } catch (cause) {
      listener.blocked(cause)
      throw cause
    }
    socket = native
    const hear = (type: 'open' | 'error' | 'close', tell: (event: never) => void): void =>
      native.addEventListener(type, (event) => {
        if (native === socket) tell(event as never)
      })
    let isUnanswered = true
    /** Whether events have their time on our clock: DOM Level 3 had the time since 1970 there, and some classes still have. */
    let isOnOurClock = false
    hear('open', ({ timeStamp }: Event) => {
      isUnanswered = false
      isOnOurClock = Math.abs(timeStamp - performance.now()) < EVENT_LAG_MS
      listener.opened()
    })
    // A socket that is forbidden may fire `error` and never `close`.
    hear('error', () => {
      if (!isUnanswered) return
      socket = undefined // Where `close` follows, it has been told already.
      listener.closed(1006, '')
    })
    hear('close', ({ code, reason }: CloseEvent) => listener.closed(code, reason))
    native.addEventListener('message', (event: MessageEvent<Received>) => {
      event.stopImmediatePropagation?.() // The package "ws" has events without it; partysocket then hears them too.
      if (native === socket) listener.frame(event.data, isOnOurClock ? event.timeStamp : undefined)
    })
    return native
  }

  /**
   * Chromium tells the page of the policy, fires `error` at the socket and never `close`.
   * Source: Content Security Policy Level 3, "Report a violation".
   */
  function violated({ disposition, blockedURI, effectiveDirective }: SecurityPolicyViolationEvent): void {
    if (!socket || disposition !== 'enforce' || blockedURI !== target) return
    socket = undefined
    listener.blocked(new Error(`Content-Security-Policy: ${effectiveDirective}`))
  }

  const supervisor = new Supervisor(
    () => target,
    () => protocols,
    {
      // A function that returns an object is a constructor too, and this one sees what the native one throws.
      WebSocket: function (url: string, offered?: string[]) {
        return makeSocket(url, offered)
      },
      startClosed: true,
      maxRetries: 0,
      maxEnqueuedMessages: 0,
      connectionTimeout: NUMBER_MAX,
    },
  )
  supervisor.binaryType = 'arraybuffer'

  return {
    get isOpen() {
      return socket?.readyState === OPEN
    },
    open(url, subprotocols) {
      socket = undefined
      target = url
      page.addEventListener?.('securitypolicyviolation', violated)
      protocols = subprotocols.length ? [...subprotocols] : null
      supervisor.reconnect()
    },
    send: (frame) => socket?.send(frame),
    buffered: () => socket?.bufferedAmount ?? 0,
    drop(code, reason) {
      socket = undefined
      page.removeEventListener?.('securitypolicyviolation', violated)
      supervisor.close(code, reason)
    },
  }
}
