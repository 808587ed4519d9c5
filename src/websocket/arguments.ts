import { isSubprotocol } from '../dialects/plain/subprotocols.js'
import type { Body } from '../protocol/codec.js'
import { isBuffer, tagOf } from '../shared/realms.js'
import { check, isObject } from '../shared/validate.js'

/**
 * What the WebSocket interface takes, as its IDL converts it and its constructor, `close` and `send` check it.
 * Source: WHATWG WebSockets Standard, "The WebSocket interface"; Web IDL for the conversions.
 */

/** RFC 6455 section 5.5: a control frame carries 125 bytes, two of which are the close code. */
const REASON_BYTES_MAX = 123

/**
 * @throws {DOMException} `SyntaxError` for what is no `ws:`, `wss:`, `http:` or `https:` URL without a fragment
 * @throws {TypeError} for what is neither text nor a `URL`: the standard makes text of it, and dials a path of that name
 */
export function socketUrl(url: unknown, baseUrl: string | undefined): string {
  const isUrl = typeof url === 'string' || (isObject(url) && 'href' in url)
  check('url', url, 'text, a URL or a function', isUrl)
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
  const isList = isObject(protocols) && Symbol.iterator in protocols
  const offered = isList ? Array.from(protocols as Iterable<unknown>, toText) : [toText(protocols)]
  const wrong = offered.find((name, index) => !isSubprotocol(name, index, offered))
  if (wrong !== undefined) throw syntaxError(`The subprotocol "${wrong}" is malformed, or there twice`)
  return offered
}

/** The arguments of `close`, ready for a native socket: none for a close frame without a body. */
export type Farewell = [code?: number, reason?: string]

/** @throws {DOMException} `InvalidAccessError` for another code than 1000 and 3000 to 4999; `SyntaxError` for a long reason */
export function farewellOf(code: unknown, reason: unknown): Farewell {
  if (code === undefined && reason === undefined) return []
  // RFC 6455 section 5.5.1: a reason stands behind a code.
  const given = code === undefined ? 1000 : clampedShort(Number(code))
  const words = reason === undefined ? '' : toText(reason)
  if (given !== 1000 && !(given >= 3000 && given <= 4999)) {
    throw new DOMException(`The close code must be 1000 or from 3000 to 4999, got ${given}`, 'InvalidAccessError')
  }
  if (new TextEncoder().encode(words).byteLength > REASON_BYTES_MAX) {
    throw syntaxError(`The reason must not be longer than ${REASON_BYTES_MAX} bytes`)
  }
  return [given, words]
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

const isBlob = (data: unknown): data is Blob => ['Blob', 'File'].includes(tagOf(data))

/** Of a buffer that was given away to a worker nothing is left, and no view of it can be made. */
const copyOf = (buffer: ArrayBuffer, offset: number, length: number): Uint8Array<ArrayBuffer> =>
  length ? new Uint8Array(buffer, offset, length).slice() : new Uint8Array(0)

const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError')

/** Web IDL, DOMString. Unlike `String()` this refuses a symbol. */
const toText = (value: unknown): string => ''.concat(value as string)

/** Web IDL, `[Clamp] unsigned short`, as Chromium has it: 4000.9 is 4000, where the letter of the text wants 4001. */
const clampedShort = (value: number): number => Math.min(Math.max(value, 0), 65535) | 0
