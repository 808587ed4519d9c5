import { describe, expect, test } from 'vitest'
import { roomFor } from '../../../src/outbox/overflow.js'
import { makeEntry } from '../../support/outbox-stage.js'

const NONE = new Set<never>()
const candidates = [10, 20, 30].map((bytes, index) => makeEntry('w', index + 1, { bytes }))

/** Which candidates leave where so many messages and bytes are too many. */
const dropped = (messages: number, bytes: number): number[] | undefined =>
  roomFor({
    bytes: 1,
    queue: { size: 99 + messages, bytes: 99 + bytes },
    max: { messages: 100, bytes: 100 },
    leaving: NONE,
    candidates,
  })?.map(({ sequence }) => sequence)

test.each([
  ['none where there is room', 0, 0, []],
  ['none where there is more than enough', -3, -50, []],
  ['as many as are too many', 2, 0, [1, 2]],
  ['as many as it takes for the bytes', 0, 11, [1, 2]],
  ['no more than the bytes need', 0, 30, [1, 2]],
  ['as many as the larger of the two needs', 1, 31, [1, 2, 3]],
  ['all, if it must be', 3, 60, [1, 2, 3]],
])('drops %s', (_, messages, bytes, expected) => {
  expect(dropped(messages, bytes)).toEqual(expected)
})

test.each([
  ['messages', 4, 0],
  ['bytes', 0, 61],
])('drops none where all together have not %s enough', (_, messages, bytes) => {
  expect(dropped(messages, bytes)).toBeUndefined()
})

describe('room for one more message', () => {
  const max = { messages: 3, bytes: 100 }
  const [first, second] = [makeEntry('w', 1, { bytes: 30 }), makeEntry('w', 2, { bytes: 30 })]

  test('is there while both bounds hold', () => {
    const queue = { size: 2, bytes: 90 }

    expect(roomFor({ bytes: 10, queue, max, leaving: NONE, candidates: [first] })).toEqual([])
    expect(roomFor({ bytes: 11, queue, max, leaving: NONE, candidates: [] })).toBeUndefined()
  })

  test('is made by those that go anyway, and then by the oldest that may', () => {
    const queue = { size: 3, bytes: 90 }
    const leaving = new Set([first])

    expect(roomFor({ bytes: 40, queue, max, leaving, candidates: [first, second] })).toEqual([])
    expect(roomFor({ bytes: 41, queue, max, leaving, candidates: [first, second] })).toEqual([second])
  })

  test('is not looked for where an empty outbox had none, either', () => {
    const untouched: Iterable<never> = {
      [Symbol.iterator]: () => {
        throw new Error('a candidate was asked for')
      },
    }
    const given = { bytes: 101, queue: { size: 3, bytes: 90 }, max, leaving: NONE, candidates: untouched }

    expect(roomFor(given)).toBeUndefined()
  })
})
