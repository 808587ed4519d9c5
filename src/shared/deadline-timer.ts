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
 */
export function createDeadlineTimer(
  platform: { now(): number; setTimer(callback: () => void, delayMs: number): () => void },
  onElapsed: (now: number) => void,
): DeadlineTimer {
  let cancelTimer: (() => void) | undefined
  let firesAt = Infinity

  return {
    schedule(deadline) {
      if (deadline >= firesAt) return
      cancelTimer?.()
      firesAt = deadline
      cancelTimer = platform.setTimer(() => {
        firesAt = Infinity
        onElapsed(platform.now())
      }, deadline - platform.now())
    },
    cancel() {
      cancelTimer?.()
      firesAt = Infinity
    },
  }
}
