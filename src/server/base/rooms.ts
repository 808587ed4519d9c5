/** The members of each room. A room exists as long as it has a member. */
export interface Rooms<Member> {
  /** How many rooms there are. */
  readonly size: number
  join(room: string, member: Member): void
  leave(room: string, member: Member): void
  /** In the order in which they joined; a copy, so that members may leave meanwhile. */
  members(room: string): readonly Member[]
}

export function createRooms<Member>(): Rooms<Member> {
  const rooms = new Map<string, Set<Member>>()

  return {
    get size() {
      return rooms.size
    },
    join(room, member) {
      const members = rooms.get(room) ?? new Set()
      rooms.set(room, members.add(member))
    },
    leave(room, member) {
      const members = rooms.get(room)
      members?.delete(member)
      if (members?.size === 0) rooms.delete(room)
    },
    members: (room) => [...(rooms.get(room) ?? [])],
  }
}
