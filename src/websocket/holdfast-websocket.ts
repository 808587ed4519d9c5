import type { UrlProvider } from '../client/options.js'
import type { SubprotocolProvider } from '../dialects/plain/subprotocols.js'
import { systemPlatform } from '../platform/platform.js'
import { farewellOf, messageOf, socketUrl, subprotocolsOf } from './arguments.js'
import { createConnection, type Connection } from './connection.js'
import { closeEvent, createHandlers } from './events.js'
import { boundOptions, planOf, type HoldfastWebSocketOptions } from './options.js'

/** An `EventTarget` that knows the types of a WebSocket's events. */
type SocketTarget = Pick<WebSocket, 'addEventListener' | 'removeEventListener' | 'dispatchEvent'>

// The same class: only its types are narrower.
const Target = EventTarget as unknown as new () => SocketTarget

type SocketUrl = string | URL | UrlProvider
type SocketProtocols = string | string[] | SubprotocolProvider

/** What an instance keeps for itself: a native socket has no property of its own that anybody could see. */
interface Inside {
  readonly connection: Connection
  readonly handlers: ReturnType<typeof createHandlers>
  binaryType: BinaryType
}

const insides = new WeakMap<object, Inside>()

/** @throws {TypeError} for an object of another class, as a native getter does */
function insideOf(target: object): Inside {
  const inside = insides.get(target)
  if (!inside) throw new TypeError('Illegal invocation')
  return inside
}

/**
 * The browser's `WebSocket`, which comes back when it is lost and queues what is sent meanwhile.
 *
 * Everything is as the standard says but for what `docs/websocket.md` lists, most of all: after `close` the `readyState`
 * is `CONNECTING` again and `open` fires again, unless the server has refused us for good, `close()` was called, or
 * `reconnect` is false; and `send` while `CONNECTING` is kept for later. What had not left the browser's buffer when a
 * connection was lost is sent again over the next one; what had left it is not known to have arrived.
 *
 * The url and the protocols may be functions, which are asked at every attempt, for a ticket of one use. What they throw,
 * or answer wrongly, ends or fails the attempt as with `createClient`; `url` is empty until the first attempt is made.
 *
 * @throws {DOMException} `SyntaxError` for a wrong URL or subprotocol
 * @throws {TypeError} | {RangeError} for a url that is neither text, a `URL` nor a function, a wrong option, or where there
 * is no native class
 * @example
 * const socket = new HoldfastWebSocket(async () => `wss://example.com/live?ticket=${await fetchTicket()}`)
 * socket.onmessage = ({ data }) => console.log(data)
 * socket.send('hello')
 */
export class HoldfastWebSocket extends Target implements WebSocket {
  declare static readonly CONNECTING: 0
  declare static readonly OPEN: 1
  declare static readonly CLOSING: 2
  declare static readonly CLOSED: 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  declare readonly url: string
  declare readonly readyState: 0 | 1 | 2 | 3
  /** Bytes that were sent and have not left the browser: those in our queue, and those in its buffer. */
  declare readonly bufferedAmount: number
  declare readonly extensions: string
  declare readonly protocol: string
  declare onopen: WebSocket['onopen']
  declare onerror: WebSocket['onerror']
  declare onclose: WebSocket['onclose']
  declare onmessage: WebSocket['onmessage']

  /**
   * The class with options bound to it, for libraries that call `new WebSocketClass(url, protocols)`.
   *
   * @throws {TypeError} | {RangeError} for a wrong option
   * @example createClient({ url, webSocketImpl: HoldfastWebSocket.with({ reconnect: false }) }) // of graphql-ws
   */
  static with(options: HoldfastWebSocketOptions): typeof HoldfastWebSocket {
    planOf('ws://localhost', [], options)
    return class extends this {
      constructor(url: SocketUrl, protocols: SocketProtocols = [], more?: HoldfastWebSocketOptions) {
        super(url, protocols, boundOptions(more, options))
      }
    }
  }

  /**
   * @param url where to connect; a function is asked at every attempt, as that of `createClient`
   * @param protocols subprotocols to offer, best first; a function is asked at every attempt
   */
  constructor(url: SocketUrl, protocols: SocketProtocols = [], options?: HoldfastWebSocketOptions) {
    super()
    const target = typeof url === 'function' ? url : socketUrl(url, systemPlatform().pageUrl)
    const plan = planOf(target, typeof protocols === 'function' ? protocols : subprotocolsOf(protocols), options)
    let origin = ''
    const fire = (event: Event): void => void this.dispatchEvent(event)
    const inside: Inside = {
      handlers: createHandlers(this),
      binaryType: 'blob',
      connection: createConnection(plan, {
        opened() {
          origin = new URL(inside.connection.url).origin
          fire(new Event('open'))
        },
        message(received) {
          const isBlob = typeof received !== 'string' && inside.binaryType === 'blob'
          fire(new MessageEvent('message', { data: isBlob ? new Blob([received]) : received, origin }))
        },
        error: () => fire(new Event('error')),
        closed: (ending) => fire(closeEvent(ending)),
      }),
    }
    insides.set(this, inside)
  }

  get binaryType(): BinaryType {
    return insideOf(this).binaryType
  }

  set binaryType(type: BinaryType) {
    const inside = insideOf(this)
    // Web IDL: what an enumeration does not have is ignored.
    if (['blob', 'arraybuffer'].includes(type)) inside.binaryType = type
  }

  /**
   * Closes for good. What was sent while `OPEN` goes out first; what waits for a connection does not.
   *
   * @throws {DOMException} `InvalidAccessError` for a code that is not 1000 or from 3000 to 4999; `SyntaxError` for a
   * reason of more than 123 bytes
   */
  close(...[code, reason]: [code?: number, reason?: string]): void {
    insideOf(this).connection.close(farewellOf(code, reason))
  }

  /**
   * Sends, now or when there is a connection. Bytes are copied at the call.
   *
   * @throws {DeliveryError} `OUTBOX_FULL` when more waits than `outboxMax` allows, and `overflow` is `'reject'`
   */
  send(data: string | Blob | BufferSource): void {
    const { connection } = insideOf(this)
    if (!arguments.length) throw new TypeError('1 argument required, but only 0 present')
    connection.send(messageOf(data))
  }
}

// What is declared above. Web IDL: constants are on the class and on its instances, and everything can be enumerated.

const { prototype } = HoldfastWebSocket
const define = (
  name: PropertyKey,
  property: PropertyDescriptor & ThisType<HoldfastWebSocket>,
  owner: object = prototype,
) => Object.defineProperty(owner, name, { enumerable: true, ...property })

for (const [value, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
  define(name, { value })
  define(name, { value }, HoldfastWebSocket)
}
for (const name of ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol'] as const) {
  define(name, {
    configurable: true,
    get() {
      return insideOf(this).connection[name]
    },
  })
}
for (const type of ['open', 'error', 'close', 'message']) {
  define(`on${type}`, {
    configurable: true,
    get() {
      return insideOf(this).handlers.get(type)
    },
    set(handler: unknown) {
      insideOf(this).handlers.set(type, handler)
    },
  })
}
for (const name of ['binaryType', 'close', 'send']) define(name, {})
define(Symbol.toStringTag, { value: 'WebSocket', configurable: true, enumerable: false })
