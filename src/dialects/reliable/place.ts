/**
 * A place in the server's stream: the session, the last message that was handled, its tag, and how often the client has
 * asked to go on there, by which the server knows a hello that comes too late.
 */
export interface Place {
  id: string
  s: number
  g?: string
  c: number
}

/** What a note says; undefined for one that is damaged, or that somebody else has written. */
export function placeOf(note = ''): Place | undefined {
  try {
    const { id, s, g, c = 0 } = JSON.parse(note) as Omit<Place, 'c'> & Partial<Place>
    const isPlace =
      typeof id === 'string' && id !== '' && [s, c].every((count) => Number.isSafeInteger(count) && count >= 0)
    if (!isPlace || (s > 0 && typeof g !== 'string')) return undefined
    return s > 0 && g !== undefined ? { id, s, g, c } : { id, s, c }
  } catch {
    return undefined
  }
}
