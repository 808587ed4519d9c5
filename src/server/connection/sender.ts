import type { Body } from '../../protocol/codec.js'
import type { DownFrame } from '../../protocol/frames.js'
import { carryMs } from '../../protocol/heartbeat.js'
import type { EngineContext } from '../base/context.js'
import type { Wire } from '../base/wire.js'
import { Fifo } from '../ordering/fifo.js'
import type { StreamMessage } from '../stores/stream-store.js'

/** A socket, from the engine's side. No method may throw. */
export interface ServerSocket {
  send(frame: Body): void
  /** Sends a close frame behind everything that waits. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  terminate(): void
  /** Bytes that were sent and have not left this process; all of a frame as long as any of it has not. */
  readonly bufferedAmount: number
  /** Bytes that have come, also of a frame that is not whole yet. */
  readonly bytesRead: number
  /** Bytes that were sent, also those that have not left this process. */
  readonly bytesWritten: number
  /** Bytes that have left this process, also of a frame that has not left as a whole. */
  readonly bytesLeft: number
}

/** How often the buffer of a full socket is measured, in milliseconds: there is no event for a buffer that has drained. */
const POLL_MS = 50

/**
 * A frame of so many bytes takes a slow link half a second, and its client sees nothing of it before it is whole. So it is
 * announced.
 */
const LONG_FRAME_BYTES = 4 * 1024

/** What one connection writes. While its socket is full, the messages of the stream wait, and volatile ones are dropped. */
export class Sender {
  readonly #context: Pick<EngineContext, 'platform' | 'options'>
  readonly #wire: Wire
  readonly #socket: ServerSocket
  /** Messages of the stream that were not written yet. */
  readonly #backlog = new Fifo<StreamMessage>()
  #sequence = 0
  #deadline = Infinity
  /** Since when the socket is full, and less has left it than a slow link carries. */
  #stuckSince = Infinity
  /** What had left it when that was last looked at. */
  #left = 0

  constructor(context: Pick<EngineContext, 'platform' | 'options'>, socket: ServerSocket, wire: Wire) {
    this.#context = context
    this.#wire = wire
    this.#socket = socket
  }

  /** The last message of the stream that was written. */
  get sequence(): number {
    return this.#sequence
  }

  /** Whether something has not left this process. */
  get isSending(): boolean {
    return this.#backlog.size > 0 || this.#socket.bufferedAmount > 0
  }

  /** When `elapsed` must be called; `Infinity` while everything is written. */
  get deadline(): number {
    return this.#deadline
  }

  /** The stream's messages begin after `sequence`. */
  start(sequence: number): void {
    this.#sequence = sequence
  }

  /** Writes a frame at once, even to a full socket. */
  write(frame: DownFrame): void {
    this.#socket.send(this.#wire.codec.write(frame))
  }

  /** Writes a message of the stream as soon as the socket has room. */
  deliver(message: StreamMessage): void {
    if (this.#backlog.size > 0 || this.#isFull()) {
      this.#backlog.push(message)
      return this.pump()
    }
    this.#writeMessage(message)
    this.#watch()
  }

  /** Writes an encoded frame, unless the socket is full. */
  writeVolatile(frame: Body): void {
    if (!this.#isFull()) this.#send(frame)
  }

  /** `stalled`: the socket has been full for too long, and nothing has left it, or less than a slow link carries. */
  elapsed(now: number): 'stalled' | undefined {
    if (now < this.#deadline) return undefined
    this.#deadline = Infinity
    this.pump()
    return now - this.#stuckSince >= this.#context.options.limits.stalledMs ? 'stalled' : undefined
  }

  /** Writes what the socket has room for. */
  pump(): void {
    // It may be full again at once, of other bytes: the client reads.
    if (!this.#isFull()) this.#stuckSince = Infinity
    while (this.#backlog.size > 0 && !this.#isFull()) {
      const message = this.#backlog.shift()
      if (message) this.#writeMessage(message)
    }
    this.#watch()
  }

  /** The connection is gone: what was not written is forgotten here. The stream has it. */
  close(): void {
    this.#backlog.clear()
    this.#deadline = Infinity
  }

  #writeMessage(message: StreamMessage): void {
    this.#sequence = message.sequence
    this.#send(this.#wire.message(message))
  }

  #send(frame: Body): void {
    // A UTF-16 code unit has three bytes at most.
    const bytes = frame.length < LONG_FRAME_BYTES / 3 ? 0 : Buffer.byteLength(frame)
    if (bytes >= LONG_FRAME_BYTES) this.write({ t: 'o', next: bytes })
    this.#socket.send(frame)
  }

  #isFull(): boolean {
    return this.#socket.bufferedAmount >= this.#context.options.limits.bufferedBytesMax
  }

  #watch(): void {
    const isFull = this.#isFull()
    if (isFull) this.#look()
    else this.#stuckSince = Infinity
    // The frames of a client that does not read must not postpone the next measurement.
    const isWaiting = isFull || this.#backlog.size > 0
    this.#deadline = isWaiting ? Math.min(this.#deadline, this.#context.platform.now() + POLL_MS) : Infinity
  }

  /** Counts what has left the full socket as the time that a slow link takes for it. */
  #look(): void {
    const { bytesLeft } = this.#socket
    this.#stuckSince = Math.min(this.#context.platform.now(), this.#stuckSince + carryMs(bytesLeft - this.#left))
    this.#left = bytesLeft
  }
}
