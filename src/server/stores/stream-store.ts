import type { MaybePromise } from '../../shared/maybe-promise.js'
import type { Body } from '../../protocol/codec.js'
import type { DownFrame, Rejection } from '../../protocol/frames.js'

type HeadOf<Frame> = Frame extends unknown ? Omit<Frame, 's' | 'g' | 'd'> : never

/** What the server keeps per user and writer. PROTOCOL.md, section 5. */
export interface Cursor {
  /** The highest sequence that is done with. */
  readonly n: number
  /** Whether this life of the server and its store has seen all that the writer ever sent. */
  readonly hasSeenAll: boolean
  /** The last rejections, oldest first. */
  readonly rejected: readonly Rejection[]
}

/** What a stream keeps: a message or a reply without its number and tag, and its payload, encoded. */
export interface StreamEntry {
  readonly head: HeadOf<Extract<DownFrame, { t: 'm' | 'r' }>>
  readonly payload: Body
}

/** An entry in its place. */
export interface StreamMessage extends StreamEntry {
  readonly sequence: number
  readonly tag: string
}

/** Why a stream cannot go on where the client left it. PROTOCOL.md, section 6. */
export type LostReason = 'unknown' | 'overflow' | 'rollback' | 'user'

/** Who comes, and where it wants to go on. */
export interface AttachRequest {
  readonly user: string
  /** The stream to resume, the last message handled of it, that message's tag, and which of its resumptions this is. */
  readonly stream?: { readonly id: string; readonly s: number; readonly g?: string; readonly c?: number } | undefined
  /** Whose cursors to look up in the same step. */
  readonly writers: readonly string[]
}

/** What `attach` found. */
export interface Attached {
  /** Of the stream: the one asked for, or a new one. */
  readonly id: string
  /** Fences: an operation with an older epoch of the same stream has no effect. */
  readonly epoch: number
  readonly resumed: boolean
  /** Why not, where a stream was asked for. */
  readonly lost?: LostReason
  /** The sequence of the last message in the stream; 0 for a new one. */
  readonly sequence: number
  /** Everything that is to be sent, in order. */
  readonly messages: readonly StreamMessage[]
  /** Writer → cursor, for those that are known. */
  readonly cursors: ReadonlyMap<string, Cursor>
}

/**
 * What the server must remember across connections: the streams and the cursors. Each operation is atomic, and the
 * operations of one process take effect, and answer, in the order of its calls. An operation that fails throws or
 * rejects; its connection is closed with 1011.
 */
export interface Streams {
  /** How long a stream outlives its last `attach` or `acknowledge`, in milliseconds. */
  readonly ttlMs: number
  /**
   * Resumes a stream or starts a new one, under a new epoch. A stream of this user that cannot be resumed is ended.
   * `superseded`: a later resumption of this stream was here before, and nothing has changed.
   */
  attach(request: AttachRequest): MaybePromise<Attached | 'superseded'>
  /**
   * Puts an entry at the end of the stream. `overflow`: there is no room, and the stream has ended, which `attach` will
   * say. `gone`: it has ended before, or its epoch is over.
   */
  append(id: string, epoch: number, entry: StreamEntry): MaybePromise<StreamMessage | 'overflow' | 'gone'>
  /** The stream is handled up to `sequence`, 0 for no news, and wanted for another `ttlMs`. False: as `gone`. */
  acknowledge(id: string, epoch: number, sequence: number): MaybePromise<boolean>
  /** Forgets the stream, unless its epoch is over. */
  end(id: string, epoch: number): MaybePromise<void>
  /** Looks up cursors; writers that are not known are missing in the answer. */
  cursors(user: string, writers: readonly string[]): MaybePromise<ReadonlyMap<string, Cursor>>
  /** Keeps a cursor. One that is behind the one kept has no effect. */
  advance(user: string, writer: string, cursor: Cursor): MaybePromise<void>
}

/** What a store takes from the server that opens it. */
export interface StreamsPlatform {
  /** Milliseconds that never step back. */
  now(): number
  /** 128 random bits as text. */
  createId(): string
}

/**
 * Where streams and cursors are kept, such as `memoryStreams()`. It may outlive the server that opened it: the next one
 * that opens it resumes the sessions. Each opening is a life of its own, with its own tags, and is witness of nothing
 * that an earlier one has seen.
 */
export interface StreamStore {
  open(platform: StreamsPlatform): Streams
}
