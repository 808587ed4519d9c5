import type { HoldfastError } from '../../shared/errors.js'
import type { Received } from '../../protocol/codec.js'
import type { UpFrame } from '../../protocol/frames.js'
import type { ServerSession } from '../session/session.js'
import type { Attached } from '../stores/stream-store.js'

/** A connection, from its socket's side. */
export interface Connection {
  /** The client sent this. Never throws. */
  receive(frame: Received): void
  /** The socket is gone. */
  closed(code: number, reason: string): void
}

/** A connection, from the engine's side. */
export interface ServerConnection extends Connection {
  /** Says that the server will close soon, and closes with 1012 when nothing runs any more. */
  drain(afterMs: number): void
  /** @param error sent first, so that a browser learns why */
  close(code: number, reason: string, error?: HoldfastError, afterMs?: number): void
}

/** What a connection asks of the engine. */
export interface ConnectionHost {
  /** Finds or makes the session of a stream that was attached; undefined when it must not or cannot go on. */
  session(user: string, hello: UpFrame & { t: 'hello' }, attached: Attached): ServerSession | undefined
  /** A stream was attached for a connection that is gone. */
  tooLate(attached: Attached): void
  /** A stream could not be attached, or perhaps it was. */
  failed(id: string): void
  /** The application may meet the session now. */
  introduce(session: ServerSession): void
  gone(connection: ServerConnection): void
}
