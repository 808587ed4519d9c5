import type { Receipt } from './outbox/delivery.js'
import type { Outbox } from './outbox/outbox.js'
import type { Body } from './protocol/codec.js'
import type { Transport } from './transport/transport.js'

/**
 * How much is handed to the browser ahead of the network, in bytes. What is in the browser's buffer is still ours when
 * the link dies; what has left it is not known to have arrived. Little ahead, little at risk.
 */
const BUFFER_BYTES_MAX = 128 * 1024

/**
 * The browser does not say when its buffer empties, so we look: soon when messages wait for room in it, later when only
 * receipts do, and half as often each time it has not moved. In milliseconds.
 */
const LOOK_AFTER_MS = { forRoom: 4, forReceipts: 24, max: 256 }

/** What vouches for a message to a server that acknowledges nothing. */
const LEFT_THE_BROWSER: Receipt = Object.freeze({ confirmedBy: 'browser' })

/** Hands the outbox's messages to the browser, and settles those that have left its buffer. */
export interface Sender {
  /** When `look` is due, on the monotonic clock. */
  readonly deadline: number
  /** Sends what waits, as far as the browser's buffer is small. */
  pump(): void
  /** Settles what has left the buffer, and refills it. */
  look(): void
  /** The link is gone: settles what had left the buffer; the rest waits again. */
  unlink(): void
  /** Sends one frame past the queue. False when the buffer is full. */
  pass(frame: Body): boolean
}

export function createSender(outbox: Outbox, transport: () => Transport, now: () => number): Sender {
  let deadline = Infinity
  let idleLooks = 0

  function pump(): void {
    const link = transport()
    let entry = outbox.peek()
    for (; entry && link.buffered() < BUFFER_BYTES_MAX; entry = outbox.peek()) {
      const position = link.send(entry.message.body)
      if (position === undefined) return // A listener of what peek() or settle() told has hung up.
      outbox.sent(entry, position)
    }
    if (deadline === Infinity && outbox.inFlight) {
      const afterMs = (entry ? LOOK_AFTER_MS.forRoom : LOOK_AFTER_MS.forReceipts) * 2 ** idleLooks
      deadline = now() + Math.min(afterMs, LOOK_AFTER_MS.max)
    }
  }

  function settle(): boolean {
    const position = transport().flushed()
    return outbox.settle((entry) => entry.position <= position, LEFT_THE_BROWSER)
  }

  return {
    get deadline() {
      return deadline
    },
    pump,
    look() {
      idleLooks = settle() ? 0 : idleLooks + 1
      deadline = Infinity
      pump()
    },
    unlink() {
      settle()
      outbox.rewind()
      deadline = Infinity
      idleLooks = 0
    },
    pass(frame) {
      return transport().buffered() < BUFFER_BYTES_MAX && transport().send(frame) !== undefined
    },
  }
}
