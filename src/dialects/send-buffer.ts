import type { Entry } from '../outbox/delivery.js'

/**
 * How much is handed to the browser ahead of the network, in bytes. What is in the browser's buffer is still ours when
 * the link dies; what has left it is not known to have arrived. Little ahead, little at risk.
 */
export const BUFFER_BYTES_MAX = 128 * 1024

/**
 * The browser does not say when its buffer empties, so we poll: soon when messages wait for room in it, later when only
 * receipts do, and half as often each time it has not moved. In milliseconds.
 */
const POLL_AFTER_MS = { forRoom: 4, forReceipts: 24, max: 256 }

/** The open socket's buffer: what was written, and what has left it. */
export interface SendBuffer {
  /** When the next poll is due, on the monotonic clock. */
  readonly deadline: number
  /** How many bytes were written since the socket was opened. */
  readonly sent: number
  /** How many messages wait for having left the buffer. */
  readonly leaving: number
  /** A frame of so many bytes was written. The position after it counts bytes since the socket was opened. */
  written(bytes: number): number
  /** The entry is delivered once its position has left the buffer. */
  watch(entry: Entry): void
  /** The entries that have left the buffer since the last poll, oldest first. */
  poll(buffered: number): readonly Entry[]
  /** Something waits: polls again in a while, if that is not planned already. */
  wait(now: number, isForRoom: boolean): void
  /** A new socket. */
  reset(): void
}

export function createSendBuffer(): SendBuffer {
  let sent = 0
  /** In the order of their positions. */
  let watched: Entry[] = []
  let head = 0
  let deadline = Infinity
  let idlePolls = 0
  /** How much had left the buffer at the last poll. */
  let leftBefore = 0

  return {
    get deadline() {
      return deadline
    },
    get sent() {
      return sent
    },
    get leaving() {
      return watched.length - head
    },
    written: (bytes) => (sent += bytes),
    watch: (entry) => void watched.push(entry),
    poll(buffered) {
      const from = head
      while (head < watched.length && (watched[head] as Entry).position <= sent - buffered) head++
      const left = watched.slice(from, head)
      if (head === watched.length || head > 1_000) {
        watched = watched.slice(head)
        head = 0
      }
      deadline = Infinity
      idlePolls = sent - buffered > leftBefore ? 0 : idlePolls + 1
      leftBefore = sent - buffered
      return left
    },
    wait(now, isForRoom) {
      if (deadline !== Infinity) return
      const afterMs = (isForRoom ? POLL_AFTER_MS.forRoom : POLL_AFTER_MS.forReceipts) * 2 ** idlePolls
      deadline = now + Math.min(afterMs, POLL_AFTER_MS.max)
    },
    reset() {
      sent = head = idlePolls = leftBefore = 0
      watched = []
      deadline = Infinity
    },
  }
}
