import type { HoldfastError } from '../../shared/errors.js'
import type { Body } from '../../protocol/codec.js'
import type { StreamMessage } from '../stores/stream-store.js'
import type { MessageSource } from './handler-queue.js'

/** The connection that has a session, from the session's side. */
export interface SessionLink extends MessageSource {
  deliver(message: StreamMessage): void
  writeVolatile(frame: Body): void
  /** Closes the connection; the session is notified of nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
  /** Whether something is on its way into the socket. */
  readonly isSending: boolean
}
