import type { HoldfastError } from '../shared/errors.js'
import type { Entry, Receipt } from './delivery.js'

/** The client's messages, as a dialect sees them. */
export interface Queue {
  /** The writer of the page's own messages; empty before the first. */
  readonly writer: string
  /** How many bytes of messages are not yet delivered, those on their way among them. */
  readonly bytes: number
  /** How many messages are on their way, and how many bytes they have on the wire. */
  readonly inFlight: number
  readonly bytesInFlight: number
  /** The first waiting message of each writer, in the order of the queue. */
  heads(): Map<string, number>
  /** The next message to transmit, without taking it. */
  peek(): Entry | undefined
  /** It was transmitted: `bytes` of frame, up to `position` of the connection. */
  sent(entry: Entry, position: number, bytes: number): void
  /**
   * Messages are done with, from the oldest on while `isDone`: delivered, or rejected if `rejections` names them, which
   * are taken out of it. Says whether there were any.
   */
  settle(isDone: (entry: Entry) => boolean, receipt: Receipt, rejections?: Map<string, HoldfastError>): boolean
  /** One message is done with, wherever it stands: delivered, or failed with `error`. */
  finish(entry: Entry, receipt: Receipt, error?: HoldfastError): void
  /** The reply to a request. */
  answer(id: string, answer: { data?: unknown; error?: HoldfastError }): void
  /** The replies of acknowledged requests will never come. */
  loseAnswers(): void
  /** The connection is gone: what was on its way waits again, in its old place. */
  rewind(): void
  /** Fails a message that waits. */
  fail(entry: Entry, error: HoldfastError): void
}
