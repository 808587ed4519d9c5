import { HoldfastError } from '../../shared/errors.js'
import type { UpFrame } from '../../protocol/frames.js'
import { nameOf } from '../../protocol/writer-id.js'
import { SUPERSEDED, TRY_AGAIN_LATER } from '../../protocol/close-codes.js'
import { noSession, superseded } from '../base/close-reasons.js'
import type { EngineContext } from '../base/context.js'
import type { Deadline, Timed } from '../base/deadlines.js'
import { createRooms, type Rooms } from '../base/rooms.js'
import { whenDone } from '../base/when-done.js'
import type { AttachResult } from '../connection/connection-host.js'
import type { Wire } from '../base/wire.js'
import { ServerSession, type SessionHost } from '../session/session.js'
import type { SessionClient, SessionState } from '../session/session-link.js'
import type { Attached } from '../stores/stream-store.js'
import type { ServerEmitter } from './server-emitter.js'
import type { Presence } from './presence.js'
import { createTombstones, type Tombstones } from './tombstones.js'

/** The sessions of one engine, and which streams may become one. */
export class SessionRegistry implements SessionHost, Timed {
  readonly #context: EngineContext
  readonly #sessions = new Map<string, ServerSession>()
  /** Made when somebody asks for the sessions of a user. */
  #byUser: Rooms<ServerSession> | undefined = undefined
  /** The sessions that are away, in the order in which they became so. */
  readonly #away = new Set<ServerSession>()
  /** The sessions that the application does not know yet. */
  readonly #unannounced = new Set<ServerSession>()
  readonly #tombstones: Tombstones
  /** The sessions whose streams the store has ended. */
  readonly #overflowed = new Set<string>()
  readonly #deadline: Deadline
  readonly #events: ServerEmitter
  readonly #presence: Presence
  /** Whether those that wait for a listener of `session` are announced next. */
  #isMeeting = false

  constructor(context: EngineContext, events: ServerEmitter, presence: Presence) {
    const { platform, options, streams } = context
    this.#context = context
    this.#events = events
    this.#presence = presence
    this.#deadline = context.deadlines.create(this)
    // An attach that is under way may keep a stream for twice its `ttlMs`.
    const limits = { max: options.limits.sessionsMax, forMs: 2 * streams.ttlMs }
    this.#tombstones = createTombstones(limits, platform.now)
  }

  get size(): number {
    return this.#sessions.size
  }

  /** The sessions that are away. */
  get away(): Iterable<ServerSession> {
    return this.#away
  }

  /** The sessions of a user; a copy. */
  ofUser(user: string): readonly ServerSession[] {
    if (!this.#byUser) {
      this.#byUser = createRooms()
      for (const session of this.#sessions.values()) this.#byUser.join(session.user, session)
    }
    return this.#byUser.members(user)
  }

  /** Those of these that are sessions of ours. */
  known(members: readonly { readonly id: string }[]): ServerSession[] {
    return members.flatMap(({ id }) => this.#sessions.get(id) ?? [])
  }

  /** A copy, so that sessions may end meanwhile. */
  all(): ServerSession[] {
    return [...this.#sessions.values()]
  }

  sessionChanged(session: ServerSession, state: SessionState): void {
    if (state === 'incomplete') return this.#tombstones.add(session.id)
    this.#away.delete(session)
    if (state === 'away') this.#away.add(session)
    this.#presence.changed(session, state)
    if (state === 'ended') {
      this.#unannounced.delete(session)
      this.#byUser?.leave(session.user, session)
    }
    if (state === 'ended' && this.#sessions.get(session.id) === session) this.#sessions.delete(session.id)
  }

  /** The store has ended a stream to make room for others: in the midst of one of its operations. */
  overflowed(id: string): void {
    this.#overflowed.add(id)
    this.#deadline.set(this.#context.platform.now())
  }

  elapsed(): void {
    const ids = [...this.#overflowed]
    this.#overflowed.clear()
    for (const id of ids) this.#sessions.get(id)?.overflowed()
    if (this.#isMeeting) for (const session of [...this.#unannounced]) this.announce(session)
    this.#isMeeting = false
  }

  /** Somebody listens to `session`: soon, since others may be bound behind it. */
  announceSoon(): void {
    if (!this.#unannounced.size) return
    this.#isMeeting = true
    this.#deadline.set(this.#context.platform.now())
  }

  /** Attaches the stream of the hello, or a new one. One that may have missed what was sent to many is ended. */
  attach(user: string, hello: UpFrame & { t: 'hello' }, result: AttachResult): void {
    const { streams, shared } = this.#context
    const { stream } = hello
    const isKnown = stream !== undefined && this.#sessions.has(stream.id)
    const { moment } = shared
    whenDone(
      () => streams.attach({ user, stream, isKnown, writers: Object.keys(hello.writers).map(nameOf) }),
      (attached) => {
        if (attached === 'superseded') return result.refused(SUPERSEDED, attached, superseded())
        const hasMissed = isKnown ? !this.#sessions.has(attached.id) : shared.hasMissed(moment)
        if (!attached.resumed || !hasMissed) return result.attached(attached)
        this.#abandon(attached)
        result.refused(TRY_AGAIN_LATER, 'no session', noSession())
      },
      (cause) => result.failed(cause),
    )
  }

  /**
   * Finds or makes the session of a stream that was attached; undefined when it must not or cannot go on.
   *
   * @throws {RemoteProtocolError} `FORBIDDEN` where the hello names a writer and does not know its secret
   */
  open(
    client: SessionClient,
    { stream, writers }: UpFrame & { t: 'hello' },
    attached: Attached,
    wire: Wire,
  ): ServerSession | undefined {
    const { id, sequence, resumed, cursors, messages } = attached
    const { user } = client.identity
    if (!messages.every(({ payload }) => wire.takes(payload))) {
      const words = 'A stored message is nested too deep for MessagePack; it is lost'
      this.#context.report(new HoldfastError('NOT_ENCODABLE', words))
      return this.#abandon(attached, this.#sessions.get(id))
    }
    try {
      this.#context.lanes.verify(user, Object.keys(writers), cursors)
    } catch (cause) {
      this.attachedTooLate(attached)
      throw cause
    }
    const old = stream && this.#sessions.get(stream.id)
    if (old?.user === user && !resumed) {
      if (attached.lost === 'overflow') old.overflowed()
      else old.end('lost')
    }
    const known = resumed ? this.#sessions.get(id) : undefined
    if (known?.isBehind(sequence)) return this.#abandon(attached, known)
    if (known) return known
    if (resumed && this.#tombstones.has(id)) return this.#abandon(attached)
    if (!this.#makeRoom() || !this.#makeRoomFor(user)) return this.#abandon(attached)
    const start = { sequence, acknowledged: resumed ? (stream?.s ?? 0) : 0 }
    const session = new ServerSession(this.#context, this, { id, client }, start, resumed)
    this.#sessions.set(id, session)
    this.#byUser?.join(user, session)
    this.#unannounced.add(session)
    return session
  }

  /** A stream was attached for a connection that is gone. */
  attachedTooLate(attached: Attached): void {
    const known = this.#sessions.get(attached.id)
    if (known) known.renew(attached)
    else if (!attached.resumed || this.#tombstones.has(attached.id)) this.#abandon(attached)
  }

  /** The store failed to attach a stream, or has attached it and failed to answer. */
  attachFailed(id: string): void {
    const known = this.#sessions.get(id)
    if (known) known.doubt()
    else this.#tombstones.renew(id)
  }

  /** Tells the application of a session, unless it knows it already. Without a listener the session waits for one. */
  announce(session: ServerSession): void {
    if (this.#events.isMeeting && this.#unannounced.delete(session))
      session.met(this.#events.meet(session.publicSession))
  }

  /** Ends a stream that must not be resumed; with its session, where a message is missing in it. */
  #abandon({ id, epoch }: Attached, session?: ServerSession): undefined {
    session?.end('lost')
    if (session) this.#tombstones.add(id)
    else this.#tombstones.renew(id)
    whenDone(
      () => this.#context.streams.end(id, epoch),
      () => {},
      () => this.#tombstones.add(id),
    )
  }

  #makeRoom(): boolean {
    if (this.#sessions.size < this.#context.options.limits.sessionsMax) return true
    const [oldest] = this.#away
    oldest?.end('evicted')
    return oldest !== undefined
  }

  /** Whether the user may have another session: the one that is away longest gives way. */
  #makeRoomFor(user: string): boolean {
    const { sessionsMax, sessionsPerUserMax } = this.#context.options.limits
    if (sessionsPerUserMax >= sessionsMax) return true
    const sessions = this.ofUser(user)
    if (sessions.length < sessionsPerUserMax) return true
    const oldest = [...this.#away].find((session) => session.user === user)
    oldest?.end('evicted')
    if (!oldest) this.#context.report(tooMany(user, sessionsPerUserMax))
    return oldest !== undefined
  }
}

const tooMany = (user: string, max: number): HoldfastError =>
  new HoldfastError(
    'TOO_MANY',
    `The user "${user.slice(0, 80)}" has ${max} sessions, as many as sessionsPerUserMax allows`,
  )
