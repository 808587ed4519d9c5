/** The prefix of our keys in `sessionStorage`. */
const PREFIX = 'holdfast:'

/** Notes of a page for the next page in its tab, in `sessionStorage`. */
export const sessionNotes = {
  /** A note that the last page left, which is then gone; undefined where there is none. */
  recall(key: string): string | undefined {
    try {
      const note = sessionStorage.getItem(PREFIX + key) ?? undefined
      sessionStorage.removeItem(PREFIX + key)
      return note
    } catch {
      return undefined // There is no such storage in Node, and none in some sandboxed frames.
    }
  },
  keep(key: string, note: string): void {
    try {
      sessionStorage.setItem(PREFIX + key, note)
    } catch {
      // Then the next page starts afresh.
    }
  },
}
