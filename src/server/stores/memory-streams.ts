import type { Body } from '../../protocol/codec.js'
import { copyStreams, lostReason, startStream, type Stream } from './memory-stream.js'
import type { Cursor } from './stream-store.js'
import { createCursorTable, type CursorTable } from './memory-cursors.js'
import { createStoreTag, type StoreTag } from './store-tag.js'
import { requireInteger, withDefaults } from '../../shared/validate.js'
import type { Attached, AttachRequest, Streams, StreamsPlatform, StreamStore } from './stream-store.js'

/** The limits of `memoryStreams`. */
export interface MemoryStreamsOptions {
  /** How long a stream is kept for a client that is away, in milliseconds. Default: 120,000. */
  readonly ttlMs?: number
  /** How many messages of a stream may be unacknowledged, once its client takes nothing. Default: 10,000. */
  readonly messagesMax?: number
  /** How many bytes of a stream may be unacknowledged then; a single message may have more. Default: 4 MiB. */
  readonly bytesMax?: number
  /** How many bytes all streams together may hold; then the stream that holds most overflows. Default: 256 MiB. */
  readonly totalBytesMax?: number
  /** How long a writer is remembered after its last message, in milliseconds. Default: 14 days. */
  readonly cursorTtlMs?: number
  /** How many writers are remembered; the first to be forgotten has been idle longest. Default: 1,000,000. */
  readonly cursorsMax?: number
  /**
   * How many bytes the writers may take, with their rejections; the first to be forgotten has been idle longest.
   * Default: 256 MiB.
   */
  readonly cursorBytesMax?: number
}

type Limits = Required<MemoryStreamsOptions>

const DEFAULTS: Limits = {
  ttlMs: 120_000,
  messagesMax: 10_000,
  bytesMax: 4 * 2 ** 20,
  totalBytesMax: 256 * 2 ** 20,
  cursorTtlMs: 14 * 24 * 3_600_000,
  cursorsMax: 1_000_000,
  cursorBytesMax: 256 * 2 ** 20,
}

/** A memory at one moment; opaque. */
export interface MemorySnapshot {
  readonly streams: ReadonlyMap<string, Stream>
  readonly cursors: CursorTable
}

/** The store, with snapshots for tests of lost memory. */
export interface MemoryStreams extends StreamStore {
  /** A copy of everything. */
  snapshot(): MemorySnapshot
  /**
   * Goes back to a snapshot, like a store that fails over to a stale replica. Unless `isBlind`, its streams know that: a
   * blind store may give a number away twice, and only the tags differ.
   */
  restore(snapshot: MemorySnapshot, isBlind?: boolean): void
}

/** The cost of a message beside its payload, in bytes. */
const OVERHEAD_BYTES = 64

/**
 * Streams and cursors in this process's memory. Every operation is synchronous. The object may outlive its server: pass
 * it to the next one and sessions resume. Nothing outlives the process.
 *
 * @throws {TypeError | RangeError} that names the option, the value and the rule
 * @example createServer({ streams: memoryStreams({ ttlMs: 600_000 }) })
 */
export const memoryStreams = (options: MemoryStreamsOptions = {}): StreamStore => createMemoryStreams(options)

/** `memoryStreams` with a way back in time. */
export function createMemoryStreams(options: MemoryStreamsOptions = {}): MemoryStreams {
  const limits = withDefaults('memoryStreams', options, DEFAULTS, requireInteger)
  let streams = new Map<string, Stream>()
  let cursors = createCursorTable(limits)
  let totalBytes = 0
  let generation = 0
  let openings = 0
  let storeTag: StoreTag | undefined
  /** The last opening that has sent something to many. No memory goes back on that: it is safer to believe it. */
  let lastSharer = 0

  const remove = (id: string): void => {
    totalBytes -= streams.get(id)?.bytes ?? 0
    streams.delete(id)
  }

  /** Keeps the streams in the order in which they were touched last. */
  const touch = (id: string, stream: Stream, now: number): void => {
    stream.touchedAt = now
    streams.delete(id)
    streams.set(id, stream)
  }

  const expire = (now: number): void => {
    for (const [id, stream] of streams) {
      if (now - stream.touchedAt < limits.ttlMs) return
      remove(id)
    }
  }

  const drop = (stream: Stream, count: number): void => {
    const dropped = stream.messages.splice(0, count)
    const bytes = dropped.reduce((sum, message) => sum + message.bytes, 0)
    stream.bytes -= bytes
    totalBytes -= bytes
  }

  const overflow = (stream: Stream): void => {
    stream.status = 'overflow'
    drop(stream, stream.messages.length)
  }

  /** Whether the stream has room for so many bytes, once those that hold more than it have made way. */
  const makeRoom = (stream: Stream, bytes: number, onOverflow: (id: string) => void): boolean => {
    while (totalBytes + bytes > limits.totalBytesMax) {
      let largest = stream.bytes + bytes
      let found: string | undefined
      for (const [id, other] of streams) {
        if (other === stream || other.bytes <= largest) continue
        largest = other.bytes
        found = id
      }
      const victim = found === undefined ? undefined : streams.get(found)
      if (found === undefined || !victim) return false
      overflow(victim)
      onOverflow(found)
    }
    return true
  }

  const trim = (stream: Stream, sequence: number): void => {
    const count = Math.min(sequence - stream.base, stream.messages.length)
    if (count <= 0) return
    stream.baseTag = stream.messages[count - 1]?.tag
    stream.base += count
    drop(stream, count)
  }

  function open(platform: StreamsPlatform): Streams {
    const { now, createId, wallNow, onForeign, onOverflow = () => {} } = platform
    if (wallNow) storeTag ??= createStoreTag(wallNow(), createId())
    const life = createId()
    const opening = ++openings
    const sizes = new Sizes()
    let tags = 0
    let hasMetForeign = false

    const held = (id: string, epoch: number): Stream | undefined => {
      expire(now())
      const stream = streams.get(id)
      return stream?.status === 'live' && stream.epoch === epoch ? stream : undefined
    }

    /** With clients that come and go between two processes it happens all the time: told once. */
    const meet = (unknown: string): void => {
      if (hasMetForeign || !wallNow || !storeTag?.isYounger(unknown, wallNow())) return
      hasMetForeign = true
      onForeign?.()
    }

    const witness = (): string => `${life}.${generation}`

    return {
      ttlMs: limits.ttlMs,

      attach({ user, stream: wanted, isKnown = false, writers }: AttachRequest): Attached | 'superseded' {
        expire(now())
        const known = wanted && streams.get(wanted.id)
        if (wanted && !known) meet(wanted.id)
        const count = wanted?.c ?? Infinity
        if (known?.user === user && count <= known.resumptions) return 'superseded'
        const lost = wanted && lostReason(known, user, wanted, { generation, opening, lastSharer, isKnown })
        if (wanted && known && lost && lost !== 'user') remove(wanted.id)
        const [id, stream] =
          wanted && known && !lost ? [wanted.id, known] : [storeTag?.mark(createId()) ?? createId(), startStream(user)]
        if (wanted && !lost) trim(stream, wanted.s)
        stream.epoch++
        stream.generation = generation
        stream.opening = opening
        if (!lost && count !== Infinity) stream.resumptions = count
        touch(id, stream, now())
        return {
          id,
          epoch: stream.epoch,
          resumed: wanted !== undefined && lost === undefined,
          ...(lost && { lost }),
          sequence: stream.base + stream.messages.length,
          messages: [...stream.messages],
          cursors: cursors.read(user, writers, witness(), now()),
        }
      },

      append(id, epoch, entry, isTaking) {
        const stream = held(id, epoch)
        const ended = stream ? undefined : streams.get(id)
        if (!stream) return ended?.status === 'overflow' && ended.epoch === epoch ? 'overflow' : 'gone'
        const { head, payload } = entry
        const count = stream.messages.length
        const bytes = sizes.bytesOf(payload)
        const tag = `${life.slice(-8)}.${generation}-${(++tags).toString(36)}`
        const message = { head, payload, sequence: stream.base + count + 1, tag, bytes }
        const isOver = count >= limits.messagesMax || (count > 0 && stream.bytes + bytes > limits.bytesMax)
        if ((isOver && !isTaking) || !makeRoom(stream, bytes, onOverflow)) {
          overflow(stream)
          return 'overflow'
        }
        stream.messages.push(message)
        stream.bytes += bytes
        totalBytes += bytes
        return message
      },

      acknowledge(id, epoch, sequence) {
        const stream = held(id, epoch)
        if (!stream) return false
        trim(stream, sequence)
        touch(id, stream, now())
        return true
      },

      end(id, epoch) {
        if (streams.get(id)?.epoch === epoch && streams.get(id)?.status === 'live') remove(id)
      },

      sentToMany: () => void (lastSharer = Math.max(lastSharer, opening)),
      cursors: (user, writers) => cursors.read(user, writers, witness(), now()),
      advance: (user, writer, cursor: Cursor) => cursors.write(user, writer, cursor, witness(), now()),
    }
  }

  return {
    isLocal: true,
    open,
    snapshot: () => ({ streams: copyStreams(streams), cursors: cursors.copy() }),
    restore(snapshot, isBlind = false) {
      streams = copyStreams(snapshot.streams)
      cursors = snapshot.cursors.copy()
      totalBytes = [...streams.values()].reduce((sum, { bytes }) => sum + bytes, 0)
      generation++
      if (isBlind) for (const stream of streams.values()) stream.generation = generation
    },
  }
}

/** What payloads cost. One that goes to a whole room is counted once. */
class Sizes {
  #payload: Body = ''
  #bytes = OVERHEAD_BYTES

  bytesOf(payload: Body): number {
    if (payload === this.#payload) return this.#bytes
    this.#payload = payload
    return (this.#bytes = Buffer.byteLength(payload) + OVERHEAD_BYTES)
  }
}
