import type { Entry } from '../outbox/delivery.js'
import type { Queue } from '../outbox/queue.js'
import type { CloseAdvice } from '../protocol/close-codes.js'
import type { Body, Message, Received } from '../protocol/codec.js'
import type { Heartbeat } from '../protocol/heartbeat.js'

/** What a client may have missed, or its server forgotten. Told once for each loss, when the connection is back. */
export interface Gap {
  /** Messages from the server may be missing: its replay did not reach back to the last one that came. */
  readonly fromServer: boolean
  /** The server has lost its memory of messages that it had acknowledged. */
  readonly toServer: boolean
  /**
   * `unknown`: the server has forgotten the session; `overflow`: it could not keep so much; `rollback`: it went back in
   * time; `user`: the session was another user's; `superseded`: another connection took the session over.
   */
  readonly reason: string
}

/** What a frame means to the session. */
export type Meaning =
  /** `answer` where the server waits for one: it takes what the first listener with an answer returns. */
  | { readonly type: 'message'; readonly message: Message; readonly answer?: (data: unknown) => void }
  | { readonly type: 'pong' }
  /** The handshake is done. */
  | {
      readonly type: 'ready'
      readonly sessionId?: string
      readonly recovered?: boolean
      readonly heartbeat?: Heartbeat
    }
  | { readonly type: 'gap'; readonly gap: Gap }
  /** The server says why it will close, or when to come back. */
  | { readonly type: 'farewell'; readonly words?: string; readonly retryAfterMs?: number | undefined }
  /** The server wants a fresh credential. */
  | { readonly type: 'reauth' }

/** The open socket, as a dialect sees it. Positions count bytes since it was opened. */
export interface Link {
  /** Returns the position after the frame; undefined where there is no socket any more. */
  send(frame: Body): number | undefined
  flushed(): number
  buffered(): number
}

/** What a dialect needs of the client that it speaks for. */
export interface Host {
  readonly queue: Queue
  link(): Link
  /** Milliseconds that never step back. */
  now(): number
  /** A note that the page's last life has left in this tab; taken, it is gone. */
  recall(key: string): string | undefined
  /** Leaves a note for the page's next life in this tab. */
  keep(key: string, note: string): void
}

/**
 * A dialect spoken for one client, over one connection after another. It does nothing by itself: it reads what comes,
 * sends what waits, and settles what was acknowledged.
 */
export interface Channel {
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** A socket is open; `credential` is what the application's `auth` answered. */
  opened(credential: unknown): readonly Meaning[]
  /**
   * @throws {RemoteProtocolError} for a bad frame; {RefusedError} when the server does not speak this dialect at all, or
   * refuses us in its words: `UNAUTHORIZED` if a fresh credential may help
   */
  read(frame: Received): readonly Meaning[]
  /** What was read last has been handed on. */
  handled(): void
  /** The frame that asks the server for life, or undefined where it would not understand one. */
  readonly ping: (() => Body) | undefined
  /** Sends what waits, as far as the link and the server take it. */
  pump(): void
  elapsed(): void
  /** Sends one message past the queue. False where it cannot go at once. */
  pass(event: string, body: Body): boolean
  /** Nobody waits for the reply to this request any more. */
  cancel(entry: Entry): void
  authenticate(credential: unknown): void
  /** The link is gone, by this close code: what is not acknowledged waits again. */
  unlink(closeCode: number): void
  /** The client closes for good. */
  bye(): void
  /** The page ends, and may live again in this tab. */
  leave(): void
}

/** How one kind of server is spoken to: what goes on the wire, what comes off it, and who can vouch for a message. */
export interface Dialect {
  readonly name: string
  /** Offered in the handshake, best first; none by default. */
  readonly subprotocols: readonly string[]
  /** Where to dial, if the dialect adds to the application's URL. */
  locate?(url: string): string
  /** Whether the server acknowledges messages, answers requests and takes a credential. */
  readonly acknowledges: boolean
  /** How many bad frames in a row close the link. */
  readonly badFramesMax: number
  /** A message as the outbox keeps it. @throws {LocalProtocolError} */
  encode(event: string, data: unknown): Body
  /** What a close code asks of us. */
  advise(closeCode: number): CloseAdvice
  /** Starts to speak for one client. */
  open(host: Host): Channel
}
