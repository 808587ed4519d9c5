/**
 * Streams with which nobody must go on: something is missing in them. That the store has ended one does not take it out:
 * a store that goes back in time has it again.
 */
export interface Tombstones {
  /** Whether the stream may be one of them: while some had to be forgotten, it may be any. */
  has(id: string): boolean
  /** Also when it is one already: the store may have been asked for it since. */
  add(id: string): void
  /** The store was asked for this stream just now, and may hold it for as long again. Nothing where it is none of them. */
  renew(id: string): void
}

/**
 * @param limits how many are remembered, and after how many milliseconds the store has forgotten one by itself
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
