/** How often something may happen: so many times per second in the long run, `burst` of them at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * A token bucket: it fills steadily up to `burst`, and each `take` empties it by one. It starts full.
 *
 * @example new TokenBucket({ perSecond: 100, burst: 200 }).take(platform.now())
 */
export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #filledAt = -Infinity

  constructor(rate: Rate) {
    this.#rate = rate
    this.#tokens = rate.burst
  }

  /** Whether there was a token; if so it is gone. */
  take(now: number): boolean {
    const { perSecond, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000)
    this.#filledAt = now
    // A bucket that lacks one token by a rounding error only would set the same timer for ever.
    if (this.#tokens < 1 - 1e-6) return false
    this.#tokens -= 1
    return true
  }

  /** When the next token will be there, on the clock of `take`; in the past when it is there already. */
  get nextAt(): number {
    return this.#filledAt + ((1 - this.#tokens) * 1000) / this.#rate.perSecond
  }
}
