import type { HoldfastError } from '../../shared/errors.js'
import type { Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { WriterLanes } from '../ordering/writer-lane.js'
import type { BoundNames } from './bound-names.js'
import type { Deadlines } from './deadlines.js'
import type { ResolvedOptions } from './options.js'
import type { ServerPlatform } from './platform.js'
import type { Rooms } from './rooms.js'
import type { StreamFrames } from './stream-frames.js'
import type { StreamEntry, Streams } from '../stores/stream-store.js'

/** A session, as the receiver of replies. */
export interface ReplyTarget {
  append(entry: StreamEntry): boolean
}

/** A session, as the member of a room. */
export interface Member extends ReplyTarget {
  sendVolatile(frame: Body): void
}

/** What all parts of one engine share. */
export interface EngineContext {
  readonly platform: ServerPlatform
  readonly options: ResolvedOptions
  readonly codec: FrameCodec
  /** The first frame of every connection, encoded once. */
  readonly greeting: Body
  readonly streamFrames: StreamFrames
  readonly streams: Streams
  readonly deadlines: Deadlines
  readonly lanes: WriterLanes<ReplyTarget>
  readonly rooms: Rooms<Member>
  /** What handlers were bound to. */
  readonly names: BoundNames
  /** After this nothing has any effect: for its clients the process is dead. */
  isStopped(): boolean
  /** Counts a handler that begins, 1, or ends, -1. */
  countRunning(change: 1 | -1): void
  /** @param advice is printed too, also where somebody listens to `error` */
  report(error: HoldfastError, advice?: string): void
}
