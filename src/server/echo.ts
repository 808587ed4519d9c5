import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { inspect } from 'node:util'
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { ConnectionLostError, RemoteProtocolError } from '../errors.js'

/** What `createEchoServer` takes. Everything has a default. */
export interface EchoServerOptions {
  /** 0 to 65535; 0, the default, picks a free port. Not together with `server`. */
  readonly port?: number
  /** The address to bind. Default: `127.0.0.1`, which only this machine reaches. Not together with `server`. */
  readonly host?: string
  /** An existing server to attach to, http or https, on every path. `close` leaves it running. */
  readonly server?: HttpServer
  /** The longest message in bytes, after decompression; a longer one closes its connection with 1009. Default: 1 MiB. */
  readonly payloadBytesMax?: number
  /** Whether permessage-deflate is accepted from clients that offer it. Default: true. */
  readonly compression?: boolean
  /** Told of each connection that failed: a frame that breaks the protocol, or a reset. It must not throw. */
  readonly onError?: (error: RemoteProtocolError | ConnectionLostError) => void
}

/** Where a server can be reached. */
export interface ServerAddress {
  /** For instance `ws://127.0.0.1:8080`; `wss:` when attached to an https server. */
  readonly url: string
  readonly port: number
}

/** A running echo server. */
export interface EchoServer {
  /**
   * Resolves when the server listens. Rejects with Node's own error when it cannot (its `code` says why, for instance
   * `EADDRINUSE`), and with an `AbortError` when `close` comes before an attached server listens.
   */
  readonly listening: Promise<ServerAddress>
  /** How many clients are connected now. */
  readonly clientCount: number
  /** How many connections failed since the start: what `onError` was told of. */
  readonly errorCount: number
  /**
   * Stops listening, closes every client with 1001 and ends those that have not answered after 1 s.
   * Resolves when all connections are gone; never rejects. Calling it again returns the same promise.
   */
  close(): Promise<void>
}

const BUFFERED_BYTES_MAX = 1024 * 1024
const CLOSE_TIMEOUT_MS = 1000
const COMPRESSED_BYTES_MIN = 1024

/**
 * Starts a WebSocket server that sends every message back as it came: text as text, binary as binary, on any path.
 *
 * A client that sends without reading is not read from while more than 1 MiB waits for it. Nothing that a client does
 * throws: failures are counted and told to `onError`.
 *
 * @throws {TypeError | RangeError} when an option has the wrong type or is out of range.
 * @example
 * const server = createEchoServer({ port: 8080 })
 * const { url } = await server.listening
 */
export function createEchoServer(options: EchoServerOptions = {}): EchoServer {
  checkOptions(options)
  const isOwn = options.server === undefined
  const http = options.server ?? createServer(requireUpgrade)
  const sockets = new WebSocketServer(socketOptions(http, options))
  const closing = new AbortController()
  const listening = addressOf(http, closing.signal)
  let errorCount = 0
  let closed: Promise<void> | undefined

  sockets.on('connection', (client, request) => {
    const peer = `${request.socket.remoteAddress}:${request.socket.remotePort}`
    client.on('message', (data, isBinary) => echo(client, data, isBinary))
    client.on('error', (cause) => {
      report(new RemoteProtocolError('BAD_FRAME', `Bad frame from ${peer}: ${cause.message}; closing`, cause))
    })
    // ws hides errors of the TCP socket: it only says 1006.
    request.socket.on('error', (cause) => {
      report(new ConnectionLostError('CONNECTION_CLOSED', `Lost ${peer}: ${cause.message}; dropped`, 1006, ''))
    })
  })
  // ws repeats here what the http server reports: `listening` rejects with it, or its owner hears of it.
  sockets.on('error', () => {})
  if (isOwn) http.listen(options.port ?? 0, options.host ?? '127.0.0.1')

  function report(error: RemoteProtocolError | ConnectionLostError): void {
    errorCount += 1
    options.onError?.(error)
  }

  async function shutDown(): Promise<void> {
    // A `listen` under way cannot be called off; an attached server may never listen.
    if (!isOwn) closing.abort()
    await listening.catch(() => {})

    const gone = [once(sockets, 'close')]
    if (isOwn && http.listening) gone.push(once(http, 'close'))
    sockets.close()
    if (isOwn) {
      http.close()
      http.closeAllConnections()
    }
    for (const client of sockets.clients) client.close(1001, 'server is shutting down')
    await Promise.all(gone)
  }

  return {
    listening,
    get clientCount() {
      return sockets.clients.size
    },
    get errorCount() {
      return errorCount
    },
    close: () => (closed ??= shutDown()),
  }
}

function echo(client: WebSocket, data: RawData, isBinary: boolean): void {
  // What a closing client still sends would count as buffered for ever, and could pause it before its close frame.
  if (client.readyState !== WebSocket.OPEN) return
  // Called when the bytes have left this process, or never will.
  client.send(data, { binary: isBinary }, () => {
    if (client.isPaused && client.bufferedAmount <= BUFFERED_BYTES_MAX) client.resume()
  })
  if (client.bufferedAmount > BUFFERED_BYTES_MAX) client.pause()
}

/**
 * Of the subprotocols a client offers, ws selects the first, and so it stays: this server understands none of them,
 * but Chromium fails a connection that offered some and was given none (WHATWG WebSockets, "establish a WebSocket
 * connection"; RFC 6455 section 4.1 would let it pass).
 */
function socketOptions(server: HttpServer, options: EchoServerOptions): ServerOptions & { closeTimeout: number } {
  return {
    server,
    maxPayload: options.payloadBytesMax ?? 1024 * 1024,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // ws heeds the threshold only without context takeover, which also spares each connection its own zlib window.
    perMessageDeflate: (options.compression ?? true) && {
      threshold: COMPRESSED_BYTES_MIN,
      serverNoContextTakeover: true,
    },
  }
}

async function addressOf(http: HttpServer, signal: AbortSignal): Promise<ServerAddress> {
  if (!http.listening) await once(http, 'listening', { signal })
  const address = http.address()
  if (address === null || typeof address === 'string') {
    throw new TypeError(`server listens on ${inspect(address)}; it must listen on a TCP port`)
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `${http instanceof TlsServer ? 'wss' : 'ws'}://${host}:${address.port}`, port: address.port }
}

// RFC 9110 section 15.5.22: a 426 must name the protocol to upgrade to.
function requireUpgrade(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Connection: 'Upgrade', Upgrade: 'websocket', 'Content-Type': 'text/plain' })
  response.end('This is a WebSocket server.\n')
}

function checkOptions(options: EchoServerOptions): void {
  const { port, host, server, payloadBytesMax, compression, onError } = options
  if (port !== undefined) checkInteger('port', port, 0, 65535)
  // ws keeps the limit in a signed 32-bit integer when it decompresses.
  if (payloadBytesMax !== undefined) checkInteger('payloadBytesMax', payloadBytesMax, 1, 2 ** 31 - 1)
  if (host !== undefined && (typeof host !== 'string' || host === '')) refuse('host', host, 'a non-empty string')
  if (server !== undefined && !(server instanceof NetServer)) refuse('server', server, 'an http.Server')
  if (compression !== undefined && typeof compression !== 'boolean') refuse('compression', compression, 'a boolean')
  if (onError !== undefined && typeof onError !== 'function') refuse('onError', onError, 'a function')
  if (server !== undefined && port !== undefined) refuse('port', port, 'absent when server is given')
  if (server !== undefined && host !== undefined) refuse('host', host, 'absent when server is given')
}

function checkInteger(name: string, value: unknown, min: number, max: number): void {
  const rule = `an integer from ${min} to ${max}`
  if (typeof value !== 'number') refuse(name, value, rule)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} is ${value}; it must be ${rule}`)
  }
}

function refuse(name: string, value: unknown, rule: string): never {
  throw new TypeError(`${name} is ${inspect(value, { depth: 0 })}; it must be ${rule}`)
}
