import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LocalProtocolError, RemoteProtocolError } from '../../../src/shared/errors.js'
import type { Body } from '../../../src/protocol/codec.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { downFrame, upFrame, type DownFrame, type UpFrame } from '../../../src/protocol/frames.js'
import { msgpackFrames } from '../../../src/protocol/msgpack-frames.js'
import { toMsgpack } from '../../../src/protocol/msgpack-write.js'
import vectors from '../../vectors/frames.json' with { type: 'json' }
import { receivedOf } from '../../support/server-world.js'

const message: UpFrame = { t: 'm', w: 'A9f0', s: 1, e: 'message' }
const read = (frame: Body): unknown => msgpackFrames.read(receivedOf(frame))

describe('msgpackFrames', () => {
  test('speaks as holdfast.1.msgpack', () => {
    expect(msgpackFrames.subprotocol).toBe('holdfast.1.msgpack')
  })

  test.each(vectors.flatMap(({ name, way, frame }) => (frame ? [{ name, way, frame }] : [])))(
    'writes what it reads: $name',
    ({ way, frame }) => {
      const check = way === 'up' ? upFrame : downFrame

      expect(check(read(msgpackFrames.write(check(frame))))).toEqual(frame)
    },
  )

  test.each(vectors.filter(({ error, field }) => error === 'BAD_FRAME' && field))(
    'refuses what JSON refuses: $name',
    ({ way, wire }) => {
      const check = way === 'up' ? upFrame : downFrame

      expect(() => check(read(toMsgpack(jsonFrames.read(wire))))).toThrow(
        expect.objectContaining({ code: 'BAD_FRAME' }),
      )
    },
  )

  test('puts the payload into the frame as it was encoded', () => {
    const payload = msgpackFrames.encode('message', { text: 'hi' })

    const frame = Buffer.from(msgpackFrames.write({ t: 'v', e: 'a' }, payload) as Uint8Array).toString('hex')

    expect(frame).toBe(['83', 'a174a176', 'a165a161', 'a164', '81a474657874a26869'].join(''))
  })

  test('carries bytes, dates and BigInts', () => {
    const data = { photo: new Uint8Array([1, 2]), at: new Date(1_700_000_000_123), id: 2n ** 63n, rate: NaN }

    expect(read(msgpackFrames.write(message, msgpackFrames.encode('message', data)))).toEqual({ ...message, d: data })
  })

  test('gives back any payload that JSON can hold, also one that was stored as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        const stored = JSON.stringify(data)
        const json: unknown = JSON.parse(stored)
        const expected = { ...message, d: json }

        expect(msgpackFrames.takes(stored)).toBe(true)
        expect(read(msgpackFrames.write(message, stored))).toEqual(expected)
        expect(read(msgpackFrames.write(message, msgpackFrames.encode('message', json)))).toEqual(expected)
      }),
    )
  })

  test('leaves an absent payload away, and keeps null', () => {
    const frame: DownFrame = { t: 'm', s: 1, g: 'x', e: 'tick' }

    expect(read(msgpackFrames.write(frame, msgpackFrames.encode('tick', undefined)))).toEqual(frame)
    expect(read(msgpackFrames.write(frame, msgpackFrames.encode('tick', null)))).toEqual({ ...frame, d: null })
  })

  test('does not take text that is no JSON, or JSON that is nested too deep', () => {
    expect(msgpackFrames.takes('hello')).toBe(false)
    expect(msgpackFrames.takes('['.repeat(200) + ']'.repeat(200))).toBe(false)
    expect(msgpackFrames.takes('')).toBe(true)
    expect(msgpackFrames.takes(new Uint8Array([1]))).toBe(true)
  })

  test.each([
    ['a Map', 'm', { tags: new Map() }, 'data.tags (Map) has no form in MessagePack'],
    ['half a surrogate pair', 'm', '\ud800', 'data (half a surrogate pair)'],
    ['a name with half a surrogate pair', '\ud800', 1, 'its name has half a surrogate pair'],
  ])('refuses to encode %s', (_, event, data, words) => {
    const act = (): unknown => msgpackFrames.encode(event, data)

    expect(act).toThrow(LocalProtocolError)
    expect(act).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE', message: expect.stringContaining(words) }))
  })

  test('says so where a credential has no form', () => {
    const act = (): unknown => msgpackFrames.write({ t: 'auth', auth: { keys: new Map() } })

    expect(act).toThrow(LocalProtocolError)
    expect(act).toThrow('Cannot encode "auth": Error: auth.keys (Map) has no form in MessagePack')
  })

  test('takes whole numbers in 64 bits for numbers, but in the payload', () => {
    const frame = {
      t: 'welcome',
      cursors: { d: 7n, auth: 2n ** 64n - 1n },
      no: [['A', 3n, 'C', 'm']],
      d: 9n,
      auth: { n: 8n },
    }

    expect(read(toMsgpack(frame))).toEqual({
      t: 'welcome',
      cursors: { d: 7, auth: 2 ** 64 },
      no: [['A', 3, 'C', 'm']],
      d: 9n,
      auth: { n: 8n },
    })
  })

  test.each([
    ['text', '{"t":"p"}', 'a text frame where MessagePack was expected'],
    ['nothing', new ArrayBuffer(0), 'less than it announces'],
    ['two values', new Uint8Array([0x80, 0x80]).buffer, '1 bytes too many'],
    [
      'bytes for a map',
      receivedOf(toMsgpack({ t: 'hello', writers: new Uint8Array(3) })),
      'bytes or a date as "writers"',
    ],
    ['a date for a map', receivedOf(toMsgpack({ t: 'a', w: { A: new Date(0) } })), 'bytes or a date as "A"'],
    [
      'a list of 2 ** 32 - 1 in five bytes',
      new Uint8Array([0xdd, 255, 255, 255, 255]).buffer,
      'less than it announces',
    ],
  ])('refuses %s, in few words', (_, frame, words) => {
    const act = (): unknown => msgpackFrames.read(frame)

    expect(act).toThrow(RemoteProtocolError)
    expect(act).toThrow(expect.objectContaining({ code: 'BAD_FRAME', message: expect.stringContaining(words) }))
    expect(act).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,160}$/s) }))
  })

  test('takes a value that is no map for no frame', () => {
    for (const value of [null, 5, 'p', [1], new Uint8Array([1]), new Date(0)]) {
      expect(() => upFrame(read(toMsgpack(value)))).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
    }
  })
})
