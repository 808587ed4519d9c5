import type { HoldfastError } from '../../shared/errors.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { WriterLanes } from '../ordering/writer-lane.js'
import type { BoundNames } from './bound-names.js'
import type { Deadlines } from './deadlines.js'
import type { ResolvedOptions } from './options.js'
import type { ServerPlatform } from './platform.js'
import type { Rooms } from './rooms.js'
import type { SharedSends } from './shared-sends.js'
import type { Upgrade, UpgradeRequest } from './upgrade-request.js'
import type { VolatileMessage, Wire } from './wire.js'
import type { StreamEntry, Streams } from '../stores/stream-store.js'

/** A session, as the receiver of replies. */
export interface ReplyTarget {
  append(entry: StreamEntry): boolean
}

/** A session, as the member of a room. */
export interface Member extends ReplyTarget {
  readonly id: string
  readonly user: string
  sendVolatile(message: VolatileMessage): void
}

/** What all parts of one engine share. */
export interface EngineContext {
  readonly platform: ServerPlatform
  readonly options: ResolvedOptions
  /** Encodes all payloads, whatever the clients speak that will get them. */
  readonly codec: FrameCodec
  /** How a connection with this subprotocol is spoken to; without one, or with another, it is `holdfast.1`. */
  wireOf(subprotocol: string | undefined): Wire
  readonly streams: Streams
  /** What was sent to rooms and to all. */
  readonly shared: SharedSends
  readonly deadlines: Deadlines
  readonly lanes: WriterLanes<ReplyTarget>
  readonly rooms: Rooms<Member>
  /** What handlers were bound to. */
  readonly names: BoundNames
  /** What the application may see of an upgrade. */
  requestOf(upgrade: Upgrade): UpgradeRequest
  /** After this nothing has any effect: for its clients the process is dead. */
  isStopped(): boolean
  /** Counts a handler that begins, 1, or ends, -1. */
  countRunning(change: 1 | -1): void
  /** @param advice is printed too, also where somebody listens to `error` */
  report(error: HoldfastError, advice?: string): void
}
