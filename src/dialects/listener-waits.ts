/** What a protocol knows of the application's listeners. */
export interface Audience {
  /** Whether the event has a listener or once had one, or is no longer waited for. */
  isKnown(event: string): boolean
  /** Nobody waits any more for a listener of this event. */
  forgo(event: string): void
}

/** The events that have come and never had a listener, each until it has one or its wait is over. */
export interface ListenerWaits {
  /** When the first wait is over, on the monotonic clock. */
  readonly deadline: number
  /** Whether messages of this event are to wait for a listener: the first one begins the wait. */
  isAwaited(event: string, now: number): boolean
  /** Ends the waits that are over, and returns their events. */
  elapsed(now: number): string[]
  clear(): void
}

/** How long an event waits for its first listener, in milliseconds, where nothing else is said. */
export const LISTEN_WAIT_MS = 10_000

/** Where nothing is known of listeners, everything is heard. */
const EVERYBODY: Audience = { isKnown: () => true, forgo() {} }

/** @param waitMs how long an event waits for its first listener, in milliseconds */
export function createListenerWaits(audience: Audience = EVERYBODY, waitMs: number): ListenerWaits {
  /** In the order of their ends, since all waits are equally long. */
  const ends = new Map<string, number>()

  return {
    get deadline() {
      return ends.values().next().value ?? Infinity
    },
    isAwaited(event, now) {
      if (audience.isKnown(event)) return false
      if (!ends.has(event)) ends.set(event, now + waitMs)
      return true
    },
    elapsed(now) {
      const over: string[] = []
      for (const [event, end] of ends) {
        const isKnown = audience.isKnown(event)
        if (!isKnown && end > now) continue
        ends.delete(event)
        audience.forgo(event)
        if (!isKnown) over.push(event)
      }
      return over
    },
    clear: () => ends.clear(),
  }
}
