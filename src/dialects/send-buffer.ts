import type { Entry } from '../outbox/delivery.js'
import type { Host } from './dialect.js'

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

/** What a dialect does with the messages that flow out. */
export interface Spout {
  /** Sends the next message; false where none can be sent now. */
  transmit(entry: Entry): boolean
  /** Settles what has left the browser's buffer; says whether there was any. */
  settle(): boolean
  /** Whether a look at the buffer would settle something, sooner or later. */
  isExpectant(): boolean
}

/** Keeps the browser's buffer filled a little, and looks when it has emptied. */
export interface Outflow {
  /** When the next look is due, on the monotonic clock. */
  readonly deadline: number
  /** Whether the browser's buffer has room. */
  hasRoom(): boolean
  /** Hands over what waits, as far as there is room. */
  pump(): void
  look(): void
  /** The link is gone. */
  reset(): void
}

export function createOutflow({ queue, link, now }: Host, { transmit, settle, isExpectant }: Spout): Outflow {
  let deadline = Infinity
  let idleLooks = 0

  const hasRoom = (): boolean => link().buffered() < BUFFER_BYTES_MAX

  function pump(): void {
    let entry = queue.peek()
    for (; entry && hasRoom(); entry = queue.peek()) {
      if (!transmit(entry)) break
    }
    // The buffer may be full of what nobody waits for, such as a volatile message.
    if (deadline === Infinity && ((entry && !hasRoom()) || isExpectant())) {
      const afterMs = (entry ? LOOK_AFTER_MS.forRoom : LOOK_AFTER_MS.forReceipts) * 2 ** idleLooks
      deadline = now() + Math.min(afterMs, LOOK_AFTER_MS.max)
    }
  }

  return {
    get deadline() {
      return deadline
    },
    hasRoom,
    pump,
    look() {
      idleLooks = settle() ? 0 : idleLooks + 1
      deadline = Infinity
      pump()
    },
    reset() {
      deadline = Infinity
      idleLooks = 0
    },
  }
}
