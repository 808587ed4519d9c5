import type { CloseAdvice } from '../protocol/close-codes.js'
import type { Body, Message, Received } from '../protocol/codec.js'

/** What one received frame means. */
export type Meaning = { readonly type: 'message'; readonly message: Message } | { readonly type: 'pong' }

/**
 * How one kind of server is spoken to: what goes on the wire, what comes off it, and who can vouch for a message.
 * Pure: no clock, no timer, no socket.
 */
export interface Dialect {
  readonly name: string
  /** Offered in the handshake, best first; none by default. */
  readonly subprotocols: readonly string[]
  /** @throws {LocalProtocolError} */
  encode(event: string, data: unknown): Body
  /** @throws {RemoteProtocolError} */
  read(frame: Received): Meaning
  /** The frame that asks the server for life, or undefined where it would not understand one. */
  readonly ping: (() => Body) | undefined
  /** What a close code asks of us. */
  advise(closeCode: number): CloseAdvice
}
