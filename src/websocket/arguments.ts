import type { Body } from '../protocol/codec.js'

/**
 * What the WebSocket interface takes, as its IDL converts it and its constructor, `close` and `send` check it.
 * Source: WHATWG WebSockets Standard, section 3.1, "The WebSocket interface"; Web IDL for the conversions.
 */

/** RFC 2616 section 2.2, to which RFC 6455 section 4.1 refers: a token has no control characters and no separators. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/

/** RFC 6455 section 5.5: a control frame carries 125 bytes, two of which are the close code. */
const REASON_BYTES_MAX = 123

/** @throws {DOMException} `SyntaxError` for what is no `ws:`, `wss:`, `http:` or `https:` URL without a fragment */
export function socketUrl(url: string | URL, baseUrl: string | undefined): string {
  const text = String(url)
  let parsed: URL | undefined
  try {
    parsed = new URL(text, baseUrl)
  } catch {
    // Reported below.
  }
  const isFit = parsed && /^(ws|http)s?:$/.test(parsed.protocol) && !parsed.href.includes('#')
  if (!parsed || !isFit) throw syntaxError(`"${text}" is not the URL of a WebSocket server`)
  return parsed.href.replace(/^http/, 'ws')
}

/** @throws {DOMException} `SyntaxError` for a subprotocol that is no token, or stands there twice */
export function subprotocolsOf(protocols: unknown = []): string[] {
  const isList = typeof protocols === 'object' && protocols !== null && Symbol.iterator in protocols
  const offered = isList ? Array.from(protocols as Iterable<unknown>, toText) : [toText(protocols)]
  const wrong = offered.find((name, index) => !TOKEN.test(name) || offered.indexOf(name) !== index)
  if (wrong !== undefined) throw syntaxError(`The subprotocol "${wrong}" is malformed, or there twice`)
  return offered
}

/** The arguments of `close`, ready for a native socket: one that is not given stays away. */
export type Farewell = [code?: number, reason?: string]

/** @throws {DOMException} `InvalidAccessError` for another code than 1000 and 3000 to 4999; `SyntaxError` for a long reason */
export function farewellOf(code: unknown, reason: unknown): Farewell {
  const farewell: Farewell = []
  if (code !== undefined) farewell[0] = clampedShort(Number(code))
  if (reason !== undefined) farewell[1] = toText(reason)
  const [given = 1000, words = ''] = farewell
  if (given !== 1000 && !(given >= 3000 && given <= 4999)) {
    throw new DOMException(`The close code must be 1000 or from 3000 to 4999, got ${given}`, 'InvalidAccessError')
  }
  if (new TextEncoder().encode(words).byteLength > REASON_BYTES_MAX) {
    throw syntaxError(`The reason must not be longer than ${REASON_BYTES_MAX} bytes`)
  }
  return farewell
}

/**
 * What `send` was given: a `Blob` as it is, since it cannot change; bytes copied; anything else as the string that it
 * converts to.
 *
 * @throws {TypeError} for what cannot be converted, such as a symbol, and for a view on shared memory
 */
export function messageOf(data: unknown): Body | Blob {
  if (typeof data === 'string' || isBlob(data)) return data
  if (isBuffer(data)) return copyOf(data, 0, data.byteLength)
  if (!ArrayBuffer.isView(data)) return toText(data)
  if (!isBuffer(data.buffer)) throw new TypeError('A view on shared memory cannot be sent')
  return copyOf(data.buffer, data.byteOffset, data.byteLength)
}

const isBlob = (data: unknown): data is Blob => typeof Blob === 'function' && data instanceof Blob

/** By its name and not its class: a buffer may come from another frame's realm. */
const isBuffer = (data: unknown): data is ArrayBuffer => Object.prototype.toString.call(data) === '[object ArrayBuffer]'

/** Of a buffer that was given away to a worker nothing is left, and no view of it can be made. */
const copyOf = (buffer: ArrayBuffer, offset: number, length: number): Uint8Array<ArrayBuffer> =>
  length ? new Uint8Array(buffer, offset, length).slice() : new Uint8Array(0)

const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError')

/** Web IDL, DOMString. Unlike `String()` this refuses a symbol. */
const toText = (value: unknown): string => ''.concat(value as string)

/** Web IDL, `[Clamp] unsigned short`: the nearest integer, the even one of two, and 0 for NaN. */
function clampedShort(value: number): number {
  const clamped = Math.min(Math.max(value, 0), 65535) || 0
  const floor = Math.floor(clamped)
  const isUp = clamped - floor > 0.5 || (clamped - floor === 0.5 && floor % 2 === 1)
  return isUp ? floor + 1 : floor
}
