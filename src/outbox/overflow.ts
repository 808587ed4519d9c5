import type { Entry } from './delivery.js'
import type { OutboxStore } from './store.js'

/** How much an outbox holds. */
export interface OutboxMax {
  readonly messages: number
  readonly bytes: number
}

/**
 * What gives way when the outbox is full: `reject` makes `send` throw, `drop-newest` fails the new message,
 * `drop-oldest` fails the oldest that are not on their way. Each failure has the code `OUTBOX_FULL`.
 */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest'

/** How an outbox is made. */
export interface OutboxOptions {
  readonly outbox: OutboxStore
  readonly outboxMax: OutboxMax
  readonly overflow: Overflow
  /** Whether the server acknowledges, so that what was sent and not acknowledged must be sent again to be known. */
  readonly dialect: { readonly acknowledges: boolean }
}

/** What asks for room. */
interface Wish {
  /** The size of the new message, in bytes. */
  readonly size: number
  readonly held: OutboxMax
  readonly max: OutboxMax
  /** Those that go anyway. */
  readonly leaving: readonly Entry[]
  /** Those that may be made to go, oldest first. */
  readonly candidates: readonly Entry[]
}

/** Who gives way to one more message; undefined where that makes no room. */
export function roomFor({ size, held, max, leaving, candidates }: Wish): Entry[] | undefined {
  const messages = held.messages - leaving.length + 1 - max.messages
  const bytes = leaving.reduce((sum, entry) => sum - entry.bytes, held.bytes + size - max.bytes)
  if (messages <= 0 && bytes <= 0) return []
  return oldestToLeave(
    candidates.filter((entry) => !leaving.includes(entry)),
    { messages, bytes },
  )
}

/** How much must give way. */
interface Excess {
  readonly messages: number
  readonly bytes: number
}

/** The oldest of `candidates` whose leaving makes room; undefined where all of them together do not. */
export function oldestToLeave(candidates: readonly Entry[], { messages, bytes }: Excess): Entry[] | undefined {
  let messagesLeft = messages
  let bytesLeft = bytes
  const leaving: Entry[] = []
  for (const candidate of candidates) {
    if (messagesLeft <= 0 && bytesLeft <= 0) break
    leaving.push(candidate)
    messagesLeft--
    bytesLeft -= candidate.bytes
  }
  return messagesLeft <= 0 && bytesLeft <= 0 ? leaving : undefined
}
