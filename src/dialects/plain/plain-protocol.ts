import type { Body, Received } from '../../protocol/codec.js'
import { sizeOf } from '../../protocol/codec.js'
import type { ClientProtocol, ProtocolEvent, ReadyEvent } from '../dialect.js'
import { BUFFER_BYTES_MAX } from '../send-buffer.js'

const READY: ReadyEvent = { type: 'ready' }

/** Hands the outbox's messages to the browser as they are. A plain server acknowledges nothing. */
export function createPlainProtocol(
  read: (frame: Received) => ProtocolEvent,
  makePing: (() => Body) | undefined,
): ClientProtocol {
  let isOpen = false
  let ping: Body | undefined

  return {
    deadline: Infinity,
    bufferBytesMax: BUFFER_BYTES_MAX,
    opened() {
      // A plain server says nothing before it is spoken to: the open socket is the whole handshake.
      isOpen = true
      return READY
    },
    receive: (frame) => [read(frame)],
    nextFrame(outbox, room) {
      if (ping !== undefined) {
        const frame = ping
        ping = undefined
        return { frame, bytes: sizeOf(frame) }
      }
      const entry = isOpen && room > 0 ? outbox.peek() : undefined
      return entry && { frame: entry.body, bytes: entry.bytes, entry, isConfirmedByBrowser: true }
    },
    ...(makePing && { ping: () => void (ping = makePing()) }),
    volatileFrames: (_event, body, room) => (isOpen && room > 0 ? [body] : undefined),
    closed() {
      isOpen = false
      ping = undefined
    },
  }
}
