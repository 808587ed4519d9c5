import { expect, test } from 'vitest'
import { ClientHeartbeat } from '../../../src/server/connection/heartbeat.js'

const open = (): ClientHeartbeat => new ClientHeartbeat({ interval: 1_000, timeout: 300 }, 0)

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
