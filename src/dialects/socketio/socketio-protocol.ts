import { isRecord } from '../../shared/validate.js'
import { DeliveryError, RemoteProtocolError, type HoldfastError, type RefusedError } from '../../shared/errors.js'
import { ACKNOWLEDGED, LEFT_THE_BROWSER, type Entry } from '../../outbox/delivery.js'
import { sizeOf, type Body, type Received } from '../../protocol/codec.js'
import type { Channel, Host, Meaning } from '../dialect.js'
import { createIsolation } from '../oversized.js'
import { createOutflow } from '../send-buffer.js'
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

/** So many messages may be on their way unacknowledged: as many, at most, come twice after a cut. */
const WINDOW_MESSAGES = 64

/** The attachments of a packet follow it at once; what has not come after so many milliseconds never will. */
const ATTACHMENTS_WITHIN_MS = 10_000

/**
 * Socket.IO as a client speaks it, over one WebSocket and in one namespace.
 *
 * A connection goes through three stages: `dialled` (the engine has yet to open), `joining` (the namespace has yet to
 * take us), then `live`. Between connections it is `away`.
 */
export function createSocketIoChannel(host: Host, rules: SocketIoRules): Channel {
  const { queue, link, now } = host
  const { packets } = rules
  const isolation = createIsolation(queue)
  const outflow = createOutflow(host, { transmit, settle, isExpectant: () => leaving.length > 0 })
  let reader = createPacketReader()
  let stage: 'away' | 'dialled' | 'joining' | 'live' = 'away'
  let engine: Handshake
  let credential: unknown
  /** Set after the first connection: what comes later follows a gap, or a recovery. */
  let hadSession = false
  /** The server's name for our session, and where we are in it, if it can recover. */
  let pid: string | undefined
  let offset: string | undefined

  let acksAsked = 0
  /** By its number, what waits for an acknowledgement, and until when; in the order of the deadlines. */
  const awaited = new Map<number, { entry: Entry; by: number }>()
  /** Messages on their way that no acknowledgement is asked for. */
  let leaving: Entry[] = []

  // Connecting.

  function open(frame: Received): readonly Meaning[] {
    engine = handshakeOf(() => reader.read(frame, now()))
    const auth = isRecord(credential) ? credential : credential === undefined ? {} : { token: credential }
    link().send(packets.connect(pid === undefined ? auth : { pid, offset, ...auth }))
    stage = 'joining'
    return []
  }

  function join({ data }: Packet): readonly Meaning[] {
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
    pump()
    const ready: Meaning = { type: 'ready', sessionId: data['sid'], recovered, heartbeat: engine.heartbeat }
    return isGap ? [ready, { type: 'gap', gap: { fromServer: true, toServer: false, reason: 'unknown' } }] : [ready]
  }

  // The way up.

  function pump(): void {
    if (stage === 'live') outflow.pump()
  }

  function transmit(entry: Entry): boolean {
    const { event, body } = entry.message
    const isAwaited = entry.isRequest || rules.wantsAck(event)
    if (isAwaited && awaited.size >= WINDOW_MESSAGES) return false
    if (!isolation.isOver && queue.inFlight) return false
    const frames = packets.frames(body, isAwaited ? acksAsked : undefined)
    const error = frames
      ? tooLarge(event, frames)
      : new DeliveryError('NOT_ENCODABLE', `"${event}" was stored otherwise`)
    if (!frames || error) {
      queue.fail(entry, error as HoldfastError)
      return true
    }
    const position = sendAll(frames)
    if (position === undefined) return false
    if (isAwaited) awaited.set(acksAsked++, { entry, by: now() + rules.ackTimeoutMs })
    else leaving.push(entry)
    queue.sent(entry, position, entry.bytes)
    return true
  }

  function tooLarge(event: string, frames: readonly Body[]): HoldfastError | undefined {
    const bytes = Math.max(...frames.map(sizeOf))
    if (bytes <= engine.frameBytesMax) return undefined
    const rule = `the server takes frames of ${engine.frameBytesMax} bytes`
    return new DeliveryError('TOO_LARGE', `"${event}" makes a frame of ${bytes} bytes; ${rule}`)
  }

  /** The frames of one packet, one behind the other. */
  function sendAll(frames: readonly Body[]): number | undefined {
    let position: number | undefined
    for (const frame of frames) position = link().send(frame)
    return position
  }

  /** What has left the browser and needs no acknowledgement is done. */
  function settle(): boolean {
    const position = link().flushed()
    const isLeft = (entry: Entry): boolean => entry.position <= position
    const gone = leaving.filter(isLeft)
    leaving = leaving.filter((entry) => !isLeft(entry))
    for (const entry of gone) queue.finish(entry, LEFT_THE_BROWSER)
    if (gone.length) isolation.acquit()
    return gone.length > 0
  }

  function acknowledged(id: number, values: readonly unknown[]): void {
    const entry = awaited.get(id)?.entry
    if (!entry) return // It was given up before.
    awaited.delete(id)
    if (entry.isRequest) queue.answer(entry.id, { data: rules.gather(values) })
    queue.finish(entry, ACKNOWLEDGED)
    isolation.acquit()
    pump()
  }

  /** A frame has come, so the link works: what is overdue will not be acknowledged. A dead link would prove nothing. */
  function giveUpOverdue(): void {
    const at = now()
    let isRoomMade = false
    for (const [id, { entry, by }] of awaited) {
      if (by > at) break
      if (entry.isRequest) continue // It has a deadline of its own.
      isRoomMade = awaited.delete(id)
      const words = `"${entry.message.event}" was not acknowledged within ${rules.ackTimeoutMs} ms; it may have been handled`
      queue.finish(entry, ACKNOWLEDGED, new DeliveryError('NOT_ACKNOWLEDGED', words))
    }
    if (isRoomMade) pump()
  }

  // What comes.

  function hear(packet: Packet): readonly Meaning[] {
    if (packet.nsp !== rules.namespace && packet.type !== PacketType.CONNECT) throw unexpected(packet)
    if (packet.type === PacketType.CONNECT_ERROR) throw refusedBy(packet)
    if (packet.type === PacketType.DISCONNECT) throw refusal('REFUSED_BY_SERVER', 'It disconnected us for good')
    if (packet.type === PacketType.CONNECT && stage === 'joining') return join(packet)
    // What a session missed comes before the word that it is recovered.
    const isRecovering = stage === 'joining' && pid !== undefined && packet.type === PacketType.EVENT
    if (stage !== 'live' && !isRecovering) throw unexpected(packet)
    if (packet.type === PacketType.EVENT) return [message(packet)]
    if (packet.type !== PacketType.ACK || packet.id === undefined) throw unexpected(packet)
    acknowledged(packet.id, packet.data as unknown[])
    return []
  }

  function message({ id, data }: Packet): Meaning {
    const [event, ...values] = data as [string | number, ...unknown[]]
    const last = values.at(-1)
    // A server that recovers sessions adds its offset, except where it wants an acknowledgement.
    if (pid !== undefined && id === undefined && typeof last === 'string') offset = last
    const meaning = { type: 'message', message: { event: String(event), data: rules.gather(values) } } as const
    if (id === undefined) return meaning
    const asked = reader // Each connection has one of its own, and its own numbers.
    return {
      ...meaning,
      answer(answer) {
        if (stage === 'live' && reader === asked)
          sendAll(packets.acknowledge(id, answer === undefined ? [] : rules.spread(answer)))
      },
    }
  }

  function refusedBy({ data }: Packet): RefusedError {
    const words = isRecord(data) ? String(data['message']) : String(data)
    // A fresh credential may help, once.
    return refusal(credential === undefined ? 'REFUSED_BY_SERVER' : 'UNAUTHORIZED', words, data)
  }

  function hearEngine({ type, data }: EnginePacket): readonly Meaning[] {
    if (type === 'noop') return []
    if (type === 'close') return [{ type: 'farewell', words: 'the server closed the engine' }]
    if (type !== 'ping') {
      throw new RemoteProtocolError('BAD_FRAME', `The server sent the engine packet "${type}" out of turn`)
    }
    const since = reader.incompleteSince
    if (since !== undefined && now() - since > ATTACHMENTS_WITHIN_MS) {
      throw new RemoteProtocolError('BAD_FRAME', 'The server sent a packet, and not the attachments that it announced')
    }
    link().send(engineFrame(typeof data === 'string' ? data : '', 'pong'))
    return []
  }

  const unexpected = ({ type, nsp }: Packet): RemoteProtocolError =>
    new RemoteProtocolError('BAD_FRAME', `The server sent ${PacketType[type]} for "${nsp}" out of turn`)

  return {
    get deadline() {
      return outflow.deadline
    },
    ping: undefined, // Since revision 4 of Engine.IO the server pings, and breaks on pings of ours.
    opened(given) {
      credential = given
      stage = 'dialled'
      reader = createPacketReader()
      return []
    },
    read(frame) {
      if (stage === 'dialled') return open(frame)
      const read = reader.read(frame, now())
      if (!read) return []
      return 'engine' in read ? hearEngine(read.engine) : hear(read.packet)
    },
    handled() {
      giveUpOverdue()
      if (leaving.length) outflow.look()
    },
    pump,
    elapsed: () => outflow.look(),
    pass(event, body) {
      const frames = stage === 'live' && outflow.hasRoom() ? packets.frames(body, undefined) : undefined
      return frames !== undefined && !tooLarge(event, frames) && sendAll(frames) !== undefined
    },
    cancel(request) {
      for (const [id, { entry }] of awaited) {
        if (entry === request) awaited.delete(id)
      }
      queue.finish(request, ACKNOWLEDGED)
      pump()
    },
    unlink(closeCode) {
      stage = 'away'
      settle()
      // Whether they have arrived nobody will ask: as with a plain server, they may be taken back and expire.
      for (const entry of leaving) entry.wasSent = false
      isolation.rewind(closeCode)
      awaited.clear()
      leaving = []
      outflow.reset()
    },
    bye() {
      if (stage === 'live') link().send(packets.disconnect())
      stage = 'away'
      pid = offset = undefined
      hadSession = false
    },
    authenticate() {},
    leave() {},
  }
}
