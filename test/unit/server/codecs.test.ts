import { expect, test } from 'vitest'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeWorld, placeOf, type FakeClient, type FakeWorld, type Frame } from '../../support/server-world.js'

const MSGPACK = { subprotocol: 'holdfast.1.msgpack' }
const data = { photo: new Uint8Array([1, 255]), at: new Date(5), id: 2n ** 60n }
const inJson = { photo: 'Af8=', at: '1970-01-01T00:00:00.005Z', id: '1152921504606846976' }

function welcome(world: FakeWorld, request = {}, hello: Partial<Frame> = {}): FakeClient {
  const client = world.connect(request)
  client.say({ t: 'hello', writers: {}, ...hello })
  return client
}

test('gives a client that comes back with the other subprotocol what it missed, in its form', () => {
  const world = createFakeWorld({ codec: msgpack() })
  const first = welcome(world, MSGPACK)
  world.session.send('note', data)
  expect(first.of('m')).toMatchObject([{ s: 1, d: data }])
  first.drop()

  const second = welcome(world, {}, { stream: { ...placeOf(first), s: 0, g: undefined } })
  world.session.send('note', 2)
  expect(second.of('welcome')).toMatchObject([{ resumed: true }])
  expect(second.of('m')).toMatchObject([
    { s: 1, d: inJson },
    { s: 2, d: 2 },
  ])
  second.drop()

  const third = welcome(world, MSGPACK, { stream: { ...placeOf(first), s: 0, g: undefined } })
  expect(third.of('m')).toMatchObject([
    { s: 1, d: data },
    { s: 2, d: 2 },
  ])
})

test.each([true, false])('goes on with streams of a server that had no codec, or had one: %s', (hadCodec) => {
  const clock = createFakeClock()
  const streams = memoryStreams()
  const withCodec = { streams, codec: msgpack() }
  const before = createFakeWorld(hadCodec ? withCodec : { streams }, clock)
  const first = welcome(before)
  before.session.send('note', { at: new Date(5) })
  before.engine.close()

  const after = createFakeWorld(hadCodec ? { streams } : withCodec, clock)
  const again = welcome(after, hadCodec ? {} : MSGPACK, { stream: { ...placeOf(first), s: 0, g: undefined } })

  expect(again.of('welcome')).toMatchObject([{ resumed: true }])
  expect(again.of('m')).toMatchObject([{ s: 1, d: { at: '1970-01-01T00:00:00.005Z' } }])
})

test('ends a stream whose JSON has no form in MessagePack, so that its client is told of the gap', () => {
  const clock = createFakeClock()
  const streams = memoryStreams()
  const before = createFakeWorld({ streams }, clock)
  const first = welcome(before)
  before.session.send('note', JSON.parse('['.repeat(200) + ']'.repeat(200)))
  before.engine.close()
  const stream = { ...placeOf(first), s: 0, g: undefined }

  const after = createFakeWorld({ streams, codec: msgpack() }, clock)
  const second = welcome(after, MSGPACK, { stream })
  const third = welcome(after, MSGPACK, { stream })

  expect(second.closed?.code).toBe(1013)
  expect(after.errors).toMatchObject([{ code: 'NOT_ENCODABLE' }])
  expect(third.of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
})

test('sends a volatile message to each member of a room in its form', () => {
  const world = createFakeWorld({ codec: msgpack() })
  world.engine.on('session', (session) => session.join('all'))
  const clients = [MSGPACK, {}, MSGPACK].map((request) => welcome(world, request))

  world.engine.to('all').volatile('cursor', data)

  expect(clients.map((client) => client.of('v')[0]?.d)).toEqual([data, inJson, data])
})

test('closes over a text frame, and over bytes that are no MessagePack, with a typed error', () => {
  for (const frame of ['{"t":"p"}', new Uint8Array([0xc1]).buffer, new ArrayBuffer(0)]) {
    const world = createFakeWorld({ codec: msgpack() })
    const client = welcome(world, MSGPACK)

    client.connection.receive(frame)

    expect(client.closed).toEqual({ code: 4400, reason: 'BAD_FRAME' })
    expect(client.of('error')).toMatchObject([{ code: 'BAD_FRAME' }])
    expect(world.errors).toMatchObject([{ code: 'BAD_FRAME' }])
  }
})

test('refuses what MessagePack has no form for at the call, and keeps the session', () => {
  const world = createFakeWorld({ codec: msgpack() })
  const client = welcome(world, MSGPACK)

  expect(() => world.session.send('note', new Map())).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  expect(() => world.engine.broadcast('note', new Set())).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  world.session.send('note', 1)

  expect(client.of('m')).toMatchObject([{ s: 1, d: 1 }])
})
