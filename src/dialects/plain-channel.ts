import { DeliveryError } from '../errors.js'
import type { Entry, Receipt } from '../outbox/delivery.js'
import { MESSAGE_TOO_BIG } from '../protocol/close-codes.js'
import type { Body, Received } from '../protocol/codec.js'
import type { Channel, Host, Meaning } from './dialect.js'

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

const READY: readonly Meaning[] = [{ type: 'ready' }]

/** Hands the queue's messages to the browser, and settles those that have left its buffer. */
export function createPlainChannel(
  { queue, link, now }: Host,
  read: (frame: Received) => Meaning,
  ping: (() => Body) | undefined,
): Channel {
  let isOpen = false
  let deadline = Infinity
  let idleLooks = 0
  /** The head of the queue when the server last closed with 1009. */
  let suspect: Entry | undefined

  function pump(): void {
    if (!isOpen) return
    const socket = link()
    let entry = queue.peek()
    for (; entry && socket.buffered() < BUFFER_BYTES_MAX; entry = queue.peek()) {
      const position = socket.send(entry.message.body)
      if (position === undefined) return // A listener of what peek() or settle() told has hung up.
      queue.sent(entry, position, entry.bytes)
    }
    if (deadline === Infinity && queue.inFlight) {
      const afterMs = (entry ? LOOK_AFTER_MS.forRoom : LOOK_AFTER_MS.forReceipts) * 2 ** idleLooks
      deadline = now() + Math.min(afterMs, LOOK_AFTER_MS.max)
    }
  }

  function settle(): boolean {
    const position = link().flushed()
    return queue.settle((entry) => entry.position <= position, LEFT_THE_BROWSER)
  }

  function look(): void {
    idleLooks = settle() ? 0 : idleLooks + 1
    deadline = Infinity
    pump()
  }

  /** The server has complained of a message that is too big: it may have been one before the head of the queue. */
  function suspectHead(closeCode: number): void {
    const head = closeCode === MESSAGE_TOO_BIG ? queue.peek() : undefined
    // Twice, it was this one, and it would hold up all others for ever.
    if (head && head === suspect) queue.fail(head, new DeliveryError('TOO_LARGE', 'The server closed with 1009 twice'))
    suspect = head
  }

  return {
    get deadline() {
      return deadline
    },
    ping,
    opened() {
      // A plain server says nothing before it is spoken to: the open socket is the whole handshake.
      isOpen = true
      return READY
    },
    read: (frame) => [read(frame)],
    handled() {
      // An answer says that the question has left the buffer.
      if (queue.inFlight) look()
    },
    pump,
    elapsed: look,
    pass: (_event, body) => isOpen && link().buffered() < BUFFER_BYTES_MAX && link().send(body) !== undefined,
    unlink(closeCode) {
      isOpen = false
      settle()
      queue.rewind()
      suspectHead(closeCode)
      deadline = Infinity
      idleLooks = 0
    },
    cancel() {},
    authenticate() {},
    bye() {},
    leave() {},
  }
}
