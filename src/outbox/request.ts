import type { HoldfastError } from '../shared/errors.js'
import { Entry } from './delivery.js'
import type { StoredMessage } from './store.js'

/** A message that is answered. It lives with its page: it waits in the queue in its turn, and is never stored. */
export class Request extends Entry {
  override readonly isRequest = true
  override isStored = true
  /** Whether the server has handled it, so that only its answer is still to come. */
  isAcknowledged = false
  readonly result: Promise<unknown>
  private settleResult!: { resolve(data: unknown): void; reject(error: HoldfastError): void }

  constructor(message: StoredMessage, bytes: number) {
    super(message, bytes, Infinity)
    this.result = new Promise((resolve, reject) => (this.settleResult = { resolve, reject }))
  }

  answer(data: unknown): void {
    this.isDone = true
    this.status = 'delivered'
    this.settleResult.resolve(data)
  }

  override abandon(error: HoldfastError): void {
    this.isDone = true
    super.abandon(error)
    this.settleResult.reject(error)
  }
}
