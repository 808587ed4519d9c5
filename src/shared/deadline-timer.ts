/** A single timer for many deadlines. */
export interface Alarm {
  /** `ring` is wanted no later than at `deadline`, on the monotonic clock. */
  by(deadline: number): void
  /** Does not ring any more, until asked anew. */
  cancel(): void
}

/**
 * The one timer. It is set anew only when it would ring too late; one that rings too early finds nothing due. Setting a
 * timer is the dearest thing that sending a message could do.
 */
export function createAlarm(
  platform: { now(): number; setTimer(callback: () => void, delayMs: number): () => void },
  ring: (now: number) => void,
): Alarm {
  let cancelTimer: (() => void) | undefined
  let ringsAt = Infinity

  return {
    by(deadline) {
      if (deadline >= ringsAt) return
      cancelTimer?.()
      ringsAt = deadline
      cancelTimer = platform.setTimer(() => {
        ringsAt = Infinity
        ring(platform.now())
      }, deadline - platform.now())
    },
    cancel() {
      cancelTimer?.()
      ringsAt = Infinity
    },
  }
}
