import type { RoomEvent } from '../base/api.js'
import type { EngineContext, Member } from '../base/context.js'
import type { RoomsListener } from '../base/rooms.js'
import type { SessionState } from '../session/session-link.js'
import type { Deadline, Timed } from '../base/deadlines.js'

/** A session, as somebody who is present or not. */
interface Visitor extends Member {
  readonly isConnected: boolean
  readonly rooms: { readonly names: ReadonlySet<string> }
}

type Context = Pick<EngineContext, 'platform' | 'options' | 'deadlines' | 'rooms'>

/**
 * Which users are present in which rooms: those with a session there that is connected, or was until lately. Nothing is
 * counted before somebody asks.
 */
export class Presence implements RoomsListener<Member>, Timed {
  readonly #context: Context
  readonly #tell: (event: 'join' | 'leave', detail: RoomEvent) => void
  readonly #deadline: Deadline
  /** Room → user → how many sessions. */
  #rooms: Map<string, Map<string, number>> | undefined = undefined
  /** The sessions that are away, and until when they count as present; the one that is away longest first. */
  readonly #away = new Map<Visitor, number>()
  /** Those that have been away for longer. */
  readonly #absent = new Set<Member>()

  constructor(context: Context, tell: (event: 'join' | 'leave', detail: RoomEvent) => void) {
    this.#context = context
    this.#tell = tell
    this.#deadline = context.deadlines.create(this)
  }

  /** Begins to count; of who is here already nobody is told. */
  start(away: Iterable<Visitor>): void {
    if (this.#rooms) return
    this.#rooms = new Map()
    for (const room of this.#context.rooms.names()) {
      for (const member of this.#context.rooms.members(room)) this.#count(room, member.user, 1)
    }
    for (const visitor of away) this.disconnected(visitor)
  }

  /** In the order in which they joined. */
  users(room: string): string[] {
    return [...(this.#rooms?.get(room)?.keys() ?? [])]
  }

  joined(room: string, member: Member): void {
    if (this.#absent.has(member) || this.#count(room, member.user, 1) !== 1) return
    this.#tell('join', { room, user: member.user })
  }

  left(room: string, member: Member): void {
    if (this.#absent.has(member) || this.#count(room, member.user, -1) !== 0) return
    this.#tell('leave', { room, user: member.user })
  }

  changed(visitor: Visitor, state: SessionState): void {
    if (state === 'connected') this.#connected(visitor)
    else if (state === 'away') this.disconnected(visitor)
    else this.#ended(visitor)
  }

  /** The server closes: whoever leaves now leaves the server, and not the room. */
  stop(): void {
    this.#rooms = undefined
    this.#deadline.set(Infinity)
  }

  #connected(visitor: Visitor): void {
    this.#away.delete(visitor)
    if (!this.#absent.delete(visitor)) return
    for (const room of [...visitor.rooms.names]) this.joined(room, visitor)
  }

  disconnected(visitor: Visitor): void {
    if (!this.#rooms) return
    const { platform, options } = this.#context
    this.#away.set(visitor, platform.now() + options.presenceGraceMs)
    this.#schedule()
  }

  /** Its session has ended, and has left all rooms. */
  #ended(visitor: Visitor): void {
    this.#away.delete(visitor)
    this.#absent.delete(visitor)
  }

  elapsed(now: number): void {
    for (const [visitor, until] of [...this.#away]) {
      if (until > now) break
      this.#away.delete(visitor)
      for (const room of [...visitor.rooms.names]) this.left(room, visitor)
      this.#absent.add(visitor)
    }
    this.#schedule()
  }

  #schedule(): void {
    const [first] = this.#away.values()
    this.#deadline.set(first ?? Infinity)
  }

  /** How many sessions the user has in the room by now; undefined where nobody counts. */
  #count(room: string, user: string, change: 1 | -1): number | undefined {
    if (!this.#rooms) return undefined
    const users = this.#rooms.get(room) ?? new Map<string, number>()
    const count = (users.get(user) ?? 0) + change
    if (count > 0) users.set(user, count)
    else users.delete(user)
    if (users.size) this.#rooms.set(room, users)
    else this.#rooms.delete(room)
    return count
  }
}
