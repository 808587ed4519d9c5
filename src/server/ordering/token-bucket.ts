/** How often something may happen: so many times per second in the long run, `burst` of them at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** A token bucket: it fills steadily up to `burst`, and each taking empties it by one. */
export interface Bucket {
  /** Whether there was a token; if so it is gone. */
  take(now: number): boolean
  /** When the next token will be there, on the clock of `take`; in the past when it is there already. */
  readonly nextAt: number
}

/** @example createBucket({ perSecond: 100, burst: 200 }, platform.now()).take(platform.now()) */
export function createBucket({ perSecond, burst }: Rate, startedAt: number): Bucket {
  let tokens = burst
  let filledAt = startedAt

  return {
    take(now) {
      tokens = Math.min(burst, tokens + ((now - filledAt) * perSecond) / 1000)
      filledAt = now
      // What is missing by a rounding error only would ring the same timer for ever.
      if (tokens < 1 - 1e-6) return false
      tokens -= 1
      return true
    },
    get nextAt() {
      return filledAt + ((1 - tokens) * 1000) / perSecond
    },
  }
}
