import { isBuffer, tagOf } from '../shared/realms.js'
import { isHollow } from './json-loss.js'
import type { Bytes } from './codec.js'

/** How deep lists and maps may stand in each other. `@msgpack/msgpack` has the same limit. */
export const DEPTH_MAX = 100

/** A value without a form; the place grows on the way out. */
class Loss extends Error {
  path = ''
}

/**
 * A value as MessagePack. Whole numbers of up to 32 bits are integers, other numbers are float 64, a BigInt is int 64 or
 * uint 64, so that each comes back as what it was. A `Date` is a timestamp; an `ArrayBuffer` or `Uint8Array` is binary. A
 * field that is `undefined` stays away, in a list it becomes nil, and what has `toJSON` becomes what that returns.
 *
 * @param root what the value is called where an error names a place; absent: its fields are called by their names alone,
 * and it counts as no level of nesting
 * @param isForgiving whether half a surrogate pair is written as U+FFFD, and not refused
 * @throws {Error} for what has no form, naming its place, such as `data.photo (Blob) has no form in MessagePack`
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function toMsgpack(value: unknown, root?: string, isForgiving = false): Bytes {
  const writer = new Writer(isForgiving)
  try {
    writer.value(value, root === undefined ? -1 : 0)
  } catch (error) {
    if (error instanceof Loss) {
      const place = root === undefined ? error.path.slice(1) : root + error.path
      throw new Error(`${place}${error.message} has no form in MessagePack`, { cause: error })
    }
    throw error
  }
  return writer.done()
}

const encoder = new TextEncoder()
/** Half a surrogate pair, which UTF-8 cannot hold. */
export const HALF_PAIR = /[\ud800-\udfff]/u

class Writer {
  readonly #isForgiving: boolean
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  constructor(isForgiving: boolean) {
    this.#isForgiving = isForgiving
  }

  done(): Bytes {
    return this.#bytes.slice(0, this.#length)
  }

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return this.#number(value)
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2)
      case 'bigint':
        return this.#bigint(value)
      case 'undefined':
        return this.#byte(0xc0)
      case 'object':
        return value ? this.#object(value, depth) : this.#byte(0xc0)
      case 'function':
      case 'symbol':
        throw new Loss(` (${typeof value})`)
    }
  }

  #object(value: object, depth: number): void {
    if (depth >= DEPTH_MAX) throw new Error(`it is nested deeper than ${DEPTH_MAX}, or in itself`)
    if (Array.isArray(value)) return this.#list(value, depth)
    const tag = Object.getPrototypeOf(value) === Object.prototype ? 'Object' : tagOf(value)
    if (tag === 'Date') return this.#date((value as Date).getTime())
    if (tag === 'Uint8Array') return this.#binary(value as Uint8Array)
    if (isBuffer(value)) return this.#binary(new Uint8Array(value))
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.value(value.toJSON(), depth + 1)
    if (tag !== 'Object' && isHollow(value)) throw new Loss(` (${tag})`)
    const boxed: unknown = tag === 'Object' ? value : value.valueOf()
    if (typeof boxed !== 'object') return this.value(boxed, depth)
    this.#map(value as Record<string, unknown>, depth)
  }

  #list(list: readonly unknown[], depth: number): void {
    this.#head(list.length, 0x90, 16, 0xdc, 0xdd)
    for (let index = 0; index < list.length; index++) this.#inside(index, list[index], depth)
  }

  #map(map: Record<string, unknown>, depth: number): void {
    const fields = Object.entries(map).filter(([, value]) => value !== undefined)
    this.#head(fields.length, 0x80, 16, 0xde, 0xdf)
    for (const [name, value] of fields) {
      this.#inside(name, name, depth)
      this.#inside(name, value, depth)
    }
  }

  #inside(key: string | number, value: unknown, depth: number): void {
    try {
      this.value(value, depth + 1)
    } catch (error) {
      if (error instanceof Loss) error.path = (typeof key === 'number' ? `[${key}]` : `.${key}`) + error.path
      throw error
    }
  }

  #text(text: string): void {
    const bytes = encoder.encode(text)
    if (bytes.length > text.length && !this.#isForgiving && HALF_PAIR.test(text))
      throw new Loss(' (half a surrogate pair)')
    if (bytes.length > 31 && bytes.length < 256) this.#sized(0xd9, 1, bytes.length)
    else this.#head(bytes.length, 0xa0, 32, 0xda, 0xdb)
    this.#raw(bytes)
  }

  #number(value: number): void {
    if (!Number.isInteger(value) || Object.is(value, -0) || value < -(2 ** 31) || value >= 2 ** 32) {
      this.#room(9)
      this.#byte(0xcb)
      this.#view.setFloat64(this.#skip(8), value)
    } else if (value >= 0) {
      if (value < 0x80) this.#byte(value)
      else if (value < 0x100) this.#sized(0xcc, 1, value)
      else if (value < 0x10000) this.#sized(0xcd, 2, value)
      else this.#sized(0xce, 4, value)
    } else if (value >= -32) this.#byte(value)
    else if (value >= -128) this.#sized(0xd0, 1, value)
    else if (value >= -32_768) this.#sized(0xd1, 2, value)
    else this.#sized(0xd2, 4, value)
  }

  #bigint(value: bigint): void {
    const isNegative = value < 0
    if ((isNegative ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value) {
      throw new Loss(' (a BigInt of more than 64 bits)')
    }
    this.#room(9)
    this.#byte(isNegative ? 0xd3 : 0xcf)
    this.#view.setBigUint64(this.#skip(8), BigInt.asUintN(64, value))
  }

  #date(time: number): void {
    if (Number.isNaN(time)) throw new Loss(' (an invalid Date)')
    const seconds = Math.floor(time / 1_000)
    const nanoseconds = (time - seconds * 1_000) * 1_000_000
    if (seconds >= 0 && seconds < 2 ** 34) {
      this.#room(10)
      this.#byte(0xd7)
      this.#byte(0xff)
      this.#view.setBigUint64(this.#skip(8), (BigInt(nanoseconds) << 34n) | BigInt(seconds))
      return
    }
    this.#room(15)
    for (const byte of [0xc7, 12, 0xff]) this.#byte(byte)
    this.#view.setUint32(this.#skip(4), nanoseconds)
    this.#view.setBigInt64(this.#skip(8), BigInt(seconds))
  }

  #binary(bytes: Uint8Array): void {
    if (bytes.length < 256) this.#sized(0xc4, 1, bytes.length)
    else this.#head(bytes.length, 0, 0, 0xc5, 0xc6)
    this.#raw(bytes)
  }

  /** @param fixed the type byte of lengths below `fixedMax`, to which the length is added */
  #head(length: number, fixed: number, fixedMax: number, twoBytes: number, fourBytes: number): void {
    if (length < fixedMax) this.#byte(fixed + length)
    else if (length < 0x10000) this.#sized(twoBytes, 2, length)
    else this.#sized(fourBytes, 4, length)
  }

  /** A type byte and a whole number of so many bytes; a negative one as its two's complement. */
  #sized(type: number, bytes: 1 | 2 | 4, value: number): void {
    this.#room(1 + bytes)
    this.#byte(type)
    const at = this.#skip(bytes)
    if (bytes === 1) this.#view.setUint8(at, value)
    else if (bytes === 2) this.#view.setUint16(at, value)
    else this.#view.setUint32(at, value)
  }

  #byte(byte: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = byte
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#skip(bytes.length))
  }

  #skip(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    return at
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}
