import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { LocalProtocolError, RemoteProtocolError } from '../../../src/shared/errors.js'
import { json, sizeOf, text } from '../../../src/protocol/codec.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const cycle: Record<string, unknown> = {}
cycle.self = cycle

describe('json', () => {
  const { encode, decode } = json()

  test('writes an envelope of event and data', () => {
    expect(encode('chat', { text: 'hi' })).toBe('{"event":"chat","data":{"text":"hi"}}')
    expect(encode('none', undefined)).toBe('{"event":"none"}')
    expect(encode('null', null)).toBe('{"event":"null","data":null}')
  })

  test('brings back any event and any JSON payload', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.jsonValue({ maxDepth: 3 }), (event, data) => {
        const message = decode(encode(event, data) as string)

        expect(message.event).toBe(event)
        expect(JSON.stringify(message.data)).toBe(JSON.stringify(data))
      }),
    )
  })

  test('reads what JSON makes of a payload', () => {
    class Point {
      x = 1
      gone = undefined
    }
    const own = { toJSON: () => 'as it likes', bytes: new Uint8Array(1) }
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    const data = { at: new Date(0), gone: undefined, list: [undefined], point: new Point(), own, bare, box: Object(1) }

    expect(decode(encode('m', data) as string).data).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      list: [null],
      point: { x: 1 },
      own: 'as it likes',
      bare: { a: 1 },
      box: 1,
    })
  })

  test.each([
    ['a BigInt', 1n],
    ['a BigInt inside', { deep: [1n] }],
    ['a cycle', cycle],
    ['a function', () => {}],
    ['a class', Map],
    ['a symbol', Symbol('s')],
    [
      'what throws when it is read',
      {
        get bad() {
          throw new Error('no')
        },
      },
    ],
    [
      'what throws no error when it is read',
      {
        toJSON() {
          throw Object.create(null) // oxlint-disable-line typescript/only-throw-error -- applications do
        },
      },
    ],
  ])('refuses %s, and names the event', (_, data) => {
    expect(() => encode('m', data)).toThrow(LocalProtocolError)
    expect(() => encode('m', data)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
    expect(() => encode('m', data)).toThrow(/"m"/)
  })

  test.each([
    [NaN, 'data (NaN)'],
    [{ a: [0, Infinity] }, 'data.a[1] (Infinity)'],
    [{ on: { click: () => {} } }, 'data.on.click (function)'],
    [[Symbol('s')], 'data[0] (symbol)'],
    [{ image: new ArrayBuffer(3) }, 'data.image (ArrayBuffer)'],
    [{ image: new Uint8Array([1]) }, 'data.image (Uint8Array)'],
    [new DataView(new ArrayBuffer(1)), 'data (DataView)'],
    [new Blob(['a']), 'data (Blob)'],
    [{ file: new File(['a'], 'a.txt') }, 'data.file (File)'],
    [new Map([['a', 1]]), 'data (Map)'],
    [{ ids: new Set([1]) }, 'data.ids (Set)'],
    [{ error: new Error('a') }, 'data.error (Error)'],
    [{ user: Promise.resolve(1) }, 'data.user (Promise)'],
    [{ query: new URLSearchParams('a=1') }, 'data.query (URLSearchParams)'],
    [{ far: runInNewContext('new Map([["a", 1]])') as unknown }, 'data.far (Map)'],
    [{ far: runInNewContext('[new ArrayBuffer(1)]') as unknown }, 'data.far[0] (ArrayBuffer)'],
  ])('refuses what JSON would lose, and names its place: case %#', (data, place) => {
    expect(() => encode('m', data)).toThrow(
      expect.objectContaining({
        code: 'NOT_ENCODABLE',
        message: `Cannot encode the payload of "m": ${place} has no form in JSON`,
      }),
    )
  })

  test('takes a plain object of another frame', () => {
    expect(encode('m', runInNewContext('({ a: [1, { b: new Date(0) }] })'))).toBe(
      '{"event":"m","data":{"a":[1,{"b":"1970-01-01T00:00:00.000Z"}]}}',
    )
  })

  test.each([
    ['nothing', ''],
    ['half', '{"event":"m"'],
    ['no JSON', 'hello'],
    ['null', 'null'],
    ['a number', '5'],
    ['a string', '"event"'],
    ['an array', '["m",1]'],
    ['no event', '{"data":1}'],
    ['an event that is no string', '{"event":5}'],
    ['an event that is null', '{"event":null,"data":1}'],
    ['bytes', new ArrayBuffer(8)],
  ])('takes %s for a bad frame', (_, frame) => {
    expect(() => decode(frame)).toThrow(RemoteProtocolError)
    expect(() => decode(frame)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
  })

  test('quotes a bad frame, but not all of it', () => {
    const error = ((): Error | undefined => {
      try {
        decode(`{${'x'.repeat(100_000)}`)
      } catch (thrown) {
        return thrown as Error
      }
      return undefined
    })()

    expect(error?.message).toContain('{xxx')
    expect(error?.message.length).toBeLessThan(200)
  })

  test('gives no payload a say over our objects', () => {
    const message = decode('{"event":"m","data":{"__proto__":{"isAdmin":true}}}')

    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
    expect(Object.keys(message.data as object)).toEqual(['__proto__'])
  })
})

describe('text', () => {
  const { encode, decode } = text()

  test('sends strings as they are, and hands every frame over as "message"', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (body) => {
        expect(encode('message', body)).toBe(body)
        expect(decode(body)).toEqual({ event: 'message', data: body })
      }),
    )
  })

  test('sends bytes of buffers and of any view', () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])

    expect(encode('message', bytes.buffer)).toEqual(bytes)
    expect(encode('message', bytes.subarray(2, 5))).toEqual(new Uint8Array([3, 4, 5]))
    expect(encode('message', new DataView(bytes.buffer, 6, 2))).toEqual(new Uint8Array([7, 8]))
    expect(encode('message', new Uint16Array(bytes.buffer, 0, 1))).toEqual(new Uint8Array([1, 2]))
    expect(encode('message', Buffer.from('hi'))).toEqual(new Uint8Array([104, 105]))
  })

  test('copies bytes at the call', () => {
    const bytes = new Uint8Array([1, 2])
    const bodies = [encode('message', bytes), encode('message', bytes.buffer)]
    bytes.fill(9)

    expect(bodies).toEqual([new Uint8Array([1, 2]), new Uint8Array([1, 2])])
  })

  test('copies shared memory into memory of its own', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2))

    expect((encode('message', shared) as Uint8Array).buffer).toBeInstanceOf(ArrayBuffer)
  })

  test('hands over bytes as an ArrayBuffer', () => {
    const frame = new ArrayBuffer(2)

    expect(decode(frame)).toEqual({ event: 'message', data: frame })
  })

  test.each([
    ['another event', 'chat', 'hi'],
    ['a number', 'message', 5],
    ['an object', 'message', {}],
    ['nothing', 'message', undefined],
    ['null', 'message', null],
  ])('refuses %s', (_, event, data) => {
    expect(() => encode(event, data)).toThrow(
      expect.objectContaining({ code: 'NOT_ENCODABLE', name: 'LocalProtocolError' }),
    )
  })
})

describe('sizeOf', () => {
  test('is what a TextEncoder makes of a well-formed string', () => {
    const encoder = new TextEncoder()
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (body) => {
        expect(sizeOf(body)).toBe(encoder.encode(body).byteLength)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['', 0],
    ['\u007f', 1],
    ['\u0080', 2],
    ['\u07ff', 2],
    ['\u0800', 3],
    ['\ud7ff', 3],
    ['\ue000', 3],
    ['\uffff', 3],
    ['\u{10000}', 4],
    ['\u{10ffff}', 4],
  ])('counts %j as %i bytes', (body, bytes) => {
    expect(sizeOf(body)).toBe(bytes)
  })

  test('is the length of bytes', () => {
    expect(sizeOf(new Uint8Array(7))).toBe(7)
    expect(sizeOf(new Uint8Array(new ArrayBuffer(7), 2, 3))).toBe(3)
  })
})
