/** How far the clocks of two machines may lie apart, in milliseconds: what is born later than that is made up. */
const SKEW_MS = 60_000

/** Stands at the front of the ids of a store's streams: when the store was born, and four random characters. */
export interface StoreTag {
  /** An id of this store. */
  mark(id: string): string
  /**
   * Whether the id is of another store, which was born after this one. A client that brings it was welcomed by another
   * process while this one was there already: a process that has ended was born before the one that has taken its place.
   */
  isYounger(id: string, now: number): boolean
}

/** @param bornAt in milliseconds since 1970 */
export function createStoreTag(bornAt: number, random: string): StoreTag {
  const born = Math.floor(bornAt)
  const text = `${born.toString(36)}-${random.replace(/\W/g, '').slice(-4)}.`

  return {
    mark: (id) => text + id,
    isYounger(id, now) {
      const [, other] = /^([\da-z]{1,10})-\w{0,4}\./.exec(id) ?? []
      if (other === undefined || id.startsWith(text)) return false
      const otherBorn = parseInt(other, 36)
      return otherBorn > born && otherBorn < now + SKEW_MS
    },
  }
}
