import { DeliveryError } from '../shared/errors.js'
import { MESSAGE_TOO_BIG } from '../protocol/close-codes.js'
import type { Queue } from '../outbox/queue.js'

/**
 * Finds the message that is too big for somebody on the way, where the server acknowledges: what was on its way at a
 * close with 1009 goes one at a time from then on, so that the next such close names the culprit.
 */
export interface Isolation {
  /** Whether a message may go beside those that are on their way. */
  readonly isOver: boolean
  /** A message that was on its way is done with. */
  acquit(): void
  /** The link is gone, by this close code: what was on its way waits again, but for a message that is found guilty. */
  rewind(closeCode: number): void
}

/** Source: RFC 6455 section 7.4.1, close code 1009. */
export function createIsolation(queue: Queue): Isolation {
  /** How many of the next messages may be the one. */
  let suspects = 0

  return {
    get isOver() {
      return suspects === 0
    },
    acquit() {
      suspects = Math.max(0, suspects - 1)
    },
    rewind(closeCode) {
      const { inFlight } = queue
      const next = queue.peek()
      queue.rewind()
      if (closeCode !== MESSAGE_TOO_BIG) return
      suspects = inFlight === 1 ? Math.max(0, suspects - 1) : inFlight
      const head = queue.peek()
      // A request that nobody waits for any more has left the queue.
      if (inFlight !== 1 || !head || head === next) return
      queue.fail(head, new DeliveryError('TOO_LARGE', 'It alone was on its way when 1009 closed the link'))
    },
  }
}
