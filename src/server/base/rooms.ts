/** The members of each room. A room exists as long as it has a member. */
export interface Rooms<Member> {
  /** How many rooms there are. */
  readonly size: number
  names(): Iterable<string>
  join(room: string, member: Member): void
  leave(room: string, member: Member): void
  /** In the order in which they joined; a copy, so that members may leave meanwhile. */
  members(room: string): readonly Member[]
}

/** What is told of each change, after it. */
export interface RoomsListener<Member> {
  joined(room: string, member: Member): void
  left(room: string, member: Member): void
}

export function createRooms<Member>(listener?: RoomsListener<Member>): Rooms<Member> {
  const rooms = new Map<string, Set<Member>>()

  return {
    get size() {
      return rooms.size
    },
    join(room, member) {
      const members = rooms.get(room) ?? new Set()
      if (members.has(member)) return
      rooms.set(room, members.add(member))
      listener?.joined(room, member)
    },
    leave(room, member) {
      const members = rooms.get(room)
      if (!members?.delete(member)) return
      if (members.size === 0) rooms.delete(room)
      listener?.left(room, member)
    },
    names: () => rooms.keys(),
    members: (room) => [...(rooms.get(room) ?? [])],
  }
}
