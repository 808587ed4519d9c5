import type { Server as HttpServer } from 'node:http'
import type { Http2SecureServer } from 'node:http2'
import { Server as NetServer } from 'node:net'
import { check, isObject, requireInteger, requireText, type Defaults } from '../../shared/validate.js'

/** Where a server can be reached. */
export interface ServerAddress {
  /**
   * With the path that is served: `ws://127.0.0.1:8080/live`; `wss:` when attached to an https server. On a unix socket or
   * a named pipe it has the form that ws dials: `ws+unix:/run/app.sock:/live`.
   */
  readonly url: string
  /** 0 on a unix socket or a named pipe. */
  readonly port: number
}

/** An http server to attach to. */
export type AttachableServer = HttpServer | Http2SecureServer

/** Where a server listens. */
export interface ListenOptions {
  /** 0 to 65535; 0, the default, picks a free port. Not together with `server`. */
  readonly port?: number
  /** The address to bind. Default: `127.0.0.1`, which only this machine reaches. Not together with `server`. */
  readonly host?: string
  /**
   * An existing server to attach to, on a port or a unix socket: of `node:http`, of `node:https`, or of `node:http2` with
   * `allowHTTP1: true`, since a WebSocket begins with HTTP/1.1. `close` leaves it running.
   */
  readonly server?: AttachableServer
  /**
   * Whether permessage-deflate is accepted from clients that offer it. Then messages of 1 KiB and more are compressed, each
   * by itself. It pays where the line is slow and messages are long; on a fast line it costs more time than it saves. The
   * table in docs/practices.md says how much. Default: false.
   */
  readonly compression?: boolean
}

/** Every option of listening; what is not given is decided where it is used. */
export const LISTEN_DEFAULTS = {
  port: undefined,
  host: undefined,
  server: undefined,
  compression: false,
} satisfies Defaults<ListenOptions>

/** @throws {TypeError | RangeError} that names the option, the value and the rule */
export function checkListenOptions({ port, host, server }: ListenOptions): void {
  if (port !== undefined) requireInteger('port', port, 65535, 0)
  if (host !== undefined) requireText('host', host)
  const rule = 'an http.Server, an https.Server, or an http2 server with allowHTTP1'
  check('server', server, rule, server === undefined || isHttpServer(server))
  check('port', port, 'absent when server is given', server === undefined || port === undefined)
  check('host', host, 'absent when server is given', server === undefined || host === undefined)
}

/** By what it can do: the servers of other runtimes, and of `node:http2`, are no `http.Server`. */
function isHttpServer(server: object): boolean {
  const hasMethods = isObject(server) && ['on', 'off', 'address'].every((name) => hasMethod(server, name))
  // A server of Node without HTTP/1.1, such as one of `node:net`, would never see an upgrade.
  return hasMethods && !(server instanceof NetServer && !('headersTimeout' in server))
}

const hasMethod = (value: object, name: string): boolean => typeof Reflect.get(value, name) === 'function'
