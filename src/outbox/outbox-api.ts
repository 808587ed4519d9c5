import type { SendOptions } from '../shared/contract.js'
import type { Queue } from './queue.js'
import type { HoldfastError } from '../shared/errors.js'
import type { Body } from '../protocol/codec.js'
import type { Entry } from './delivery.js'
import type { OutboxItem } from './outbox-item.js'
import type { Request } from './request.js'

/** What the outbox tells its client. */
export interface OutboxListener {
  /** There may be something to transmit. */
  ready(): void
  stored(entry: Entry): void
  delivered(entry: Entry): void
  failed(entry: Entry): void
  /** The store failed, and no message fails with it. */
  report(error: HoldfastError): void
  /** The number of messages has changed. */
  changed(): void
}

/**
 * The queue of messages that are not yet delivered, in the order in which they were accepted: first those on their way,
 * then those that wait. A message is transmitted only after it is stored, and forgotten by the store only after it was
 * delivered, so that at every moment at least one of us has it.
 */
export interface Outbox extends Queue {
  /** How many messages are not yet delivered, and requests not yet answered. */
  readonly pending: number
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** Opens the store, if it is not open. */
  open(): void
  /** @throws {DeliveryError} `OUTBOX_FULL` */
  add(event: string, body: Body, size: number, options: SendOptions): Entry
  /** A request, which waits in its turn and is not stored. @throws {DeliveryError} `OUTBOX_FULL` */
  ask(event: string, body: Body, size: number): Request
  /** Nobody waits for the answer any more. Says whether somebody did. */
  withdraw(request: Request, error: HoldfastError): boolean
  elapsed(): void
  list(): OutboxItem[]
  remove(id: string): boolean
  clear(): number
  failed(): OutboxItem[]
  /** Gives the messages back to the store; settles when it has them. Their deliveries fail with `CLIENT_CLOSED`. */
  close(): Promise<void>
}
