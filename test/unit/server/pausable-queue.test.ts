import { expect, test } from 'vitest'
import { PausableQueue } from '../../../src/server/ordering/pausable-queue.js'

/** Each item has as many bytes as it says. `handle` may enter more. */
function open(handle: (item: number) => void = () => {}) {
  const queue = new PausableQueue<number>({ messages: 4, bytes: 100 })
  const passed: number[] = []
  const pass = (item: number): void => {
    passed.push(item)
    handle(item)
  }
  const enter = (item: number): string => {
    const place = queue.enter(item, item)
    if (place === 'pass') pass(item)
    return place
  }
  const resume = (): void => {
    queue.resume()
    for (let item = queue.next(); item !== undefined; item = queue.next()) pass(item)
  }
  return { queue, passed, enter, resume }
}

test('lets items pass at once while it runs', () => {
  const { enter } = open()

  expect(enter(1)).toBe('pass')
})

test('keeps items while it is paused, and hands them over in order', () => {
  const { queue, passed, enter, resume } = open()
  queue.pause()
  expect([enter(1), enter(2)]).toEqual(['wait', 'wait'])
  expect(queue.next()).toBeUndefined()

  resume()
  enter(3)

  expect(passed).toEqual([1, 2, 3])
})

test('keeps the rest when it is paused again meanwhile', () => {
  const { queue, passed, enter, resume } = open((item) => {
    if (item === 1) queue.pause()
  })
  queue.pause()
  enter(1)
  enter(2)

  resume()
  enter(3)
  expect(passed).toEqual([1])
  resume()

  expect(passed).toEqual([1, 2, 3])
})

test('lets no item overtake those that wait', () => {
  const { queue, passed, enter, resume } = open((item) => {
    if (item === 1) enter(9)
  })
  queue.pause()
  enter(1)
  enter(2)

  resume()

  expect(passed).toEqual([1, 2, 9])
})

test('forgets what waits', () => {
  const { queue, passed, enter, resume } = open()
  queue.pause()
  enter(1)

  queue.clear()
  resume()

  expect(passed).toEqual([])
})

test('has no room for more than its bounds, and takes smaller items still', () => {
  const { queue, passed, enter, resume } = open()
  queue.pause()

  const places = [60, 50, 40, 0, 0, 0].map((item) => enter(item))
  resume()

  expect(places).toEqual(['wait', 'full', 'wait', 'wait', 'wait', 'full'])
  expect(passed).toEqual([60, 40, 0, 0])
})

test('has room again for as much as was handed over or forgotten', () => {
  const { queue, enter, resume } = open()
  queue.pause()
  enter(60)
  resume()
  queue.pause()

  expect(enter(100)).toBe('wait')
  queue.clear()
  expect(enter(100)).toBe('wait')
})

test('takes an item of any size while none waits', () => {
  const { queue, passed, enter, resume } = open()

  expect(enter(500)).toBe('pass')
  queue.pause()
  expect(enter(501)).toBe('wait')
  resume()

  expect(passed).toEqual([500, 501])
})
