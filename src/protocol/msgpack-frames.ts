import { LocalProtocolError, textOf } from '../shared/errors.js'
import { isObject, isRecord } from '../shared/validate.js'
import { badFrameFrom, notEncodable, type Body, type Bytes } from './codec.js'
import type { FrameCodec } from './frame-codec.js'
import { fromMsgpack } from './msgpack-read.js'
import { HALF_PAIR, toMsgpack } from './msgpack-write.js'

/** Frames as MessagePack in binary messages: `holdfast.1.msgpack`. */
export const msgpackFrames: FrameCodec = {
  subprotocol: 'holdfast.1.msgpack',
  encode(event, data) {
    if (HALF_PAIR.test(event)) throw notEncodable(event, 'its name has half a surrogate pair')
    return data === undefined ? '' : encoded(event, data, 'data')
  },
  // A string is JSON: it was stored before the application changed its codec.
  takes: (payload) => typeof payload !== 'string' || fromJson(payload) !== undefined,
  write(frame, payload = '') {
    let head: Bytes
    try {
      head = toMsgpack(frame, undefined, true)
    } catch (cause) {
      // All but a credential is ours.
      throw new LocalProtocolError('NOT_ENCODABLE', `Cannot encode "${frame.t}": ${textOf(cause)}`, cause)
    }
    const data = asMsgpack(payload)
    return data ? extended(head, 1, D, data) : head
  },
  read(frame) {
    if (typeof frame === 'string') throw badFrameFrom('peer', 'a text frame where MessagePack was expected', frame)
    try {
      const value = fromMsgpack(new Uint8Array(frame))
      if (isRecord(value)) settle(value, PAYLOADS)
      return value
    } catch (cause) {
      throw badFrameFrom('peer', `no MessagePack (${textOf(cause)})`, frame, cause)
    }
  },
}

/** @throws {LocalProtocolError} `NOT_ENCODABLE` */
export function encoded(event: string, value: unknown, root?: string): Bytes {
  try {
    return toMsgpack(value, root)
  } catch (cause) {
    throw notEncodable(event, textOf(cause), cause)
  }
}

/**
 * A payload as MessagePack; an empty one stays so.
 *
 * @throws {Error} for text that is no JSON, or nested more than 100 deep: see `takes`
 */
export const asMsgpack = (payload: Body): Bytes | '' =>
  typeof payload === 'string' ? payload && toMsgpack(JSON.parse(payload), 'data', true) : payload

/** The name of the field `d`. */
export const D = Uint8Array.of(0xa1, 0x64)

/**
 * A map with more fields.
 *
 * @param head a map of few fields: with the others less than 16
 * @param fields so many names and values, encoded
 */
export function extended(head: Bytes, count: number, ...fields: Uint8Array[]): Bytes {
  const frame = new Uint8Array(fields.reduce((length, field) => length + field.length, head.length))
  frame.set(head)
  frame[0] = (head[0] ?? 0) + count
  let at = head.length
  for (const field of fields) {
    frame.set(field, at)
    at += field.length
  }
  return frame
}

function fromJson(text: string): Bytes | '' | undefined {
  try {
    return asMsgpack(text)
  } catch {
    return undefined
  }
}

/** The fields that the application fills. */
const PAYLOADS: readonly string[] = ['d', 'auth']
const NO_PAYLOADS: readonly string[] = []

/**
 * Makes the numbers of a frame numbers: another language writes the large ones as 64 bits, which are BigInts.
 *
 * @throws {Error} for bytes and dates: they have no place outside the payload, and bytes would pass for long maps
 */
function settle(map: Record<string, unknown>, payloads = NO_PAYLOADS): void {
  for (const [name, value] of Object.entries(map)) {
    if (payloads.includes(name) || !(typeof value === 'bigint' || isObject(value))) continue
    if (typeof value === 'bigint') map[name] = Number(value)
    else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) settle(value as typeof map)
    else throw new Error(`bytes or a date as "${name}"`)
  }
}
