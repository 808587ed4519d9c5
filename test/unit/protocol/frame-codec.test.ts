import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LocalProtocolError, RemoteProtocolError } from '../../../src/shared/errors.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { downFrame, upFrame, type DownFrame, type UpFrame } from '../../../src/protocol/frames.js'
import vectors from '../../vectors/frames.json' with { type: 'json' }

const message: UpFrame = { t: 'm', w: 'A9f0', s: 1, e: 'message' }

describe('jsonFrames', () => {
  test('speaks as holdfast.1', () => {
    expect(jsonFrames.subprotocol).toBe('holdfast.1')
  })

  test.each(vectors.flatMap(({ name, way, frame }) => (frame ? [{ name, way, frame }] : [])))(
    'writes what it reads: $name',
    ({ way, frame }) => {
      const check = way === 'up' ? upFrame : downFrame

      const wire = jsonFrames.write(check(frame))

      expect(check(jsonFrames.read(String(wire)))).toEqual(frame)
    },
  )

  test('puts the payload into the frame as it was encoded, without encoding it again', () => {
    const payload = jsonFrames.encode('message', { text: 'a "quoted" word', at: new Date(0) })

    expect(jsonFrames.write(message, payload)).toBe(
      '{"t":"m","w":"A9f0","s":1,"e":"message","d":{"text":"a \\"quoted\\" word","at":"1970-01-01T00:00:00.000Z"}}',
    )
  })

  test('gives back any payload that JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        const wire = jsonFrames.write(message, jsonFrames.encode('message', data))

        expect(jsonFrames.read(wire as string)).toEqual({ ...message, d: JSON.parse(JSON.stringify(data)) })
      }),
    )
  })

  test('leaves an absent payload away, and keeps null', () => {
    const frame: DownFrame = { t: 'm', s: 1, g: 'x', e: 'tick' }

    expect(jsonFrames.write(frame, jsonFrames.encode('tick', undefined))).toBe('{"t":"m","s":1,"g":"x","e":"tick"}')
    expect(jsonFrames.write(frame, jsonFrames.encode('tick', null))).toBe('{"t":"m","s":1,"g":"x","e":"tick","d":null}')
  })

  test.each([
    ['a BigInt', 1n],
    ['a function', () => {}],
    ['a symbol', Symbol('data')],
  ])('refuses to encode %s', (_, data) => {
    expect(() => jsonFrames.encode('message', data)).toThrow(LocalProtocolError)
  })

  test('refuses to encode a cycle', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle

    expect(() => jsonFrames.encode('message', cycle)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  })

  test.each([
    ['binary', new ArrayBuffer(3), 'a binary frame where text was expected: 3 bytes'],
    ['half a frame', '{"t":"p"', 'invalid JSON: {"t":"p"'],
    ['a very long text', 'x'.repeat(100_000), 'invalid JSON: xxx'],
  ])('refuses %s, in few words', (_, frame, words) => {
    const act = (): unknown => jsonFrames.read(frame)

    expect(act).toThrow(RemoteProtocolError)
    expect(act).toThrow(expect.objectContaining({ code: 'BAD_FRAME', message: expect.stringContaining(words) }))
    expect(act).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,160}$/s) }))
  })

  test('reads a key that names a prototype as nothing but a key', () => {
    const value = jsonFrames.read('{"t":"v","e":"m","__proto__":{"polluted":1},"d":{"__proto__":{"polluted":1}}}')

    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(value).not.toHaveProperty('polluted')
    expect({}).not.toHaveProperty('polluted')
  })
})
