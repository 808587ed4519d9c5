import { DEPTH_MAX } from './msgpack-write.js'

/** An envelope stands around the payload. */
const LEVELS_MAX = DEPTH_MAX + 1

/**
 * The one value that the bytes hold. int 64 and uint 64 become BigInts, binary a `Uint8Array` of its own, a timestamp a
 * `Date` of milliseconds. No length is believed before the bytes are there, so that a few bytes cost no memory.
 *
 * @throws {Error} for what is no MessagePack, or not ours: other extensions, keys that are no strings, invalid UTF-8
 */
export function fromMsgpack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value(0)
  reader.end()
  return value
}

// With a byte order mark at its start a string would come without it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error(`${this.#bytes.length - this.#at} bytes too many`)
  }

  value(depth: number): unknown {
    const type = this.#unsigned(1)
    if (type < 0x80) return type
    if (type < 0x90) return this.#map(type - 0x80, depth)
    if (type < 0xa0) return this.#list(type - 0x90, depth)
    if (type < 0xc0) return this.#text(type - 0xa0)
    if (type >= 0xe0) return type - 0x100
    if (type < 0xca) return this.#bytesOrConstant(type)
    if (type < 0xd4) return this.#number(type)
    if (type < 0xd9) return this.#extension(2 ** (type - 0xd4))
    if (type < 0xdc) return this.#text(this.#unsigned(lengthBytes(type - 0xd9)))
    const length = this.#unsigned(type % 2 ? 4 : 2)
    return type < 0xde ? this.#list(length, depth) : this.#map(length, depth)
  }

  #bytesOrConstant(type: number): unknown {
    if (type === 0xc0) return null
    if (type === 0xc1) throw new Error('the type 0xc1, which is none')
    if (type < 0xc4) return type === 0xc3
    if (type < 0xc7) return this.#take(this.#unsigned(lengthBytes(type - 0xc4))).slice()
    return this.#extension(this.#unsigned(lengthBytes(type - 0xc7)))
  }

  #number(type: number): number | bigint {
    switch (type) {
      case 0xca:
        return this.#view.getFloat32(this.#skip(4))
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8))
      case 0xcf:
        return this.#view.getBigUint64(this.#skip(8))
      case 0xd0:
        return this.#view.getInt8(this.#skip(1))
      case 0xd1:
        return this.#view.getInt16(this.#skip(2))
      case 0xd2:
        return this.#view.getInt32(this.#skip(4))
      case 0xd3:
        return this.#view.getBigInt64(this.#skip(8))
      default:
        return this.#unsigned(lengthBytes(type - 0xcc))
    }
  }

  #list(length: number, depth: number): unknown[] {
    this.#enter(length, depth)
    const list: unknown[] = []
    while (list.length < length) list.push(this.value(depth + 1))
    return list
  }

  #map(length: number, depth: number): object {
    this.#enter(length * 2, depth)
    const map: Record<string, unknown> = {}
    for (let left = length; left > 0; left--) {
      const name = this.value(depth + 1)
      if (typeof name !== 'string') throw new Error('a key that is no string')
      const value = this.value(depth + 1)
      if (name === '__proto__') {
        Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true })
      } else map[name] = value
    }
    return map
  }

  #enter(values: number, depth: number): void {
    if (depth >= LEVELS_MAX) throw new Error(`values nested deeper than ${LEVELS_MAX}`)
    this.#mustHave(values) // Each value has one byte at least.
  }

  #text(length: number): string {
    return decoder.decode(this.#take(length))
  }

  #extension(length: number): unknown {
    const type = this.#view.getInt8(this.#skip(1))
    const at = this.#skip(length)
    if (type !== -1 || ![4, 8, 12].includes(length)) throw new Error(`an extension of type ${type} and ${length} bytes`)
    let seconds = this.#view.getUint32(at)
    let nanoseconds = 0
    if (length === 8) {
      const both = this.#view.getBigUint64(at)
      seconds = Number(both & 0x3ffffffffn)
      nanoseconds = Number(both >> 34n)
    } else if (length === 12) {
      nanoseconds = seconds
      seconds = Number(this.#view.getBigInt64(at + 4))
    }
    const date = new Date(seconds * 1_000 + Math.floor(nanoseconds / 1_000_000))
    if (nanoseconds >= 1e9 || Number.isNaN(date.getTime())) throw new Error('a timestamp that is no date')
    return date
  }

  #unsigned(bytes: number): number {
    const at = this.#skip(bytes)
    if (bytes === 1) return this.#view.getUint8(at)
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #take(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  #skip(length: number): number {
    this.#mustHave(length)
    const at = this.#at
    this.#at += length
    return at
  }

  #mustHave(bytes: number): void {
    if (bytes > this.#bytes.length - this.#at) throw new Error('less than it announces')
  }
}

/** Of three types in a row, which have 1, 2 and 4 bytes of length. */
const lengthBytes = (index: number): number => 2 ** index
