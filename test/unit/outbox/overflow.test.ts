import { describe, expect, test } from 'vitest'
import { Entry } from '../../../src/outbox/delivery.js'
import { oldestToLeave, roomFor } from '../../../src/outbox/overflow.js'
import { stored } from '../../support/fake-store.js'

const candidates = [10, 20, 30].map((bytes, index) => new Entry(stored('w', index + 1), bytes, Infinity))
const leaving = (messages: number, bytes: number): number[] | undefined =>
  oldestToLeave(candidates, { messages, bytes })?.map(({ message }) => message.sequence)

test.each([
  ['nobody where there is room', 0, 0, []],
  ['nobody where there is more than enough', -3, -50, []],
  ['as many as are too many', 2, 0, [1, 2]],
  ['as many as it takes for the bytes', 0, 11, [1, 2]],
  ['no more than the bytes need', 0, 30, [1, 2]],
  ['whichever of both needs more', 1, 31, [1, 2, 3]],
  ['all, if it must be', 3, 60, [1, 2, 3]],
])('takes %s', (_, messages, bytes, expected) => {
  expect(leaving(messages, bytes)).toEqual(expected)
})

test.each([
  ['messages', 4, 0],
  ['bytes', 0, 61],
])('takes nobody where all together have not %s enough', (_, messages, bytes) => {
  expect(leaving(messages, bytes)).toBeUndefined()
})

describe('room for one more message', () => {
  const max = { messages: 3, bytes: 100 }
  const entry = (sequence: number, bytes: number): Entry =>
    new Entry({ writer: 'w', sequence, event: 'e', body: '', enqueuedAt: 0 }, bytes, Infinity)

  test('is there while both bounds hold', () => {
    const held = { messages: 2, bytes: 90 }

    expect(roomFor({ size: 10, held, max, leaving: [], candidates: [entry(1, 45)] })).toEqual([])
    expect(roomFor({ size: 11, held, max, leaving: [], candidates: [] })).toBeUndefined()
  })

  test('is made by those that go anyway, and then by the oldest that may', () => {
    const held = { messages: 3, bytes: 90 }
    const [first, second] = [entry(1, 30), entry(2, 30)]

    expect(roomFor({ size: 40, held, max, leaving: [first], candidates: [first, second] })).toEqual([])
    expect(roomFor({ size: 41, held, max, leaving: [first], candidates: [first, second] })).toEqual([second])
  })
})
