import type { HoldfastError } from '../../shared/errors.js'
import type { Identity } from '../base/options.js'
import type { UpgradeRequest } from '../base/upgrade-request.js'
import type { VolatileMessage } from '../base/wire.js'
import type { StreamMessage } from '../stores/stream-store.js'
import type { MessageSource } from './handler-queue.js'

/** Who has a session: of its newest connection, also once that is gone. */
export interface SessionClient {
  readonly identity: Identity
  readonly request: UpgradeRequest
  /** Undefined until it is known. */
  readonly user: string | undefined
}

/** The connection that has a session, from the session's side. */
export interface SessionLink extends MessageSource {
  readonly client: SessionClient
  deliver(message: StreamMessage): void
  writeVolatile(message: VolatileMessage): void
  /** Closes the connection; the session is notified of nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
  /** Whether something is on its way into the socket. */
  readonly isSending: boolean
}

/** `incomplete`: a message is missing in its stream, which must not be resumed even if the store can. */
export type SessionState = 'connected' | 'away' | 'ended' | 'incomplete'
