import type { Notes } from '../../platform/platform.js'

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

/** The note in which a page leaves its place for the next page in its tab. */
export interface PlaceNote {
  /** The place that the last page left, the first time; then, and where there is none, the given one. */
  recall(place: Place | undefined): Place | undefined
  /** @param told how far the application was told: the next page goes on there */
  leave(place: Place | undefined, told: Place | undefined): void
}

/** @param key the note's name; undefined: no note is left */
export function createPlaceNote(notes: Notes, key: string | undefined): PlaceNote {
  let hasRecalled = key === undefined

  return {
    recall(place) {
      if (hasRecalled || key === undefined) return place
      hasRecalled = true
      return placeOf(notes.recall(key))
    },
    leave(place, told) {
      if (key === undefined || !place) return
      notes.keep(
        key,
        JSON.stringify(told?.id === place.id ? { ...told, c: place.c } : { ...place, s: 0, g: undefined }),
      )
    },
  }
}
