import type { Entry, Receipt } from '../outbox/delivery.js'
import type { Outgoing } from '../outbox/outbox-api.js'
import type { createRequests, Reply } from '../outbox/requests.js'
import type { CloseAdvice } from '../protocol/close-codes.js'
import type { Body, Message, Received } from '../protocol/codec.js'
import type { Notes } from '../platform/platform.js'
import type { Heartbeat } from '../protocol/heartbeat.js'
import type { HoldfastError } from '../shared/errors.js'
import type { AnswerFailure } from '../shared/emitter.js'
import type { Audience } from './listener-waits.js'

/** What a client may have missed, or its server forgotten. Told once for each loss, when the connection is back. */
export interface Gap {
  /** Messages from the server may be missing: its replay did not reach back to the last one that came. */
  readonly fromServer: boolean
  /** The server has lost its memory of messages that it had acknowledged. */
  readonly toServer: boolean
  /**
   * `unknown`: the server has forgotten the session; `overflow`: it could not keep so much; `rollback`: it went back in
   * time; `restart`: it was started anew, and has sent something to a room or to all before the client came back, whichever
   * rooms that was in; `user`: the session was another user's; `superseded`: another connection took the session over.
   */
  readonly reason: string
}

/** The handshake is done. */
export interface ReadyEvent {
  readonly type: 'ready'
  readonly sessionId?: string
  readonly recovered?: boolean
  /** How often the server pings. */
  readonly heartbeat?: Heartbeat
  /** Whether the server may not know our ping: then it is not pinged, and silence ends nothing, before its first pong. */
  readonly mayIgnorePings?: boolean
  /** Over how long its clients return, if they all lose their links; nothing where that is no longer than anyway. */
  readonly spreadMs?: number | undefined
}

/** What a frame means to the client. Plain values: the client applies them in their order. */
export type ProtocolEvent =
  /** `replyTo` where the server waits for the application's answer: it is handed back to `reply`. */
  | { readonly type: 'message'; readonly message: Message; readonly replyTo?: unknown }
  | { readonly type: 'pong' }
  /** The server says that its next frame has so many bytes. */
  | { readonly type: 'announced'; readonly bytes: number }
  | ReadyEvent
  | { readonly type: 'gap'; readonly gap: Gap }
  /** The server says why it will close, or when to come back. */
  | { readonly type: 'farewell'; readonly words?: string; readonly retryAfterMs?: number | undefined }
  /** As `spreadMs` of `ReadyEvent`, by now. */
  | { readonly type: 'spread'; readonly spreadMs: number | undefined }
  /** The server is silent, and owes an answer: it is pinged at once, and given up if nothing is heard within so many ms. */
  | { readonly type: 'doubt'; readonly withinMs: number }
  /** The server wants a fresh credential. */
  | { readonly type: 'reauth' }
  /**
   * The server is done with each writer's messages up to its cursor; the messages that `rejections` names by id were
   * rejected, and are taken out of it once they are settled.
   */
  | {
      readonly type: 'acknowledged'
      readonly cursors: ReadonlyMap<string, number>
      readonly rejections: Map<string, HoldfastError>
      /** Whether no reply will come to the requests among them. */
      readonly areRepliesLost?: boolean
    }
  /** One message is done with, wherever it stands: delivered, or failed. */
  | { readonly type: 'done'; readonly entry: Entry; readonly receipt: Receipt; readonly error?: HoldfastError }
  | { readonly type: 'reply'; readonly id: string; readonly reply: Reply }
  /** The replies to the requests that were handled will never come. */
  | { readonly type: 'repliesLost' }
  /** The server ignored what is in flight: it must be sent again. */
  | { readonly type: 'rewind' }
  /** Something went wrong with which the connection goes on: the application is told. */
  | { readonly type: 'error'; readonly error: HoldfastError }

/** One WebSocket message to send. */
export interface OutgoingFrame {
  readonly frame: Body
  /** Its size on the wire, as the browser counts what it buffers: without headers, before compression. */
  readonly bytes: number
  /** The message of the outbox whose last frame this is. */
  readonly entry?: Entry
  /** Whether the message is delivered when it has left the browser: its server acknowledges nothing. */
  readonly isConfirmedByBrowser?: boolean
}

/**
 * A dialect spoken for one client, over one connection after another. It touches no socket, timer or listener: it is told
 * what has come and when, gives back values, and is drained of the frames that it wants to send.
 */
export interface ClientProtocol {
  /** When `release` and `handled` want to be called again, on the monotonic clock. */
  readonly deadline: number
  /** How many bytes may wait in the browser's buffer before `nextFrame` gives out no more messages. */
  readonly bufferBytesMax: number
  /**
   * A socket is open; `credential` is what the application's `auth`, or the dialect's `hello`, answered. Returns an event where nothing more is to be
   * said in the handshake.
   */
  opened(credential: unknown): ReadyEvent | undefined
  /**
   * @throws {RemoteProtocolError} for a bad frame; {RefusedError} when the server does not speak this dialect at all, or
   * refuses us in its words: `UNAUTHORIZED` if a fresh credential may help
   */
  receive(frame: Received, now: number): readonly ProtocolEvent[]
  /** A listener was bound, or the deadline has come. Returns what waited for that. */
  release?(now: number): readonly ProtocolEvent[]
  /** The application was told of everything that was received so far. Says whether there may be a frame to send now. */
  handled?(now: number): boolean
  /**
   * The next frame to send, or nothing: the client calls until there is nothing. A frame that was given out counts as sent.
   *
   * @param room how many bytes the browser's buffer takes before `bufferBytesMax`
   * @throws {LocalProtocolError} when the connection cannot go on
   */
  nextFrame(outbox: Outgoing, room: number, now: number): OutgoingFrame | undefined
  /** Asks the server for life with the next frame; absent where the server would not understand that. */
  ping?(): void
  /** The frames of one message past the queue; undefined where it cannot go at once. */
  volatileFrames(event: string, body: Body, room: number): readonly Body[] | undefined
  /**
   * The application's answer to a message that had `replyTo`.
   *
   * @param failure why there is none
   * @throws {LocalProtocolError} `NOT_ENCODABLE`
   */
  reply?(replyTo: unknown, answer: unknown, failure?: AnswerFailure): void
  /** Nobody waits for the reply to this request any more. */
  cancel?(request: Entry): readonly ProtocolEvent[]
  authenticate?(credential: unknown): void
  /** The link is gone, by this close code. */
  closed(closeCode: number): void
  /** The client closes for good; the frame that says goodbye, where the dialect has one. */
  goodbye?(): Body | undefined
  /** What becomes of the page, which may live again in this tab. */
  leave?(presence: Presence): void
}

/** `gone`: the page ends. `away`: it is frozen or out of view, and may end without another word. `back`: it is in view again. */
export type Presence = 'gone' | 'away' | 'back'

/** What a protocol gets from the client that it speaks for. */
export interface ProtocolHost {
  /** The platform's own notes; absent: the browser's. */
  readonly notes?: Notes | undefined
  /** The application's listeners; absent: nothing is known of them, and nothing waits for one. */
  readonly audience?: Audience | undefined
  /** The heartbeat that the application asks for; absent: it asks for none. */
  readonly heartbeatMs?: Heartbeat | undefined
}

/** What an application's function is told of the attempt that asks it. */
export interface DialContext {
  /** From 1; grows with each attempt in a row that failed. */
  readonly attempt: number
  /** Aborts when the answer is no longer wanted: the attempt timed out, or the client was closed. */
  readonly signal: AbortSignal
}

/** How one kind of server is spoken to: what goes on the wire, what comes off it, and who confirms a message. */
export interface Dialect {
  readonly name: string
  /**
   * Offered in the handshake, best first; an empty list for none. A function is asked at each attempt; a `RefusedError` as
   * its rejection stops the client, any other `HoldfastError` fails the attempt.
   */
  readonly subprotocols: readonly string[] | ((context: DialContext) => Promise<readonly string[]>)
  /** Where to dial, if the dialect adds to the application's URL. */
  locate?(url: string): string
  /** Whether the server acknowledges messages and takes a credential. */
  readonly acknowledges: boolean
  /** Asked at each attempt for what `opened` gets, where the dialect takes no credential of the client's. */
  readonly hello?: ((context: DialContext) => Promise<unknown>) | undefined
  /** Makes the client's requests, where the server replies. */
  readonly createRequests?: typeof createRequests
  /** How many bad frames in a row close the link. */
  readonly badFramesMax: number
  /** A message as the outbox keeps it. @throws {LocalProtocolError} */
  encode(event: string, data: unknown): Body
  /** What a close code asks of us. */
  advise(closeCode: number): CloseAdvice
  /** Starts to speak for one client. */
  open(host: ProtocolHost): ClientProtocol
}
