import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { Decoder, type Packet } from 'socket.io-parser'
import { describe, expect, test, vi } from 'vitest'
import { createPacketReader, createPackets, PacketType } from '../../../src/dialects/socketio/packets.js'
import type { Body, Received } from '../../../src/protocol/codec.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** What a socket at the other end gets. */
const received = (frame: Body): Received => (typeof frame === 'string' ? frame : frame.slice().buffer)

/** The packet that the official decoder makes of the frames. */
function decoded(frames: readonly Body[]): Packet | undefined {
  const decoder = new Decoder()
  let packet: Packet | undefined
  decoder.on('decoded', (complete: Packet) => (packet = complete))
  for (const frame of frames) decoder.add(typeof frame === 'string' ? frame.slice(1) : received(frame))
  return packet
}

describe('an event', () => {
  test('is the text that Socket.IO writes, and takes its number when it is sent', () => {
    const packets = createPackets('/')
    const body = packets.event('message', [{ text: 'hi' }])

    expect(body).toBe('2["message",{"text":"hi"}]')
    expect(packets.frames(body, undefined)).toEqual(['42["message",{"text":"hi"}]'])
    expect(packets.frames(body, 17)).toEqual(['4217["message",{"text":"hi"}]'])
  })

  test('names its namespace before its number', () => {
    const packets = createPackets('/a[b')
    const body = packets.event('message', [])

    expect(packets.frames(body, 3)).toEqual(['42/a[b,3["message"]'])
  })

  test('keeps its attachments with it, as they were', () => {
    const packets = createPackets('/chat')
    const bytes = new Uint8Array([1, 2, 3, 4])
    const body = packets.event('file', [bytes.subarray(1, 3), { more: bytes.buffer }])
    bytes.fill(0)
    const frames = packets.frames(body, 5)

    expect(body).toBeInstanceOf(Uint8Array)
    expect(frames).toEqual([
      '452-/chat,5["file",{"_placeholder":true,"num":0},{"more":{"_placeholder":true,"num":1}}]',
      new Uint8Array([2, 3]),
      new Uint8Array([1, 2, 3, 4]),
    ])
  })

  test('of any name and payload comes back from the official decoder as it was', () => {
    const payload = fc
      .json()
      .filter((json) => !json.includes('__proto__')) // The official encoder loses such a key beside attachments.
      .map((json): unknown => JSON.parse(json))
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'binary' }).filter((name) => !RESERVED.includes(name)),
        fc.array(fc.oneof(payload, fc.uint8Array())),
        fc.constantFrom('/', '/chat', '/a/b[1]'),
        fc.option(fc.nat(), { nil: undefined }),
        (name, values, namespace, id) => {
          const packets = createPackets(namespace)
          const packet = decoded(packets.frames(packets.event(name, values), id) ?? [])

          expect(packet).toMatchObject({ nsp: namespace, type: PacketType.EVENT, ...(id !== undefined && { id }) })
          expect(asArrays(packet?.data)).toEqual(asArrays([name, ...values]))
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'])(
    'may not be called "%s"',
    (name) => {
      expect(() => createPackets('/').event(name, [])).toThrow(`"${name}": Socket.IO keeps this name for itself`)
    },
  )

  test.each([
    ['a BigInt', 1n],
    ['a Blob', new Blob(['x'])],
    ['a Map', { deep: new Map([[1, 2]]) }],
    ['not a number', NaN],
    ['a buffer of another frame', runInNewContext('new ArrayBuffer(1)') as unknown],
    ['a cycle', cyclic()],
  ])('that holds %s is refused', (_, value) => {
    expect(() => createPackets('/').event('message', [value])).toThrow(
      expect.objectContaining({ name: 'LocalProtocolError', code: 'NOT_ENCODABLE' }),
    )
  })

  test.each([
    ['another dialect', '{"event":"message"}'],
    ['another namespace', '2/other,["message"]'],
    ['nobody', ''],
    ['another dialect, in bytes', new Uint8Array([1, 2, 3, 4, 5])],
    ['nobody, in bytes', new Uint8Array(0)],
  ])('stored by %s makes no frames', (_, body) => {
    expect(createPackets('/chat').frames(body, 1)).toBeUndefined()
  })
})

describe('the other packets', () => {
  test('are those of the protocol', () => {
    const packets = createPackets('/chat')

    expect(packets.connect({ token: 'a' })).toBe('40/chat,{"token":"a"}')
    expect(packets.disconnect()).toBe('41/chat,')
    expect(packets.acknowledge(4, ['yes'])).toEqual(['43/chat,4["yes"]'])
    expect(packets.acknowledge(4, [new Uint8Array([7])])).toEqual([
      '461-/chat,4[{"_placeholder":true,"num":0}]',
      new Uint8Array([7]),
    ])
  })
})

describe('the reader', () => {
  test('tells the engine’s packets from the others', () => {
    const reader = createPacketReader()

    expect(reader.read('2probe', 0)).toEqual({ engine: { type: 'ping', data: 'probe' } })
    expect(reader.read('42["a",1]', 0)).toEqual({
      packet: { type: PacketType.EVENT, nsp: '/', data: ['a', 1] },
    })
  })

  test('waits for attachments, and knows since when', () => {
    const reader = createPacketReader()
    const first = reader.read('452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', 5)
    const second = reader.read(new Uint8Array([1]).buffer, 9)
    const since = reader.incompleteSince
    const third = reader.read(new Uint8Array([2]).buffer, 12)

    expect([first, second, since]).toEqual([undefined, undefined, 5])
    expect(third).toMatchObject({ packet: { data: ['a', expect.any(ArrayBuffer), expect.any(ArrayBuffer)] } })
    expect(reader.incompleteSince).toBeUndefined()
  })

  test.each([
    ['no packet of the engine', 'hello'],
    ['an empty frame', ''],
    ['an unknown type', '49'],
    ['broken JSON', '42["a"'],
    ['an event that is no list', '42{"a":1}'],
    ['a reserved name', '42["disconnect"]'],
    ['no number of attachments', '45-["a"]'],
    ['too many attachments', '4511-["a"]'],
    ['bytes out of turn', new ArrayBuffer(3)],
  ])('refuses %s', (_, frame) => {
    expect(() => createPacketReader().read(frame, 0)).toThrow(
      expect.objectContaining({ name: 'RemoteProtocolError', code: 'BAD_FRAME' }),
    )
  })

  test('refuses text where attachments must come', () => {
    const reader = createPacketReader()
    reader.read('451-["a",{"_placeholder":true,"num":0}]', 0)

    expect(() => reader.read('42["b"]', 0)).toThrow('got plaintext data when reconstructing a packet')
  })

  test('throws nothing but BAD_FRAME, whatever comes', () => {
    const frame = fc.oneof(
      fc.string(),
      fc.string().map((text) => `42${text}`),
      fc.string().map((text) => `451-${text}`),
      fc.json().map((text) => `42["a",${text}]`),
      fc.uint8Array().map((bytes) => bytes.slice().buffer),
    )
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), (frames) => {
        const reader = createPacketReader()
        try {
          for (const one of frames) reader.read(one, 0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_FRAME' })
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']

function cyclic(): unknown {
  const cycle: unknown[] = []
  cycle.push(cycle)
  return cycle
}

/** Bytes as lists of numbers, whatever holds them. */
function asArrays(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)]
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(asArrays)
  return value
}
