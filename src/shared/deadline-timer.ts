/** A single timer for many deadlines. */
export interface DeadlineTimer {
  /** `onElapsed` is wanted no later than at `deadline`, on the monotonic clock. */
  schedule(deadline: number): void
  /** Calls nothing any more, until it is scheduled anew. */
  cancel(): void
}

/**
 * The one timer. It is set anew only when it would fire too late; one that fires too early finds nothing due. Setting a
 * timer costs more than all else in sending a message.
 *
 * A timer that a timer has set is a link of a chain, and in a hidden page browsers fire those once a minute. So such a
 * timer is set anew, once, by the next turn that another event begins, such as a frame.
 *
 * Source: developer.chrome.com, "Heavy throttling of chained JS timers beginning in Chrome 88".
 */
export function createDeadlineTimer(
  platform: { now(): number; setTimer(callback: () => void, delayMs: number): () => void },
  onElapsed: (now: number, deadline: number) => void,
): DeadlineTimer {
  let cancelTimer: (() => void) | undefined
  let firesAt = Infinity
  let isElapsing = false
  let isChained = false

  return {
    schedule(deadline) {
      if (deadline >= firesAt && (isElapsing || !isChained || deadline === Infinity)) return
      cancelTimer?.()
      firesAt = deadline
      isChained = isElapsing
      cancelTimer = platform.setTimer(() => {
        firesAt = Infinity
        isElapsing = true
        try {
          onElapsed(platform.now(), deadline)
        } finally {
          isElapsing = false
        }
      }, deadline - platform.now())
    },
    cancel() {
      cancelTimer?.()
      firesAt = Infinity
      isChained = false
    },
  }
}
