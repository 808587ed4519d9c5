import * as fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { RemoteProtocolError } from '../../src/shared/errors.js'
import type { Received } from '../../src/protocol/codec.js'
import { jsonFrames } from '../../src/protocol/frame-codec.js'
import { downFrame, upFrame } from '../../src/protocol/frames.js'
import vectors from '../vectors/frames.json' with { type: 'json' }

/** How often each property runs: `RUNS=200000` for a night, few for a day. */
const RUNS = Number(process.env['RUNS'] ?? 2_000)

vi.setConfig({ testTimeout: 3_600_000 })

let fuzzed = 0

/** Reads the frame as a server and as a client would. Whatever it is, it is understood or refused, never more. */
function readBothWays(frame: Received): void {
  for (const check of [upFrame, downFrame]) {
    fuzzed++
    try {
      const { t }: { t: unknown } = check(jsonFrames.read(frame))
      if (typeof t !== 'string') throw new TypeError(`A frame of type ${typeof t} was let through`)
    } catch (error) {
      if (error instanceof RemoteProtocolError && error.code === 'BAD_FRAME' && error.message.length < 300) continue
      throw error
    }
  }
}

const survives = (frames: fc.Arbitrary<Received>, weight = 1): void =>
  fc.assert(fc.property(frames, readBothWays), { numRuns: Math.ceil(RUNS * weight) })

const wires = vectors.map(({ wire }) => wire)
const valid: unknown[] = vectors.flatMap(({ frame }) => (frame ? [frame] : []))
const types = [...new Set(valid.map((frame) => (frame as { t: string }).t))]
const fields = [...new Set(valid.flatMap((frame) => Object.keys(frame as object)))]

/** What JSON can say and a careless reader trips over. */
const oddities = fc.constantFrom(
  ...[
    '1e999',
    '-0',
    '-1',
    '0.1',
    '9007199254740992',
    '1e21',
    'true',
    'null',
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '[]',
    '{}',
  ],
  ...[
    '{"toString":1}',
    '[{"toString":1,"valueOf":1}]',
    '{"__proto__":{"t":"p"}}',
    '{"constructor":1}',
    '{"length":-1}',
  ],
)
const anything = fc.oneof(oddities, fc.json({ maxDepth: 3 }))
const names = fc.oneof(
  fc.constantFrom(...fields, '__proto__', 'constructor', 'hasOwnProperty', 'toString', '__defineGetter__'),
  fc.string({ maxLength: 8 }),
)
const member = fc.tuple(names, anything).map(([name, value]) => `${JSON.stringify(name)}:${value}`)

afterAll(() => {
  console.log(`${fuzzed} frames fuzzed`)
})

test('survives any text', () => {
  survives(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 200 })))
})

test('survives bytes', () => {
  survives(
    fc.uint8Array({ maxLength: 50 }).map((bytes) => new Uint8Array(bytes).buffer),
    0.1,
  )
})

test('survives any JSON', () => {
  survives(fc.json({ maxDepth: 5, stringUnit: 'binary' }))
})

test('survives frames of known types with any fields', () => {
  const type = fc.constantFrom(...types).map((t) => `"t":"${t}"`)
  survives(
    fc.tuple(type, fc.array(member, { maxLength: 8 })).map(([t, rest]) => `{${[t, ...rest].join()}}`),
    2,
  )
})

test('survives right frames with one field changed', () => {
  const changed = fc.tuple(fc.constantFrom(...valid), member).map(([frame, change]) => {
    const text = JSON.stringify(frame)
    return `${text.slice(0, -1)},${change}}`
  })
  survives(changed, 2)
})

test('survives frames that are damaged on the way', () => {
  const damaged = fc
    .tuple(fc.constantFrom(...wires), fc.nat(), fc.nat(5), fc.string({ unit: 'binary', maxLength: 5 }))
    .map(([wire, at, length, text]) => {
      const start = at % (wire.length + 1)
      return wire.slice(0, start) + text + wire.slice(start + length)
    })
  survives(damaged, 2)
})

test('survives what is nested deeper than any stack', () => {
  const depths = fc.integer({ min: 5_000, max: 100_000 })
  const property = fc.property(fc.constantFrom(...fields), depths, fc.boolean(), (field, depth, isList) => {
    const [open, close] = isList ? ['[', ']'] : ['{"t":', '}']
    readBothWays(`{"t":"m","s":1,"e":"m","${field}":${open.repeat(depth)}1${close.repeat(depth)}}`)
  })

  fc.assert(property, { numRuns: Math.ceil(RUNS * 0.02) })
})

test('survives very many writers and rejections', () => {
  const many = fc.integer({ min: 60, max: 5_000 }).map((count) => {
    const writers = Object.fromEntries(Array.from({ length: count }, (_, index) => [`w${index}`, index]))
    const no = Object.keys(writers).map((writer) => [writer, 1, 'REJECTED', ''])
    return JSON.stringify({ t: 'hello', writers, cursors: writers, w: writers, no })
  })
  survives(many, 0.02)
})

test('leaves the prototype of all objects alone', () => {
  const before = Object.getOwnPropertyNames(Object.prototype)

  survives(fc.array(member, { maxLength: 5 }).map((all) => `{"t":"hello","writers":{},"__proto__":{${all.join()}}}`))

  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
})
