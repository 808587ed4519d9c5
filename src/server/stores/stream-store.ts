import type { MaybePromise } from '../../shared/maybe-promise.js'
import type { Body } from '../../protocol/codec.js'
import type { DownFrame, Rejection } from '../../protocol/frames.js'

type HeadOf<Frame> = Frame extends unknown ? Omit<Frame, 's' | 'g' | 'd'> : never

/** The position of one writer of one user. PROTOCOL.md, section 5. */
export interface Cursor {
  /** The highest sequence that is done. */
  readonly n: number
  /** Whether this process, with its store, has seen everything that the writer ever sent. */
  readonly hasSeenAll: boolean
  /** The last rejections, oldest first. */
  readonly rejected: readonly Rejection[]
  /**
   * What the writer's page has proved itself with; empty where it has none. Whoever names the writer must bring the same,
   * which the server compares in constant time, in what `attach` and `cursors` answer. Keep it as secret as the messages.
   */
  readonly secret: string
}

/** A message or a reply of a stream without its number and tag, and its encoded payload. */
export interface StreamEntry {
  readonly head: HeadOf<Extract<DownFrame, { t: 'm' | 'r' }>>
  readonly payload: Body
}

/** An entry with its place in the stream. */
export interface StreamMessage extends StreamEntry {
  readonly sequence: number
  readonly tag: string
}

/** The reason for which a stream cannot be resumed. PROTOCOL.md, section 6. */
export type LostReason = 'unknown' | 'overflow' | 'rollback' | 'user' | 'restart'

/** The client that attaches, and the position it resumes from. */
export interface AttachRequest {
  readonly user: string
  /** The stream to resume, the last message handled of it, that message's tag, and which of its resumptions this is. */
  readonly stream?: { readonly id: string; readonly s: number; readonly g?: string; readonly c?: number } | undefined
  /** Whether this opening has had the session of that stream ever since: then it was there for what was sent to many. */
  readonly isKnown?: boolean
  /** The names of the writers with cursors that are looked up in the same step. */
  readonly writers: readonly string[]
}

/** The result of `attach`. */
export interface Attached {
  /** The id of the stream: the requested one, or a new one. */
  readonly id: string
  /** Fences: an operation with an older epoch of the same stream has no effect. */
  readonly epoch: number
  readonly resumed: boolean
  /** The reason, where a stream was requested and not resumed. */
  readonly lost?: LostReason
  /** The sequence of the last message in the stream; 0 for a new one. */
  readonly sequence: number
  /** The messages to send, in order. */
  readonly messages: readonly StreamMessage[]
  /** Name of a writer → cursor; unknown writers are missing. */
  readonly cursors: ReadonlyMap<string, Cursor>
}

/**
 * The server's memory across connections: the streams and the cursors. Each operation is atomic, and the
 * operations of one process take effect, and answer, in the order of its calls. An operation that fails throws or
 * rejects; its connection is closed with 1011.
 */
export interface Streams {
  /** How long a stream outlives its last `attach` or `acknowledge`, in milliseconds. */
  readonly ttlMs: number
  /**
   * Resumes a stream or starts a new one, under a new epoch. A stream of this user that cannot be resumed is ended.
   * `superseded`: a later resumption of this stream was here before, and nothing has changed.
   *
   * A stream that is not `isKnown` is lost, as `restart`, if the opening which has attached it last, or a later one, has
   * called `sentToMany` since: its session was not there.
   */
  attach(request: AttachRequest): MaybePromise<Attached | 'superseded'>
  /**
   * Puts an entry at the end of the stream. `overflow`: there is no room, and the stream has ended; `attach` reports that.
   * `gone`: it has ended before, or its epoch is over.
   *
   * @param isTaking whether the client takes what it is sent: then only the limit of all streams together counts
   */
  append(
    id: string,
    epoch: number,
    entry: StreamEntry,
    isTaking: boolean,
  ): MaybePromise<StreamMessage | 'overflow' | 'gone'>
  /** The client has handled the stream up to `sequence`, 0 for no news. Keeps it for another `ttlMs`. False: as `gone`. */
  acknowledge(id: string, epoch: number, sequence: number): MaybePromise<boolean>
  /** Forgets the stream, unless its epoch is over. */
  end(id: string, epoch: number): MaybePromise<void>
  /**
   * This opening is about to send something to a room, or to all, for the first time: streams that it has not attached
   * may miss it. Called again only after it has failed.
   */
  sentToMany(): MaybePromise<void>
  /** Looks up cursors; unknown writers are missing in the result. */
  cursors(user: string, writers: readonly string[]): MaybePromise<ReadonlyMap<string, Cursor>>
  /** Stores a cursor. It has no effect when it is behind the stored one, or the stored one has another secret. */
  advance(user: string, writer: string, cursor: Cursor): MaybePromise<void>
}

/** The clock and the ids that the server gives to its store. */
export interface StreamsPlatform {
  /** Milliseconds that never step back. */
  now(): number
  /** 128 random bits as text. */
  createId(): string
  /** Milliseconds since 1970. */
  wallNow?(): number
  /**
   * A client wanted a stream of another process, which has welcomed it while this one was there: the two share nothing. Called once. Has
   * no effect before the operation under way is over.
   */
  onForeign?(): void
  /** This stream has ended to make room for others. Has no effect before the operation under way is over. */
  onOverflow?(id: string): void
}

/**
 * A store for streams and cursors, such as `memoryStreams()`. It may outlive the server that opened it: the next server
 * that opens it resumes the sessions. Each opening has its own tags, and has not seen what earlier openings have seen.
 */
export interface StreamStore {
  /** Whether it is the memory of one process, so that sessions do not resume at another. Default: false. */
  readonly isLocal?: boolean
  open(platform: StreamsPlatform): Streams
}
