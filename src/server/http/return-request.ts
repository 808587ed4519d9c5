import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AttachableServer } from './listen-options.js'

/** What asks for an upgrade; RFC 9110 section 7.8, and RFC 7540 section 3.2 for HTTP/2. */
const UPGRADE_HEADERS = ['upgrade', 'http2-settings', 'connection']

/**
 * Gives a request that asks for another upgrade, such as `Upgrade: h2c`, back to the application. Node gives every request
 * with an Upgrade to a server's upgrade listeners once there is one. A server may pass over the header (RFC 9110 section
 * 7.8), so the request is read once more without it: its body and what follows on the connection are read as ever.
 *
 * @example http.on('upgrade', (request, socket, head) => returnToApplication(http, request, socket, head))
 */
export function returnToApplication(
  http: AttachableServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(index, index + 2)
    if (!UPGRADE_HEADERS.includes(name.toLowerCase())) lines.push(`${name}: ${value}`)
  }
  const options = connectionOptions(request)
  if (options) lines.push(`Connection: ${options}`)
  // Node reads headers as Latin-1.
  const text = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
  socket.unshift(Buffer.concat([text, head].map((one) => new Uint8Array(one))))
  // Node documents that a connection may be given to a server so.
  http.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}

/** Without those that belong to the upgrade. */
const connectionOptions = ({ headers }: IncomingMessage): string =>
  (headers.connection ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one && !UPGRADE_HEADERS.includes(one.toLowerCase()))
    .join(', ')
