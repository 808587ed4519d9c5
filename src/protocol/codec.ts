import { LocalProtocolError, RemoteProtocolError, textOf } from '../shared/errors.js'
import { isThenable } from '../shared/maybe-promise.js'
import { isBuffer, tagOf } from '../shared/realms.js'
import { findJsonLoss } from './json-loss.js'

/** `Uint8Array<ArrayBuffer>`, in words that TypeScript before 5.7 understands too: there `Uint8Array` is not generic. */
export type Bytes = ReturnType<Uint8Array['slice']>

/** An encoded message: text, or bytes. */
export type Body = string | Bytes

/** What the socket hands over: text, or bytes. */
export type Received = string | ArrayBuffer

/** An event and its payload. */
export interface Message {
  readonly event: string
  readonly data: unknown
}

/**
 * How a message becomes a WebSocket message and back. Pure, and at once: an answer that is a promise is refused, since
 * messages would overtake each other.
 */
export interface Codec {
  /** @throws {LocalProtocolError} `NOT_ENCODABLE` */
  encode(event: string, data: unknown): Body
  /**
   * Each frame is a message: whatever else it answers, or throws, is a bad frame. `pong` of `plain()` names the frames
   * that are none.
   *
   * @throws {RemoteProtocolError} `BAD_FRAME`
   */
  decode(frame: Received): Message
}

/**
 * Text frames `{"event": …, "data": …}`. A payload is what JSON makes of it: a field that is `undefined` stays away, in a
 * list it becomes null, and what has `toJSON`, such as a `Date`, becomes what that returns. `send` refuses what JSON has
 * no form for, and names its place: bytes, `Blob`, `Map`, `Set`, `Error`, promises, functions, symbols, `NaN`,
 * `Infinity`, a BigInt, a cycle.
 *
 * @example createClient({ url, dialect: plain({ codec: json() }) })
 */
export function json(): Codec {
  return {
    encode: (event, data) => stringify(event, data, { event, data }),
    decode(frame) {
      if (typeof frame !== 'string') throw badFrameFrom('server', 'a binary frame where text was expected', frame)
      let value: Partial<Message> | null
      try {
        value = JSON.parse(frame)
      } catch {
        throw badFrameFrom('server', 'invalid JSON', frame)
      }
      if (typeof value?.event !== 'string') throw badFrameFrom('server', 'no {"event": string, "data": …}', frame)
      return value as Message
    },
  }
}

/**
 * `value` as JSON, on behalf of the payload `data`.
 *
 * @throws {LocalProtocolError} `NOT_ENCODABLE`
 */
export function stringify(event: string, data: unknown, value: unknown = data): string {
  let encoded: string
  let loss: string | undefined
  try {
    encoded = JSON.stringify(value)
    loss = findJsonLoss(data)
  } catch (cause) {
    throw notEncodable(event, textOf(cause), cause)
  }
  if (loss) throw notEncodable(event, `data${loss} has no form in JSON`)
  return encoded
}

/**
 * No envelope: every frame is the event `message`, its payload the raw string, or an `ArrayBuffer` for a binary frame.
 * Strings, `ArrayBuffer`s and their views can be sent; bytes are copied at the call.
 *
 * @example createClient<{ fromServer: { message: string }, toServer: { message: string } }>({ url, dialect: plain({ codec: text() }) })
 */
export function text(): Codec {
  return {
    encode(event, data) {
      if (event !== 'message') throw notEncodable(event, 'the text codec knows only the event "message"')
      if (typeof data === 'string') return data
      if (isBuffer(data)) return new Uint8Array(data.slice(0))
      if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
      throw notEncodable(event, 'the text codec sends only strings, ArrayBuffers and their views')
    },
    decode: (data) => ({ event: 'message', data }),
  }
}

/** Whether a socket sends it as it is. */
export const isBody = (value: unknown): value is Body =>
  typeof value === 'string' || (tagOf(value) === 'Uint8Array' && isBuffer((value as Uint8Array).buffer))

/** What a function has answered that must answer at once. The rejection of a promise is refused with it, not uncaught. */
export function atOnce<Answer>(answer: Answer): Answer {
  if (isThenable(answer)) Promise.resolve(answer).catch(() => {})
  return answer
}

/** The error for a payload that has no form. */
export const notEncodable = (event: string, why: string, cause?: unknown): LocalProtocolError =>
  new LocalProtocolError('NOT_ENCODABLE', `Cannot encode the payload of "${event}": ${why}`, cause)

/**
 * The error for a frame that breaks the rules.
 *
 * @param sender the peer, or the server where only a client reads such frames
 * @param what such as `invalid JSON`
 * @param frame is quoted, as far as it is short text
 */
export function badFrameFrom(
  sender: 'peer' | 'server',
  what: string,
  frame?: Received,
  cause?: unknown,
): RemoteProtocolError {
  const excerpt = typeof frame === 'string' ? frame.slice(0, 80) : frame ? `${frame.byteLength} bytes` : ''
  return new RemoteProtocolError('BAD_FRAME', `The ${sender} sent ${what}${excerpt && `: ${excerpt}`}`, cause)
}

/** Bytes on the wire: UTF-8 for text. Source: Unicode Standard, section 3.9, table 3-6. */
export function sizeOf(body: string | Uint8Array): number {
  if (typeof body !== 'string') return body.byteLength
  let bytes = body.length
  for (let index = 0; index < body.length; index++) {
    const unit = body.charCodeAt(index)
    // A surrogate pair is two units and four bytes.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}
