import type { Receipt } from './outbox/delivery.js'
import type { Outbox } from './outbox/outbox.js'
import type { Body } from './protocol/codec.js'
import type { Transport } from './transport/transport.js'

/**
 * How much is handed to the browser ahead of the network, in bytes. What is in the browser's buffer is still ours when
 * the link dies; what has left it is not known to have arrived. Little ahead, little at risk.
 */
const BUFFER_BYTES_MAX = 128 * 1024

/** The browser does not say when its buffer empties. We look after `min` milliseconds, half as often each time it has not moved. */
const LOOK_AFTER_MS = { min: 4, max: 256 }

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
  let everyMs = LOOK_AFTER_MS.min

  function pump(): void {
    const link = transport()
    for (let entry = outbox.peek(); entry && link.buffered() < BUFFER_BYTES_MAX; entry = outbox.peek()) {
      outbox.sent(entry, link.send(entry.message.body))
      if (deadline === Infinity) deadline = now() + (everyMs = LOOK_AFTER_MS.min)
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
      if (deadline === Infinity) return
      everyMs = settle() ? LOOK_AFTER_MS.min : Math.min(everyMs * 2, LOOK_AFTER_MS.max)
      deadline = outbox.inFlight ? now() + everyMs : Infinity
      pump()
    },
    unlink() {
      if (deadline === Infinity) return
      settle()
      outbox.rewind()
      deadline = Infinity
    },
    pass(frame) {
      if (transport().buffered() >= BUFFER_BYTES_MAX) return false
      transport().send(frame)
      return true
    },
  }
}
