import type { HoldfastError } from '../../shared/errors.js'
import type { Received } from '../../protocol/codec.js'
import type { UpFrame } from '../../protocol/frames.js'
import type { Wire } from '../base/wire.js'
import type { ServerSession } from '../session/session.js'
import type { SessionClient } from '../session/session-link.js'
import type { Attached } from '../stores/stream-store.js'

/** A connection, from its socket's side. */
export interface SocketConnection {
  /**
   * The client has sent a frame. Never throws.
   *
   * @param bytes its length on the wire, where that is known; otherwise it is counted
   */
  receive(frame: Received, bytes?: number): void
  /** The socket is closed. */
  closed(code: number, reason: string): void
}

/** A connection, from the engine's side. */
export interface EngineConnection extends SocketConnection {
  readonly client: SessionClient
  /** Tells the client that the server will close soon, and closes with 1012 when no handler runs any more. */
  drain(afterMs: number): void
  /** @param error sent before the close frame, so that a browser can read the cause */
  close(code: number, reason: string, error?: HoldfastError, afterMs?: number): void
}

/** What comes of an attach; one of the three is called. */
export interface AttachResult {
  attached(attached: Attached): void
  /** The stream does not go on here: how the connection is closed. */
  refused(code: number, reason: string, error: HoldfastError): void
  failed(cause: unknown): void
}

/** The engine, from a connection's side. */
export interface ConnectionHost {
  /** Over how long the clients should return, if they all lose their links; undefined where they do anyway. */
  readonly spreadMs: number | undefined
  /** Attaches the stream of the hello in the store, or a new one. */
  attach(user: string, hello: UpFrame & { t: 'hello' }, result: AttachResult): void
  /** Finds or makes the session of a stream that was attached; undefined when it must not or cannot go on. */
  openSession(
    client: SessionClient,
    hello: UpFrame & { t: 'hello' },
    attached: Attached,
    wire: Wire,
  ): ServerSession | undefined
  /** A stream was attached for a connection that is gone. */
  attachedTooLate(attached: Attached): void
  /** The store failed to attach a stream, or has attached it and failed to answer. */
  attachFailed(id: string): void
  /** The session is announced to the application, if it was not yet. */
  announce(session: ServerSession): void
  gone(connection: EngineConnection): void
}
