import type { Notes } from '../../platform/platform.js'
import type { Presence } from '../dialect.js'

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
  /**
   * What becomes of the page. One that is back takes its note away: a copy of its tab gets a session of its own.
   *
   * @param told how far the application was told: the next page goes on there
   */
  leave(place: Place | undefined, told: Place | undefined, presence: Presence): void
  /** The place may have changed: what a page left that is away is written anew. Without a place the note goes. */
  update(place: Place | undefined, told: Place | undefined): void
}

/** @param key the note's name; undefined: no note is left */
export function createPlaceNote(notes: Notes, key: string | undefined): PlaceNote {
  let hasRecalled = key === undefined
  /** Whether a note is kept up to date. */
  let isKeeping = false
  let kept: string | undefined
  let last: readonly (Place | undefined)[] = []

  function write(place: Place | undefined, told: Place | undefined): void {
    if (key === undefined || !place) return
    kept = JSON.stringify(told?.id === place.id ? { ...told, c: place.c } : { ...place, s: 0, g: undefined })
    notes.keep(key, kept)
  }

  /** Takes our own note away; that of another page, which was here meanwhile, stays. */
  function erase(): void {
    if (key === undefined || kept === undefined) return
    const found = notes.recall(key)
    if (found !== undefined && found !== kept) notes.keep(key, found)
    kept = undefined
  }

  return {
    recall(place) {
      if (hasRecalled || key === undefined) return place
      hasRecalled = true
      return placeOf(notes.recall(key))
    },
    leave(place, told, presence) {
      if (presence !== 'back') write(place, told)
      else if (isKeeping) erase()
      isKeeping = presence === 'away'
    },
    update(place, told) {
      if (!isKeeping || (last[0] === place && last[1] === told)) return
      last = [place, told]
      if (place) write(place, told)
      else erase()
    },
  }
}
