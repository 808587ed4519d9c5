import type { Entry } from './delivery.js'
import { ALL_SENT } from './store.js'

/**
 * What the store knows of messages that were never handed to a socket: who finds them later sends them as new. A note says
 * from where on a writer's messages are such. It is written with the first that is stored without a connection, and
 * struck before one of them is handed over. A writer without a note may have sent all that it has stored.
 */
export interface Unsent {
  /** This entry is next; none where nothing waits. There is a connection, and whether it may have the entry. */
  mayHandOver(next: Entry | undefined): boolean
  /** The connection is gone: what is stored from now on is not handed over. */
  linkLost(): void
  /** The entry is about to be stored. */
  appended(entry: Entry): void
  /** The store has a note of another page's messages. */
  found(writer: string, from: number): void
  committed(written: Notes): void
  /** @param isFinal whether the next try, with the next commit, is in vain */
  failed(isFinal: boolean): void
  /** The store is opened anew. */
  forget(): void
}

/** Writer → the first of its messages that was never sent. */
export type Notes = ReadonlyMap<string, number>

/** After so many tries, the last some 7 s after the first, messages are sent whatever the store knows. */
const TRIES_MAX = 4

/** @param note writes a note with the next commit, and with those after it until it is written */
export function createUnsent(note: (writer: string, from: number) => void): Unsent {
  /** Until the first `linkLost` nothing is noted: a plain server is not told what was sent before. */
  let isLive = true
  /** What the store may have. */
  const notes = new Map<string, number>()
  const striking = new Set<string>()
  let tries = 0
  let isHolding = false

  function forget(): void {
    notes.clear()
    striking.clear()
    tries = 0
  }

  return {
    mayHandOver(next) {
      isLive = true
      isHolding = !!next && !next.keptOut && !next.isRequest && (notes.get(next.writer) ?? ALL_SENT) <= next.sequence
      if (striking.size) return !isHolding
      for (const writer of notes.keys()) {
        striking.add(writer) // All at once, though nothing may be next: the last words of a page cannot wait for it.
        note(writer, ALL_SENT)
      }
      return !isHolding
    },
    linkLost() {
      isLive = isHolding = false
    },
    appended({ writer, sequence }) {
      // What is struck is lost from sight: the note begins anew, and until it is written the old one may be there.
      if (isLive || (notes.has(writer) && !striking.delete(writer))) return
      if (!notes.has(writer)) notes.set(writer, sequence)
      note(writer, sequence)
    },
    found: (writer, from) => void notes.set(writer, from),
    committed(written) {
      for (const [writer, from] of written) {
        tries = 0
        if (from !== ALL_SENT) notes.set(writer, from)
        else if (striking.delete(writer)) notes.delete(writer)
      }
    },
    failed(isFinal) {
      if (!isHolding || (!isFinal && ++tries < TRIES_MAX)) return
      forget()
    },
    forget,
  }
}
