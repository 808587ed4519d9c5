import type { Server as HttpServer } from 'node:http'
import { Server as NetServer } from 'node:net'
import { check, requireInteger, requireText, type Defaults } from '../../shared/validate.js'

/** Where a server can be reached. */
export interface ServerAddress {
  /** With the path that is served: `ws://127.0.0.1:8080/live`; `wss:` when attached to an https server. */
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
  check('server', server, 'an http.Server', server === undefined || server instanceof NetServer)
  check('port', port, 'absent when server is given', server === undefined || port === undefined)
  check('host', host, 'absent when server is given', server === undefined || host === undefined)
}
