import type { HoldfastError } from '../../shared/errors.js'
import type { Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { Lanes } from '../ordering/writer-lane.js'
import type { Deadlines } from './deadlines.js'
import type { ResolvedOptions } from './options.js'
import type { ServerPlatform } from './platform.js'
import type { Rooms } from './rooms.js'
import type { StreamEntry, Streams } from '../stores/stream-store.js'

/** What can be replied to: a session. */
export interface Replied {
  append(entry: StreamEntry): boolean
}

/** A session, from a room's side. */
export interface Member extends Replied {
  sendVolatile(frame: Body): void
}

/** What all parts of one engine share. */
export interface Core {
  readonly platform: ServerPlatform
  readonly options: ResolvedOptions
  readonly codec: FrameCodec
  readonly streams: Streams
  readonly deadlines: Deadlines
  readonly lanes: Lanes<Replied>
  readonly rooms: Rooms<Member>
  /** After this nothing has any effect: the process is as good as dead. */
  isStopped(): boolean
  /** A handler begins, 1, or ends, -1. */
  running(change: 1 | -1): void
  report(error: HoldfastError): void
}
