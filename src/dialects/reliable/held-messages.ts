import type { ListenerWaits } from '../listener-waits.js'
import type { StreamFrame } from './stream-events.js'

/** The part of the server's stream that has come and waits: its head is a message that never had a listener. */
export interface HeldMessages {
  /** The last sequence that is held; undefined where none is. */
  readonly last: number | undefined
  /** Whether the frame has to wait; if so, it is held. */
  holds(frame: StreamFrame, now: number): boolean
  /** The frames whose turn has come, oldest first. */
  release(now: number): StreamFrame[]
  /** The link is gone: the server sends them again. */
  clear(): void
}

export function createHeldMessages(waits: ListenerWaits): HeldMessages {
  let held: StreamFrame[] = []

  // The wait of each begins when it comes, so that several do not add up.
  const isAwaited = (frame: StreamFrame, now: number): boolean => frame.t === 'm' && waits.isAwaited(frame.e, now)

  return {
    get last() {
      return held.at(-1)?.s
    },
    holds(frame, now) {
      if (!isAwaited(frame, now) && !held.length) return false
      held.push(frame)
      return true
    },
    release(now) {
      const head = held.findIndex((frame) => isAwaited(frame, now))
      return held.splice(0, head < 0 ? held.length : head)
    },
    clear() {
      held = []
    },
  }
}
