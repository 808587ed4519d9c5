import { describe, expect, test } from 'vitest'
import { RemoteProtocolError } from '../../../src/shared/errors.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { downFrame, NAME_LENGTH_MAX, SUBPROTOCOL, upFrame, WRITERS_MAX } from '../../../src/protocol/frames.js'
import vectors from '../../vectors/frames.json' with { type: 'json' }

interface Vector {
  readonly name: string
  readonly way: string
  readonly wire: string
  /** What the wire says, where the frame is right. */
  readonly frame?: unknown
  /** The code of what it is refused with, where the frame is wrong. */
  readonly error?: string
  /** The field that the error must name. */
  readonly field?: string
}

const all: readonly Vector[] = vectors
const read = ({ way, wire }: Vector): unknown => (way === 'up' ? upFrame : downFrame)(jsonFrames.read(wire))
const errorOf = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('the vectors', () => {
  test.each(all.filter(({ error }) => error === undefined))('hold a right frame: $name', (vector) => {
    const frame = read(vector)

    expect(frame).toEqual(vector.frame ?? JSON.parse(vector.wire))
  })

  test.each(all.filter(({ error }) => error !== undefined))('hold a wrong frame: $name', (vector) => {
    const error = errorOf(() => read(vector))

    expect(error).toBeInstanceOf(RemoteProtocolError)
    expect(error).toHaveProperty('code', vector.error)
    if (vector.field) expect(error).toHaveProperty('message', expect.stringContaining(`"${vector.field}"`))
  })

  test('name every type of frame', () => {
    const types = (way: string): unknown[] =>
      all
        .filter((vector) => vector.way === way && !vector.error)
        .map(({ wire }) => (JSON.parse(wire) as { t: string }).t)

    expect(new Set(types('up'))).toEqual(
      new Set(['a', 'auth', 'bye', 'cancel', 'hello', 'm', 'o', 'p', 'r', 'resume', 'skip', 'v']),
    )
    expect(new Set(types('down'))).toEqual(
      new Set(['a', 'drain', 'error', 'greeting', 'm', 'o', 'p', 'r', 'reauth', 'v', 'welcome']),
    )
  })
})

describe.each([
  ['upFrame', upFrame],
  ['downFrame', downFrame],
])('%s', (_, check) => {
  test('hands on the very object that it was given, with what it does not know', () => {
    const value = { t: 'p', later: { nobody: 'knows' } }

    expect(check(value)).toBe(value)
  })

  test.each([
    ['deeply nested', JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))],
    ['very long', 't'.repeat(100_000)],
    ['without words', [Object.create(null)]],
    ['without a value', undefined],
    ['a symbol', Symbol('t')],
  ])('names a type that is %s in few words', (_name, t) => {
    const error = errorOf(() => check({ t }))

    expect(error).toBeInstanceOf(RemoteProtocolError)
    expect(String(error).length).toBeLessThan(200)
  })

  test.each([[() => {}], [Symbol('frame')], [1n], [undefined]])('takes %s for no frame', (value) => {
    expect(() => check(value)).toThrow(RemoteProtocolError)
  })
})

test('the limits are those that PROTOCOL.md names', () => {
  expect({ SUBPROTOCOL, WRITERS_MAX, NAME_LENGTH_MAX }).toEqual({
    SUBPROTOCOL: 'holdfast.1',
    WRITERS_MAX: 64,
    NAME_LENGTH_MAX: 256,
  })
})
