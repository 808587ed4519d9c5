import { once, type EventEmitter } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { Server as NetServer } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { check, requireInteger, requireText, show, type Defaults } from '../../shared/validate.js'

/** Where a server can be reached. */
export interface ServerAddress {
  /** For instance `ws://127.0.0.1:8080`; `wss:` when attached to an https server. */
  readonly url: string
  readonly port: number
}

/** Where a server listens. */
export interface ListenOptions {
  /** 0 to 65535; 0, the default, picks a free port. Not together with `server`. */
  readonly port?: number
  /** The address to bind. Default: `127.0.0.1`, which only this machine reaches. Not together with `server`. */
  readonly host?: string
  /** An existing server to attach to, http or https. `close` leaves it running. */
  readonly server?: HttpServer
  /** Whether permessage-deflate is accepted from clients that offer it. Default: true. */
  readonly compression?: boolean
}

/** How long a client may take to answer a close frame, in milliseconds. */
export const CLOSE_TIMEOUT_MS = 1000
const COMPRESSED_BYTES_MIN = 1024

/** Every option of listening; what is not given is decided where it is used. */
export const LISTEN_DEFAULTS = {
  port: undefined,
  host: undefined,
  server: undefined,
  compression: true,
} satisfies Defaults<ListenOptions>

/** @throws {TypeError | RangeError} that names the option, the value and the rule */
export function checkListenOptions({ port, host, server }: ListenOptions): void {
  if (port !== undefined) requireInteger('port', port, 65535, 0)
  if (host !== undefined) requireText('host', host)
  check('server', server, 'an http.Server', server === undefined || server instanceof NetServer)
  check('port', port, 'absent when server is given', server === undefined || port === undefined)
  check('host', host, 'absent when server is given', server === undefined || host === undefined)
}

/** The part of ws' `PerMessageDeflateOptions` that is set. Declarations of the package do not name types of ws. */
interface DeflateOptions {
  readonly threshold: number
  readonly serverNoContextTakeover: boolean
}

/** The part of ws' `WebSocketServer` that ends it. */
interface ClosableServer extends EventEmitter {
  close(): void
}

/** Small messages stay as they are: compressing them costs more than it saves. */
export const deflateOptions = (compression = true): false | DeflateOptions =>
  // ws heeds the threshold only without context takeover, which also spares each connection its own zlib window.
  compression && { threshold: COMPRESSED_BYTES_MIN, serverNoContextTakeover: true }

/** Rejects with Node's own error, or with an `AbortError`. */
export async function addressOf(http: HttpServer, signal: AbortSignal): Promise<ServerAddress> {
  if (!http.listening) await once(http, 'listening', { signal })
  const address = http.address()
  if (address === null || typeof address === 'string') {
    throw new TypeError(`server must be listening on a TCP port, got ${show(address)}`)
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `${http instanceof TlsServer ? 'wss' : 'ws'}://${host}:${address.port}`, port: address.port }
}

/** Ends what was said hello to: an http server of our own with its connections, another's stays. */
export async function closeServers(sockets: ClosableServer, http: HttpServer, isOwn: boolean): Promise<void> {
  const gone = [once(sockets, 'close')]
  if (isOwn && http.listening) gone.push(once(http, 'close'))
  sockets.close()
  if (isOwn) {
    http.close()
    http.closeAllConnections()
  }
  await Promise.all(gone)
}
