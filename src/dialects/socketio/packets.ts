import { decodePacket, encodePacket, type Packet as EnginePacket } from 'engine.io-parser'
import { Decoder, Encoder, isPacketValid, PacketType, type Packet } from 'socket.io-parser'
import { LocalProtocolError, textOf } from '../../shared/errors.js'
import { findJsonLoss } from '../../protocol/json-loss.js'
import { isBuffer } from '../../shared/realms.js'
import { badFrameFrom, sizeOf, type Body, type Received } from '../../protocol/codec.js'

export { PacketType, type EnginePacket, type Packet }

/**
 * Socket.IO packets of one namespace, on the official parsers. Source: Socket.IO protocol, revision 5, and Engine.IO
 * protocol, revision 4.
 */
export interface Packets {
  /**
   * An event as the outbox keeps it: text, or text and attachments in one piece. Bytes are copied.
   *
   * @throws {LocalProtocolError} `NOT_ENCODABLE`
   */
  event(name: string, values: readonly unknown[]): Body
  /** The frames of such an event, which the server is to acknowledge under the number `id`; undefined for a foreign body. */
  frames(body: Body, id: number | undefined): Body[] | undefined
  connect(payload: object): Body
  disconnect(): Body
  acknowledge(id: number, values: readonly unknown[]): Body[]
}

/** Source: socket.io-parser, `maxAttachments` of the decoder: a server ends the connection over one more. */
const ATTACHMENTS_MAX = 10

const EVENT_TYPE = /^(2|5\d+-)/

export function createPackets(namespace: string): Packets {
  const encoder = new Encoder()
  const prefix = namespace === '/' ? '' : `${namespace},`

  const encode = (packet: Omit<Packet, 'nsp'>): Body[] => encoder.encode({ ...packet, nsp: namespace }).map(copied)

  return {
    event(name, values) {
      const packet = { type: PacketType.EVENT, data: [name, ...values] }
      if (!isPacketValid({ ...packet, nsp: namespace }))
        throw notEncodable(name, 'Socket.IO keeps this name for itself')
      try {
        refuseLoss(values)
        const [head, ...attachments] = encode(packet) as [string, ...Uint8Array[]]
        if (attachments.length > ATTACHMENTS_MAX) throw new RangeError(`more than ${ATTACHMENTS_MAX} attachments`)
        return attachments.length ? joined([new TextEncoder().encode(head), ...attachments]) : head
      } catch (cause) {
        throw notEncodable(name, textOf(cause), cause)
      }
    },
    frames(body, id) {
      const [head, ...attachments] = typeof body === 'string' ? [body] : parted(body)
      const text = typeof head === 'string' ? head : new TextDecoder().decode(head)
      const type = EVENT_TYPE.exec(text)?.[0]
      if (type === undefined || !text.startsWith(`${prefix}[`, type.length)) return undefined
      const start = type.length + prefix.length
      return [engineFrame(text.slice(0, start) + (id ?? '') + text.slice(start)), ...(attachments as Body[])]
    },
    connect: (data) => engineFrame(encode({ type: PacketType.CONNECT, data })[0] as string),
    disconnect: () => engineFrame(encode({ type: PacketType.DISCONNECT, data: undefined })[0] as string),
    acknowledge(id, values) {
      try {
        refuseLoss(values)
        const [head, ...attachments] = encode({ type: PacketType.ACK, id, data: values })
        return [engineFrame(head as string), ...attachments]
      } catch (cause) {
        throw notEncodable('an answer', textOf(cause), cause)
      }
    },
  }
}

/** @throws {TypeError} for what is neither JSON nor found to be bytes by socket.io-parser */
function refuseLoss(values: readonly unknown[]): void {
  const loss = findJsonLoss(values, (value) => ArrayBuffer.isView(value) || value.constructor === ArrayBuffer)
  if (loss) throw new TypeError(`data${loss} has no form in Socket.IO; of a Blob send await blob.arrayBuffer()`)
}

/** A packet of the engine, which carries the others. */
export function engineFrame(data: string, type: EnginePacket['type'] = 'message'): string {
  let frame = ''
  encodePacket({ type, data }, true, (encoded: string) => (frame = encoded)) // At once, for text.
  return frame
}

/** Puts packets together from the frames that come: a packet with attachments comes in several. */
export interface PacketReader {
  /** When the packet began whose attachments are still to come; undefined if there is none. */
  readonly incompleteSince: number | undefined
  /**
   * What the engine itself has to say, or the packet that is complete with this frame.
   *
   * @throws {RemoteProtocolError} `BAD_FRAME`
   */
  read(frame: Received, now: number): { engine: EnginePacket } | { packet: Packet } | undefined
}

export function createPacketReader(): PacketReader {
  const decoder = new Decoder({ maxAttachments: ATTACHMENTS_MAX })
  let complete: Packet | undefined
  let incompleteSince: number | undefined
  decoder.on('decoded', (packet: Packet) => (complete = packet))

  return {
    get incompleteSince() {
      return incompleteSince
    },
    read(frame, now) {
      const engine = decodePacket(frame, 'arraybuffer')
      if (engine.type === 'error') throw badFrameFrom('server', 'no Engine.IO packet', frame)
      if (engine.type !== 'message') return { engine }
      complete = undefined
      try {
        decoder.add(engine.data)
      } catch (cause) {
        throw badFrameFrom('server', textOf(cause), frame, cause)
      }
      incompleteSince = complete ? undefined : (incompleteSince ?? now)
      return complete && { packet: complete }
    },
  }
}

/** What the encoder makes of one packet: text, and the application's own bytes, which it may go on to change. */
function copied(part: string | ArrayBuffer | ArrayBufferView): Body {
  if (typeof part === 'string') return part
  if (isBuffer(part)) return new Uint8Array(part.slice(0))
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength).slice()
}

const LENGTH_BYTES = 4

/** Parts in one piece, each behind its length. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + LENGTH_BYTES + sizeOf(part), 0))
  const view = new DataView(whole.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part.byteLength)
    whole.set(part, at + LENGTH_BYTES)
    at += LENGTH_BYTES + part.byteLength
  }
  return whole
}

/** The parts of such a piece; what is no such piece has parts that make no packet. */
function parted(whole: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength)
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at + LENGTH_BYTES <= whole.byteLength;) {
    const end = at + LENGTH_BYTES + view.getUint32(at)
    parts.push(whole.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  return parts
}

const notEncodable = (event: string, why: string, cause?: unknown): LocalProtocolError =>
  new LocalProtocolError('NOT_ENCODABLE', `Cannot encode the payload of "${event}": ${why}`, cause)
