import { HoldfastError } from '../../shared/errors.js'
import { requireInteger } from '../../shared/validate.js'

/**
 * Thrown by a handler that cannot do its work now, and could later: the message stays where it is, ahead of all that
 * comes behind it, and its handlers are called again after `afterMs`. Nothing is reported, and the client goes on waiting.
 * Code: `RETRY_LATER`.
 *
 * @example session.on('order', async (order) => { if (!database.isUp) throw new RetryError({ afterMs: 5_000 }) })
 */
export class RetryError extends HoldfastError {
  override readonly name = 'RetryError'
  /** In milliseconds. */
  readonly afterMs: number

  /** @throws {TypeError | RangeError} unless `afterMs` is an integer from 1 to 2147483647 */
  constructor({ afterMs }: { readonly afterMs: number }) {
    requireInteger('afterMs', afterMs)
    super('RETRY_LATER', `The handler is called again in ${afterMs} ms`)
    this.afterMs = afterMs
  }
}

/**
 * Thrown by a handler that does not want a message: the client's delivery or request fails with `REJECTED` and `reason`,
 * and nothing is reported at the server. Code: `REJECTED`.
 *
 * @example session.on('order', (order) => { if (order.count > stock) throw new RejectedError('sold out') })
 */
export class RejectedError extends HoldfastError {
  override readonly name = 'RejectedError'

  /** @param reason for the client: at most 1,000 characters of it are sent */
  constructor(reason: string) {
    super('REJECTED', reason)
  }
}
