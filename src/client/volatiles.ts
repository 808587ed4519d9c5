import { DeliveryError, type ErrorCode } from '../shared/errors.js'
import type { Entry } from '../outbox/delivery.js'

/** The volatile messages of a client. Those with a key wait for room in the browser's buffer, of each key the newest. */
export interface Volatiles {
  /** How many wait for room. */
  readonly waiting: number
  /** Hands the message to the browser, or lets it wait there, or fails it. */
  send(entry: Entry): void
  /** There may be room. */
  fill(): void
  /** The link is gone, and with it what waits. */
  clear(): void
}

interface Host {
  /** Whether one that can wait need not. */
  hasRoom(): boolean
  /** Hands it to the browser; false where that cannot be. */
  write(entry: Entry): boolean
  failed(entry: Entry): void
}

/** How many may wait: more keys than this are a mistake. */
const WAITING_MAX = 1_000

export function createVolatiles({ hasRoom, write, failed }: Host): Volatiles {
  /** By key, in the order in which the keys came. */
  const waiting = new Map<string, Entry>()

  function fail(entry: Entry, code: ErrorCode, words: string): void {
    entry.fail(new DeliveryError(code, words))
    failed(entry)
  }

  function pass(entry: Entry): void {
    if (write(entry)) entry.pass()
    else fail(entry, 'NOT_CONNECTED', `No connection could take the volatile "${entry.event}"`)
  }

  return {
    get waiting() {
      return waiting.size
    },
    send(entry) {
      const { key } = entry
      if (key === undefined) return pass(entry)
      const older = waiting.get(key)
      if (older) fail(older, 'SUPERSEDED', `A newer message has the key "${key}"`)
      // In the place of the older one: a key that is written often waits no longer for that.
      if (!hasRoom() && (older || waiting.size < WAITING_MAX)) return void waiting.set(key, entry)
      waiting.delete(key)
      pass(entry)
    },
    fill() {
      for (const [key, entry] of waiting) {
        if (!hasRoom()) return
        waiting.delete(key)
        pass(entry)
      }
    },
    clear() {
      const lost = [...waiting.values()]
      waiting.clear()
      for (const entry of lost)
        fail(entry, 'NOT_CONNECTED', `The connection ended before the volatile "${entry.event}"`)
    },
  }
}
