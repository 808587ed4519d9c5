import { describe, expect, test } from 'vitest'
import { createListenerWaits } from '../../../src/dialects/listener-waits.js'

function setUp(...heard: string[]) {
  const known = new Set(heard)
  const waits = createListenerWaits({ isKnown: (event) => known.has(event), forgo: (event) => known.add(event) }, 100)
  return { waits, bind: (event: string) => known.add(event) }
}

describe('an event that never had a listener', () => {
  test('is awaited from its first message until it has one', () => {
    const { waits, bind } = setUp()
    const before = waits.isAwaited('a', 0)
    bind('a')

    expect([before, waits.isAwaited('a', 1)]).toEqual([true, false])
    expect([waits.deadline, waits.elapsed(1), waits.deadline]).toEqual([100, [], Infinity])
  })

  test('is awaited no longer than the wait, whatever comes after it', () => {
    const { waits } = setUp()
    waits.isAwaited('a', 0)
    waits.isAwaited('b', 30)
    waits.isAwaited('a', 90)

    expect([waits.deadline, waits.elapsed(99)]).toEqual([100, []])
    expect([waits.elapsed(100), waits.isAwaited('a', 101), waits.deadline]).toEqual([['a'], false, 130])
  })

  test('is forgotten with the others', () => {
    const { waits } = setUp()
    waits.isAwaited('a', 0)
    waits.clear()

    expect([waits.deadline, waits.elapsed(1_000)]).toEqual([Infinity, []])
  })
})

test('an event that is heard is not awaited', () => {
  expect(setUp('a').waits.isAwaited('a', 0)).toBe(false)
})

test('where nothing is known of listeners nothing is awaited', () => {
  const waits = createListenerWaits(undefined, 100)

  expect([waits.isAwaited('a', 0), waits.deadline]).toEqual([false, Infinity])
})
