import { DeliveryError, type ErrorCode } from '../shared/errors.js'
import type { Entry } from './delivery.js'
import { show, type OutboxItem } from './outbox-item.js'

/** How many failed messages are remembered. */
const FAILED_MAX = 100

/** The last messages that failed, and why; without those that gave way to a newer one of their key. */
export interface Failures {
  record(entry: Entry): void
  /** The last 100, oldest first. */
  list(): OutboxItem[]
  clear(): void
  /** One error for all that fail for the same reason: to make one, with its stack, takes longer than to fail a message. */
  shared(code: ErrorCode, words: string): DeliveryError
}

/** @param told told of each failure */
export function createFailures(told: (entry: Entry) => void): Failures {
  const failed: Entry[] = []
  let last: { readonly words: string; readonly error: DeliveryError } | undefined

  return {
    record(entry) {
      if (entry.isRequest) return // Its promise has told.
      // What gave way to a newer one of its key is not missing: the newer one is there.
      if (entry.error?.code !== 'SUPERSEDED') failed.push(entry)
      if (failed.length > 2 * FAILED_MAX) failed.splice(0, FAILED_MAX) // One at a time would move all the others.
      told(entry)
    },
    clear: () => void (failed.length = 0),
    list: () => failed.slice(-FAILED_MAX).map(show),
    shared(code, words) {
      // In production the error itself has not these words.
      if (last?.error.code !== code || last.words !== words) last = { words, error: new DeliveryError(code, words) }
      return last.error
    },
  }
}
