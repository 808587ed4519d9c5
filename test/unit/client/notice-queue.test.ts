import { describe, expect, test } from 'vitest'
import { createNoticeQueue, type NoticeQueue } from '../../../src/client/notice-queue.js'

/** A queue of numbers, and what was told. */
function setUp(act: (notice: number, queue: NoticeQueue<number>) => void = () => {}, page = { isHidden: false }) {
  const told: number[] = []
  const queue = createNoticeQueue<number>((notice) => {
    told.push(notice)
    act(notice, queue)
  }, page)
  return { queue, told, push: (...notices: number[]) => notices.forEach(queue.push) }
}

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

describe('telling', () => {
  test('tells nothing before it is asked to, and then everything in order, once', () => {
    const { queue, told, push } = setUp()
    push(1, 2, 3)
    const before = [...told]
    const isAllTold = queue.flush()
    queue.flush()

    expect([before, told, isAllTold]).toEqual([[], [1, 2, 3], true])
  })

  test('tells everything in one task while the page is hidden, where the next may be a minute away', () => {
    const { queue, told, push } = setUp(undefined, { isHidden: true })
    push(...range(2_500))
    const isAllTold = queue.flush()

    expect([isAllTold, told.length]).toEqual([true, 2_500])
  })

  test('has told everything where there is nothing', () => {
    const { queue, told } = setUp()

    expect([queue.flush(), queue.deadline, told]).toEqual([true, Infinity, []])
  })

  test('is due at once while something waits', () => {
    const { queue, push } = setUp()
    const deadlines = [queue.deadline]
    push(1)
    deadlines.push(queue.deadline)
    queue.flush()
    deadlines.push(queue.deadline)

    expect(deadlines).toEqual([Infinity, -Infinity, Infinity])
  })

  test('tells 1,000 at a time, and is due until the rest is told', () => {
    const { queue, told, push } = setUp()
    push(...range(2_500))
    const slices: [number, boolean, number][] = []
    for (let round = 0; round < 3; round++) slices.push([told.length, queue.flush(), queue.deadline])

    expect(slices).toEqual([
      [0, false, -Infinity],
      [1_000, false, -Infinity],
      [2_000, true, Infinity],
    ])
    expect(told).toEqual(range(2_500))
  })

  test('keeps the order when more comes between two slices', () => {
    const { queue, told, push } = setUp()
    push(...range(1_500))
    queue.flush()
    push(1_500)
    queue.flush()

    expect(told).toEqual(range(1_501))
  })
})

describe('a listener', () => {
  test('that causes a notice hears of it after those before it, in the same call', () => {
    const { queue, told, push } = setUp((notice, { push: more }) => {
      if (notice < 3) more(notice + 10)
    })
    push(1, 2, 3)
    const isAllTold = queue.flush()

    expect(told).toEqual([1, 2, 3, 11, 12])
    expect(isAllTold).toBe(true)
  })

  test('that ends a turn leaves the telling to the call that is under way', () => {
    const results: unknown[] = []
    const { queue, told, push } = setUp((notice, { flush, deadline }) => {
      if (notice !== 1) return
      results.push(flush(), deadline)
    })
    push(1, 2, 3)
    queue.flush()

    expect(results).toEqual([false, Infinity])
    expect(told).toEqual([1, 2, 3])
  })

  test('that causes notices without end gets 1,000 a call', () => {
    const { queue, told, push } = setUp((notice, { push: more }) => more(notice + 1))
    push(0)
    const isAllTold = queue.flush()

    expect([told.length, isAllTold, queue.deadline]).toEqual([1_000, false, -Infinity])
  })

  test('that clears the queue hears no more of what waits, and hears of what comes then', () => {
    const { queue, told, push } = setUp((notice, { clear, push: more }) => {
      if (notice !== 2) return
      clear()
      more(9)
    })
    push(1, 2, 3, 4)
    const isAllTold = queue.flush()

    expect(told).toEqual([1, 2, 9])
    expect([isAllTold, queue.deadline]).toEqual([true, Infinity])
  })
})

test('what is cleared is told never', () => {
  const { queue, told, push } = setUp()
  push(1, 2)
  queue.clear()
  const { deadline } = queue
  push(3)
  queue.flush()

  expect(deadline).toBe(Infinity)
  expect(told).toEqual([3])
})
