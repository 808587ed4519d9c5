import { ask } from '../shared/ask.js'
import type { HoldfastError } from '../shared/errors.js'
import type { Entry } from './delivery.js'
import type { Failures } from './failures.js'
import type { Queue } from './queue.js'

/** Fails what waits and is not wanted any more: its time is over, or its `validWhile` says so. */
export interface Staleness {
  /** Says whether all is expired whose time it is; else more is due at once. */
  expire(): boolean
  /** The next message that is wanted, if it is ready. */
  next(): Entry | undefined
}

interface Host {
  readonly queue: Pick<Queue, 'soonest' | 'next' | 'forgetExpiry'>
  readonly failures: Pick<Failures, 'shared'>
  now(): number
  /** Whether it need not wait for the store. */
  isReady(entry: Entry): boolean
  /** Whether no server can have handled it. */
  isRemovable(entry: Entry): boolean
  discard(entry: Entry, error: HoldfastError): void
  report(error: HoldfastError): void
}

/** How many messages expire in one task: 100,000 would hold up the page. */
const EXPIRIES_MAX = 10_000

export function createStaleness({ queue, failures, now, isReady, isRemovable, discard, report }: Host): Staleness {
  let isAsking = false

  /** Anything but true fails the message: what was not sent can be sent again, what was sent cannot be taken back. */
  function isValid(entry: Entry): boolean {
    const { validWhile } = entry
    if (!validWhile || !isRemovable(entry)) return true
    isAsking = true
    const answer: unknown = ask('validWhile', validWhile, report)
    isAsking = false
    if (answer === true) return true
    if (entry.place === 'waiting') discard(entry, failures.shared('INVALIDATED', 'Its validWhile did not answer true'))
    return false
  }

  return {
    expire() {
      const at = now()
      let left = EXPIRIES_MAX
      for (let late = queue.soonest; late && late.at <= at; late = queue.soonest) {
        if (!left--) return false
        const { entry } = late
        queue.forgetExpiry(entry)
        if (!isRemovable(entry)) continue
        discard(entry, failures.shared('EXPIRED', `Not sent within ${entry.ttlMs} ms`))
      }
      return true
    },
    next() {
      // What the function itself sends waits for its answer.
      for (let { next } = queue; next && !isAsking && isReady(next); next = queue.next)
        if (isValid(next) && next === queue.next) return next
      return undefined
    },
  }
}
