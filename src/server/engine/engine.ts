import type { Contract, EventName, FromServer, Untyped } from '../../shared/contract.js'
import type { HoldfastError } from '../../shared/errors.js'
import { GOING_AWAY, SERVICE_RESTART } from '../../protocol/close-codes.js'
import { jsonFrames } from '../../protocol/frame-codec.js'
import type { UpFrame } from '../../protocol/frames.js'
import { WriterLanes } from '../ordering/writer-lane.js'
import type {
  DisconnectOptions,
  Group,
  Payload,
  ServerEvents,
  SessionControl,
  SessionFilter,
  SessionView,
} from '../base/api.js'
import { requireInteger, withDefaults } from '../../shared/validate.js'
import { notShared } from '../base/close-reasons.js'
import { Admission } from './admission.js'
import { Presence } from './presence.js'
import { ServerEmitter } from './server-emitter.js'
import { SessionRegistry } from './session-registry.js'
import type { AttachResult, ConnectionHost, EngineConnection, SocketConnection } from '../connection/connection-host.js'
import { EngineSessionControl } from './session-control.js'
import { Connection } from '../connection/connection.js'
import { BoundNames } from '../base/bound-names.js'
import type { EngineContext, Member, ReplyTarget } from '../base/context.js'
import { createDeadlines } from '../base/deadlines.js'
import type { ServerSocket } from '../connection/sender.js'
import { resolveOptions, type EngineOptions, type Identity, type ResolvedOptions } from '../base/options.js'
import type { ServerPlatform } from '../base/platform.js'
import { TimedStreams } from '../base/timed-streams.js'
import { createRooms } from '../base/rooms.js'
import { SharedSends } from '../base/shared-sends.js'
import { requestReader, type Upgrade } from '../base/upgrade-request.js'
import { createWires, type Wire } from '../base/wire.js'
import type { ServerSession } from '../session/session.js'
import type { SessionClient } from '../session/session-link.js'
import type { Attached } from '../stores/stream-store.js'

/** Options of `drain`. */
export interface DrainOptions {
  /** How long a period the reconnects of the clients are spread over, in milliseconds. Default: 10,000. */
  readonly windowMs?: number
  /** How long handlers may run before their connections are closed anyway, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number
}

/** The companion server without sockets: an adapter binds sockets to it. */
export interface Engine<C extends Contract = Untyped, I extends Identity = Identity> extends SessionControl<C> {
  readonly connectionCount: number
  /** Sessions that are connected or may come back. */
  readonly sessionCount: number
  /** How many `error` events there were since the start. */
  readonly errorCount: number
  /** Whether new clients are welcome: it neither drains nor is closed. */
  readonly isOpen: boolean
  /** A socket was opened: greets the client. The frames of the socket and its end go to the returned object. */
  accept(socket: ServerSocket, upgrade: Upgrade): SocketConnection
  on<Name extends keyof ServerEvents<C, I>>(
    event: Name,
    listener: (payload: ServerEvents<C, I>[Name]) => unknown,
  ): () => void
  /**
   * Counts an error of an adapter and emits it.
   *
   * @param kind what is printed once where nobody listens; default: the error's code
   * @returns whether a listener took it
   */
  report(error: HoldfastError, advice?: string, kind?: string): boolean
  /** Tells every client when to reconnect, lets running handlers finish, closes with 1012. New clients are refused. */
  drain(options?: DrainOptions): Promise<void>
  /** Closes every connection with 1001. The store keeps the streams; a handler that still runs is recorded there. */
  close(): void
  /** Stops at once, like a process that is killed: nothing more is sent or stored, and no timer fires. For simulations. */
  stop(): void
}

/** Over how long clients return by themselves, in milliseconds. PROTOCOL.md, section 9. */
const SPREAD_ANYWAY_MS = 500

/**
 * The companion server of `holdfast.1`: all its rules, and nothing of the world but what `platform` gives it.
 *
 * @throws {TypeError | RangeError} that names the option, the value and the rule
 * @example
 * const engine = createEngine<Chat>({ authenticate }, nodePlatform)
 * const connection = engine.accept(socket, { url: '/', headers: {} })
 * connection.receive('{"t":"hello","writers":{}}')
 */
export const createEngine = <C extends Contract = Untyped, I extends Identity = Identity>(
  options: EngineOptions<I>,
  platform: ServerPlatform,
): Engine<C, I> => new CompanionEngine<C, I>(resolveOptions(options), platform)

class CompanionEngine<C extends Contract, I extends Identity> implements Engine<C, I>, ConnectionHost {
  readonly #context: EngineContext
  readonly #connections = new Set<EngineConnection>()
  readonly #sessions: SessionRegistry
  readonly #control: SessionControl<C>
  readonly #admission: Admission
  readonly #presence: Presence
  readonly #events: ServerEmitter
  #runningCount = 0
  #status: 'open' | 'draining' | 'closed' | 'stopped' = 'open'
  #drained: (() => void) | undefined = undefined
  #draining = Promise.resolve()

  constructor(options: ResolvedOptions, platform: ServerPlatform) {
    this.#events = new ServerEmitter(platform, (event) => {
      if (event === 'session') this.#sessions.announceSoon()
      else if (event !== 'error') this.#presence.start(this.#sessions.away)
    })
    const deadlines = createDeadlines(platform)
    const streams = options.streams.open({
      now: () => platform.now(),
      createId: () => platform.createId(),
      wallNow: () => platform.wallNow(),
      onForeign: () => this.report(notShared('A client was welcomed by another, younger process for this address')),
      onOverflow: (id) => this.#sessions.overflowed(id),
    })
    const timed = new TimedStreams(streams, options.storeTimeoutMs, () => platform.now(), deadlines)
    this.#context = {
      platform,
      options,
      codec: options.codec ?? jsonFrames,
      wireOf: createWires(options),
      streams: timed,
      shared: new SharedSends(timed, (error) => this.report(error)),
      deadlines,
      lanes: new WriterLanes<ReplyTarget>(options.limits.window.messages),
      rooms: createRooms<Member>({
        joined: (room, member) => this.#presence.joined(room, member),
        left: (room, member) => this.#presence.left(room, member),
      }),
      names: new BoundNames(),
      requestOf: requestReader(options, (error) => void this.report(error)),
      isStopped: () => this.#status === 'stopped',
      countRunning: (change) => {
        this.#runningCount += change
        this.#checkDrained()
      },
      report: (error, advice) => void this.report(error, advice),
    }
    this.#admission = new Admission(this.#context)
    this.#presence = new Presence(this.#context, (event, detail) => this.#events.tell(event, detail))
    this.#sessions = new SessionRegistry(this.#context, this.#events, this.#presence)
    this.#control = new EngineSessionControl<C>(this.#context, this.#sessions, this.#connections, this.#presence)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  get errorCount(): number {
    return this.#events.errorCount
  }

  get isOpen(): boolean {
    return this.#status === 'open'
  }

  get spreadMs(): number | undefined {
    const spreadMs = Math.ceil((this.#connections.size / this.#context.options.limits.returnsPerSecond) * 1_000)
    return spreadMs > SPREAD_ANYWAY_MS ? spreadMs : undefined
  }

  accept(socket: ServerSocket, upgrade: Upgrade): SocketConnection {
    if (this.#status === 'closed' || this.#status === 'stopped') {
      socket.terminate()
      return NO_CONNECTION
    }
    const connection = new Connection(this.#context, this, socket, upgrade)
    this.#connections.add(connection)
    if (this.#status === 'draining') connection.close(SERVICE_RESTART, 'draining')
    else this.#admission.admit(connection, upgrade, this.#connections.size)
    return connection
  }

  on<Name extends keyof ServerEvents<C, I>>(event: Name, listener: (payload: ServerEvents<C, I>[Name]) => unknown) {
    return this.#events.on(event, listener)
  }

  to(room: string): Group<C> {
    return this.#control.to(room)
  }

  toUser(user: string): Group<C> {
    return this.#control.toUser(user)
  }

  broadcast<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void {
    this.#control.broadcast(event, ...data)
  }

  sessions(filter?: SessionFilter): Promise<SessionView<C>[]> {
    return this.#control.sessions(filter)
  }

  members(room: string): Promise<string[]> {
    return this.#control.members(room)
  }

  disconnect(user: string, reason?: string, options?: DisconnectOptions): Promise<void> {
    return this.#control.disconnect(user, reason, options)
  }

  report(error: HoldfastError, advice?: string, kind?: string): boolean {
    return this.#status !== 'stopped' && this.#events.report(error, advice, kind)
  }

  drain(drainOptions?: DrainOptions): Promise<void> {
    const defaults = { windowMs: 10_000, timeoutMs: 30_000 }
    const { windowMs, timeoutMs } = withDefaults('drain', drainOptions, defaults, requireInteger)
    if (this.#status !== 'open') return this.#draining
    const { platform, deadlines } = this.#context
    this.#status = 'draining'
    this.#draining = new Promise((resolve) => {
      const finish = (): void => {
        this.#drained = undefined
        overdue.set(Infinity)
        for (const connection of [...this.#connections]) connection.close(SERVICE_RESTART, 'drained')
        resolve()
      }
      const overdue = deadlines.create({ elapsed: finish })
      overdue.set(platform.now() + timeoutMs)
      this.#drained = finish
      const all = [...this.#connections]
      // Each client gets a random moment in its own part of the window, so that they do not reconnect all at once.
      all.forEach((one, index) => one.drain(Math.round(((index + platform.random()) * windowMs) / all.length)))
      this.#checkDrained()
    })
    return this.#draining
  }

  close(): void {
    if (this.#status === 'closed' || this.#status === 'stopped') return
    this.#status = 'closed'
    this.#presence.stop()
    for (const session of this.#sessions.all()) session.end('stopped', GOING_AWAY, 'server is shutting down')
    for (const connection of [...this.#connections]) connection.close(GOING_AWAY, 'server is shutting down')
    this.#context.deadlines.cancel()
    this.#drained?.()
  }

  stop(): void {
    this.#status = 'stopped'
    this.#context.deadlines.cancel()
  }

  attach(user: string, hello: UpFrame & { t: 'hello' }, result: AttachResult): void {
    this.#sessions.attach(user, hello, result)
  }

  openSession(
    client: SessionClient,
    hello: UpFrame & { t: 'hello' },
    attached: Attached,
    wire: Wire,
  ): ServerSession | undefined {
    return this.#sessions.open(client, hello, attached, wire)
  }

  attachedTooLate(attached: Attached): void {
    this.#sessions.attachedTooLate(attached)
  }

  attachFailed(id: string): void {
    this.#sessions.attachFailed(id)
  }

  announce(session: ServerSession): void {
    this.#sessions.announce(session)
  }

  gone(connection: EngineConnection): void {
    this.#connections.delete(connection)
    this.#admission.gone(connection)
    this.#checkDrained()
  }

  #checkDrained(): void {
    if (this.#runningCount === 0 && this.#connections.size === 0) this.#drained?.()
  }
}

const NO_CONNECTION: SocketConnection = { receive: () => {}, closed: () => {} }
