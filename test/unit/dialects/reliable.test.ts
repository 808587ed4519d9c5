import { describe, expect, test } from 'vitest'
import { createListenerWaits } from '../../../src/dialects/listener-waits.js'
import { createPlaceNote } from '../../../src/dialects/reliable/place.js'
import { createReliableProtocol } from '../../../src/dialects/reliable/reliable-protocol.js'
import { sessionNotes } from '../../../src/platform/session-notes.js'
import { EMPTY_OUTBOX } from '../../support/empty-outbox.js'
import { GREETING } from '../../support/reliable-stage.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { json } from '../../../src/protocol/codec.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'

describe('reliable', () => {
  test('offers its subprotocol, and says what it can do', () => {
    expect(reliable()).toMatchObject({
      name: 'reliable',
      subprotocols: ['holdfast.1'],
      acknowledges: true,
      badFramesMax: 1,
    })
  })

  test('encodes the payload alone, once', () => {
    expect(reliable().encode('m', { a: 1 })).toBe('{"a":1}')
    expect(reliable().encode('m', undefined)).toBe('')
    expect(() => reliable().encode('m', 5n)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  })

  test('takes names of at most 256 characters', () => {
    expect(() => reliable().encode('x'.repeat(256), 1)).not.toThrow()
    expect(() => reliable().encode('x'.repeat(257), 1)).toThrow(
      expect.objectContaining({ name: 'LocalProtocolError', code: 'NOT_ENCODABLE' }),
    )
  })

  test.each([
    [1006, 'retry'],
    [1009, 'retry'],
    [1012, 'retry'],
    [1013, 'retry'],
    [4400, 'retry'],
    [4408, 'retry'],
    [4409, 'retry'],
    [4429, 'retry'],
    [4401, 'unauthorized'],
    [1000, 'stop'],
    [4403, 'stop'],
    [4406, 'stop'],
  ])('takes close code %i for the advice to %s', (code, advice) => {
    expect(reliable().advise(code)).toBe(advice)
  })

  test.each(['', 5, null, {}])('refuses the resumeKey %s', (resumeKey) => {
    const make = (): unknown => reliable({ resumeKey: resumeKey as string })

    expect(make).toThrow(TypeError)
    expect(make).toThrow(/^resumeKey must be a non-empty string, got /)
  })

  test('offers the subprotocol of its codec, and encodes with it', () => {
    const dialect = reliable({ codec: msgpack() })

    expect(dialect.subprotocols).toEqual(['holdfast.1.msgpack'])
    expect(dialect.encode('m', 5n)).toEqual(new Uint8Array([0xcf, 0, 0, 0, 0, 0, 0, 0, 5]))
    expect(() => dialect.encode('m', new Map())).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  })

  test.each([json(), 'msgpack', null, {}])('refuses the codec %o', (codec) => {
    const make = (): unknown => reliable({ codec: codec as ReturnType<typeof msgpack> })

    expect(make).toThrow(TypeError)
    expect(make).toThrow(/^codec must be msgpack\(\), got /)
  })

  test('speaks JSON in text frames, and asks for life by itself', () => {
    const protocol = createReliableProtocol({
      codec: jsonFrames,
      note: createPlaceNote(sessionNotes, undefined),
      waits: createListenerWaits(undefined, 10_000),
    })
    protocol.opened(undefined)
    protocol.receive(JSON.stringify(GREETING), 0)
    protocol.nextFrame(EMPTY_OUTBOX, Infinity, 0)
    protocol.ping?.()

    expect(protocol.nextFrame(EMPTY_OUTBOX, Infinity, 0)?.frame).toBe('{"t":"p"}')
    expect(protocol.deadline).toBe(Infinity)
  })
})
