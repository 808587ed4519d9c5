import { LEFT_THE_BROWSER, type Entry } from '../../outbox/delivery.js'
import type { Body, Received } from '../../protocol/codec.js'
import type { Channel, Host, Meaning } from '../dialect.js'
import { createOutflow } from '../send-buffer.js'
import { createSuspects } from './oversized-head.js'

const READY: readonly Meaning[] = [{ type: 'ready' }]

/** Hands the queue's messages to the browser, and settles those that have left its buffer. */
export function createPlainChannel(
  host: Host,
  read: (frame: Received) => Meaning,
  ping: (() => Body) | undefined,
): Channel {
  const { queue, link } = host
  const outflow = createOutflow(host, { transmit, settle, isExpectant: () => queue.inFlight > 0 })
  const suspects = createSuspects(queue)
  let isOpen = false

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
      suspects.rewind(closeCode)
      outflow.reset()
    },
    cancel() {},
    authenticate() {},
    bye() {},
    leave() {},
  }
}
