import { expect, test } from 'vitest'
import { createDeadlineTimer } from '../../../src/shared/deadline-timer.js'

function setUp() {
  let now = 0
  const timers: { at: number; callback: () => void; isOff: boolean }[] = []
  const rings: number[] = []
  const timer = createDeadlineTimer(
    {
      now: () => now,
      setTimer(callback, delayMs) {
        const armed = { at: now + delayMs, callback, isOff: false }
        timers.push(armed)
        return () => void (armed.isOff = true)
      },
    },
    (at) => rings.push(at),
  )
  const live = () => timers.filter(({ isOff }) => !isOff)
  const passTo = (time: number): void => {
    now = time
    for (const due of live().filter(({ at }) => at <= time)) {
      due.isOff = true
      due.callback()
    }
  }
  return { timer, timers, live, rings, passTo }
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
