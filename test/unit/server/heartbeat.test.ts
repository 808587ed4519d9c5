import { expect, test } from 'vitest'
import { ClientHeartbeat } from '../../../src/server/connection/heartbeat.js'

/** What the socket says of the bytes on their way. */
const still = { bytesRead: 0, bytesWritten: 0, bytesLeft: 0 }

const open = (socket = still): ClientHeartbeat => new ClientHeartbeat({ interval: 1_000, timeout: 300 }, socket, 0)

test('pings at every interval while the client answers', () => {
  const heartbeat = open()
  const verdicts = []
  for (let now = heartbeat.deadline; now <= 3_000; now = heartbeat.deadline) {
    verdicts.push([now, heartbeat.elapsed(now)])
    heartbeat.received(now + 1)
  }

  expect(verdicts).toEqual([
    [1_000, 'ping'],
    [2_000, 'ping'],
    [3_000, 'ping'],
  ])
  expect(heartbeat.receivedAt).toBe(3_001)
})

test('declares a client dead that has not answered a ping in time', () => {
  const heartbeat = open()
  heartbeat.elapsed(1_000)

  expect(heartbeat.deadline).toBe(1_300)
  expect(heartbeat.elapsed(1_299)).toBeUndefined()
  expect(heartbeat.elapsed(1_300)).toBe('dead')
})

test('pings once more when its timer ran so late that frames may wait behind it', () => {
  const heartbeat = open()
  heartbeat.elapsed(1_000)

  expect(heartbeat.elapsed(60_000)).toBe('ping')
  expect(heartbeat.deadline).toBe(60_300)
  expect(heartbeat.elapsed(120_000)).toBe('dead')
})

test('takes any frame for life', () => {
  const heartbeat = open()
  heartbeat.elapsed(1_000)
  heartbeat.received(1_200)

  expect(heartbeat.elapsed(1_300)).toBeUndefined()
  expect(heartbeat.deadline).toBe(2_000)
})

test('does not suspect a client whose long message comes in, until no more of it comes', () => {
  const socket = { ...still }
  const heartbeat = open(socket)
  heartbeat.elapsed(1_000)
  socket.bytesRead = 60_000
  const moving = heartbeat.elapsed(1_300)

  expect([moving, heartbeat.deadline]).toEqual([undefined, 1_600])
  expect(heartbeat.elapsed(1_600)).toBe('dead')
})

test('does not wait longer for a few bytes now and then than a link of 64 kbit/s takes for them', () => {
  const socket = { ...still }
  const heartbeat = open(socket)
  heartbeat.elapsed(1_000)
  socket.bytesRead = 80
  const extended = heartbeat.elapsed(1_300)
  socket.bytesRead += 1

  expect([extended, heartbeat.deadline]).toEqual([undefined, 1_310])
  expect(heartbeat.elapsed(1_310)).toBe('dead')
})

test('does not suspect a client that has yet to be sent the ping, while it reads what stands before', () => {
  const socket = { ...still, bytesWritten: 8_000 }
  const heartbeat = open(socket)
  heartbeat.elapsed(1_000)
  const givesUpAt = heartbeat.deadline === 2_000 && heartbeat.elapsed(2_000) && heartbeat.deadline
  socket.bytesLeft = 4_000
  const moving = heartbeat.elapsed(2_300)
  const extended = heartbeat.deadline
  socket.bytesWritten = 9_000
  socket.bytesLeft = 9_000
  heartbeat.elapsed(2_800)

  expect([givesUpAt, moving, extended]).toEqual([2_300, undefined, 2_800])
  expect(heartbeat.deadline).toBe(3_000)
  expect([heartbeat.elapsed(3_000), heartbeat.elapsed(3_300)]).toEqual(['ping', 'dead'])
})

test('gives a slow client as long as 64 kbit/s take for what it is not known to have, a mebibyte at most', () => {
  const socket = { ...still, bytesWritten: 80_000 }
  const heartbeat = open(socket)
  heartbeat.elapsed(1_000)
  const unconfirmed = Math.max(heartbeat.deadline, 2_000)
  heartbeat.received(10_000)
  heartbeat.ponged()
  heartbeat.elapsed(10_000)
  const confirmed = heartbeat.deadline
  heartbeat.received(10_100)
  socket.bytesWritten = 1e9
  heartbeat.elapsed(11_000)
  let at = heartbeat.deadline
  while (heartbeat.elapsed(at) === 'ping') at = heartbeat.deadline

  expect([unconfirmed, confirmed]).toEqual([2_000, 10_300])
  expect(at).toBe(11_300 + 2 ** 20 / 8)
})
