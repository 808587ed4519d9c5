import type { ClientProtocol, Dialect } from '../dialects/dialect.js'
import { BUFFER_BYTES_MAX, createSendBuffer } from '../dialects/send-buffer.js'
import { LEFT_THE_BROWSER, type Entry } from '../outbox/delivery.js'
import type { Outbox, OutboxNotice } from '../outbox/outbox-api.js'
import type { Platform } from '../platform/platform.js'
import type { Transport } from '../platform/transport.js'
import { sizeOf, type Body } from '../protocol/codec.js'
import type { Traffic } from '../protocol/heartbeat.js'
import {
  isHoldfastError,
  LocalProtocolError,
  RemoteProtocolError,
  textOf,
  type HoldfastError,
} from '../shared/errors.js'
import { createVolatiles } from './volatiles.js'

/** The way from the outbox to the network: one socket at a time, filled with what the protocol wants to send. */
export interface Link extends Traffic {
  /** Bytes in the browser's buffer. */
  readonly buffered: number
  /** When `poll` is due, on the monotonic clock. */
  readonly deadline: number
  /** The page may be about to end, and nothing waited in the browser's buffer when that began: what goes in now leaves with it. */
  readonly isLeaving: boolean
  /** Made when it is first needed. @throws {TypeError} where there is no WebSocket class */
  transport(): Transport
  /** A socket is open. */
  opened(): void
  /** Sends what the protocol wants to send. Returns why the connection cannot go on, if so. */
  fill(now: number): HoldfastError | undefined
  /** Delivers the messages that have left the browser, where that is all that is ever known. */
  poll(): void
  /** The page may be about to end, or is back. */
  part(isParting: boolean): void
  /** Sends one message past the queue, now or never; one with a key may wait for room. */
  sendVolatile(entry: Entry): void
  /** Says goodbye, where the dialect has a word for it. */
  sayGoodbye(): void
  /** The socket is gone, by this close code: what is not delivered waits again. */
  unlink(closeCode: number): void
  /** Whether messages are handed to the browser however much waits in its buffer. */
  setUnbounded(isUnbounded: boolean): void
}

interface LinkOptions {
  readonly protocol: ClientProtocol
  readonly outbox: Outbox
  createTransport(): Transport
  /** In a hidden page the next look for room in the buffer may be a minute away. */
  readonly platform: Pick<Platform, 'isHidden'>
  readonly dialect: Pick<Dialect, 'acknowledges'>
  tell(notice: OutboxNotice): void
}

export function createLink(options: LinkOptions): Link {
  const { protocol, outbox, createTransport, platform, dialect, tell } = options
  const buffer = createSendBuffer()
  let transport: Transport | undefined
  let isUnbounded = false
  let isParting = false
  let isLeaving = false
  /** What was written on this connection that no server acknowledges. */
  let volatileBytes = 0

  const isOpen = (): boolean => transport?.isOpen ?? false

  const buffered = (): number => transport?.buffered() ?? 0

  const room = (max = protocol.bufferBytesMax): number =>
    isUnbounded || (platform.isHidden && !isParting) ? Infinity : max - buffered()

  const volatiles = createVolatiles({
    // Also where a window bounds all others: nothing bounds these.
    hasRoom: () => !isOpen() || room(BUFFER_BYTES_MAX) > 0,
    write({ event, body }) {
      const frames = isOpen() ? protocol.volatileFrames(event, body, room()) : undefined
      const before = buffer.sent
      const isWritten = frames !== undefined && tryToWrite(frames)
      volatileBytes += buffer.sent - before
      return isWritten
    },
    failed: (delivery) => tell({ type: 'failed', delivery }),
  })

  /**
   * Returns the position after the frame.
   *
   * @throws {LocalProtocolError} where the socket throws
   */
  function write(frame: Body, bytes = sizeOf(frame)): number {
    try {
      transport?.send(frame)
    } catch (cause) {
      throw new LocalProtocolError('NOT_ENCODABLE', `A frame cannot be sent: ${textOf(cause)}`, cause)
    }
    return buffer.written(bytes)
  }

  /** Writes all or reports why not. */
  function tryToWrite(frames: readonly Body[]): boolean {
    try {
      for (const frame of frames) write(frame)
      return true
    } catch (cause) {
      tell({ type: 'error', error: asProtocolError(cause) })
      return false
    }
  }

  /** Sends until the protocol has nothing more to send. Returns the room that is left. */
  function drain(now: number): number {
    let left = room()
    for (;;) {
      const outgoing = protocol.nextFrame(outbox, left, now)
      if (!outgoing) return left
      const { frame, bytes, entry, isConfirmedByBrowser } = outgoing
      const position = write(frame, bytes)
      left -= bytes
      if (entry) outbox.sent(entry, bytes, isConfirmedByBrowser ? position : Infinity)
      if (entry && isConfirmedByBrowser) buffer.watch(entry)
    }
  }

  function poll(): void {
    for (const entry of buffer.poll(isLeaving ? 0 : buffered())) outbox.finish(entry, LEFT_THE_BROWSER)
  }

  return {
    get buffered() {
      return buffered()
    },
    get written() {
      return buffer.sent
    },
    get left() {
      return buffer.sent - buffered()
    },
    get unacknowledged() {
      return dialect.acknowledges ? outbox.bytesInFlight + volatileBytes : Infinity
    },
    get deadline() {
      return buffer.deadline
    },
    get isLeaving() {
      return isLeaving
    },
    transport: () => (transport ??= createTransport()),
    opened() {
      buffer.reset()
      volatileBytes = 0
    },
    fill(now) {
      if (!isOpen()) return undefined
      try {
        volatiles.fill() // First: behind a long queue there is never room.
        const isBlocked = (drain(now) <= 0 && outbox.peek() !== undefined) || volatiles.waiting > 0
        if (isLeaving) poll()
        if (isBlocked || buffer.leaving) buffer.wait(now, isBlocked)
        return undefined
      } catch (cause) {
        return asProtocolError(cause)
      }
    },
    poll() {
      // What is planned is done with, whether or not there is something to deliver.
      if (buffer.leaving || buffer.deadline !== Infinity) poll()
    },
    sendVolatile: volatiles.send,
    sayGoodbye() {
      const goodbye = protocol.goodbye?.()
      if (goodbye !== undefined && isOpen()) tryToWrite([goodbye])
    },
    unlink(closeCode) {
      if (buffer.leaving) poll()
      volatiles.clear()
      protocol.closed(closeCode)
      outbox.rewind(closeCode)
      buffer.reset()
    },
    part(given) {
      if (given !== isParting) isLeaving = given && !buffered()
      isParting = given
    },
    setUnbounded: (given) => void (isUnbounded = given),
  }
}

/** Whatever a dialect or a codec throws, it says that the two sides do not understand each other. */
export const asProtocolError = (cause: unknown): HoldfastError =>
  isHoldfastError(cause) ? cause : new RemoteProtocolError('BAD_FRAME', textOf(cause), cause)
