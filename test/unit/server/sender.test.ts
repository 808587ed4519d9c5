import { expect, test } from 'vitest'
import { createDownlink, type Downlink } from '../../../src/server/connection/sender.js'
import type { StreamMessage } from '../../../src/server/stores/stream-store.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'

function open(): {
  downlink: Downlink
  written: string[]
  socket: { bufferedAmount: number; send(frame: unknown): void }
  clock: { now: number }
} {
  const written: string[] = []
  const clock = { now: 0 }
  const socket = {
    bufferedAmount: 0,
    send: (frame: unknown) => void written.push(String(frame)),
    close: () => {},
    terminate: () => {},
  }
  const downlink = createDownlink(socket, jsonFrames, { bufferedBytesMax: 100, stalledMs: 1_000 }, () => clock.now)
  return { downlink, written, socket, clock }
}

const message = (sequence: number): StreamMessage => ({
  head: { t: 'm', e: 'news' },
  payload: String(sequence),
  sequence,
  tag: `g${sequence}`,
})

test('writes the stream as it comes, payload and all', () => {
  const { downlink, written } = open()
  downlink.start(4)

  downlink.deliver(message(5))

  expect(written).toEqual(['{"t":"m","e":"news","s":5,"g":"g5","d":5}'])
  expect(downlink.sequence).toBe(5)
  expect(downlink.deadline).toBe(Infinity)
})

test('lets the stream wait while the socket is full, and goes on when it has drained', () => {
  const { downlink, written, socket, clock } = open()
  socket.bufferedAmount = 100
  downlink.deliver(message(1))
  downlink.deliver(message(2))
  expect(written).toEqual([])
  expect(downlink.sequence).toBe(0)

  socket.bufferedAmount = 99
  clock.now = downlink.deadline

  expect(downlink.elapsed(clock.now)).toBeUndefined()
  expect(written).toHaveLength(2)
  expect(downlink.deadline).toBe(Infinity)
})

test('drops volatile messages while the socket is full', () => {
  const { downlink, written, socket } = open()
  socket.bufferedAmount = 100

  downlink.writeVolatile('{"t":"v","e":"a"}')
  downlink.write({ t: 'o' })
  socket.bufferedAmount = 0
  downlink.writeVolatile('{"t":"v","e":"b"}')

  expect(written).toEqual(['{"t":"o"}', '{"t":"v","e":"b"}'])
})

test('says when nothing has left a full socket for too long, however much the client talks', () => {
  const { downlink, socket, clock } = open()
  socket.bufferedAmount = 100
  downlink.deliver(message(1))
  let verdict: string | undefined
  for (; !verdict && clock.now < 5_000; clock.now += 10) {
    downlink.pump()
    verdict = downlink.elapsed(clock.now)
  }

  expect(verdict).toBe('stalled')
  expect(clock.now).toBeGreaterThan(1_000)
  expect(clock.now).toBeLessThan(1_200)
})

test('begins to count anew when the socket has drained meanwhile', () => {
  const { downlink, socket, clock } = open()
  socket.bufferedAmount = 100
  downlink.deliver(message(1))
  clock.now = 900
  socket.bufferedAmount = 0
  downlink.pump()

  socket.bufferedAmount = 100
  downlink.deliver(message(2))
  clock.now = 1_100

  expect(downlink.elapsed(clock.now)).toBeUndefined()
})

test('goes on for who reads slowly but steadily, though the socket is full at every look', () => {
  const { downlink, socket, clock, written } = open()
  socket.bufferedAmount = 100
  for (let sequence = 1; sequence <= 100; sequence++) downlink.deliver(message(sequence))
  let verdict: string | undefined
  for (clock.now = 0; !verdict && clock.now < 5_000; clock.now += 50) {
    socket.bufferedAmount = 99
    const before = written.length
    // Each message fills it again.
    socket.send = (frame: unknown) => {
      written.push(String(frame))
      socket.bufferedAmount = 100
    }
    verdict = downlink.elapsed(clock.now)
    if (before === 100) break
  }

  expect(verdict).toBeUndefined()
  expect(written.length).toBeGreaterThan(50)
})
