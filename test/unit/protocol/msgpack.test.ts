import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { LocalProtocolError, RemoteProtocolError } from '../../../src/shared/errors.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { fromMsgpack } from '../../../src/protocol/msgpack-read.js'
import { toMsgpack } from '../../../src/protocol/msgpack-write.js'
import vectors from '../../vectors/msgpack.json' with { type: 'json' }

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

interface Vector {
  readonly name: string
  readonly hex: string
  readonly is: { json?: unknown; bigint?: string; bytes?: string; date?: string; number?: string }
  readonly readOnly?: boolean
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function valueOf({ is }: Vector): unknown {
  if (is.bigint !== undefined) return BigInt(is.bigint)
  if (is.bytes !== undefined) return bytesOf(is.bytes)
  if (is.date !== undefined) return new Date(is.date)
  return is.number === undefined ? is.json : Number(is.number)
}

const nested = (levels: number): unknown => (levels > 0 ? [nested(levels - 1)] : 1)
const cycle: Record<string, unknown> = {}
cycle.self = cycle

test.each(vectors as Vector[])('reads and writes $name as other implementations do', (vector) => {
  const value = valueOf(vector)

  expect(fromMsgpack(bytesOf(vector.hex))).toEqual(value)
  if (!vector.readOnly) expect(hexOf(toMsgpack(value))).toBe(vector.hex)
})

describe('msgpack', () => {
  const { encode, decode } = msgpack()
  const travelled = (data: unknown): unknown => decode((encode('m', data) as Uint8Array<ArrayBuffer>).buffer).data

  test('writes an envelope of event and data', () => {
    expect(fromMsgpack(encode('chat', { text: 'hi' }) as Uint8Array)).toEqual({ event: 'chat', data: { text: 'hi' } })
    expect(fromMsgpack(encode('none', undefined) as Uint8Array)).toEqual({ event: 'none' })
  })

  test('brings back any payload of what it carries', () => {
    const leaf = fc.oneof(
      fc.constantFrom(null, true, false, NaN, Infinity, -Infinity, -0),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double(),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    )
    const payload = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie('any'), { maxLength: 20 }), tie('map')),
      map: fc.dictionary(fc.string({ unit: 'binary', maxLength: 40 }), tie('any'), { noNullPrototype: true }),
    })).any
    fc.assert(
      fc.property(payload, (data) => {
        expect(travelled(data)).toEqual(data)
      }),
    )
  })

  test('brings back long lists, maps, texts and bytes', () => {
    const list = Array.from({ length: 70_000 }, (_, index) => index)
    const data = {
      list,
      map: Object.fromEntries(list.map((one) => [String(one), one])),
      text: '€'.repeat(30_000),
      bytes: new Uint8Array(70_000).fill(7),
    }

    expect(travelled(data)).toEqual(data)
  })

  test('takes an ArrayBuffer, and values of another realm, for what they are', () => {
    const foreign: unknown = runInNewContext(
      '({ at: new Date(5), bytes: new Uint8Array([1]), whole: new ArrayBuffer(1) })',
    )

    expect(travelled(new Uint8Array([1, 2]).buffer)).toEqual(new Uint8Array([1, 2]))
    expect(travelled(new Uint8Array([1, 2, 3]).subarray(1))).toEqual(new Uint8Array([2, 3]))
    expect(travelled(Buffer.from('hi'))).toEqual(new Uint8Array([104, 105]))
    expect(travelled(foreign)).toEqual({ at: new Date(5), bytes: new Uint8Array([1]), whole: new Uint8Array([0]) })
  })

  test('has a form for what JSON makes of other objects', () => {
    class Point {
      x = 1
      gone = undefined
    }
    const own = { toJSON: () => 'as it likes' }
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    const data = {
      gone: undefined,
      list: [undefined],
      point: new Point(),
      own,
      bare,
      box: Object(1),
      at: new URL('a:b'),
    }

    expect(travelled(data)).toEqual({
      list: [null],
      point: { x: 1 },
      own: 'as it likes',
      bare: { a: 1 },
      box: 1,
      at: 'a:b',
    })
  })

  test('copies bytes at the call and at the receipt', () => {
    const bytes = new Uint8Array([1])
    const frame = encode('m', bytes) as Uint8Array<ArrayBuffer>
    bytes[0] = 2
    const { data } = decode(frame.buffer)
    frame.fill(0)

    expect(data).toEqual(new Uint8Array([1]))
  })

  test('keeps a field of the name __proto__ a field', () => {
    const data = travelled(JSON.parse('{"__proto__":{"polluted":1}}'))

    expect(Object.keys(data as object)).toEqual(['__proto__'])
    expect((data as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test.each([
    ['data.photo (Blob)', { photo: new Blob(['x']) }],
    ['data.list[1] (Map)', { list: [1, new Map()] }],
    ['data[0].tags (Set)', [{ tags: new Set([1]) }]],
    ['data (File)', new File(['x'], 'name')],
    ['data.failed (Error)', { failed: new Error('no') }],
    ['data (Promise)', Promise.resolve()],
    ['data.call (function)', { call: () => {} }],
    ['data[0] (symbol)', [Symbol('s')]],
    ['data (Float32Array)', new Float32Array(1)],
    ['data (a BigInt of more than 64 bits)', 2n ** 64n],
    ['data (a BigInt of more than 64 bits)', -(2n ** 63n) - 1n],
    ['data.at (an invalid Date)', { at: new Date(NaN) }],
    ['data (half a surrogate pair)', 'a\ud800'],
    ['nested deeper than 100', nested(101)],
    ['nested deeper than 100', cycle],
  ])('refuses %s', (place, data) => {
    const act = (): unknown => encode('save', data)

    expect(act).toThrow(LocalProtocolError)
    expect(act).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE', message: expect.stringContaining(place) }))
  })

  test('refuses an event that has no form', () => {
    expect(() => encode('\ud800', 1)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  })

  test('carries what is nested 100 deep', () => {
    expect(travelled(nested(100))).toEqual(nested(100))
  })

  test.each([
    ['text', '{"event":"m"}'],
    ['nothing', ''],
    ['no map', '01'],
    ['a map without an event', '80'],
    ['an event that is no text', '81a56576656e7401'],
    ['a type that is none', 'c1'],
    ['more than one value', '8080'],
    ['bytes that end early', 'c403ff'],
    ['text that ends early', 'a3ff'],
    ['a list of more than can come', 'ddffffffff00'],
    ['a map of more than can come', 'dfffffffff00'],
    ['a key that is no text', '8101c0'],
    ['text that is no UTF-8', 'a1ff'],
    ['an unknown extension', 'd40100'],
    ['a timestamp of 3 bytes', 'c703ff000000'],
    ['a timestamp that is no date', 'c70cff000000007fffffffffffffff'],
    ['values that are nested too deep', '91'.repeat(10_000) + 'c0'],
  ])('refuses a frame of %s', (what, frame) => {
    const act = (): unknown => decode(what === 'text' ? frame : (bytesOf(frame).buffer as ArrayBuffer))

    expect(act).toThrow(RemoteProtocolError)
    expect(act).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
  })

  test('answers any bytes with a value or an error of its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(new Uint8Array(bytes).buffer)
        } catch (error) {
          expect(error).toBeInstanceOf(RemoteProtocolError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
