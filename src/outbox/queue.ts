import { createDeadlineHeap } from '../shared/deadline-heap.js'
import type { Entry, Expiry } from './delivery.js'

/**
 * Messages that are not yet delivered, in their order: first those in flight, then those that wait. Pure: it knows no
 * store and no clock. Every operation takes O(1), or O(log n) for one with a time to live, at any length.
 */
export interface Queue {
  readonly size: number
  readonly bytes: number
  readonly inFlight: number
  /** How many bytes the messages in flight have on the wire. */
  readonly bytesInFlight: number
  /** The oldest of all. */
  readonly first: Entry | undefined
  /** The newest of all. */
  readonly last: Entry | undefined
  /** The oldest that waits. */
  readonly next: Entry | undefined
  /** Of the entries with a time to live that wait, the one that expires first. */
  readonly soonest: Expiry | undefined
  /** The messages with this key that wait. One, as a rule: more where another page has left some, or the link was cut. */
  withKey(key: string): Iterable<Entry>
  /** The entry of this id. The first call makes an index, which later ones use. */
  byId(id: string): Entry | undefined
  /**
   * Puts an entry at the end, or before `anchor`, which must wait.
   *
   * @param expiresAt on the clock of the caller; `Infinity`: never
   */
  insert(entry: Entry, expiresAt: number, anchor?: Entry): void
  /** The entry does not expire any more, unless it is in flight and waits again. */
  forgetExpiry(entry: Entry): void
  /** Takes an entry out, wherever it stands; nothing happens to one that is out already. */
  remove(entry: Entry): void
  /** The next entry is in flight from now on, with so many bytes on the wire. */
  take(frameBytes: number): void
  /**
   * What is in flight waits again, in its old place.
   *
   * @returns those of them, the newest first, whose key a newer waiting message has too
   */
  rewind(): Entry[]
  clear(): void
}

export function createQueue(): Queue {
  let first: Entry | undefined
  let last: Entry | undefined
  let next: Entry | undefined
  let size = 0
  let bytes = 0
  let inFlight = 0
  let bytesInFlight = 0
  const expiries = createDeadlineHeap<Expiry>()
  /** Those that wait, by key: a set only where there are several, since 100,000 sets take longer than all else. */
  const keys = new Map<string, Entry | Set<Entry>>()
  let ids: Map<string, Entry> | undefined

  function link(before: Entry | undefined, after: Entry | undefined): void {
    if (before) before.after = after
    else first = after
    if (after) after.before = before
    else last = before
  }

  function addKey(entry: Entry): void {
    if (entry.key === undefined) return
    const known = keys.get(entry.key)
    if (!known) keys.set(entry.key, entry)
    else if (known instanceof Set) known.add(entry)
    else keys.set(entry.key, new Set([known, entry]))
  }

  function forgetKey(entry: Entry): void {
    if (entry.key === undefined) return
    const known = keys.get(entry.key)
    if (known instanceof Set) known.delete(entry)
    if (known === entry || (known instanceof Set && !known.size)) keys.delete(entry.key)
  }

  const forgetExpiry = ({ expiry }: Entry): void => expiry && expiries.remove(expiry)

  return {
    get size() {
      return size
    },
    get bytes() {
      return bytes
    },
    get inFlight() {
      return inFlight
    },
    get bytesInFlight() {
      return bytesInFlight
    },
    get first() {
      return first
    },
    get last() {
      return last
    },
    get next() {
      return next
    },
    get soonest() {
      return expiries.first
    },
    withKey(key) {
      const known = keys.get(key)
      return known instanceof Set ? known : known ? [known] : []
    },
    byId(id) {
      if (!ids) {
        ids = new Map()
        for (let entry = first; entry; entry = entry.after) ids.set(entry.id, entry)
      }
      return ids.get(id)
    },
    insert(entry, expiresAt, anchor) {
      link(anchor ? anchor.before : last, entry)
      link(entry, anchor)
      if (next === anchor) next = entry
      entry.place = 'waiting'
      size++
      bytes += entry.bytes
      addKey(entry)
      if (expiresAt !== Infinity)
        expiries.add((entry.expiry = { at: expiresAt, sequence: entry.sequence, index: -1, entry }))
      ids?.set(entry.id, entry)
    },
    forgetExpiry,
    remove(entry) {
      if (entry.place === 'out') return
      if (entry.place === 'in flight') {
        inFlight--
        bytesInFlight -= entry.frameBytes
      } else {
        forgetKey(entry)
        if (entry === next) next = entry.after
      }
      link(entry.before, entry.after)
      entry.before = entry.after = undefined
      entry.place = 'out'
      size--
      bytes -= entry.bytes
      forgetExpiry(entry)
      ids?.delete(entry.id)
      if (!size) ids = undefined
    },
    take(frameBytes) {
      if (!next) return
      forgetKey(next)
      forgetExpiry(next)
      next.place = 'in flight'
      next.frameBytes = frameBytes
      inFlight++
      bytesInFlight += frameBytes
      next = next.after
    },
    rewind() {
      const outdated: Entry[] = []
      for (let entry = next ? next.before : last; entry; entry = entry.before) {
        entry.place = 'waiting'
        if (entry.expiry) expiries.add(entry.expiry)
        if (entry.key !== undefined && keys.has(entry.key)) outdated.push(entry)
        addKey(entry)
      }
      next = first
      inFlight = bytesInFlight = 0
      return outdated
    },
    clear() {
      for (let entry = first; entry;) {
        const { after } = entry
        entry.before = entry.after = undefined
        entry.place = 'out'
        entry = after
      }
      first = last = next = undefined
      size = bytes = inFlight = bytesInFlight = 0
      expiries.clear()
      keys.clear()
      ids = undefined
    },
  }
}

/** The entry and those behind it, whatever becomes of each meanwhile. */
export function* entriesFrom(entry: Entry | undefined): Generator<Entry> {
  for (let next; entry; entry = next) {
    next = entry.after
    yield entry
  }
}

/** Those that are not settled. */
export const wantedOf = ({ first }: Queue): Entry[] => [...entriesFrom(first)].filter(({ isDone }) => !isDone)

/** The first sequence of each writer, in the order of the queue. */
export function firstsOf({ first }: Queue): Map<string, number> {
  const firsts = new Map<string, number>()
  for (const { writer, sequence } of entriesFrom(first)) if (!firsts.has(writer)) firsts.set(writer, sequence)
  return firsts
}
