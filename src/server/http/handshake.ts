import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { isExtensionList } from './extensions.js'

/** The response to a request that is not upgraded. */
export interface Refusal {
  readonly status: number
  /** For people: the body of the response. */
  readonly reason: string
  readonly headers?: Readonly<Record<string, string>>
  /** For the people who run the server: what is likely to be wrong. It is not sent. */
  readonly hint?: string
}

interface Rule extends Refusal {
  readonly isKept: (request: IncomingMessage) => boolean
}

/** RFC 9110 section 15.5.22: a 426 must name the protocol to upgrade to; section 7.8: and its Connection must say so. */
const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade' }

/** There is nothing but WebSockets here. */
export const NO_HANDSHAKE: Refusal = { status: 426, reason: 'This is a WebSocket server.', headers: UPGRADE }

/** RFC 6455 section 4.2.2, "resource name". */
export const NOT_FOUND: Refusal = { status: 404, reason: 'There is no WebSocket at this path.' }

/** RFC 9110 section 15.5.6: a 405 must name the methods that are allowed. */
const WRONG_METHOD: Refusal = { status: 405, reason: 'The method must be GET.', headers: { Allow: 'GET' } }

const PROXY = 'A proxy on the way may have dropped the header: it must be told to pass Upgrade and Connection on'

/**
 * RFC 6455 section 4.2.1: what a handshake must have, else the server must answer with an error "such as 400".
 * ws checks the rest: the key, which must be there once, and the form of the subprotocols.
 */
const RULES: readonly Rule[] = [
  {
    status: 400,
    reason: 'The HTTP version must be 1.1 or higher.',
    isKept: ({ httpVersionMajor: major, httpVersionMinor: minor }) => major > 1 || (major === 1 && minor > 0),
  },
  {
    status: 400,
    reason: 'There must be one Host.',
    isKept: ({ rawHeaders }) => countOf('host', rawHeaders) === 1,
  },
  {
    status: 400,
    reason: 'Upgrade must be websocket.',
    hint: PROXY,
    isKept: (request) => upgradesToWebSocket(request),
  },
  {
    status: 400,
    reason: 'Connection must be Upgrade.',
    hint: PROXY,
    isKept: ({ headers }) => /(^|,)\s*upgrade\s*(,|$)/i.test(headers.connection ?? ''),
  },
  {
    // Section 4.4. ws would accept 8 too, a draft with the origin in Sec-WebSocket-Origin, which `origins` does not see.
    status: 426,
    reason: 'Sec-WebSocket-Version must be 13.',
    headers: { ...UPGRADE, 'Sec-WebSocket-Version': '13' },
    isKept: ({ headers }) => headers['sec-websocket-version'] === '13',
  },
  {
    // RFC 9110 section 9.3.1: content of a GET means nothing. Here it would be read as frames.
    status: 400,
    reason: 'There must be no body.',
    isKept: ({ headers }) => (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined,
  },
  {
    // Section 9.1: what does not conform to the grammar fails the connection, also where no extension would be taken.
    status: 400,
    reason: 'Sec-WebSocket-Extensions must be a list of extensions.',
    isKept: ({ headers }) => isExtensionList(headers['sec-websocket-extensions'] ?? 'none'),
  },
]

/**
 * What is wrong with a request to a WebSocket server. Undefined: it may be upgraded, if ws finds nothing either.
 * A request that does not ask for a WebSocket at all is answered with 426.
 */
export function refusalOf(request: IncomingMessage): Refusal | undefined {
  const isWanted = isHandshake(request)
  if (request.method !== 'GET' && (isWanted || request.method !== 'HEAD')) return WRONG_METHOD
  return isWanted ? RULES.find(({ isKept }) => !isKept(request)) : NO_HANDSHAKE
}

/** How often a header came. Node puts names and values into one list, and keeps only the first of some. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.toLowerCase() === name) count++
  return count
}

/** Whether it asks for a WebSocket, well or badly. */
export const isHandshake = (request: IncomingMessage): boolean =>
  upgradesToWebSocket(request) || Object.keys(request.headers).some((name) => name.startsWith('sec-websocket-'))

function upgradesToWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** The headers of the response to it. */
export function headersOf({ reason, headers = {} }: Refusal): Record<string, string | number> {
  // Bytes behind a refused handshake are no request: the connection is useless.
  const connection = headers['Connection'] === undefined ? 'close' : `close, ${headers['Connection']}`
  const length = Buffer.byteLength(reason)
  return { ...headers, Connection: connection, 'Content-Type': 'text/plain', 'Content-Length': length }
}

/** Node hands over the bare socket of an upgrade, without a response object or an error listener. */
export function answer(socket: Duplex, refusal: Refusal): void {
  const headers = Object.entries(headersOf(refusal)).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`, ...headers, '', '']
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}${refusal.reason}`)
}
