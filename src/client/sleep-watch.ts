import type { Platform } from '../platform/platform.js'
import { createAgingClock } from '../shared/aging-clock.js'

/** Finds out soon that the machine has slept: the link may have died meanwhile, and no event says so. */
export interface SleepWatch {
  /** When the clocks are compared next. While the page is out of view they are not: its timers are throttled. */
  readonly deadline: number
  /** A timer that was due at `deadline` fires: says whether the machine has slept since the last one. */
  hasSlept(now: number, deadline: number): boolean
}

/** A timer that fires so much too late, in milliseconds, says so where the monotonic clock goes on in a sleep. */
const LATE_MS = 5_000

/** So much of a sleep, in milliseconds, may have cost the link. */
const SLEEP_MS = 1_000

/** The clocks are compared so often, in milliseconds. */
const LOOK_MS = 5_000

export function createSleepWatch(platform: Pick<Platform, 'now' | 'wallNow' | 'isHidden'>): SleepWatch {
  const agingNow = createAgingClock(platform)
  let sleptMs = agingNow() - platform.now()
  let lookAt = platform.now() + LOOK_MS

  return {
    get deadline() {
      return platform.isHidden ? Infinity : lookAt
    },
    hasSlept(now, deadline) {
      const isLate = now - deadline > LATE_MS
      lookAt = now + LOOK_MS
      const before = sleptMs
      sleptMs = agingNow() - now
      return isLate || sleptMs - before > SLEEP_MS
    },
  }
}
