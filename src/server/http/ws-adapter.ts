import type { IncomingMessage } from 'node:http'
import { WebSocket, type RawData } from 'ws'
import { ConnectionLostError, RemoteProtocolError } from '../../shared/errors.js'
import type { Received } from '../../protocol/codec.js'
import type { ServerSocket } from '../connection/sender.js'
import type { Engine } from '../engine/engine.js'
import type { UpgradeRequest } from '../base/options.js'

/**
 * Hands a WebSocket of ws to the engine, until it is closed. Failures of the socket are counted and told, never thrown.
 *
 * @example webSocketServer.on('connection', (client, request) => bindSocket(engine, client, request))
 */
export function bindSocket(
  engine: Pick<Engine, 'accept' | 'report'>,
  client: WebSocket,
  request: IncomingMessage,
): void {
  const peer = `${request.socket.remoteAddress}:${request.socket.remotePort}`
  client.on('error', (cause) => {
    const code = 'code' in cause && cause.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'TOO_LARGE' : 'BAD_FRAME'
    engine.report(new RemoteProtocolError(code, `Bad frame from ${peer}: ${cause.message}; closing`, cause))
  })
  // ws hides errors of the TCP socket: it only says 1006.
  request.socket.on('error', (cause) => {
    engine.report(new ConnectionLostError('CONNECTION_CLOSED', `Lost ${peer}: ${cause.message}; dropped`, 1006, ''))
  })
  const connection = engine.accept(socketOf(client), requestOf(request))
  client.on('message', (data, isBinary) => connection.receive(receivedOf(data, isBinary)))
  client.on('close', (code, reason) => connection.closed(code, reason.toString()))
}

function socketOf(client: WebSocket): ServerSocket {
  return {
    send(frame) {
      // What is sent to a closing socket counts as buffered for ever.
      if (client.readyState === WebSocket.OPEN) client.send(frame)
    },
    close: (code, reason) => client.close(code, reason),
    terminate: () => client.terminate(),
    get bufferedAmount() {
      return client.bufferedAmount
    },
  }
}

const requestOf = (request: IncomingMessage): UpgradeRequest => ({
  origin: request.headers.origin,
  url: request.url ?? '/',
  headers: request.headers,
  remoteAddress: request.socket.remoteAddress,
})

/** With its default `binaryType`, ws gives one Buffer. */
function receivedOf(data: RawData, isBinary: boolean): Received {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.concat([data].flat().map((one) => new Uint8Array(one)))
  if (!isBinary) return bytes.toString()
  return new Uint8Array(bytes).buffer
}
