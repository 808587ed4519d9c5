/** Where a sequence stands with respect to what has been received. */
export type Order = 'next' | 'repeat' | 'gap'

/** @param last the highest sequence received so far */
export const orderOf = (sequence: number, last: number): Order =>
  sequence <= last ? 'repeat' : sequence === last + 1 ? 'next' : 'gap'

/** An acknowledgement waits at most this long, in milliseconds … */
export const ACK_DELAY_MS = 25

/** … or for so many messages. */
export const ACK_MESSAGES_MAX = 16

/** When an acknowledgement is due that stands for `count` messages, the last of them handled at `now`. */
export const ackDeadline = (count: number, deadline: number, now: number): number =>
  count >= ACK_MESSAGES_MAX ? now : Math.min(deadline, now + ACK_DELAY_MS)

/** When to acknowledge: acknowledgements are cumulative, so that one may stand for many. */
export interface AckSchedule {
  /** When one is due, on the clock of `handled`; `Infinity` when nothing is to be acknowledged. */
  readonly deadline: number
  /** Another message was handled, or a repeat asks for the word that it has missed. */
  handled(now: number): void
  /** What was due is sent, or never will be. */
  clear(): void
}

export function createAckSchedule(): AckSchedule {
  let count = 0
  let deadline = Infinity

  return {
    get deadline() {
      return deadline
    },
    handled(now) {
      deadline = ackDeadline(++count, deadline, now)
    },
    clear() {
      count = 0
      deadline = Infinity
    },
  }
}
