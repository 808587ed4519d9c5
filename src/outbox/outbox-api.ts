import type { SendOptions } from '../shared/contract.js'
import type { HoldfastError } from '../shared/errors.js'
import type { Body } from '../protocol/codec.js'
import type { Entry, Receipt } from './delivery.js'
import type { Forerunners, Make } from './forerunners.js'
import type { OutboxItem } from './outbox-item.js'
import type { Durability } from './storage.js'

/** What the outbox has to tell: the application hears of it when the turn ends. */
export type OutboxNotice =
  | { readonly type: 'stored' | 'delivered' | 'failed'; readonly delivery: Entry }
  /** The store failed, and no message fails with it. */
  | { readonly type: 'error'; readonly error: HoldfastError }

export interface OutboxListener {
  tell(notice: OutboxNotice): void
  /** The store has answered: there may be something to transmit, or to tell. */
  progressed(): void
  /** Whether what waits must wait on: the application is to speak first. Absent: never. */
  isHolding?(): boolean
}

/** The outbox, as a protocol sees it that fills the link. */
export interface Outgoing {
  /** The writer of the page's own messages; empty before the first. */
  readonly writer: string
  readonly inFlight: number
  /** How many bytes the messages in flight have on the wire. */
  readonly bytesInFlight: number
  /** How many requests the server has acknowledged, so that only their replies are still to come. */
  awaited: number
  /** The first pending message of each writer, in the order of the queue. */
  firstPending(): Map<string, number>
  /** The next message to transmit, without taking it. */
  peek(): Entry | undefined
  /** How long ago it was written, in whole milliseconds; negative where the clock of the machine was set back. */
  ageOf(entry: Entry): number
  /** Fails a message that waits. */
  fail(entry: Entry, error: HoldfastError): void
}

/**
 * The messages that are not yet delivered, in the order in which they were accepted. A message is transmitted only after
 * it is stored, or the store has said that it takes it not, and the store forgets it only after it was delivered, so that
 * at every moment one of the two has it. A page that ends or is out of view does not wait for the store's answer: it gives
 * the message to both in the same turn.
 */
export interface Outbox extends Outgoing {
  /** How many messages are not yet delivered; requests that are settled and still in flight do not count. */
  readonly pending: number
  readonly bytes: number
  /** The same object until it changes. */
  readonly durability: Durability
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** Opens the store, if it is not open. */
  open(): void
  /** Lets the store have what has changed: called when a turn ends, since a store may answer at once. */
  flush(): void
  /** The page may be about to end, or is back: meanwhile nothing waits for the store. */
  part(isParting: boolean): void
  /** @throws {DeliveryError} `OUTBOX_FULL` */
  add(event: string, body: Body, bytes: number, options?: SendOptions): Entry
  /**
   * Puts an entry that is never stored, such as a request, in its turn behind those that wait, or before them all where
   * `first` is given. With `overflow: 'drop-newest'` it comes back failed where there is no room.
   *
   * @throws {DeliveryError} `OUTBOX_FULL`
   */
  enter<E extends Entry>(bytes: number, make: Make<E>, first?: Forerunners): E
  /** The entry was transmitted, `frameBytes` on the wire. `position`: where it ends on the connection; `Infinity` where the server acknowledges it. */
  sent(entry: Entry, frameBytes: number, position: number): void
  /**
   * Messages are done with, from the oldest on while `isDone`: delivered, or rejected if `rejections` names them, which
   * are taken out of it. Says whether there were any.
   */
  settle(isDone: (entry: Entry) => boolean, receipt: Receipt, rejections?: Map<string, HoldfastError>): boolean
  /** One message is done with, wherever it stands: delivered, or failed with `error`. */
  finish(entry: Entry, receipt: Receipt, error?: HoldfastError): void
  /** An entry is settled, but keeps its place in flight: the server has yet to count it. */
  release(entry: Entry): void
  /** What is in flight waits again, in its old place; without what is settled, and without what is found oversized. */
  rewind(closeCode?: number): void
  elapsed(): void
  list(): OutboxItem[]
  remove(id: string): boolean
  clear(): number
  failed(): OutboxItem[]
  /** Gives the messages back to the store; settles when it has them. Their deliveries fail with `CLIENT_CLOSED`. */
  close(): Promise<void>
}
