import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Sender } from '../../../src/server/connection/sender.js'
import type { StreamMessage } from '../../../src/server/stores/stream-store.js'
import { JsonWire } from '../../../src/server/base/wire.js'
import { resolveOptions } from '../../../src/server/base/options.js'
import { nodePlatform } from '../../../src/server/base/platform.js'

function open(): {
  sender: Sender
  written: string[]
  socket: { bufferedAmount: number; bytesLeft: number; send(frame: unknown): void }
  clock: { now: number }
} {
  const written: string[] = []
  const clock = { now: 0 }
  const socket = {
    bufferedAmount: 0,
    bytesRead: 0,
    bytesWritten: 0,
    bytesLeft: 0,
    send: (frame: unknown) => void written.push(String(frame)),
    close: () => {},
    terminate: () => {},
  }
  const options = resolveOptions({ limits: { bufferedBytesMax: 100, stalledMs: 1_000 } })
  const platform = { ...nodePlatform, now: () => clock.now }
  const sender = new Sender({ platform, options }, socket, new JsonWire({ t: 'p' }))
  return { sender, written, socket, clock }
}

setFlagsFromString('--expose-gc')
// The flag adds it to contexts that are made from then on.
const collectGarbage = runInNewContext('gc') as () => void

const message = (sequence: number): StreamMessage => ({
  head: { t: 'm', e: 'news' },
  payload: String(sequence),
  sequence,
  tag: `g${sequence}`,
})

test('writes the stream as it comes, payload and all', () => {
  const { sender, written } = open()
  sender.start(4)

  sender.deliver(message(5))

  expect(written).toEqual(['{"t":"m","e":"news","s":5,"g":"g5","d":5}'])
  expect(sender.sequence).toBe(5)
  expect(sender.deadline).toBe(Infinity)
})

test('lets the stream wait while the socket is full, and goes on when it has drained', () => {
  const { sender, written, socket, clock } = open()
  socket.bufferedAmount = 100
  sender.deliver(message(1))
  sender.deliver(message(2))
  expect(written).toEqual([])
  expect(sender.sequence).toBe(0)

  socket.bufferedAmount = 99
  clock.now = sender.deadline

  expect(sender.elapsed(clock.now)).toBeUndefined()
  expect(written).toHaveLength(2)
  expect(sender.deadline).toBe(Infinity)
})

test('drops volatile messages while the socket is full', () => {
  const { sender, written, socket } = open()
  socket.bufferedAmount = 100

  sender.writeVolatile('{"t":"v","e":"a"}')
  sender.write({ t: 'o' })
  socket.bufferedAmount = 0
  sender.writeVolatile('{"t":"v","e":"b"}')

  expect(written).toEqual(['{"t":"o"}', '{"t":"v","e":"b"}'])
})

test('says when nothing has left a full socket for too long, however much the client talks', () => {
  const { sender, socket, clock } = open()
  socket.bufferedAmount = 100
  sender.deliver(message(1))
  let verdict: string | undefined
  for (; !verdict && clock.now < 5_000; clock.now += 10) {
    sender.pump()
    verdict = sender.elapsed(clock.now)
  }

  expect(verdict).toBe('stalled')
  expect(clock.now).toBeGreaterThan(1_000)
  expect(clock.now).toBeLessThan(1_200)
})

test('begins to count anew when the socket has drained meanwhile', () => {
  const { sender, socket, clock } = open()
  socket.bufferedAmount = 100
  sender.deliver(message(1))
  clock.now = 900
  socket.bufferedAmount = 0
  sender.pump()

  socket.bufferedAmount = 100
  sender.deliver(message(2))
  clock.now = 1_100

  expect(sender.elapsed(clock.now)).toBeUndefined()
})

test('goes on for who reads slowly but steadily, though the socket is full at every look', () => {
  const { sender, socket, clock, written } = open()
  socket.bufferedAmount = 100
  for (let sequence = 1; sequence <= 100; sequence++) sender.deliver(message(sequence))
  let verdict: string | undefined
  for (clock.now = 0; !verdict && clock.now < 5_000; clock.now += 50) {
    socket.bufferedAmount = 99
    const before = written.length
    // Each message fills it again.
    socket.send = (frame: unknown) => {
      written.push(String(frame))
      socket.bufferedAmount = 100
    }
    verdict = sender.elapsed(clock.now)
    if (before === 100) break
  }

  expect(verdict).toBeUndefined()
  expect(written.length).toBeGreaterThan(50)
})

test.each([
  ['goes on for who reads a long message as fast as a slow link carries it', 400, undefined],
  ['does not take a few bytes now and then for reading', 40, 'stalled'],
])('%s', (_title, bytesPerLook, wanted) => {
  const { sender, socket, clock } = open()
  // Of a long frame a socket counts all as buffered until the last byte has left.
  socket.bufferedAmount = 1e6
  sender.deliver(message(1))
  let verdict: string | undefined
  for (; !verdict && clock.now < 5_000; clock.now += 50) {
    socket.bytesLeft += bytesPerLook
    verdict = sender.elapsed(clock.now)
  }

  expect(verdict).toBe(wanted)
})

test('says in time that nothing leaves any more, however much has left before', () => {
  const { sender, socket, clock } = open()
  socket.bufferedAmount = 1e6
  socket.bytesLeft = 1e6
  sender.deliver(message(1))
  socket.bytesLeft = 2e6
  clock.now = 500
  sender.elapsed(500)

  clock.now = 1_499
  const before = sender.elapsed(1_499)
  clock.now = 1_549
  expect([before, sender.elapsed(1_549)]).toEqual([undefined, 'stalled'])
})

test('lets go of what it has written, while other messages wait', async () => {
  const { sender, socket, written } = open()
  socket.bufferedAmount = 100
  let first: StreamMessage | undefined = message(1)
  const reference = new WeakRef(first)
  sender.deliver(first)
  first = undefined
  for (let sequence = 2; sequence <= 5; sequence++) sender.deliver(message(sequence))

  socket.bufferedAmount = 0
  socket.send = (frame: unknown) => {
    written.push(String(frame))
    socket.bufferedAmount = 100
  }
  sender.pump()
  await new Promise((resolve) => setTimeout(resolve, 0))
  collectGarbage()

  expect(written).toHaveLength(1)
  expect(reference.deref()).toBeUndefined()
  expect(sender.sequence).toBe(1)
})

test('forgets what waits when the connection is gone', () => {
  const { sender, socket, written } = open()
  socket.bufferedAmount = 100
  sender.deliver(message(1))

  sender.close()
  socket.bufferedAmount = 0
  sender.pump()

  expect(written).toEqual([])
  expect(sender.deadline).toBe(Infinity)
})

test('announces a long frame, of which a slow client sees nothing before it is whole', () => {
  const { sender, written } = open()
  const payload = JSON.stringify('ä'.repeat(20_000))
  sender.deliver({ ...message(1), payload })
  sender.deliver({ ...message(2), payload: JSON.stringify('x'.repeat(1_000)) })
  sender.writeVolatile('y'.repeat(40_000))

  expect(written.map((frame) => frame.slice(0, 20))).toEqual([
    '{"t":"o","next":4004',
    '{"t":"m","e":"news",',
    '{"t":"m","e":"news",',
    '{"t":"o","next":4000',
    'yyyyyyyyyyyyyyyyyyyy',
  ])
})
