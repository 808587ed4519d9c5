/** Streams that the store may still resume, and that nobody must go on with: something is missing in them. */
export interface Condemned {
  /** Whether the stream may be one of them: while some had to be forgotten, it may be any. */
  has(id: string): boolean
  /** Also when it is one already: the store may have been asked for it since. */
  add(id: string): void
  /** The store has ended it. */
  delete(id: string): void
}

/**
 * @param limits how many are remembered, and after how many milliseconds the store has forgotten one by itself
 * @example createCondemned({ max: 200_000, forMs: 240_000 }, platform.now).add(session.id)
 */
export function createCondemned({ max, forMs }: { max: number; forMs: number }, now: () => number): Condemned {
  // The oldest first.
  const addedAt = new Map<string, number>()
  let isAnyUntil = -Infinity

  return {
    has: (id) => addedAt.has(id) || now() < isAnyUntil,
    add(id) {
      addedAt.delete(id)
      addedAt.set(id, now())
      const [oldest] = addedAt
      if (addedAt.size <= max || !oldest) return
      addedAt.delete(oldest[0])
      isAnyUntil = Math.max(isAnyUntil, oldest[1] + forMs)
    },
    delete: (id) => void addedAt.delete(id),
  }
}
