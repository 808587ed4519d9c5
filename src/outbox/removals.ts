import type { HoldfastError } from '../shared/errors.js'
import type { Entry } from './delivery.js'
import type { Failures } from './failures.js'
import { entriesFrom, type Queue } from './queue.js'

/** Takes messages out of the queue that were not delivered. */
export interface Removals {
  /** Whether it may be taken back: a message that a server may have handled must be sent again, to be known. */
  isRemovable(entry: Entry): boolean
  /** What waits and may be taken back. */
  waiting(): Generator<Entry>
  /** Fails a waiting entry; `isKept` where the store may have it. */
  discard(entry: Entry, error: HoldfastError, isKept?: boolean): void
  /** The store does not take the entry. What is on its way, or may have arrived, goes on without. */
  refuse(entry: Entry, error: HoldfastError): void
  supersede(entry: Entry): void
  removeAll(entries: Iterable<Entry>): number
}

interface Holders {
  readonly queue: Queue
  readonly failures: Failures
  /** Whether the server acknowledges messages. */
  readonly acknowledges: boolean
  /** The store may forget it. */
  forget(entry: Entry): void
}

export function createRemovals({ queue, failures, acknowledges, forget }: Holders): Removals {
  const isRemovable = (entry: Entry): boolean => !(acknowledges && entry.wasSent && !entry.isAdopted)

  function discard(entry: Entry, error: HoldfastError, isKept = true): void {
    queue.remove(entry)
    if (isKept && !entry.isRequest) forget(entry)
    entry.fail(error)
    failures.record(entry)
  }

  return {
    isRemovable,
    *waiting() {
      for (const entry of entriesFrom(queue.next)) if (isRemovable(entry)) yield entry
    },
    discard,
    refuse(entry, error) {
      if (entry.place === 'waiting' && isRemovable(entry)) discard(entry, error, false)
      else entry.keepOut(error)
    },
    supersede(entry) {
      discard(entry, failures.shared('SUPERSEDED', `A newer message has the key "${entry.key}"`))
    },
    removeAll(entries) {
      let count = 0
      for (const entry of entries) {
        discard(entry, failures.shared('REMOVED', 'Removed from the outbox'))
        count++
      }
      return count
    },
  }
}
