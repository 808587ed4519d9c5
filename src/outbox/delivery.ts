import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import type { StoredMessage } from './store.js'

/**
 * How far a message has come.
 *
 * - `queued`: accepted, in memory.
 * - `stored`: in the outbox's store; survives what the store survives.
 * - `sent`: handed to the browser on a live connection.
 * - `delivered`: vouched for, see `Receipt`.
 * - `failed`: never delivered; `error` says why.
 */
export type DeliveryStatus = 'queued' | 'stored' | 'sent' | 'delivered' | 'failed'

/** Who vouches for a delivery. */
export interface Receipt {
  /**
   * `browser`: the message has left this browser's buffer on a live connection, which is all that a plain server lets
   * anyone know; it may still be lost with the link. `server`: the server has said that it has the message.
   */
  readonly confirmedBy: 'browser' | 'server'
}

/** Nobody but the browser vouches for it. */
export const LEFT_THE_BROWSER: Receipt = Object.freeze({ confirmedBy: 'browser' })

/** The server has acknowledged it. */
export const ACKNOWLEDGED: Receipt = Object.freeze({ confirmedBy: 'server' })

/** What `send` returns. Its promises are made when first asked for, so nobody owes them a handler. */
export interface Delivery {
  /** Stable: the same after a reload. */
  readonly id: string
  readonly status: DeliveryStatus
  /** Why it failed, once it has. */
  readonly error: HoldfastError | undefined
  /**
   * Resolves when the message is in the store; rejects with what kept it out.
   * @throws {StorageError} | {DeliveryError}
   */
  readonly stored: Promise<void>
  /**
   * Resolves when the message has been delivered, saying who vouches for it.
   * @throws {DeliveryError} `CLIENT_CLOSED` when the client was closed first; the message stays in the store
   * @throws {StorageError} when it could not be stored, and so was never sent
   */
  readonly delivered: Promise<Receipt>
}

/** A message in the outbox, and the `Delivery` that its sender holds. */
export class Entry implements Delivery {
  status: DeliveryStatus = 'queued'
  error: HoldfastError | undefined
  receipt: Receipt | undefined
  isStored = false
  /** Whether it may have been on a wire before. */
  wasSent = false
  /** Another page made it, and left it. */
  isAdopted = false
  /** Settled, though still on its way. */
  isDone = false
  /** The connection's position after this message, while it is on its way. */
  position = Infinity
  /** Its size on the wire, while it is on its way. */
  frameBytes = 0
  readonly isRequest: boolean = false
  private storedPromise: Promise<void> | undefined
  private deliveredPromise: Promise<Receipt> | undefined
  private settleStored: (() => void) | undefined
  private settleDelivered: (() => void) | undefined

  constructor(
    readonly message: StoredMessage,
    readonly bytes: number,
    /** When it is no longer wanted, on the monotonic clock. */
    readonly expiresAt: number,
  ) {}

  get id(): string {
    return `${this.message.writer}:${this.message.sequence}`
  }

  get stored(): Promise<void> {
    return (this.storedPromise ??= new Promise((resolve, reject) => {
      this.settleStored = () => {
        if (this.isStored) resolve()
        else if (this.error) reject(this.error)
        else if (this.receipt) reject(new DeliveryError('NOT_STORED', 'A volatile message is never stored'))
      }
      this.settleStored()
    }))
  }

  get delivered(): Promise<Receipt> {
    return (this.deliveredPromise ??= new Promise((resolve, reject) => {
      this.settleDelivered = () => {
        if (this.receipt) resolve(this.receipt)
        else if (this.error) reject(this.error)
      }
      this.settleDelivered()
    }))
  }

  /** The message is safe. */
  keep(): void {
    this.isStored = true
    this.status = 'stored'
    this.settleStored?.()
  }

  /** It was handed to the browser past the queue: nothing more will be known, and nothing was kept. */
  pass(): void {
    this.receipt = LEFT_THE_BROWSER
    this.status = 'sent'
    this.settleDelivered?.()
  }

  deliver(receipt: Receipt): void {
    this.receipt = receipt
    this.status = 'delivered'
    this.settleDelivered?.()
  }

  fail(error: HoldfastError): void {
    this.status = 'failed'
    this.abandon(error)
  }

  /** Its client is gone: the promises are broken, though the message stays in the store. */
  abandon(error: HoldfastError): void {
    this.error = error
    this.settleStored?.()
    this.settleDelivered?.()
  }
}
