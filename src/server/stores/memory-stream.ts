import type { AttachRequest, LostReason, StreamMessage } from './stream-store.js'

interface KeptMessage extends StreamMessage {
  /** What it costs, counted once. */
  readonly bytes: number
}

export interface Stream {
  readonly user: string
  /** How often the memory had gone back in time at the last attach: entries appended before a later one may be gone. */
  generation: number
  epoch: number
  /** The opening of the store that has attached it last, counted from 1. */
  opening: number
  /** The number of the last resumption; a lower one is too late. */
  resumptions: number
  /** The last message acknowledged, and its tag. */
  base: number
  baseTag: string | undefined
  messages: KeptMessage[]
  bytes: number
  touchedAt: number
  status: 'live' | 'overflow'
}

/** One without a message, which no opening has attached. */
export const startStream = (user: string): Stream => ({
  user,
  generation: 0,
  epoch: 0,
  opening: 0,
  resumptions: 0,
  base: 0,
  baseTag: undefined,
  messages: [],
  bytes: 0,
  touchedAt: 0,
  status: 'live',
})

/** Where the memory stands that a stream is looked up in. */
interface Present {
  readonly generation: number
  /** The opening of the store that asks. */
  readonly opening: number
  /** The last opening that has sent something to many; 0 for none. */
  readonly lastSharer: number
  readonly isKnown: boolean
}

/** Why a stream cannot be resumed at this place; undefined where it can. */
export function lostReason(
  stream: Stream | undefined,
  user: string,
  { s, g }: NonNullable<AttachRequest['stream']>,
  present: Present,
): LostReason | undefined {
  if (!stream) return 'unknown'
  if (stream.user !== user) return 'user'
  if (stream.status === 'overflow') return 'overflow'
  if (stream.generation !== present.generation) return 'rollback'
  const index = s - stream.base
  if (index < 0 || index > stream.messages.length) return 'rollback'
  if (s > 0 && g !== (index === 0 ? stream.baseTag : stream.messages[index - 1]?.tag)) return 'rollback'
  return hasMissed(stream, present) ? 'restart' : undefined
}

/**
 * Whether something was sent to many that the stream may not have been there for. The opening that attached it last had it
 * among its sessions, unless it is the one that asks, and does not know it: then its client was gone too soon. An earlier
 * opening, which goes on beside a later one, may have sent at any time.
 */
function hasMissed(stream: Stream, { opening, lastSharer, isKnown }: Present): boolean {
  if (isKnown) return false
  if (stream.opening > opening) return lastSharer > 0
  return stream.opening < opening ? lastSharer > stream.opening : lastSharer >= opening
}

/** A copy that neither the appends nor the ends of the original change. */
export const copyStreams = (streams: ReadonlyMap<string, Stream>): Map<string, Stream> =>
  new Map([...streams].map(([id, stream]) => [id, { ...stream, messages: [...stream.messages] }]))
