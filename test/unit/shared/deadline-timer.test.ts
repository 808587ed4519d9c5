import { describe, expect, test } from 'vitest'
import { createDeadlineTimer } from '../../../src/shared/deadline-timer.js'

function setUp() {
  let now = 0
  const timers: { at: number; callback: () => void; isOff: boolean }[] = []
  const rings: number[] = []
  let onRing = (): void => {}
  const timer = createDeadlineTimer(
    {
      now: () => now,
      setTimer(callback, delayMs) {
        const armed = { at: now + delayMs, callback, isOff: false }
        timers.push(armed)
        return () => void (armed.isOff = true)
      },
    },
    (at) => {
      rings.push(at)
      onRing()
    },
  )
  const live = () => timers.filter(({ isOff }) => !isOff)
  const passTo = (time: number): void => {
    now = time
    for (const due of live().filter(({ at }) => at <= time)) {
      due.isOff = true
      due.callback()
    }
  }
  return { timer, timers, live, rings, passTo, onRing: (act: () => void) => void (onRing = act) }
}

test('rings at the earliest deadline, with one timer', () => {
  const { timer, live, rings, passTo } = setUp()
  timer.schedule(50)
  timer.schedule(20)
  timer.schedule(90)

  expect(live().map(({ at }) => at)).toEqual([20])

  passTo(20)

  expect(rings).toEqual([20])
  expect(live()).toEqual([])
})

test('sets no new timer for a deadline that comes after the one it has', () => {
  const { timer, timers } = setUp()
  for (let deadline = 10; deadline < 1_000; deadline++) timer.schedule(deadline)

  expect(timers).toHaveLength(1)
})

test('needs no timer for what is never due', () => {
  const { timer, timers } = setUp()
  timer.schedule(Infinity)

  expect(timers).toEqual([])
})

test('does not ring after it was cancelled, and rings again when asked anew', () => {
  const { timer, live, rings, passTo } = setUp()
  timer.schedule(10)
  timer.cancel()

  expect(live()).toEqual([])

  timer.schedule(30)
  passTo(30)

  expect(rings).toEqual([30])
})

describe('a timer that a timer has set', () => {
  function chain() {
    const stage = setUp()
    stage.onRing(() => stage.timer.schedule(1_000))
    stage.timer.schedule(10)
    stage.passTo(10)
    return stage
  }

  test('is set anew by the next turn that another event begins, since browsers slow chains of timers down', () => {
    const { timer, timers, live } = chain()
    timer.schedule(1_000)

    expect(timers).toHaveLength(3)
    expect(live().map(({ at }) => at)).toEqual([1_000])
  })

  test('is set anew once', () => {
    const { timer, timers } = chain()
    timer.schedule(1_000)
    timer.schedule(1_000)

    expect(timers).toHaveLength(3)
  })

  test('stays where nothing is due any more', () => {
    const { timer, live } = chain()
    timer.schedule(Infinity)

    expect(live().map(({ at }) => at)).toEqual([1_000])
  })
})
