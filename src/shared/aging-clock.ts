/** The clocks go apart by their rounding, and while one of them is slewed. By more than so many milliseconds they jump. */
const JUMP_MS = 1_000

/**
 * A clock that never steps back and goes on while the machine sleeps, when the monotonic clock of most systems stands
 * still and the wall clock does not. A wall clock that is set forward looks the same as a sleep; one that is set back
 * counts for nothing.
 *
 * Source: High Resolution Time (W3C), and w3c/hr-time issue 115.
 */
export function createAgingClock({ now, wallNow }: { now(): number; wallNow(): number }): () => number {
  let ahead = wallNow() - now()
  let sleptMs = 0

  return () => {
    const jump = wallNow() - now() - ahead
    if (Math.abs(jump) > JUMP_MS) {
      ahead += jump
      sleptMs += Math.max(0, jump)
    }
    return now() + sleptMs
  }
}
