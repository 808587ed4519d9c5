import type { EngineContext, Member } from '../base/context.js'

/** The rooms of one session. The set is made when it is needed: most sessions are in none. */
export class SessionRooms {
  readonly #rooms: EngineContext['rooms']
  readonly #member: Member
  #names: Set<string> | undefined = undefined
  #isOver = false

  constructor({ rooms }: Pick<EngineContext, 'rooms'>, member: Member) {
    this.#rooms = rooms
    this.#member = member
  }

  get names(): ReadonlySet<string> {
    this.#names ??= new Set()
    return this.#names
  }

  join(room: string): void {
    if (this.#isOver) return
    this.#names ??= new Set()
    this.#names.add(room)
    this.#rooms.join(room, this.#member)
  }

  leave(room: string): void {
    this.#names?.delete(room)
    this.#rooms.leave(room, this.#member)
  }

  /** The session has ended: it leaves all and joins no other. */
  end(): void {
    this.#isOver = true
    for (const room of [...(this.#names ?? [])]) this.leave(room)
  }
}
