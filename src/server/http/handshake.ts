import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { checkedOffers, isExtensionList } from './extensions.js'
import type { AttachableServer } from './listen-options.js'

/** The response to a request that is not upgraded. */
export interface Refusal {
  readonly status: number
  /** For people: the body of the response. */
  readonly reason: string
  readonly headers?: Readonly<Record<string, string>>
  /** For the people who run the server: what is likely to be wrong. It is not sent. */
  readonly hint?: string
}

/** What a server does with requests for an upgrade. */
export interface UpgradeHandlers {
  /** Refuses a handshake that is sound, for a reason of the server's own. */
  readonly refuse?: (request: IncomingMessage) => Refusal | undefined
  readonly opened: (client: WebSocket, request: IncomingMessage) => void
  /** A request for an upgrade is being answered with a refusal. */
  readonly refused?: (refusal: Refusal, request: IncomingMessage) => void
}

interface Rule extends Refusal {
  readonly isKept: (request: IncomingMessage) => boolean
}

/** RFC 9110 section 15.5.22: a 426 must name the protocol to upgrade to; section 7.8: and its Connection must say so. */
const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade' }

const NO_HANDSHAKE: Refusal = { status: 426, reason: 'This is a WebSocket server.', headers: UPGRADE }

/** RFC 6455 section 4.2.2, "resource name". */
const NOT_FOUND: Refusal = { status: 404, reason: 'There is no WebSocket at this path.' }

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

/** Answers the requests of an http server that exists for WebSockets alone. */
export function requireUpgrade(
  request: IncomingMessage,
  response: ServerResponse,
  { refused = () => {} }: Pick<UpgradeHandlers, 'refused'>,
): void {
  const refusal = refusalOf(request) ?? NO_HANDSHAKE
  if (isHandshake(request)) refused(refusal, request)
  response.writeHead(refusal.status, headersOf(refusal))
  response.end(refusal.reason)
}

/**
 * Upgrades the requests of an http server with a sound handshake, and refuses the others.
 *
 * @returns removes its listener from the http server
 * @example const unbind = bindUpgrades(http, sockets, { opened: (client) => client.send('hello') })
 */
export function bindUpgrades(
  http: AttachableServer,
  sockets: WebSocketServer,
  { refuse = () => undefined, opened, refused = () => {} }: UpgradeHandlers,
): () => void {
  const notFound = { ...NOT_FOUND, hint: `The path of this server is "${sockets.options.path}"` }

  function reject(refusal: Refusal, request: IncomingMessage, socket: Duplex): void {
    refused(refusal, request)
    answer(socket, refusal)
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const isServed = sockets.shouldHandle(request) !== false
    // Other paths belong to the other listeners of a shared server.
    if (http.listenerCount('upgrade') > 1 && !isServed) return
    const refusal = refusalOf(request) ?? (isServed ? refuse(request) : notFound)
    if (refusal) return reject(refusal, request, socket)
    // ws would refuse the connection where RFC 7692 section 5 wants the offer declined.
    request.headers['sec-websocket-extensions'] = checkedOffers(request.headers['sec-websocket-extensions'])
    // The response and the first frame leave in one packet.
    socket.cork()
    try {
      sockets.handleUpgrade(request, socket, head, (client) => opened(client, request))
    } finally {
      socket.uncork()
    }
  }

  // What ws refuses it would answer by itself, without a word to us.
  sockets.on('wsClientError', ({ message }, socket, request) =>
    reject({ status: 400, reason: `${message}.` }, request, socket),
  )
  http.on('upgrade', upgrade)
  return () => http.off('upgrade', upgrade)
}

/** How often a header came. Node puts names and values into one list, and keeps only the first of some. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.toLowerCase() === name) count++
  return count
}

/** Whether it asks for a WebSocket, well or badly. */
const isHandshake = (request: IncomingMessage): boolean =>
  upgradesToWebSocket(request) || Object.keys(request.headers).some((name) => name.startsWith('sec-websocket-'))

function upgradesToWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

function headersOf({ reason, headers = {} }: Refusal): Record<string, string | number> {
  // Bytes behind a refused handshake are no request: the connection is useless.
  const connection = headers['Connection'] === undefined ? 'close' : `close, ${headers['Connection']}`
  const length = Buffer.byteLength(reason)
  return { ...headers, Connection: connection, 'Content-Type': 'text/plain', 'Content-Length': length }
}

/** Node hands over the bare socket of an upgrade, without a response object or an error listener. */
function answer(socket: Duplex, refusal: Refusal): void {
  const headers = Object.entries(headersOf(refusal)).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`, ...headers, '', '']
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}${refusal.reason}`)
}
