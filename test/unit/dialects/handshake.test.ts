import { describe, expect, test } from 'vitest'
import { handshakeOf, refusal } from '../../../src/dialects/socketio/handshake.js'
import { createPacketReader } from '../../../src/dialects/socketio/packets.js'

const read = (frame: string | ArrayBuffer) => handshakeOf(() => createPacketReader().read(frame, 0))
const open = (fields: object): string => `0${JSON.stringify({ sid: 'a', upgrades: [], ...fields })}`

describe('the handshake', () => {
  test('says how often the server pings, and how long a frame it takes', () => {
    expect(read(open({ pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 }))).toEqual({
      heartbeat: { interval: 25_000, timeout: 20_000 },
      frameBytesMax: 1_000_000,
    })
  })

  test('sets no limit where the server names none, as before Socket.IO 4.5', () => {
    expect(read(open({ pingInterval: 25_000, pingTimeout: 20_000 })).frameBytesMax).toBe(Infinity)
  })

  test.each([
    ['a frame that is no packet', 'Echo: hello'],
    ['bytes', new ArrayBuffer(4)],
    ['another packet of the engine', '2'],
    ['a packet before the engine is open', '40{"sid":"a"}'],
    ['no object', '0[]'],
    ['no JSON', '0{'],
    ['no interval', open({ pingTimeout: 1, maxPayload: 1 })],
    ['an interval that is none', open({ pingInterval: -1, pingTimeout: 1, maxPayload: 1 })],
    ['a time-out in words', open({ pingInterval: 1, pingTimeout: 'long', maxPayload: 1 })],
  ])('refuses %s', (_, frame) => {
    expect(() => read(frame)).toThrow(expect.objectContaining({ name: 'RefusedError', code: 'PROTOCOL_MISMATCH' }))
  })
})

test('a refusal says whose fault it is', () => {
  expect(refusal('PROTOCOL_MISMATCH', 'why').message).toBe('The server does not speak Socket.IO as we do: why')
  expect(refusal('UNAUTHORIZED', 'why', 'because')).toMatchObject({
    message: 'The Socket.IO server refused us: why',
    cause: 'because',
  })
})
