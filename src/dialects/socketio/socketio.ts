import { check, withDefaults } from '../../shared/validate.js'
import { LocalProtocolError } from '../../shared/errors.js'
import { closeAdvice } from '../../protocol/close-codes.js'
import { createRequests } from '../../outbox/requests.js'
import type { Dialect } from '../dialect.js'
import { createSocketIoProtocol } from './socketio-protocol.js'
import { createPackets } from './packets.js'

/** How to speak to a Socket.IO server. */
export interface SocketIoOptions {
  /** The namespace to join; one client speaks in one. Default: `'/'`. */
  namespace?: string
  /** Where the server listens, unless the client's `url` has a path of its own. Default: `'/socket.io/'`. */
  path?: string
  /**
   * For which events the server's handlers call their acknowledgement callback: all (`true`), none (`false`), or those
   * named. Such a message is delivered when the server has acknowledged it, and is sent again until then: at least once,
   * since the server cannot tell a repeat. Any other is delivered when it has left the browser, as with `plain()`. Requests are always acknowledged: the
   * callback's argument is their result. Default: `false`, since a handler that never calls back would hold the message
   * for ever.
   */
  acks?: boolean | readonly string[]
  /**
   * How long an acknowledgement is waited for, in milliseconds; when the server is heard after that, its ping at the
   * latest, and has not acknowledged, the delivery fails with `NOT_ACKNOWLEDGED`. Default: 30,000.
   */
  ackTimeoutMs?: number
  /**
   * Whether a payload is the list of all arguments of an event, both ways, rather than its one argument. From a server
   * that recovers sessions its offset is the last of them, as `socket.io-client` has it. Default: false.
   */
  spread?: boolean
}

/**
 * A Socket.IO server, version 3 or 4, over its WebSocket transport. Events, acknowledgements both ways (what a listener
 * returns answers the server), attachments of bytes, one namespace, `auth` in the CONNECT packet (what is no object goes
 * as `{ token }`), the server's own ping as liveness, and connection state recovery where the server offers it.
 *
 * A namespace that refuses us stops the client with `REFUSED_BY_SERVER`, or after a second try with a fresh credential
 * with `UNAUTHORIZED`; a server of another kind with `PROTOCOL_MISMATCH`; a server that disconnects us with
 * `REFUSED_BY_SERVER`. After a reconnection that recovered nothing there is one `gap` event.
 *
 * @throws {TypeError} | {RangeError} for a wrong option, naming it
 * @example
 * const client = createClient<Chat>({
 *   url: 'https://example.com',
 *   dialect: socketIo({ namespace: '/chat', acks: ['message'] }),
 *   auth: () => ({ token }),
 *   outbox: indexedDbStore({ name: 'chat' }),
 * })
 */
export function socketIo(options?: SocketIoOptions): Dialect {
  const {
    namespace,
    path,
    acks = false,
    ackTimeoutMs,
    spread,
  } = withDefaults('socketIo', options, {
    namespace: '/',
    path: '/socket.io/',
    acks: undefined,
    ackTimeoutMs: 30_000,
    spread: false,
  })
  const isNamespace = /^\/[^,]*$/.test(namespace)
  check('namespace', namespace, 'a string that starts with "/", without a comma', isNamespace)
  check('path', path, 'a string that starts with "/"', typeof path === 'string' && path.startsWith('/'))
  const isAcks = typeof acks === 'boolean' || Array.isArray(acks)
  check('acks', acks, 'a boolean or a list of event names', isAcks)
  const names = new Set(Array.isArray(acks) ? (acks as readonly string[]) : [])
  const packets = createPackets(namespace)

  const argumentsOf = (event: string, payload: unknown): readonly unknown[] => {
    if (!spread) return payload === undefined ? [] : [payload]
    if (payload === undefined) return []
    if (Array.isArray(payload)) return payload
    throw new LocalProtocolError('NOT_ENCODABLE', `With spread, the payload of "${event}" is the list of its arguments`)
  }

  return {
    name: 'socketIo',
    subprotocols: [],
    acknowledges: true,
    createRequests,
    badFramesMax: 1,
    locate: (url) => addressOf(url, path),
    encode: (event, payload) => packets.event(event, argumentsOf(event, payload)),
    advise: closeAdvice,
    open: () =>
      createSocketIoProtocol({
        namespace,
        packets,
        ackTimeoutMs,
        wantsAck: (event) => acks === true || names.has(event),
        spread: (answer) => argumentsOf('answer', answer),
        gather: (values) => (spread ? values : values[0]),
      }),
  }
}

/** Source: Engine.IO protocol, revision 4: `EIO` and `transport` are parameters of the URL. */
function addressOf(url: string, path: string): string {
  const address = new URL(url)
  if (address.pathname === '/') address.pathname = path
  address.searchParams.set('EIO', '4')
  address.searchParams.set('transport', 'websocket')
  return address.href
}
