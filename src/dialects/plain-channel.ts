import { DeliveryError } from '../errors.js'
import { LEFT_THE_BROWSER, type Entry } from '../outbox/delivery.js'
import { MESSAGE_TOO_BIG } from '../protocol/close-codes.js'
import type { Body, Received } from '../protocol/codec.js'
import type { Channel, Host, Meaning } from './dialect.js'
import { createOutflow } from './outflow.js'

const READY: readonly Meaning[] = [{ type: 'ready' }]

/** Hands the queue's messages to the browser, and settles those that have left its buffer. */
export function createPlainChannel(
  host: Host,
  read: (frame: Received) => Meaning,
  ping: (() => Body) | undefined,
): Channel {
  const { queue, link } = host
  const outflow = createOutflow(host, { transmit, settle, isExpectant: () => queue.inFlight > 0 })
  let isOpen = false
  /** The head of the queue when the server last closed with 1009. */
  let suspect: Entry | undefined

  function pump(): void {
    if (isOpen) outflow.pump()
  }

  function transmit(entry: Entry): boolean {
    const position = link().send(entry.message.body)
    if (position === undefined) return false // A listener of what peek() or settle() told has hung up.
    queue.sent(entry, position, entry.bytes)
    return true
  }

  function settle(): boolean {
    const position = link().flushed()
    return queue.settle((entry) => entry.position <= position, LEFT_THE_BROWSER)
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
      return outflow.deadline
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
      if (queue.inFlight) outflow.look()
    },
    pump,
    elapsed: () => outflow.look(),
    pass: (_event, body) => isOpen && outflow.hasRoom() && link().send(body) !== undefined,
    unlink(closeCode) {
      isOpen = false
      settle()
      queue.rewind()
      suspectHead(closeCode)
      outflow.reset()
    },
    cancel() {},
    authenticate() {},
    bye() {},
    leave() {},
  }
}
