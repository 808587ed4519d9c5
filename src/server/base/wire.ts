import type { Body, Bytes } from '../../protocol/codec.js'
import { jsonFrames, type FrameCodec } from '../../protocol/frame-codec.js'
import type { DownFrame } from '../../protocol/frames.js'
import { asMsgpack, D, extended } from '../../protocol/msgpack-frames.js'
import { fromMsgpack } from '../../protocol/msgpack-read.js'
import { toMsgpack } from '../../protocol/msgpack-write.js'
import type { StreamEntry, StreamMessage } from '../stores/stream-store.js'
import type { ResolvedOptions } from './options.js'

/** A message that is not kept, with its encoded payload. */
export interface VolatileMessage {
  readonly event: string
  readonly payload: Body
}

/** The frame of an entry, for each place in a stream. */
type Template = (sequence: number, tag: string) => Body

/**
 * One subprotocol, as the server writes it. Payloads may be of another codec's making: the client that comes back to a
 * stream may speak otherwise than the one before, and so may the members of a room. What goes to many is encoded once.
 */
export abstract class Wire {
  readonly codec: FrameCodec
  /** The first frame of every connection. */
  readonly greeting: Body
  #entry: StreamEntry = { head: { t: 'm', e: '' }, payload: '' }
  #template: Template | undefined = undefined
  #volatile: VolatileMessage | undefined = undefined
  #volatileFrame: Body = ''

  constructor(codec: FrameCodec, greeting: DownFrame) {
    this.codec = codec
    this.greeting = codec.write(greeting)
  }

  /** Whether there is a form for this payload. */
  abstract takes(payload: Body): boolean

  /** A head with a number, a tag and a payload is a frame of its type. */
  message(message: StreamMessage): Body {
    const { head, payload } = this.#entry
    if (!this.#template || message.head !== head || message.payload !== payload) {
      this.#entry = { head: message.head, payload: message.payload }
      this.#template = this.template(this.#entry)
    }
    return this.#template(message.sequence, message.tag)
  }

  volatile(message: VolatileMessage): Body {
    if (message !== this.#volatile) {
      this.#volatile = message
      this.#volatileFrame = this.codec.write({ t: 'v', e: message.event }, this.own(message.payload))
    }
    return this.#volatileFrame
  }

  protected abstract template(entry: StreamEntry): Template

  /** The payload in this codec's form. */
  protected abstract own(payload: Body): Body
}

/** How a connection with a subprotocol is spoken to; without one, or with another, it is `holdfast.1`. */
export function createWires({ codec, limits, heartbeat }: ResolvedOptions): (subprotocol: string | undefined) => Wire {
  const greeting: DownFrame = { t: 'greeting', v: 1, frame: limits.frameBytesMax, window: limits.window, heartbeat }
  const json = new JsonWire(greeting)
  const other = codec ? new MsgpackWire(codec, greeting) : json
  return (subprotocol) => (subprotocol === other.codec.subprotocol ? other : json)
}

/** `holdfast.1`. */
export class JsonWire extends Wire {
  constructor(greeting: DownFrame) {
    super(jsonFrames, greeting)
  }

  takes(): boolean {
    return true
  }

  protected template({ head, payload }: StreamEntry): Template {
    const start = `${JSON.stringify(head).slice(0, -1)},"s":`
    const end = payload === '' ? '}' : `,"d":${this.own(payload)}}`
    return (sequence, tag) => `${start}${sequence},"g":"${tag}"${end}`
  }

  protected own(payload: Body): string {
    return typeof payload === 'string' ? payload : asJson(payload)
  }
}

/** `holdfast.1.msgpack`. */
export class MsgpackWire extends Wire {
  takes(payload: Body): boolean {
    return this.codec.takes(payload)
  }

  protected template({ head, payload }: StreamEntry): Template {
    const start = toMsgpack(head, undefined, true)
    const data = this.own(payload)
    return (s, g) => {
      const place = toMsgpack({ s, g }).subarray(1)
      return data === '' ? extended(start, 2, place) : extended(start, 3, place, D, data)
    }
  }

  protected own(payload: Body): Bytes | '' {
    return asMsgpack(payload)
  }
}

/**
 * A payload in MessagePack as JSON has it: dates as their `toJSON`, and what JSON has no form for as ProtoJSON writes it:
 * bytes in Base64, BigInts in decimal, `NaN` and the infinities by their names, each a string.
 * Source: Protocol Buffers documentation, "ProtoJSON Format", "Representation of each type".
 */
const asJson = (payload: Bytes): string =>
  JSON.stringify(fromMsgpack(payload), (_, value: unknown) => {
    if (ArrayBuffer.isView(value))
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    return typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value
  })
