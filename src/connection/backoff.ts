/** The bounds of the waits between attempts, in milliseconds. */
export interface RetryDelay {
  /** The first wait is drawn from [0, min). */
  readonly min: number
  /** No wait is longer than this. */
  readonly max: number
}

/**
 * Full jitter: uniform in [0, min(max, min · 2ⁿ)) milliseconds, n = failures − 1, or in [0, spreadMs) where that is more.
 * It applies from the first retry on, so that clients which were dropped together do not come back together.
 *
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (Brooker, 2015).
 *
 * @param failures how many attempts in a row have failed, from 1
 * @param random uniform in [0, 1)
 */
export const fullJitter = (failures: number, { min, max }: RetryDelay, random: () => number, spreadMs = 0): number =>
  random() * Math.max(Math.min(max, min * 2 ** (failures - 1)), spreadMs)
