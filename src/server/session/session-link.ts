import type { HoldfastError } from '../../shared/errors.js'
import type { VolatileMessage } from '../base/wire.js'
import type { StreamMessage } from '../stores/stream-store.js'
import type { MessageSource } from './handler-queue.js'

/** The connection that has a session, from the session's side. */
export interface SessionLink extends MessageSource {
  deliver(message: StreamMessage): void
  writeVolatile(message: VolatileMessage): void
  /** Closes the connection; the session is notified of nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
  /** Whether something is on its way into the socket. */
  readonly isSending: boolean
}
