/**
 * Keeps the mark of a database outside of it, in `localStorage`: browsers delete a damaged database and make an empty one
 * in its place, without a word. Where the site's data is cleared the mark goes too: somebody wanted that.
 *
 * @returns whether another database stood here before. False where there is no `localStorage`, as in a worker.
 */
export function isReplaced(name: string, birth: string): boolean {
  try {
    const { localStorage } = globalThis
    const before = localStorage.getItem(name)
    if (before !== birth) localStorage.setItem(name, birth)
    return before !== null && before !== birth
  } catch {
    return false
  }
}
