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
}
