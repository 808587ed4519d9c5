import type { Body } from '../protocol/codec.js'
import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import type { Timed } from '../shared/deadline-heap.js'
import { messageId } from '../protocol/writer-id.js'
import type { MessageReference, StoredMessage } from './store.js'

/**
 * How far a message has come.
 *
 * - `queued`: accepted, in memory.
 * - `stored`: in the outbox's store; survives what the store survives.
 * - `sent`: handed to the browser on a live connection.
 * - `delivered`: confirmed, see `Receipt`.
 * - `failed`: never delivered; `error` says why.
 */
export type DeliveryStatus = 'queued' | 'stored' | 'sent' | 'delivered' | 'failed'

/** How a delivery was confirmed. */
export interface Receipt {
  /**
   * `browser`: the message has left this browser's buffer on a live connection, which is all that a plain server lets
   * anyone know; it may still be lost with the link. `server`: the server has said that it has the message.
   */
  readonly confirmedBy: 'browser' | 'server'
}

/** Confirmed by the browser alone. */
export const LEFT_THE_BROWSER: Receipt = Object.freeze({ confirmedBy: 'browser' })

/** The server has acknowledged it. */
export const ACKNOWLEDGED: Receipt = Object.freeze({ confirmedBy: 'server' })

/** The result of `send`. Its promises are made when they are first read, so that one without a handler harms nothing. */
export interface Delivery {
  /** Stable: the same after a reload, and what the server's handler reads in `context.id`. No secret. */
  readonly id: string
  readonly status: DeliveryStatus
  /** Why it failed, once it has. */
  readonly error: HoldfastError | undefined
  /**
   * Resolves when the message is in the store; rejects with the reason that kept it out, though it may be sent from memory.
   * @throws {StorageError} | {DeliveryError}
   */
  readonly stored: Promise<void>
  /**
   * Resolves when the message has been delivered, with the receipt.
   * @throws {DeliveryError} `CLIENT_CLOSED` when the client was closed first; the message stays in the store
   * @throws {StorageError} when it could not be stored, and so was never sent
   */
  readonly delivered: Promise<Receipt>
}

/** The promises of a delivery that somebody has read. */
interface Promises {
  stored?: Promise<void>
  delivered?: Promise<Receipt>
  /** Each settles its promise if it can. */
  readonly checks: (() => void)[]
}

/** When an entry with a time to live expires. */
export interface Expiry extends Timed {
  readonly entry: Entry
}

/**
 * A message in the outbox, and the `Delivery` of its sender. One object for both, with few fields: an outbox may hold
 * 100,000 of them.
 */
export class Entry implements Delivery, MessageReference {
  status: DeliveryStatus = 'queued'
  error: HoldfastError | undefined
  receipt: Receipt | undefined
  isStored = false
  /** Why the store does not have it: it is sent from memory. */
  keptOut: HoldfastError | undefined
  /** Whether it may have been on a wire before. */
  wasSent = false
  /** While it is in flight: whether this is its first time. */
  isFirstSending = false
  /** Written by another page, and left by it. */
  isAdopted = false
  /** Settled, though still in flight. */
  isDone = false
  /** The connection's position after this message, while it is in flight and confirmed by the browser alone. */
  position = 0
  /** Its size on the wire, once a frame was made of it. */
  frameBytes = 0
  /** The neighbours in the queue. */
  before: Entry | undefined
  after: Entry | undefined
  place: 'out' | 'waiting' | 'in flight' = 'out'
  expiry: Expiry | undefined
  /** Asked before it is sent. */
  validWhile: (() => boolean) | undefined
  private promises: Promises | undefined

  constructor(
    readonly writer: string,
    readonly sequence: number,
    readonly event: string,
    readonly body: Body,
    readonly bytes: number,
    readonly enqueuedAt: number,
    readonly ttlMs?: number,
    readonly key?: string,
  ) {}

  get id(): string {
    return messageId(this.writer, this.sequence)
  }

  /** Whether the server replies to it. */
  get isRequest(): boolean {
    return false
  }

  /** The message as a store keeps it. */
  get message(): StoredMessage {
    const { writer, sequence, event, body, enqueuedAt, ttlMs, key } = this
    const message = { writer, sequence, event, body, enqueuedAt }
    return { ...message, ...(ttlMs !== undefined && { ttlMs }), ...(key !== undefined && { key }) }
  }

  get stored(): Promise<void> {
    const promises = (this.promises ??= { checks: [] })
    return (promises.stored ??= this.promise((resolve: (value: void) => void, reject) => {
      const reason = this.keptOut ?? this.error
      if (this.isStored) resolve()
      else if (reason) reject(reason)
      else if (this.receipt && this.status === 'sent')
        reject(new DeliveryError('NOT_STORED', 'A volatile message is never stored'))
    }))
  }

  get delivered(): Promise<Receipt> {
    const promises = (this.promises ??= { checks: [] })
    return (promises.delivered ??= this.promise((resolve, reject) => {
      if (this.receipt) resolve(this.receipt)
      else if (this.error) reject(this.error)
    }))
  }

  private promise<Value>(
    check: (resolve: (value: Value) => void, reject: (error: HoldfastError) => void) => void,
  ): Promise<Value> {
    return new Promise((resolve, reject) => {
      const settle = (): void => check(resolve, reject)
      this.promises?.checks.push(settle)
      settle()
    })
  }

  /** The message is safe. It may be on its way already. */
  keep(): void {
    this.isStored = true
    if (this.status === 'queued') this.status = 'stored'
    this.settle()
  }

  /** The store did not take it: it is sent all the same. */
  keepOut(error: HoldfastError): void {
    this.keptOut = error
    this.settle()
  }

  /** It was handed to the browser past the queue: nothing more will be known, and nothing was kept. */
  pass(): void {
    this.receipt = LEFT_THE_BROWSER
    this.status = 'sent'
    this.settle()
  }

  deliver(receipt: Receipt): void {
    this.receipt = receipt
    this.status = 'delivered'
    this.settle()
  }

  fail(error: HoldfastError): void {
    this.status = 'failed'
    this.abandon(error)
  }

  /** Its client is closed: the promises are rejected, though the message stays in the store. */
  abandon(error: HoldfastError): void {
    this.error = error
    this.settle()
  }

  private settle(): void {
    this.promises?.checks.forEach((check) => check())
  }
}
