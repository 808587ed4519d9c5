import type { Entry } from './delivery.js'
import type { OutboxStorage } from './storage.js'

/** How much an outbox holds. */
export interface OutboxMax {
  readonly messages: number
  readonly bytes: number
}

/**
 * What gives way when the outbox is full: `reject` makes `send` throw, `drop-newest` fails the new message,
 * `drop-oldest` fails the oldest that are not in flight. Each failure has the code `OUTBOX_FULL`.
 */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest'

/** How an outbox is made. */
export interface OutboxOptions {
  readonly outbox: OutboxStorage
  readonly outboxMax: OutboxMax
  readonly overflow: Overflow
  /** Whether the server acknowledges, so that what was sent and not acknowledged must be sent again to be known. */
  readonly dialect: { readonly acknowledges: boolean }
}

/** A new message that needs room. */
interface Demand {
  readonly bytes: number
  /** What the outbox holds now. */
  readonly queue: { readonly size: number; readonly bytes: number }
  readonly max: OutboxMax
  /** The messages that go anyway. */
  readonly leaving: ReadonlySet<Entry>
  /** The messages that may be dropped, oldest first. */
  readonly candidates: Iterable<Entry>
}

/** The oldest of the candidates whose leaving makes room for one more message; undefined where all of them do not. */
export function roomFor({ bytes, queue, max, leaving, candidates }: Demand): Entry[] | undefined {
  if (bytes > max.bytes) return undefined // Nor would an empty outbox have room.
  let messagesLeft = queue.size + 1 - max.messages - leaving.size
  let bytesLeft = queue.bytes + bytes - max.bytes
  for (const entry of leaving) bytesLeft -= entry.bytes
  const dropped: Entry[] = []
  if (messagesLeft <= 0 && bytesLeft <= 0) return dropped
  for (const candidate of candidates) {
    if (leaving.has(candidate)) continue
    dropped.push(candidate)
    messagesLeft--
    bytesLeft -= candidate.bytes
    if (messagesLeft <= 0 && bytesLeft <= 0) return dropped
  }
  return undefined
}
