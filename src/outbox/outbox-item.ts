import type { HoldfastError } from '../shared/errors.js'
import type { Body } from '../protocol/codec.js'
import type { DeliveryStatus, Entry } from './delivery.js'

/** A message as the outbox shows it. */
export interface OutboxItem {
  readonly id: string
  readonly event: string
  readonly status: DeliveryStatus
  /** The encoded message. */
  readonly body: Body
  readonly bytes: number
  /** In milliseconds since 1970. */
  readonly enqueuedAt: number
  readonly key?: string
  /** Why it failed, for an item of `failed()`. */
  readonly error?: HoldfastError
}

/** An entry as the application sees it. */
export const show = ({ id, event, status, body, bytes, enqueuedAt, key, error }: Entry): OutboxItem => ({
  id,
  event,
  status,
  body,
  bytes,
  enqueuedAt,
  ...(key !== undefined && { key }),
  ...(error && { error }),
})
