import type { Body, Received } from '../../protocol/codec.js'
import { sizeOf } from '../../protocol/codec.js'
import { HoldfastError } from '../../shared/errors.js'
import type { ListenerWaits } from '../listener-waits.js'
import type { ClientProtocol, ProtocolEvent, ReadyEvent } from '../dialect.js'
import { BUFFER_BYTES_MAX } from '../send-buffer.js'

export interface PlainRules {
  read(frame: Received): ProtocolEvent
  readonly makePing: (() => Body) | undefined
  /**
   * In milliseconds; given where the server may know nothing of the ping: it is pinged as soon as it can be, and its
   * silence ends nothing before it has answered.
   */
  readonly pongWithinMs: number | undefined
  /** Which frame ends the handshake; absent: an open socket is the whole of it. */
  readonly isWelcome: ((frame: Received) => boolean) | undefined
  readonly waits: ListenerWaits
}

/** A message whose event never had a listener, and its length in characters or bytes. */
interface Kept {
  readonly event: Extract<ProtocolEvent, { type: 'message' }>
  readonly length: number
}

const NOTHING: readonly ProtocolEvent[] = []
const READY: ReadyEvent = { type: 'ready' }
const NO_PONG: ProtocolEvent = {
  type: 'error',
  error: new HoldfastError('NO_PONG', 'The server answers no ping: it gets no more, and its silence ends nothing'),
}

/** How many characters or bytes are kept. */
const KEPT_MAX = 2 ** 20

/** Hands the outbox's messages to the browser as they are. A plain server acknowledges nothing. */
export function createPlainProtocol(rules: PlainRules): ClientProtocol {
  const { read, makePing, pongWithinMs, isWelcome, waits } = rules
  let isOpen = false
  /** Whether this connection was pinged. */
  let isAsked = false
  /** Goes first. */
  let hello: Body | undefined
  let ping: Body | undefined
  let patienceMs = pongWithinMs ?? Infinity
  /** When the first ping of a connection should be answered. */
  let pongBy = Infinity
  let kept: Kept[] = []
  /** The events of what is kept. */
  const keptEvents = new Set<string>()
  let left = KEPT_MAX

  function ready(): ReadyEvent {
    isOpen = true
    if (pongWithinMs === undefined) return READY
    ping = makePing?.()
    return { ...READY, mayIgnorePings: true }
  }

  return {
    get deadline() {
      return Math.min(waits.deadline, pongBy)
    },
    bufferBytesMax: BUFFER_BYTES_MAX,
    opened(first) {
      hello = first as Body | undefined // The dialect has checked it.
      return isWelcome ? undefined : ready()
    },
    receive(frame, now) {
      if (!isOpen && isWelcome?.(frame)) return [ready()]
      const event = read(frame)
      if (event.type !== 'message') {
        pongBy = Infinity
        return [event]
      }
      const name = event.message.event
      // Also behind one that is kept and due.
      if (!keptEvents.has(name) && !waits.isAwaited(name, now)) return [event]
      const length = typeof frame === 'string' ? frame.length : frame.byteLength
      if (length > left) return NOTHING
      left -= length
      kept.push({ event, length })
      keptEvents.add(name)
      return NOTHING
    },
    release(now) {
      const isIgnored = now >= pongBy
      if (isIgnored) pongBy = patienceMs = Infinity
      waits.elapsed(now)
      const isDue = ({ event }: Kept): boolean => !waits.isAwaited(event.message.event, now)
      const due = kept.filter(isDue)
      kept = kept.filter((one) => !isDue(one))
      for (const { event, length } of due) {
        left += length
        keptEvents.delete(event.message.event)
      }
      return [...(isIgnored ? [NO_PONG] : NOTHING), ...due.map(({ event }) => event)]
    },
    nextFrame(outbox, room, now) {
      if (hello !== undefined) {
        const frame = hello
        hello = undefined
        return { frame, bytes: sizeOf(frame) }
      }
      if (ping !== undefined) {
        const frame = ping
        ping = undefined
        if (!isAsked) pongBy = now + patienceMs
        isAsked = true
        return { frame, bytes: sizeOf(frame) }
      }
      const entry = isOpen && room > 0 ? outbox.peek() : undefined
      return entry && { frame: entry.body, bytes: entry.bytes, entry, isConfirmedByBrowser: true }
    },
    ...(makePing && { ping: () => void (ping = makePing()) }),
    volatileFrames: (_event, body, room) => (isOpen && room > 0 ? [body] : undefined),
    closed() {
      isOpen = isAsked = false
      hello = ping = undefined
      pongBy = Infinity
      kept = []
      keptEvents.clear()
      left = KEPT_MAX
      waits.clear()
    },
  }
}
