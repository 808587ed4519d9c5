import cluster from 'node:cluster'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Contract, Untyped } from '../../shared/contract.js'
import type { HoldfastError } from '../../shared/errors.js'
import { SUBPROTOCOL } from '../../protocol/frames.js'
import type { ServerEvents, SessionControl } from '../base/api.js'
import { check, requireInteger, withDefaults } from '../../shared/validate.js'
import { createEngine, type DrainOptions } from '../engine/engine.js'
import type { Refusal } from './handshake.js'
import { notShared } from '../base/close-reasons.js'
import { checkListenOptions, LISTEN_DEFAULTS, type ListenOptions, type ServerAddress } from './listen-options.js'
import { listen } from './listening-server.js'
import { ENGINE_DEFAULTS, resolveOptions, type EngineOptions, type Identity } from '../base/options.js'
import { nodePlatform } from '../base/platform.js'
import { Refusals } from './refusals.js'
import type { StreamStore } from '../stores/stream-store.js'
import { bindSocket } from './ws-adapter.js'

/** Options of `createServer`. Every one has a default. */
export interface ServerOptions<I extends Identity = Identity> extends ListenOptions, EngineOptions<I> {
  /**
   * The only path to serve, such as `/live`; whatever comes there is this server's. Default: every path. On an http server
   * with other upgrade listeners it then takes only what offers `holdfast.1`.
   */
  readonly path?: string
  /** True for a server that listens nowhere, since its upgrades come by `handleUpgrade`. Default: false. */
  readonly noServer?: boolean
}

/** A running companion server. */
export interface Server<C extends Contract = Untyped, I extends Identity = Identity> extends SessionControl<C> {
  /**
   * Resolves when the server listens. Rejects with Node's own error when it cannot (its `code` says why, for instance
   * `EADDRINUSE`), and with an `AbortError` when `close` comes before an attached server listens. A failure of a server
   * whose `listening` nobody reads is an `error` event (`NOT_LISTENING`) instead.
   */
  readonly listening: Promise<ServerAddress>
  readonly connectionCount: number
  /** Sessions that are connected or may come back. */
  readonly sessionCount: number
  /** How many `error` events there were since the start. */
  readonly errorCount: number
  /**
   * How many requests for an upgrade were refused since the start: a wrong path, no subprotocol `holdfast.1`, no sound
   * handshake. The first of each kind is an `error` event too (`UPGRADE_REFUSED`).
   */
  readonly refusedCount: number
  /**
   * Listens to `session`, `join`, `leave` or `error`. When a listener throws, the others are called all the same, and `error` is emitted.
   *
   * @returns unbinds the listener
   */
  on<Name extends keyof ServerEvents<C, I>>(
    event: Name,
    listener: (payload: ServerEvents<C, I>[Name]) => unknown,
  ): () => void
  /**
   * Tells every client when to reconnect, each at a different moment, lets running handlers finish and closes with 1012.
   * New clients are refused. Call `close` after it.
   *
   * @throws {TypeError | RangeError} for wrong options
   */
  drain(options?: DrainOptions): Promise<void>
  /**
   * Upgrades a request that your own upgrade listener has chosen, whoever listens beside it, or answers it with a refusal.
   * The arguments are those of Node's event.
   *
   * @example
   * const server = createServer({ noServer: true })
   * http.on('upgrade', (request, socket, head) => {
   *   if (request.url === '/live') server.handleUpgrade(request, socket, head)
   * })
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /**
   * Stops listening, closes every client with 1001 and ends those that have not answered after 1 s. Streams stay in the
   * store. Resolves when all connections are gone; never rejects. Calling it again returns the same promise.
   */
  close(): Promise<void>
}

/**
 * Starts the companion server: each client's messages reach its handlers once and in order, and what is sent to a
 * session reaches its client once and in order, over connections that die.
 *
 * @throws {TypeError | RangeError} that names the option, the value and the rule
 * @example
 * const server = createServer<Chat>({ port: 8080, authenticate: ({ auth }) => users.find(auth) })
 * server.on('session', (session) => {
 *   session.on('message', ({ text }) => server.to('room').send('message', { text }))
 *   session.handle('join', () => session.join('room'))
 * })
 * const { url } = await server.listening
 */
export function createServer<C extends Contract = Untyped, I extends Identity = Identity>(
  options: ServerOptions<I> = {},
): Server<C, I> {
  const defaults = { ...LISTEN_DEFAULTS, ...ENGINE_DEFAULTS, path: undefined, noServer: false }
  withDefaults('createServer', options, defaults, requireInteger)
  const {
    port: _port,
    host: _host,
    server: _server,
    compression: _compression,
    path,
    noServer,
    ...engineOptions
  } = options
  checkListenOptions(options)
  const isPath = path === undefined || (typeof path === 'string' && path.startsWith('/'))
  check('path', path, 'a string that starts with "/"', isPath)
  const isElsewhere = [options.port, options.host, options.server].some((one) => one !== undefined)
  check('noServer', noServer, 'false when port, host or server is given', !noServer || !isElsewhere)
  const { limits, codec, streams } = resolveOptions(engineOptions)
  const subprotocols = [SUBPROTOCOL, ...(codec ? [codec.subprotocol] : [])]
  const isOurs = (request: IncomingMessage): boolean => offersProtocol(request, subprotocols)
  const engine = createEngine<C, I>(engineOptions, nodePlatform)
  const tellWorker = workerCheck(streams, (error) => engine.report(error))
  const refusals = new Refusals((error, kind) => engine.report(error, undefined, kind))
  const listeningServer = listen(
    options,
    {
      maxPayload: limits.frameBytesMax,
      // The client's order is that of its wishes.
      handleProtocols: (offered) => [...offered].find((one) => subprotocols.includes(one)) ?? false,
    },
    {
      isOurs,
      refuse: (request) => (isOurs(request) ? undefined : noProtocol(subprotocols)),
      opened(client, request) {
        tellWorker()
        bindSocket(engine, client, request)
      },
      refused: (refusal, request) => refusals.add(refusal, request),
      ignored: (why, request) => refusals.ignored(why, request),
      isReady: () => engine.isOpen,
      closing: () => engine.close(),
      started: tellWorker,
      failed: (error) => engine.report(error),
    },
  )

  return {
    get listening() {
      return listeningServer.listening
    },
    get connectionCount() {
      return engine.connectionCount
    },
    get sessionCount() {
      return engine.sessionCount
    },
    get errorCount() {
      return engine.errorCount
    },
    get refusedCount() {
      return refusals.count
    },
    on: (event, listener) => engine.on(event, listener),
    to: (room) => engine.to(room),
    toUser: (user) => engine.toUser(user),
    broadcast: (event, ...data) => engine.broadcast(event, ...data),
    sessions: (filter) => engine.sessions(filter),
    members: (room) => engine.members(room),
    disconnect: (user, reason, disconnectOptions) => engine.disconnect(user, reason, disconnectOptions),
    drain: (drainOptions) => engine.drain(drainOptions),
    handleUpgrade: (request, socket, head) => listeningServer.handleUpgrade(request, socket, head),
    close: () => listeningServer.close(),
  }
}

/** Tells once, when the server has begun, that the workers of a cluster do not share their memory. */
function workerCheck({ isLocal }: StreamStore, report: (error: HoldfastError) => void): () => void {
  let isDue = cluster.isWorker && isLocal === true
  return () => {
    if (isDue) report(notShared('This is a worker of node:cluster'))
    isDue = false
  }
}

/** A client offers its subprotocols in one header, separated by commas. RFC 6455 section 11.3.4. */
export function offersProtocol(
  { headers }: Pick<IncomingMessage, 'headers'>,
  subprotocols: readonly string[] = [SUBPROTOCOL],
): boolean {
  const offered = headers['sec-websocket-protocol'] ?? ''
  return offered.split(',').some((one) => subprotocols.includes(one.trim()))
}

const noProtocol = (subprotocols: readonly string[]): Refusal => ({
  status: 400,
  reason: `Offer the subprotocol ${subprotocols.join(' or ')}.`,
  hint: 'Clients of Holdfast do so with the dialect reliable(); plain() and a bare WebSocket are for other servers',
})
