import type { Contract, EventName, FromServer, Untyped } from '../../shared/contract.js'
import { createEmitter } from '../../shared/emitter.js'
import { HoldfastError, RefusedError } from '../../shared/errors.js'
import { FORBIDDEN, GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER } from '../../protocol/close-codes.js'
import { jsonFrames } from '../../protocol/frame-codec.js'
import type { DownFrame } from '../../protocol/frames.js'
import { WriterLanes } from '../ordering/writer-lane.js'
import type { Payload, ServerEvents, Target } from '../base/api.js'
import { requireInteger, withDefaults } from '../../shared/validate.js'
import { createTombstones } from './tombstones.js'
import type { ConnectionHost, EngineConnection, SocketConnection } from '../connection/connection-host.js'
import { Connection } from '../connection/connection.js'
import type { EngineContext, Member, ReplyTarget } from '../base/context.js'
import { createDeadlines } from '../base/deadlines.js'
import type { ServerSocket } from '../connection/sender.js'
import { requireName } from '../session/handlers.js'
import { resolveOptions, type EngineOptions, type ResolvedOptions, type UpgradeRequest } from '../base/options.js'
import type { ServerPlatform } from '../base/platform.js'
import { createRooms } from '../base/rooms.js'
import { ServerSession, type SessionHost } from '../session/session.js'
import { whenDone } from '../base/when-done.js'
import type { Attached } from '../stores/stream-store.js'

/** Options of `drain`. */
export interface DrainOptions {
  /** How long a period the reconnects of the clients are spread over, in milliseconds. Default: 10,000. */
  readonly windowMs?: number
  /** How long handlers may run before their connections are closed anyway, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number
}

/** The companion server without sockets: an adapter binds sockets to it. */
export interface Engine<C extends Contract = Untyped> {
  readonly connectionCount: number
  /** Sessions that are connected or may come back. */
  readonly sessionCount: number
  /** How many `error` events there were since the start. */
  readonly errorCount: number
  /** A socket was opened: greets the client. The frames of the socket and its end go to the returned object. */
  accept(socket: ServerSocket, request: UpgradeRequest): SocketConnection
  on<Name extends keyof ServerEvents<C>>(event: Name, listener: (payload: ServerEvents<C>[Name]) => unknown): () => void
  /** All sessions in a room, also those that are away. */
  to(room: string): Target<C>
  /** Sends to every session, also those that are away. Throws as `session.send`. */
  broadcast<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void
  /** Counts an error of an adapter and emits it. */
  report(error: HoldfastError): void
  /** Tells every client when to reconnect, lets running handlers finish, closes with 1012. New clients are refused. */
  drain(options?: DrainOptions): Promise<void>
  /** Closes every connection with 1001. The store keeps the streams; a handler that still runs is recorded there. */
  close(): void
  /** Stops at once, like a process that is killed: nothing more is sent or stored, and no timer fires. For simulations. */
  stop(): void
}

/** When a client for which there is no room may reconnect, in milliseconds. */
const REFUSED_AFTER_MS = 5_000

/**
 * The companion server of `holdfast.1`: all its rules, and nothing of the world but what `platform` gives it.
 *
 * @throws {TypeError | RangeError} that names the option, the value and the rule
 * @example
 * const engine = createEngine<Chat>({ authenticate }, nodePlatform)
 * const connection = engine.accept(socket, { url: '/', headers: {} })
 * connection.receive('{"t":"hello","writers":{}}')
 */
export function createEngine<C extends Contract = Untyped>(
  engineOptions: EngineOptions,
  platform: ServerPlatform,
): Engine<C> {
  const options = resolveOptions(engineOptions)
  const connections = new Set<EngineConnection>()
  const sessions = new Map<string, ServerSession>()
  /** The sessions that are away, in the order in which they became so. */
  const away = new Set<ServerSession>()
  /** The sessions that the application does not know yet. */
  const unannounced = new Set<ServerSession>()
  const events = createEmitter<ServerEvents>((error, event) => {
    errorCount++
    // Never report an error thrown by an `error` listener to the `error` listeners: it would loop.
    if (event !== 'error') events.emit('error', error)
  })
  let errorCount = 0
  let runningCount = 0
  let status: 'open' | 'draining' | 'closed' | 'stopped' = 'open'
  let drained: (() => void) | undefined
  let draining = Promise.resolve()

  const report = (error: HoldfastError): void => {
    if (status === 'stopped') return
    errorCount++
    events.emit('error', error)
  }

  const context: EngineContext = {
    platform,
    options,
    codec: jsonFrames,
    greeting: jsonFrames.write(greetingOf(options)),
    streams: options.streams.open(platform),
    deadlines: createDeadlines(platform),
    lanes: new WriterLanes<ReplyTarget>(options.limits.window.messages),
    rooms: createRooms<Member>(),
    isStopped: () => status === 'stopped',
    countRunning(change) {
      runningCount += change
      checkDrained()
    },
    report,
  }

  // An attach that is under way may keep a stream for twice its `ttlMs`.
  const tombstones = createTombstones(
    { max: options.limits.sessionsMax, forMs: 2 * context.streams.ttlMs },
    platform.now,
  )

  function checkDrained(): void {
    if (runningCount === 0 && connections.size === 0) drained?.()
  }

  const sessionHost: SessionHost = {
    sessionChanged(session, state) {
      if (state === 'incomplete') return tombstones.add(session.id)
      away.delete(session)
      if (state === 'away') away.add(session)
      if (state === 'ended' && sessions.get(session.id) === session) sessions.delete(session.id)
    },
  }

  const host: ConnectionHost = {
    openSession(user, { stream }, attached) {
      const old = stream && sessions.get(stream.id)
      if (old?.user === user && !attached.resumed) old.end(attached.lost === 'overflow' ? 'overflow' : 'lost')
      const known = attached.resumed ? sessions.get(attached.id) : undefined
      if (known?.isBehind(attached.sequence)) return abandon(attached, known)
      if (known) return known
      if (attached.resumed && tombstones.has(attached.id)) return abandon(attached)
      if (!makeRoom()) return abandon(attached)
      const { id, sequence, resumed } = attached
      const start = { sequence, acknowledged: resumed ? (stream?.s ?? 0) : 0 }
      const session = new ServerSession(context, sessionHost, { id, user }, start)
      sessions.set(id, session)
      unannounced.add(session)
      return session
    },
    attachedTooLate(attached) {
      const known = sessions.get(attached.id)
      if (known) known.renew(attached)
      else if (!attached.resumed || tombstones.has(attached.id)) abandon(attached)
    },
    attachFailed(id) {
      const known = sessions.get(id)
      if (known) known.doubt()
      else tombstones.renew(id)
    },
    announce(session) {
      if (unannounced.delete(session)) events.emit('session', session.publicSession)
    },
    gone(connection) {
      connections.delete(connection)
      checkDrained()
    },
  }

  /** Ends a stream that must not be resumed; with its session, where a message is missing in it. */
  function abandon({ id, epoch }: Attached, session?: ServerSession): undefined {
    session?.end('lost')
    if (session) tombstones.add(id)
    else tombstones.renew(id)
    whenDone(
      () => context.streams.end(id, epoch),
      () => {},
      () => tombstones.add(id),
    )
  }

  function makeRoom(): boolean {
    if (sessions.size < options.limits.sessionsMax) return true
    const [oldest] = away
    oldest?.end('evicted')
    return oldest !== undefined
  }

  function accept(socket: ServerSocket, request: UpgradeRequest): SocketConnection {
    if (status === 'closed' || status === 'stopped') {
      socket.terminate()
      return NO_CONNECTION
    }
    const isFull = connections.size >= options.limits.connectionsMax
    const connection = new Connection(context, host, socket, request)
    connections.add(connection)
    if (status === 'draining') connection.close(SERVICE_RESTART, 'draining')
    else if (isFull) connection.close(TRY_AGAIN_LATER, 'full', tooMany(), REFUSED_AFTER_MS)
    else if (isForeign(request)) refuse(connection, request)
    return connection
  }

  const isForeign = ({ origin }: UpgradeRequest): boolean =>
    options.origins !== undefined && origin !== undefined && !options.origins.has(origin)

  /** After the upgrade, since a page cannot see the cause of an upgrade that fails. */
  function refuse(connection: EngineConnection, { origin }: UpgradeRequest): void {
    const error = new RefusedError('FORBIDDEN', `Pages of ${origin?.slice(0, 200)} may not connect`)
    report(error)
    connection.close(FORBIDDEN, error.code, error)
  }

  /** Encodes once, whatever the number of receivers. */
  const target = (members: () => Iterable<Member>): Target<C> => ({
    send(event, ...[data]) {
      requireName(event)
      const entry = { head: { t: 'm', e: event }, payload: context.codec.encode(event, data) } as const
      for (const member of members()) member.append(entry)
    },
    volatile(event, ...[data]) {
      requireName(event)
      const frame = context.codec.write({ t: 'v', e: event }, context.codec.encode(event, data))
      for (const member of members()) member.sendVolatile(frame)
    },
  })

  function drain(drainOptions?: DrainOptions): Promise<void> {
    const defaults = { windowMs: 10_000, timeoutMs: 30_000 }
    const { windowMs, timeoutMs } = withDefaults('drain', drainOptions, defaults, requireInteger)
    if (status !== 'open') return draining
    status = 'draining'
    draining = new Promise((resolve) => {
      const finish = (): void => {
        drained = undefined
        overdue.set(Infinity)
        for (const connection of [...connections]) connection.close(SERVICE_RESTART, 'drained')
        resolve()
      }
      const overdue = context.deadlines.create({ elapsed: finish })
      overdue.set(platform.now() + timeoutMs)
      drained = finish
      const all = [...connections]
      // Each client gets a random moment in its own part of the window, so that they do not reconnect all at once.
      all.forEach((one, index) => one.drain(Math.round(((index + platform.random()) * windowMs) / all.length)))
      checkDrained()
    })
    return draining
  }

  return {
    get connectionCount() {
      return connections.size
    },
    get sessionCount() {
      return sessions.size
    },
    get errorCount() {
      return errorCount
    },
    accept,
    on: events.on,
    to: (room) => target(() => context.rooms.members(room)),
    broadcast: (event, ...data) => target(() => [...sessions.values()]).send(event, ...data),
    report,
    drain,
    close() {
      if (status === 'closed' || status === 'stopped') return
      status = 'closed'
      for (const session of [...sessions.values()]) session.end('stopped', GOING_AWAY, 'server is shutting down')
      for (const connection of [...connections]) connection.close(GOING_AWAY, 'server is shutting down')
      context.deadlines.cancel()
      drained?.()
    },
    stop() {
      status = 'stopped'
      context.deadlines.cancel()
    },
  }
}

const greetingOf = ({ limits, heartbeat }: ResolvedOptions): DownFrame => ({
  t: 'greeting',
  v: 1,
  frame: limits.frameBytesMax,
  window: limits.window,
  heartbeat,
})

const NO_CONNECTION: SocketConnection = { receive: () => {}, closed: () => {} }

const tooMany = (): HoldfastError => new HoldfastError('SERVER_FAILED', 'There are too many connections')
