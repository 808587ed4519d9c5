import { once } from 'node:events'
import { createServer } from 'node:http'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { GOING_AWAY } from '../../protocol/close-codes.js'
import { HoldfastError, textOf } from '../../shared/errors.js'
import { show } from '../../shared/validate.js'
import { deflateOptions, freeBetweenMessages } from './compression.js'
import type { AttachableServer, ListenOptions, ServerAddress } from './listen-options.js'
import { bindUpgrades, requireUpgrade, type UpgradeHandlers } from './handshake.js'

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
  /** Never rejects; a second call returns the same promise. */
  close(): Promise<void>
}

/** What the two servers of this package do differently. */
export interface ListeningServerHandlers extends UpgradeHandlers {
  /** No new client is accepted; the others are about to be closed with 1001. */
  closing(): void
  /** It does not listen, and nobody waits for `listening`. Returns whether somebody was told. */
  failed(error: HoldfastError): boolean
}

/**
 * Starts an http server for WebSockets, or attaches to the one that is given.
 *
 * @param socketOptions for ws, beside those that both servers have
 * @example
 * const server = listen({ port: 8080 }, { maxPayload: 1_000 }, { opened, closing, failed: () => false })
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
  const address = addressOf(http, closing.signal, socketOptions.path)
  let listening: Promise<ServerAddress> | undefined
  address.catch((cause: unknown) => {
    if (listening || closing.signal.aborted) return
    // The process goes on, and says at its end that something went wrong.
    if (!handlers.failed(notListening(cause))) process.exitCode ??= 1
  })
  const unbind = bindUpgrades(http, sockets, {
    ...handlers,
    opened(client, request) {
      freeBetweenMessages(client)
      handlers.opened(client, request)
    },
  })
  let closed: Promise<void> | undefined

  // `address` rejects with the errors of a server of our own; an attached one has listeners of its owner.
  if (isOwn) http.on('error', () => {})
  if (isOwn) http.listen(options.port ?? 0, options.host ?? '127.0.0.1')

  async function shutDown(): Promise<void> {
    // A `listen` under way cannot be cancelled; an attached server may never listen.
    if (!isOwn) closing.abort()
    await address.catch(() => {})
    unbind()
    handlers.closing()
    for (const client of sockets.clients) client.close(GOING_AWAY, 'server is shutting down')
    await closeServers(sockets, http, isOwn)
  }

  return {
    get listening() {
      // A promise of its own: when nobody handles its rejection, Node says so.
      return (listening ??= address.then((found) => found))
    },
    clients: sockets.clients,
    close: () => (closed ??= shutDown()),
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

/** Closes an http server of our own with its connections, and leaves an attached one running. */
export async function closeServers(sockets: WebSocketServer, http: AttachableServer, isOwn: boolean): Promise<void> {
  const gone = [once(sockets, 'close')]
  if (isOwn && http.listening) gone.push(once(http, 'close'))
  sockets.close()
  if (isOwn) {
    http.close()
    if ('closeAllConnections' in http) http.closeAllConnections()
  }
  await Promise.all(gone)
}
