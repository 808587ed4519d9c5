import type { Audience } from '../dialects/listener-waits.js'

/** How many events are remembered that had a listener, or are not waited for; then all are forgotten at once. */
const EVENTS_MAX = 10_000

/**
 * Remembers which events ever had a listener.
 *
 * @param count how many listeners the event has now
 */
export function createAudience(count: (event: string) => number): Audience {
  const known = new Set<string>()

  return {
    isKnown: (event) => known.has(event) || count(event) > 0,
    forgo(event) {
      if (known.size === EVENTS_MAX) known.clear()
      known.add(event)
    },
  }
}
