import { describe, expect, test } from 'vitest'
import type { Body } from '../../../src/protocol/codec.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { msgpackFrames } from '../../../src/protocol/msgpack-frames.js'
import { JsonWire, MsgpackWire } from '../../../src/server/base/wire.js'
import type { StreamEntry } from '../../../src/server/stores/stream-store.js'
import { receivedOf } from '../../support/server-world.js'

const PING = { t: 'p' } as const
const news: StreamEntry = { head: { t: 'm', e: 'news "s":1' }, payload: '{"s":2}' }

describe.each([
  ['holdfast.1', new JsonWire(PING)],
  ['holdfast.1.msgpack', new MsgpackWire(msgpackFrames, PING)],
])('%s', (subprotocol, wire) => {
  const read = (frame: Body): unknown => wire.codec.read(receivedOf(frame))

  test('greets as its subprotocol has it', () => {
    expect(wire.codec.subprotocol).toBe(subprotocol)
    expect(read(wire.greeting)).toEqual(PING)
  })

  test('writes an entry for each stream with its place there', () => {
    const written = [1, 2 ** 40].map((sequence) => wire.message({ ...news, sequence, tag: `x-${sequence}` }))

    expect(written.map(read)).toEqual([
      { t: 'm', e: 'news "s":1', s: 1, g: 'x-1', d: { s: 2 } },
      { t: 'm', e: 'news "s":1', s: 2 ** 40, g: 'x-1099511627776', d: { s: 2 } },
    ])
  })

  test('takes no entry for another one', () => {
    const others: StreamEntry[] = [news, { ...news, payload: '3' }, { head: { ...news.head }, payload: '' }, news]

    const written = others.map((entry) => read(wire.message({ ...entry, sequence: 7, tag: 'g' })))

    expect(written.map((frame) => (frame as { d?: unknown }).d)).toEqual([{ s: 2 }, 3, undefined, { s: 2 }])
  })

  test('writes a reply with its error, also with half a surrogate pair in it', () => {
    const error = { code: 'NO_HANDLER', message: 'There is no handler of "join"' }
    const head = { t: 'r', w: 'A', n: 3, error } as const

    const frame = wire.message({ head, payload: '', sequence: 4, tag: 'g4' })
    const cut = wire.message({
      head: { ...head, error: { code: 'NO', message: '\ud83d' } },
      payload: '',
      sequence: 5,
      tag: 'g',
    })

    expect(read(frame)).toEqual({ t: 'r', w: 'A', n: 3, error, s: 4, g: 'g4' })
    expect(read(cut)).toMatchObject({ error: { code: 'NO' } })
  })

  test('writes a volatile message once, whoever gets it', () => {
    const message = { event: 'cursor', payload: '[1,2]' }

    expect(read(wire.volatile(message))).toEqual({ t: 'v', e: 'cursor', d: [1, 2] })
    expect(wire.volatile(message)).toBe(wire.volatile(message))
    expect(read(wire.volatile({ event: 'cursor', payload: '' }))).toEqual({ t: 'v', e: 'cursor' })
  })
})

const bytes = (...list: number[]): Uint8Array => new Uint8Array(list)

test('gives MessagePack to a client that speaks it as it is', () => {
  const wire = new MsgpackWire(msgpackFrames, PING)
  const data = { photo: bytes(1, 255), at: new Date(5), big: 2n ** 60n, none: NaN }
  const payload = msgpackFrames.encode('m', data)

  const frame = wire.message({ head: { t: 'm', e: 'm' }, payload, sequence: 1, tag: 'g' })

  expect(msgpackFrames.read(receivedOf(frame))).toEqual({ t: 'm', e: 'm', s: 1, g: 'g', d: data })
})

test('gives MessagePack to a client that speaks JSON as ProtoJSON would have it', () => {
  const wire = new JsonWire(PING)
  const data = {
    photo: bytes(1, 255),
    at: new Date(5),
    big: [2n ** 60n],
    none: NaN,
    most: -Infinity,
    text: 'ok',
    n: 1.5,
  }
  const payload = msgpackFrames.encode('m', data)

  const frame = wire.message({ head: { t: 'm', e: 'm' }, payload, sequence: 1, tag: 'g' })

  expect(jsonFrames.read(String(frame))).toMatchObject({
    d: {
      photo: 'Af8=',
      at: '1970-01-01T00:00:00.005Z',
      big: ['1152921504606846976'],
      none: 'NaN',
      most: '-Infinity',
      text: 'ok',
      n: 1.5,
    },
  })
})

test('says which payloads it has a form for', () => {
  const deep = '['.repeat(200) + ']'.repeat(200)
  const [json, msgpack] = [new JsonWire(PING), new MsgpackWire(msgpackFrames, PING)]

  expect([deep, '{"a":1}', '', msgpackFrames.encode('m', 1)].map((payload) => msgpack.takes(payload))).toEqual([
    false,
    true,
    true,
    true,
  ])
  expect(json.takes()).toBe(true)
})
