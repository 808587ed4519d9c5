import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket, type RawData } from 'ws'
import { ConnectionLostError, RemoteProtocolError } from '../../shared/errors.js'
import type { Body, Received } from '../../protocol/codec.js'
import { isObject } from '../../shared/validate.js'
import type { ServerSocket } from '../connection/sender.js'
import type { Engine } from '../engine/engine.js'
import type { Upgrade } from '../base/upgrade-request.js'
import { TurnCork } from './cork.js'

/**
 * Binds a WebSocket of ws to the engine, until it is closed. Failures of the socket are counted and reported, never thrown.
 *
 * @example webSocketServer.on('connection', (client, request) => bindSocket(engine, client, request))
 */
export function bindSocket(
  engine: Pick<Engine, 'accept' | 'report'>,
  client: WebSocket,
  request: IncomingMessage,
): void {
  // The listeners live as long as the connection, and must not keep the whole request in memory.
  const tcp = request.socket
  const upgrade = { ...upgradeOf(request), subprotocol: client.protocol }
  listenToErrors(engine, client, tcp)
  const connection = engine.accept(new WsSocket(client, tcp), upgrade)
  client.on('message', (data, isBinary) => {
    const bytes = bytesOf(data)
    connection.receive(receivedOf(bytes, isBinary), bytes.byteLength)
  })
  client.on('close', (code, reason) => connection.closed(code, reason.toString()))
}

function listenToErrors(engine: Pick<Engine, 'report'>, client: WebSocket, tcp: Socket): void {
  client.on('error', (cause) => {
    const code = 'code' in cause && cause.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'TOO_LARGE' : 'BAD_FRAME'
    engine.report(new RemoteProtocolError(code, `Bad frame from ${peerOf(tcp)}: ${cause.message}; closing`, cause))
  })
  // ws hides errors of the TCP socket: it only reports 1006.
  tcp.on('error', (cause) => {
    const message = `Lost ${peerOf(tcp)}: ${cause.message}; dropped`
    engine.report(new ConnectionLostError('CONNECTION_CLOSED', message, 1006, ''))
  })
}

/** Node remembers the address of a socket that is gone, once it was read. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string =>
  remoteAddress === undefined ? 'a client of a local socket' : `${remoteAddress}:${remotePort}`

class WsSocket implements ServerSocket {
  readonly #client: WebSocket
  readonly #tcp: Socket
  readonly #cork: TurnCork

  constructor(client: WebSocket, tcp: Socket) {
    this.#client = client
    this.#tcp = tcp
    this.#cork = new TurnCork(tcp)
  }

  get bytesRead(): number {
    return this.#tcp.bytesRead
  }

  get bytesWritten(): number {
    return this.#tcp.bytesWritten
  }

  get bytesLeft(): number {
    return bytesLeftOf(this.#tcp) ?? this.#tcp.bytesWritten - this.#client.bufferedAmount
  }

  get bufferedAmount(): number {
    return this.#client.bufferedAmount
  }

  send(frame: Body): void {
    // ws counts a frame that is sent to a closing socket as buffered for ever.
    if (this.#client.readyState !== WebSocket.OPEN) return
    this.#cork.cork()
    this.#client.send(frame)
  }

  close(code: number, reason: string): void {
    this.#client.close(code, reason)
  }

  terminate(): void {
    this.#client.terminate()
  }
}

/**
 * Node writes all that waits at once, and counts nothing of that as written before it has left as a whole: megabytes, which
 * take a slow link minutes. What the system has taken of it is known by the handle, which Node looks at for its own idle
 * timeout (`Socket.prototype._onTimeout`) and has no public way to; that of TLS has the one of TCP beneath it.
 */
function bytesLeftOf(tcp: Socket): number | undefined {
  const handle: unknown = Reflect.get(tcp, '_handle')
  if (!isObject(handle)) return undefined
  const beneath: unknown = Reflect.get(handle, '_parent')
  const { bytesWritten, writeQueueSize }: Partial<WriteHandle> = isObject(beneath) ? beneath : handle
  return bytesWritten === undefined || writeQueueSize === undefined ? undefined : bytesWritten - writeQueueSize
}

interface WriteHandle {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

const upgradeOf = ({ headers, url = '/', socket }: IncomingMessage): Upgrade => ({
  origin: headers.origin,
  url,
  headers,
  remoteAddress: socket.remoteAddress,
  isSecure: 'encrypted' in socket,
})

/** With its default `binaryType`, ws gives one Buffer. */
const bytesOf = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.concat([data].flat().map((one) => new Uint8Array(one)))

const receivedOf = (bytes: Buffer, isBinary: boolean): Received =>
  isBinary ? new Uint8Array(bytes).buffer : bytes.toString()
