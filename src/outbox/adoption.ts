import type { HoldfastError } from '../shared/errors.js'
import { sizeOf } from '../protocol/codec.js'
import { Entry } from './delivery.js'
import type { Queue } from './queue.js'
import { ALL_SENT, type StoredMessage } from './store.js'

/** Messages that another page, or an earlier opening, has left. */
export interface Adoption {
  readonly messages: readonly StoredMessage[]
  /** Whether the storage was open before, so that our own may be on their way. */
  readonly isOpen: boolean
  /** Those from this sequence on were never handed to a server; absent: nothing is known. */
  readonly unsentFrom?: number | undefined
  /** Why they are in memory only. */
  readonly keptOut?: HoldfastError
}

interface Place {
  readonly queue: Queue
  /** Of our own messages. */
  readonly writer: string
  now(): number
  wallNow(): number
}

/** Puts them before our own messages while none of those was sent, behind them later. */
export function adopt(
  { queue, writer: ownWriter, now, wallNow }: Place,
  { messages, isOpen, unsentFrom = ALL_SENT, keptOut }: Adoption,
): void {
  const isOurs = ({ place, writer }: Entry): boolean => place === 'waiting' && writer === ownWriter
  let anchor: Entry | undefined
  // From the end: of our own there are few so early, and of others there may be thousands.
  for (let own = isOpen ? undefined : queue.last; own && isOurs(own); own = own.before) anchor = own
  for (const { writer, sequence, event, body, enqueuedAt, ttlMs, key } of messages) {
    const entry = new Entry(writer, sequence, event, body, sizeOf(body), enqueuedAt, ttlMs, key)
    const leftMs = ttlMs === undefined ? Infinity : Math.min(ttlMs, enqueuedAt + ttlMs - wallNow())
    if (keptOut) entry.keepOut(keptOut)
    else entry.keep()
    entry.isAdopted = true
    entry.wasSent = sequence < unsentFrom
    queue.insert(entry, now() + leftMs, anchor)
  }
}
