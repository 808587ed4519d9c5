import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { GOING_AWAY } from '../../protocol/close-codes.js'
import { HoldfastError, textOf } from '../../shared/errors.js'
import { show } from '../../shared/validate.js'
import { deflateOptions, freeBetweenMessages } from './compression.js'
import type { AttachableServer, ListenOptions, ServerAddress } from './listen-options.js'
import { answerOwn, type OwnRequestHandlers } from './own-requests.js'
import { createUpgrades, type UpgradeHandlers, type Upgrades } from './upgrades.js'

/** How long a client may take to answer a close frame, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000

/** An http server that listens for WebSockets. */
export interface ListeningServer {
  /**
   * Rejects with Node's own error, and with an `AbortError` when `close` comes before an attached server listens. Where
   * nobody has read it, `failed` is called instead.
   */
  readonly listening: Promise<ServerAddress>
  readonly clients: ReadonlySet<WebSocket>
  /** Upgrades a request of an http server that belongs to somebody else, or refuses it. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Never rejects; a second call returns the same promise. */
  close(): Promise<void>
}

/** What the two servers of this package do differently. */
export interface ListeningServerHandlers extends UpgradeHandlers, OwnRequestHandlers {
  /** No new client is accepted; the others are about to be closed with 1001. */
  closing(): void
  /** It listens. */
  started?(): void
  /** It does not listen, and nobody waits for `listening`. Returns whether somebody was told. */
  failed(error: HoldfastError): boolean
}

/**
 * Starts an http server for WebSockets, attaches to the one that is given, or waits for `handleUpgrade`.
 *
 * @param socketOptions for ws, beside those that both servers have
 * @example
 * const server = listen({ port: 8080 }, { maxPayload: 1_000 }, handlers)
 * const { url } = await server.listening
 */
export function listen(
  options: ListenOptions & { readonly path?: string; readonly noServer?: boolean },
  socketOptions: Pick<ServerOptions, 'maxPayload' | 'handleProtocols'>,
  handlers: ListeningServerHandlers,
): ListeningServer {
  // The types of ws lack the timeout.
  const closeTimeout = { closeTimeout: CLOSE_TIMEOUT_MS }
  const perMessageDeflate = deflateOptions(options.compression)
  const sockets = new WebSocketServer({ noServer: true, ...socketOptions, ...closeTimeout, perMessageDeflate })
  const upgrades = createUpgrades(sockets, { ...handlers, opened }, options.path)
  const home = options.noServer ? nowhere() : openHome(options, upgrades, handlers)
  let closed: Promise<void> | undefined

  function opened(client: WebSocket, request: IncomingMessage): void {
    freeBetweenMessages(client)
    handlers.opened(client, request)
  }

  async function shutDown(): Promise<void> {
    await home.leave()
    handlers.closing()
    for (const client of sockets.clients) client.close(GOING_AWAY, 'server is shutting down')
    await closeServers(sockets, home.own)
  }

  return {
    get listening() {
      return home.listening
    },
    clients: sockets.clients,
    handleUpgrade: (request, socket, head) => upgrades.upgrade(request, socket, head),
    close: () => (closed ??= shutDown()),
  }
}

/** The http server that a server listens on. */
interface Home {
  readonly listening: Promise<ServerAddress>
  /** Closed with the server that listens on it. */
  readonly own?: HttpServer
  /** Takes no more upgrades. */
  leave(): Promise<void>
}

/** For a server whose upgrades an application hands over. */
function nowhere(): Home {
  return {
    get listening() {
      return Promise.reject(new TypeError('A server with noServer listens nowhere: your http server does'))
    },
    leave: () => Promise.resolve(),
  }
}

function openHome(
  options: ListenOptions & { readonly path?: string },
  upgrades: Upgrades,
  handlers: ListeningServerHandlers,
): Home {
  const own = options.server ? undefined : createServer((request, response) => answerOwn(request, response, handlers))
  const http = options.server ?? own ?? createServer()
  const closing = new AbortController()
  const address = addressOf(http, closing.signal, options.path)
  let listening: Promise<ServerAddress> | undefined
  address
    .then(() => handlers.started?.())
    .catch((cause: unknown) => {
      if (listening || closing.signal.aborted) return
      // The process goes on, and says at its end that something went wrong.
      if (!handlers.failed(notListening(cause))) process.exitCode ??= 1
    })
  const unbind = upgrades.bind(http)
  // `address` rejects with the errors of a server of our own; an attached one has listeners of its owner.
  own?.on('error', () => {})
  own?.listen(options.port ?? 0, options.host ?? '127.0.0.1')
  return {
    get listening() {
      // A promise of its own: when nobody handles its rejection, Node says so.
      return (listening ??= address.then((found) => found))
    },
    ...(own && { own }),
    async leave() {
      // A `listen` under way cannot be cancelled; an attached server may never listen.
      if (!own) closing.abort()
      await address.catch(() => {})
      unbind()
    },
  }
}

const notListening = (cause: unknown): HoldfastError =>
  new HoldfastError('NOT_LISTENING', `The server does not listen: ${textOf(cause)}`, cause)

/** Rejects with Node's own error, or with an `AbortError`. */
export async function addressOf(http: AttachableServer, signal: AbortSignal, path = ''): Promise<ServerAddress> {
  if (!http.listening) await once(http, 'listening', { signal })
  const address = http.address()
  const scheme = 'setSecureContext' in http ? 'wss' : 'ws'
  if (typeof address === 'string') return { url: `${scheme}+unix:${address}:${path || '/'}`, port: 0 }
  if (address === null) throw new TypeError(`server must be listening on a port or a socket, got ${show(address)}`)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `${scheme}://${host}:${address.port}${path}`, port: address.port }
}

/** Closes all connections, and an http server of our own. */
export async function closeServers(sockets: WebSocketServer, own?: HttpServer): Promise<void> {
  const gone = [once(sockets, 'close')]
  if (own?.listening) gone.push(once(own, 'close'))
  sockets.close()
  own?.close()
  own?.closeAllConnections()
  await Promise.all(gone)
}
