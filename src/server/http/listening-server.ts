import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { GOING_AWAY } from '../../protocol/close-codes.js'
import { show } from '../../shared/validate.js'
import { deflateOptions, freeBetweenMessages } from './compression.js'
import type { ListenOptions, ServerAddress } from './listen-options.js'
import { bindUpgrades, requireUpgrade, type UpgradeHandlers } from './handshake.js'

/** How long a client may take to answer a close frame, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000

/** An http server that listens for WebSockets. */
export interface ListeningServer {
  /** Rejects with Node's own error, and with an `AbortError` when `close` comes before an attached server listens. */
  readonly listening: Promise<ServerAddress>
  readonly clients: ReadonlySet<WebSocket>
  /** Never rejects; a second call returns the same promise. */
  close(): Promise<void>
}

/** What the two servers of this package do differently. */
export interface ListeningServerHandlers extends UpgradeHandlers {
  /** No new client is accepted; the others are about to be closed with 1001. */
  closing(): void
}

/**
 * Starts an http server for WebSockets, or attaches to the one that is given.
 *
 * @param socketOptions for ws, beside those that both servers have
 * @example
 * const server = listen({ port: 8080 }, { maxPayload: 1_000 }, { opened: (client) => client.send('hello'), closing() {} })
 * const { url } = await server.listening
 */
export function listen(
  options: ListenOptions,
  socketOptions: Pick<ServerOptions, 'path' | 'maxPayload' | 'handleProtocols'>,
  handlers: ListeningServerHandlers,
): ListeningServer {
  const isOwn = options.server === undefined
  const http = options.server ?? createServer((request, response) => requireUpgrade(request, response, handlers))
  // The types of ws lack the timeout.
  const closeTimeout = { closeTimeout: CLOSE_TIMEOUT_MS }
  const perMessageDeflate = deflateOptions(options.compression)
  const sockets = new WebSocketServer({ noServer: true, ...socketOptions, ...closeTimeout, perMessageDeflate })
  const closing = new AbortController()
  const listening = addressOf(http, closing.signal, socketOptions.path)
  const unbind = bindUpgrades(http, sockets, {
    ...handlers,
    opened(client, request) {
      freeBetweenMessages(client)
      handlers.opened(client, request)
    },
  })
  let closed: Promise<void> | undefined

  // `listening` rejects with the errors of a server of our own; an attached one has listeners of its owner.
  if (isOwn) http.on('error', () => {})
  if (isOwn) http.listen(options.port ?? 0, options.host ?? '127.0.0.1')

  async function shutDown(): Promise<void> {
    // A `listen` under way cannot be cancelled; an attached server may never listen.
    if (!isOwn) closing.abort()
    await listening.catch(() => {})
    unbind()
    handlers.closing()
    for (const client of sockets.clients) client.close(GOING_AWAY, 'server is shutting down')
    await closeServers(sockets, http, isOwn)
  }

  return { listening, clients: sockets.clients, close: () => (closed ??= shutDown()) }
}

/** Rejects with Node's own error, or with an `AbortError`. */
export async function addressOf(http: HttpServer, signal: AbortSignal, path = ''): Promise<ServerAddress> {
  if (!http.listening) await once(http, 'listening', { signal })
  const address = http.address()
  if (address === null || typeof address === 'string') {
    throw new TypeError(`server must be listening on a TCP port, got ${show(address)}`)
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `${http instanceof TlsServer ? 'wss' : 'ws'}://${host}:${address.port}${path}`, port: address.port }
}

/** Closes an http server of our own with its connections, and leaves an attached one running. */
export async function closeServers(sockets: WebSocketServer, http: HttpServer, isOwn: boolean): Promise<void> {
  const gone = [once(sockets, 'close')]
  if (isOwn && http.listening) gone.push(once(http, 'close'))
  sockets.close()
  if (isOwn) {
    http.close()
    http.closeAllConnections()
  }
  await Promise.all(gone)
}
