import { DeliveryError, RemoteProtocolError } from '../../src/index.js'
import type { ClientProtocol, Dialect, OutgoingFrame } from '../../src/index.js'

/** A server that reads lines such as `greet ann` and answers each of them, in order, with `ok` or `no`. */
export const lines = (): Dialect => ({
  name: 'lines',
  subprotocols: ['lines'],
  acknowledges: true,
  badFramesMax: 1,
  encode: (event, data) => `${event} ${String(data)}`,
  advise: () => 'retry',
  open: createLinesProtocol,
})

function createLinesProtocol(): ClientProtocol {
  /** The messages without an answer, oldest first. */
  let unanswered: NonNullable<OutgoingFrame['entry']>[] = []

  return {
    deadline: Infinity,
    bufferBytesMax: 64 * 1024,
    opened: () => ({ type: 'ready' }),
    receive(frame) {
      if (typeof frame !== 'string') throw new RemoteProtocolError('BAD_FRAME', 'The server sent bytes')
      const entry = frame === 'ok' || frame === 'no' ? unanswered.shift() : undefined
      const [event = '', data] = frame.split(' ')
      if (!entry) return [{ type: 'message', message: { event, data } }]
      const receipt = { confirmedBy: 'server' } as const
      if (frame === 'ok') return [{ type: 'done', entry, receipt }]
      return [{ type: 'done', entry, receipt, error: new DeliveryError('REJECTED', 'The server said no') }]
    },
    nextFrame(outbox, room) {
      const entry = room > 0 ? outbox.peek() : undefined
      if (!entry) return undefined
      unanswered.push(entry)
      return { frame: entry.body, bytes: entry.bytes, entry }
    },
    volatileFrames: () => undefined, // An answer to it could not be told from the answer to a message.
    closed() {
      unanswered = [] // The client sends them again on the next connection.
    },
  }
}
