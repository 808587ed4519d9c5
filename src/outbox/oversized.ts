import { MESSAGE_TOO_BIG } from '../protocol/close-codes.js'
import type { Entry } from './delivery.js'

/**
 * Finds the message for which a server or proxy closed the link with 1009: the close code does not name it.
 * Source: RFC 6455 section 7.4.1.
 */
export interface OversizedMessageDetector {
  /** While it searches, one message at a time may be in flight, so that the next 1009 names the culprit. */
  readonly isSearching: boolean
  /** A message in flight is done with: it was not the culprit. */
  acquit(): void
  /**
   * The link is gone.
   *
   * @param closeCode how it was closed; undefined where it is there, and what is in flight must be sent again
   * @param inFlight how many messages were in flight
   * @param oldest the oldest of them that is still wanted
   * @returns the culprit, once there is no doubt
   */
  closed(closeCode: number | undefined, inFlight: number, oldest: Entry | undefined): Entry | undefined
}

/**
 * @param acknowledges whether a message stays in flight until the server has it. Where it only stays until it has left
 * the browser, the culprit may be one that is gone already: then a message must have been the oldest in flight twice in a row.
 */
export function createOversizedMessageDetector(acknowledges: boolean): OversizedMessageDetector {
  /** How many of the next messages may be the culprit. */
  let candidates = 0
  let lastOldest: Entry | undefined

  return {
    get isSearching() {
      return candidates > 0
    },
    acquit() {
      if (candidates) candidates--
    },
    closed(closeCode, inFlight, oldest) {
      if (closeCode !== MESSAGE_TOO_BIG) {
        if (inFlight) lastOldest = undefined // Not twice in a row.
        return undefined
      }
      if (!acknowledges) {
        const isSame = oldest === lastOldest
        lastOldest = oldest
        return isSame ? oldest : undefined
      }
      const wasAlone = inFlight === 1
      candidates = wasAlone ? Math.max(0, candidates - 1) : inFlight
      return wasAlone ? oldest : undefined
    },
  }
}
