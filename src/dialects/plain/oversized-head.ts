import { DeliveryError } from '../../shared/errors.js'
import type { Entry } from '../../outbox/delivery.js'
import { MESSAGE_TOO_BIG } from '../../protocol/close-codes.js'
import type { Queue } from '../../outbox/queue.js'

/** Looks for the message that somebody on the way complains of, without a word which one it was. */
export interface Suspects {
  /** The link is gone, by this close code: what was on its way waits again, but for a message that is found guilty. */
  rewind(closeCode: number): void
}

/** RFC 6455 section 7.4.1: 1009, a message is too big. It may have been one before the head of the queue. */
export function createSuspects(queue: Queue): Suspects {
  /** The head of the queue when the link was last closed with 1009. */
  let suspect: Entry | undefined

  return {
    rewind(closeCode) {
      queue.rewind()
      const head = closeCode === MESSAGE_TOO_BIG ? queue.peek() : undefined
      // Twice, it was this one, and it would hold up all others for ever.
      if (head && head === suspect) {
        queue.fail(head, new DeliveryError('TOO_LARGE', 'The link was closed with 1009 twice over it'))
      }
      suspect = head
    },
  }
}
