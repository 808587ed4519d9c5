import type { IncomingMessage } from 'node:http'
import { type RawData, WebSocket } from 'ws'
import { ConnectionLostError, RemoteProtocolError, type HoldfastError } from '../../shared/errors.js'
import { SUBPROTOCOL } from '../../protocol/frames.js'
import { check, requireInteger, withDefaults } from '../../shared/validate.js'
import { createEngine, type Engine } from '../engine/engine.js'
import { checkListenOptions, LISTEN_DEFAULTS, type ListenOptions, type ServerAddress } from '../http/listen-options.js'
import { listen } from '../http/listening-server.js'
import { nodePlatform } from '../base/platform.js'
import { offersProtocol } from '../http/server.js'
import { bindSocket } from '../http/ws-adapter.js'

/** Options of `createEchoServer`. Every one has a default. */
export interface EchoServerOptions extends ListenOptions {
  /** The longest message in bytes, after decompression; a longer one closes its connection with 1009. Default: 1 MiB. */
  readonly payloadBytesMax?: number
  /**
   * Called for each connection that failed: a frame that breaks the protocol, or a reset. Also when the server does not
   * listen and nobody has read `listening` (`NOT_LISTENING`). It must not throw.
   */
  readonly onError?: (error: HoldfastError) => void
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
  /** How many connections failed since the start, each with a call of `onError`. */
  readonly errorCount: number
  /**
   * Stops listening, closes every client with 1001 and ends those that have not answered after 1 s.
   * Resolves when all connections are gone; never rejects. Calling it again returns the same promise.
   */
  close(): Promise<void>
}

const BUFFERED_BYTES_MAX = 1024 * 1024
const PAYLOAD_BYTES_MAX = 1024 * 1024

/**
 * Starts a WebSocket server that sends every message back as it came: text as text, binary as binary, on any path.
 * To a client that offers the subprotocol `holdfast.1` it is a companion server, which sends every event back as the same
 * event, before it acknowledges it, and answers every request with its params.
 *
 * A client that sends without reading is not read from while more than 1 MiB waits for it. Nothing that a client does
 * throws: failures are counted and passed to `onError`.
 *
 * @throws {TypeError | RangeError} when an option has the wrong type or is out of range.
 * @example
 * const server = createEchoServer({ port: 8080 })
 * const { url } = await server.listening
 */
export function createEchoServer(options: EchoServerOptions = {}): EchoServer {
  checkOptions(options)
  const { payloadBytesMax: maxPayload = 1024 * 1024 } = options
  const engine = createEchoEngine(options, report)
  const listener = listen(
    options,
    { maxPayload, handleProtocols: chooseProtocol },
    { isOurs: isForEcho, opened, closing: () => engine.close(), isReady: () => engine.isOpen, failed },
  )
  let errorCount = 0

  function opened(client: WebSocket, request: IncomingMessage): void {
    if (client.protocol === SUBPROTOCOL) return bindSocket(engine, client, request)
    const peer = `${request.socket.remoteAddress}:${request.socket.remotePort}`
    client.on('message', (data, isBinary) => echo(client, data, isBinary))
    client.on('error', (cause) => {
      report(new RemoteProtocolError('BAD_FRAME', `Bad frame from ${peer}: ${cause.message}; closing`, cause))
    })
    // ws hides errors of the TCP socket: it only reports 1006.
    request.socket.on('error', (cause) => {
      report(new ConnectionLostError('CONNECTION_CLOSED', `Lost ${peer}: ${cause.message}; dropped`, 1006, ''))
    })
  }

  function failed(error: HoldfastError): boolean {
    report(error)
    if (!options.onError) nodePlatform.warn?.('Holdfast echo server:', error)
    return options.onError !== undefined
  }

  function report(error: HoldfastError): void {
    errorCount += 1
    options.onError?.(error)
  }

  return {
    get listening() {
      return listener.listening
    },
    get clientCount() {
      return listener.clients.size
    },
    get errorCount() {
      return errorCount
    },
    close: () => listener.close(),
  }
}

function echo(client: WebSocket, data: RawData, isBinary: boolean): void {
  // Frames to a closing client would count as buffered for ever, and could pause it before its close frame.
  if (client.readyState !== WebSocket.OPEN) return
  // Called when the bytes have left this process, or never will.
  client.send(data, { binary: isBinary }, () => {
    if (client.isPaused && client.bufferedAmount <= BUFFERED_BYTES_MAX) client.resume()
  })
  if (client.bufferedAmount > BUFFERED_BYTES_MAX) client.pause()
}

/** On a shared http server: clients without a subprotocol, and those of the companion. */
const isForEcho = ({ headers }: IncomingMessage): boolean =>
  headers['sec-websocket-protocol'] === undefined || offersProtocol({ headers })

/** Sends every event back before it is acknowledged, and answers every request with its params. */
function createEchoEngine({ payloadBytesMax }: EchoServerOptions, report: (error: HoldfastError) => void): Engine {
  const engine = createEngine(
    payloadBytesMax === undefined ? {} : { limits: { frameBytesMax: payloadBytesMax } },
    nodePlatform,
  )
  engine.on('error', report)
  engine.on('session', (session) => {
    session.onAny((event, data) => session.send(event, data))
    session.handleAny((_request, params) => params)
  })
  return engine
}

/**
 * Of the subprotocols a client offers, ws selects the first. So does this server, unless ours is among them, since
 * Chromium fails a connection that offered some and was given none (WHATWG WebSockets, "establish a WebSocket
 * connection"; RFC 6455 section 4.1 would let it pass).
 */
function chooseProtocol(offered: Set<string>): string | false {
  return offered.has(SUBPROTOCOL) ? SUBPROTOCOL : ([...offered][0] ?? false)
}

function checkOptions(options: EchoServerOptions): void {
  const defaults = { ...LISTEN_DEFAULTS, payloadBytesMax: PAYLOAD_BYTES_MAX, onError: () => {} }
  const { onError } = withDefaults('createEchoServer', options, defaults, requireInteger)
  checkListenOptions(options)
  // ws keeps the limit in a signed 32-bit integer when it decompresses.
  check('onError', onError, 'a function', typeof onError === 'function')
}
