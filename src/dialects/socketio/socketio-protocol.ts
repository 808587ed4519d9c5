import { ACKNOWLEDGED, type Entry } from '../../outbox/delivery.js'
import type { Outgoing } from '../../outbox/outbox-api.js'
import { sizeOf, type Body, type Received } from '../../protocol/codec.js'
import { DeliveryError, type HoldfastError, type RefusedError, RemoteProtocolError } from '../../shared/errors.js'
import { isRecord } from '../../shared/validate.js'
import type { ClientProtocol, OutgoingFrame, ProtocolEvent } from '../dialect.js'
import { BUFFER_BYTES_MAX } from '../send-buffer.js'
import { handshakeOf, refusal, type Handshake } from './handshake.js'
import { createPacketReader, engineFrame, PacketType, type EnginePacket, type Packet, type Packets } from './packets.js'

export interface SocketIoRules {
  readonly namespace: string
  /** Of that namespace. */
  readonly packets: Packets
  readonly ackTimeoutMs: number
  /** Whether the server calls back for this event. */
  wantsAck(event: string): boolean
  /** A payload as arguments, and back. */
  spread(payload: unknown): readonly unknown[]
  gather(values: readonly unknown[]): unknown
}

/** How many messages may be in flight unacknowledged: as many, at most, come twice after a cut. */
const WINDOW_MESSAGES = 64

/** The attachments of a packet follow it at once. Later than so many milliseconds they never come. */
const ATTACHMENTS_WITHIN_MS = 10_000

const NOTHING: readonly ProtocolEvent[] = []

/** A message of the server that waits for an answer: its number, and that of the connection on which it came. */
interface Question {
  readonly id: number
  readonly link: number
}

/**
 * Socket.IO as a client speaks it, over one WebSocket and in one namespace.
 *
 * A connection goes through three stages: `dialled` (the engine has yet to open), `joining` (the namespace has yet to
 * take us), then `live`. Between connections it is `away`.
 */
export function createSocketIoProtocol(rules: SocketIoRules): ClientProtocol {
  const { packets } = rules
  let reader = createPacketReader()
  let stage: 'away' | 'dialled' | 'joining' | 'live' = 'away'
  /** Which connection this is, from 1: each has its own numbers for what waits for an answer. */
  let link = 0
  let engine: Handshake
  let credential: unknown
  /** Set after the first connection: what comes later follows a gap, or a recovery. */
  let hadSession = false
  /** The server's name for our session, and where we are in it, if it can recover. */
  let pid: string | undefined
  let offset: string | undefined
  /** Frames that go before the next message: packets of our own, and the attachments of the last message. */
  let owed: Body[] = []
  /** The message whose last attachment is the last frame that is owed. */
  let unfinished: OutgoingFrame | undefined

  let acksAsked = 0
  /** By its number, each message that waits for an acknowledgement, and its deadline; in the order of the deadlines. */
  const awaited = new Map<number, { entry: Entry; by: number }>()

  // Connecting.

  function open(frame: Received, now: number): void {
    engine = handshakeOf(() => reader.read(frame, now))
    const auth = isRecord(credential) ? credential : credential === undefined ? {} : { token: credential }
    owed.push(packets.connect(pid === undefined ? auth : { pid, offset, ...auth }))
    stage = 'joining'
  }

  function join({ data }: Packet): readonly ProtocolEvent[] {
    if (!isRecord(data) || typeof data['sid'] !== 'string') {
      throw refusal('PROTOCOL_MISMATCH', 'It speaks an older Socket.IO, before version 3')
    }
    const theirs = typeof data['pid'] === 'string' ? data['pid'] : undefined
    const recovered = theirs !== undefined && theirs === pid
    const isGap = hadSession && !recovered
    if (!recovered) offset = undefined
    pid = theirs
    hadSession = true
    stage = 'live'
    const ready = { type: 'ready', sessionId: data['sid'], recovered, heartbeat: engine.heartbeat } as const
    return isGap ? [ready, { type: 'gap', gap: { fromServer: true, toServer: false, reason: 'unknown' } }] : [ready]
  }

  // The way up.

  function nextMessage(outbox: Outgoing, now: number): OutgoingFrame | undefined {
    for (let entry = outbox.peek(); entry; entry = outbox.peek()) {
      const { event, body } = entry
      const isAwaited = entry.isRequest || rules.wantsAck(event)
      if (isAwaited && awaited.size >= WINDOW_MESSAGES) return undefined
      const frames = packets.frames(body, isAwaited ? acksAsked : undefined)
      const error = frames
        ? tooLarge(event, frames)
        : new DeliveryError('NOT_ENCODABLE', `"${event}" was stored otherwise`)
      if (frames && !error) {
        if (isAwaited) awaited.set(acksAsked++, { entry, by: now + rules.ackTimeoutMs })
        return begin(frames, entry, !isAwaited)
      }
      outbox.fail(entry, error as HoldfastError)
    }
    return undefined
  }

  /** The first frame of a packet; the others are owed, one behind the other. */
  function begin([head, ...attachments]: readonly Body[], entry: Entry, isConfirmedByBrowser: boolean): OutgoingFrame {
    const frame = head as Body
    const bytes = sizeOf(frame)
    if (!attachments.length) return { frame, bytes, entry, isConfirmedByBrowser }
    owed.push(...attachments)
    unfinished = { frame, bytes, entry, isConfirmedByBrowser }
    return { frame, bytes }
  }

  function nextOwed(): OutgoingFrame | undefined {
    const frame = owed.shift()
    if (frame === undefined) return undefined
    const finished = owed.length ? undefined : unfinished
    if (finished) unfinished = undefined
    return { ...finished, frame, bytes: sizeOf(frame) }
  }

  function tooLarge(event: string, frames: readonly Body[]): HoldfastError | undefined {
    const bytes = Math.max(...frames.map(sizeOf))
    if (bytes <= engine.frameBytesMax) return undefined
    const rule = `the server takes frames of ${engine.frameBytesMax} bytes`
    return new DeliveryError('TOO_LARGE', `"${event}" makes a frame of ${bytes} bytes; ${rule}`)
  }

  function acknowledged(id: number, values: readonly unknown[]): readonly ProtocolEvent[] {
    const entry = awaited.get(id)?.entry
    if (!entry) return NOTHING // It was given up before.
    awaited.delete(id)
    const done = { type: 'done', entry, receipt: ACKNOWLEDGED } as const
    return entry.isRequest ? [{ type: 'reply', id: entry.id, reply: { data: rules.gather(values) } }, done] : [done]
  }

  /** A frame has come, so the link works: what is overdue will not be acknowledged. A dead link would prove nothing. */
  function overdue(now: number): readonly ProtocolEvent[] {
    let events: ProtocolEvent[] | undefined
    for (const [id, { entry, by }] of awaited) {
      if (by > now) break
      if (entry.isRequest) continue // It has a deadline of its own.
      awaited.delete(id)
      const words = `"${entry.event}" was not acknowledged within ${rules.ackTimeoutMs} ms; it may have been handled`
      const error = new DeliveryError('NOT_ACKNOWLEDGED', words)
      ;(events ??= []).push({ type: 'done', entry, receipt: ACKNOWLEDGED, error })
    }
    return events ?? NOTHING
  }

  // What comes.

  function hear(packet: Packet): readonly ProtocolEvent[] {
    if (packet.nsp !== rules.namespace && packet.type !== PacketType.CONNECT) throw unexpected(packet)
    if (packet.type === PacketType.CONNECT_ERROR) throw refusedBy(packet)
    if (packet.type === PacketType.DISCONNECT) throw refusal('REFUSED_BY_SERVER', 'It disconnected us for good')
    if (packet.type === PacketType.CONNECT && stage === 'joining') return join(packet)
    // What a session missed comes before the word that it is recovered.
    const isRecovering = stage === 'joining' && pid !== undefined && packet.type === PacketType.EVENT
    if (stage !== 'live' && !isRecovering) throw unexpected(packet)
    if (packet.type === PacketType.EVENT) return [message(packet)]
    if (packet.type !== PacketType.ACK || packet.id === undefined) throw unexpected(packet)
    return acknowledged(packet.id, packet.data as unknown[])
  }

  function message({ id, data }: Packet): ProtocolEvent {
    const [event, ...values] = data as [string | number, ...unknown[]]
    const last = values.at(-1)
    // A server that recovers sessions adds its offset, except where it wants an acknowledgement.
    if (pid !== undefined && id === undefined && typeof last === 'string') offset = last
    const told = { type: 'message', message: { event: String(event), data: rules.gather(values) } } as const
    return id === undefined ? told : { ...told, replyTo: { id, link } satisfies Question }
  }

  function refusedBy({ data }: Packet): RefusedError {
    const words = isRecord(data) ? String(data['message']) : String(data)
    // A fresh credential may help, once.
    return refusal(credential === undefined ? 'REFUSED_BY_SERVER' : 'UNAUTHORIZED', words, data)
  }

  function hearEngine({ type, data }: EnginePacket, now: number): readonly ProtocolEvent[] {
    if (type === 'noop') return NOTHING
    if (type === 'close') return [{ type: 'farewell', words: 'the server closed the engine' }]
    if (type !== 'ping') {
      throw new RemoteProtocolError('BAD_FRAME', `The server sent the engine packet "${type}" out of turn`)
    }
    const since = reader.incompleteSince
    if (since !== undefined && now - since > ATTACHMENTS_WITHIN_MS) {
      throw new RemoteProtocolError('BAD_FRAME', 'The server sent a packet, and not the attachments that it announced')
    }
    owed.push(engineFrame(typeof data === 'string' ? data : '', 'pong'))
    return NOTHING
  }

  const unexpected = ({ type, nsp }: Packet): RemoteProtocolError =>
    new RemoteProtocolError('BAD_FRAME', `The server sent ${PacketType[type]} for "${nsp}" out of turn`)

  return {
    deadline: Infinity,
    bufferBytesMax: BUFFER_BYTES_MAX,
    opened(given) {
      credential = given
      stage = 'dialled'
      link++
      reader = createPacketReader()
      return undefined
    },
    receive(frame, now) {
      if (stage === 'dialled') {
        open(frame, now)
        return NOTHING
      }
      const read = reader.read(frame, now)
      const events = !read ? NOTHING : 'engine' in read ? hearEngine(read.engine, now) : hear(read.packet)
      const late = overdue(now)
      return late.length ? [...events, ...late] : events
    },
    nextFrame(outbox, room, now) {
      return nextOwed() ?? (stage === 'live' && room > 0 ? nextMessage(outbox, now) : undefined)
    },
    volatileFrames(event, body, room) {
      const frames = stage === 'live' && room > 0 ? packets.frames(body, undefined) : undefined
      return frames && !tooLarge(event, frames) ? frames : undefined
    },
    reply(replyTo, answer, failure) {
      const question = replyTo as Question // Nothing else is ever handed out.
      if (failure || stage !== 'live' || question.link !== link) return // It has no word for a failure.
      owed.push(...packets.acknowledge(question.id, answer === undefined ? [] : rules.spread(answer)))
    },
    cancel(request) {
      for (const [id, { entry }] of awaited) if (entry === request) awaited.delete(id)
      return [{ type: 'done', entry: request, receipt: ACKNOWLEDGED }]
    },
    closed() {
      stage = 'away'
      awaited.clear()
      owed = []
      unfinished = undefined
    },
    goodbye() {
      const frame = stage === 'live' ? packets.disconnect() : undefined
      stage = 'away'
      pid = offset = undefined
      hadSession = false
      return frame
    },
  }
}
