/**
 * Streams that must not be resumed: a message is missing in them. They stay even when the store has ended them: a store
 * that goes back in time has them again.
 */
export interface Tombstones {
  /** Whether the stream may be one of them: for some time after one was forgotten, every stream may be that one. */
  has(id: string): boolean
  /** Also when it is one already: the store may have been requested to attach it since. */
  add(id: string): void
  /** The store was requested to attach this stream, and may hold it for as long again. No effect on other streams. */
  renew(id: string): void
}

/**
 * @param limits how many are remembered, and after how many milliseconds without a request the store has forgotten one
 * @example createTombstones({ max: 200_000, forMs: 240_000 }, platform.now).add(session.id)
 */
export function createTombstones({ max, forMs }: { max: number; forMs: number }, now: () => number): Tombstones {
  // The oldest first.
  const addedAt = new Map<string, number>()
  let isAnyUntil = -Infinity

  function add(id: string): void {
    addedAt.delete(id)
    addedAt.set(id, now())
    const [oldest] = addedAt
    if (addedAt.size <= max || !oldest) return
    addedAt.delete(oldest[0])
    isAnyUntil = Math.max(isAnyUntil, oldest[1] + forMs)
  }

  return {
    has: (id) => addedAt.has(id) || now() < isAnyUntil,
    add,
    renew(id) {
      if (addedAt.has(id)) add(id)
    },
  }
}
