import { expect, test } from 'vitest'
import { createAlarm } from '../../../src/shared/deadline-timer.js'

function setUp() {
  let now = 0
  const timers: { at: number; callback: () => void; isOff: boolean }[] = []
  const rings: number[] = []
  const alarm = createAlarm(
    {
      now: () => now,
      setTimer(callback, delayMs) {
        const timer = { at: now + delayMs, callback, isOff: false }
        timers.push(timer)
        return () => void (timer.isOff = true)
      },
    },
    (at) => rings.push(at),
  )
  const live = () => timers.filter(({ isOff }) => !isOff)
  const passTo = (time: number): void => {
    now = time
    for (const timer of live().filter(({ at }) => at <= time)) {
      timer.isOff = true
      timer.callback()
    }
  }
  return { alarm, timers, live, rings, passTo }
}

test('rings at the earliest deadline, with one timer', () => {
  const { alarm, live, rings, passTo } = setUp()
  alarm.by(50)
  alarm.by(20)
  alarm.by(90)

  expect(live().map(({ at }) => at)).toEqual([20])

  passTo(20)

  expect(rings).toEqual([20])
  expect(live()).toEqual([])
})

test('sets no new timer for a deadline that comes after the one it has', () => {
  const { alarm, timers } = setUp()
  for (let deadline = 10; deadline < 1_000; deadline++) alarm.by(deadline)

  expect(timers).toHaveLength(1)
})

test('needs no timer for what is never due', () => {
  const { alarm, timers } = setUp()
  alarm.by(Infinity)

  expect(timers).toEqual([])
})

test('does not ring after it was cancelled, and rings again when asked anew', () => {
  const { alarm, live, rings, passTo } = setUp()
  alarm.by(10)
  alarm.cancel()

  expect(live()).toEqual([])

  alarm.by(30)
  passTo(30)

  expect(rings).toEqual([30])
})
