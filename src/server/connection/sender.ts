import type { Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { DownFrame } from '../../protocol/frames.js'
import type { Limits } from '../base/options.js'
import type { StreamMessage } from '../stores/stream-store.js'

/** A socket, from the engine's side. No method may throw. */
export interface ServerSocket {
  send(frame: Body): void
  /** Sends a close frame behind everything that waits. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  terminate(): void
  /** Bytes that were sent and have not left this process. */
  readonly bufferedAmount: number
}

/** What one connection writes. While the socket is full, the stream waits here and volatile messages are dropped. */
export interface Downlink {
  /** The last message of the stream that was written. */
  readonly sequence: number
  /** When `elapsed` wants to be called; `Infinity` while everything is written. */
  readonly deadline: number
  /** The stream's messages begin after `sequence`. */
  start(sequence: number): void
  /** A frame that cannot wait. */
  write(frame: DownFrame): void
  deliver(message: StreamMessage): void
  writeVolatile(frame: Body): void
  /** `stalled`: for too long nothing has left the socket although it is full. */
  elapsed(now: number): 'stalled' | undefined
  /** The client was heard: perhaps the socket has drained. */
  pump(): void
}

/** How often a full socket is looked at, in milliseconds: nobody tells when it drains. */
const POLL_MS = 50

export function createDownlink(
  socket: ServerSocket,
  codec: FrameCodec,
  { bufferedBytesMax, stalledMs }: Pick<Limits, 'bufferedBytesMax' | 'stalledMs'>,
  now: () => number,
): Downlink {
  let backlog: StreamMessage[] = []
  let head = 0
  let sequence = 0
  let deadline = Infinity
  let fullSince = Infinity

  const isFull = (): boolean => socket.bufferedAmount >= bufferedBytesMax

  const pump = (): void => {
    if (!isFull()) fullSince = Infinity // It may be full again at once: of other bytes, since somebody reads.
    while (head < backlog.length && !isFull()) {
      const message = backlog[head++]
      if (!message) break
      sequence = message.sequence
      const frame = { ...message.head, s: message.sequence, g: message.tag } as DownFrame
      socket.send(codec.write(frame, message.payload))
    }
    if (head === backlog.length) {
      backlog = []
      head = 0
    }
    watch()
  }

  const watch = (): void => {
    const isWaiting = isFull()
    if (isWaiting) fullSince = Math.min(fullSince, now())
    else fullSince = Infinity
    // A client that goes on talking must not put the look at its socket off for ever.
    deadline = isWaiting || head < backlog.length ? Math.min(deadline, now() + POLL_MS) : Infinity
  }

  return {
    get sequence() {
      return sequence
    },
    get deadline() {
      return deadline
    },
    start(from) {
      sequence = from
    },
    write(frame) {
      socket.send(codec.write(frame))
    },
    deliver(message) {
      backlog.push(message)
      pump()
    },
    writeVolatile(frame) {
      if (!isFull()) socket.send(frame)
    },
    elapsed(at) {
      if (at < deadline) return undefined
      deadline = Infinity
      pump()
      return at - fullSince >= stalledMs ? 'stalled' : undefined
    },
    pump,
  }
}
