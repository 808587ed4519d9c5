import { expect, test } from 'vitest'
import { createIsolation } from '../../../src/dialects/oversized.js'
import { Entry } from '../../../src/outbox/delivery.js'
import { EMPTY_QUEUE } from '../../support/fake-host.js'

/** A queue of numbered messages, of which some are on their way. */
function setUp(count: number) {
  const entries = Array.from(
    { length: count },
    (_, index) => new Entry({ writer: 'w', sequence: index + 1, event: 'e', body: '', enqueuedAt: 0 }, 0, Infinity),
  )
  const failed: number[] = []
  const queue = {
    ...EMPTY_QUEUE,
    inFlight: 0,
    peek: () => entries[queue.inFlight],
    rewind() {
      queue.inFlight = 0
      for (const entry of entries.filter(({ isDone }) => isDone)) entries.splice(entries.indexOf(entry), 1)
    },
    fail(entry: Entry) {
      entries.splice(entries.indexOf(entry), 1)
      failed.push(entry.message.sequence)
    },
  }
  return { entries, failed, queue, isolation: createIsolation(queue) }
}

test('what was on its way at a 1009 goes one at a time, until it is done with', () => {
  const { isolation, queue } = setUp(3)
  const before = isolation.isOver
  queue.inFlight = 2
  isolation.rewind(1009)
  const during = isolation.isOver
  isolation.acquit()
  isolation.acquit()

  expect([before, during, isolation.isOver]).toEqual([true, false, true])
})

test('who was alone on the way is guilty, and the next is free', () => {
  const { isolation, queue, failed } = setUp(3)
  queue.inFlight = 2
  isolation.rewind(1009)
  queue.inFlight = 1
  isolation.rewind(1009)

  expect(failed).toEqual([1])
  expect(isolation.isOver).toBe(false)
})

test('another close code blames nobody', () => {
  const { isolation, queue, failed } = setUp(1)
  queue.inFlight = 1
  isolation.rewind(1006)

  expect(failed).toEqual([])
  expect(isolation.isOver).toBe(true)
})

test('nobody is blamed for a request that was given up on its way', () => {
  const { isolation, queue, entries, failed } = setUp(2)
  queue.inFlight = 1
  entries[0]!.isDone = true
  isolation.rewind(1009)

  expect(failed).toEqual([])
})
