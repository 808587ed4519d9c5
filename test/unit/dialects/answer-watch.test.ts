import { describe, expect, test } from 'vitest'
import { createAnswerWatch, type AnswerWatch } from '../../../src/dialects/reliable/answer-watch.js'

/** A connection whose handshake took so long. */
function start(handshakeMs: number): AnswerWatch {
  const watch = createAnswerWatch()
  watch.introduced(-handshakeMs)
  watch.start(0)
  return watch
}

describe('an answer that is owed', () => {
  test('is asked for after two seconds of silence, once, and has three more', () => {
    const watch = start(100)
    watch.owes(80, 0)
    const early = watch.elapsed(1_999)

    expect(early).toBeUndefined()
    expect(watch.elapsed(2_000)).toBe(3_000)
    watch.owes(80, 2_000)
    watch.owes(160, 2_300)
    expect(watch.deadline).toBe(Infinity)
  })

  test('has as long as the handshake and its variance explain', () => {
    const watch = start(1_000)
    watch.owes(80, 0)

    expect(watch.deadline).toBe(3_000)
    expect(watch.elapsed(3_000)).toBe(4_500)
  })

  test('has as long as the pongs and their variance explain', () => {
    const watch = start(1_000)
    watch.pinged(25_000)
    watch.ponged(28_000)
    watch.owes(80, 28_000)

    // 1,000 + (3,000 - 1,000) / 8, and four times 500 + (2,000 - 500) / 4.
    expect(watch.deadline).toBe(28_000 + 1_250 + 4 * 875)
  })

  test('is asked for no sooner and no later because more is sent', () => {
    const watch = start(100)
    watch.owes(80, 0)
    watch.owes(160, 1_500)

    expect(watch.deadline).toBe(2_000)
  })

  test('is not asked for once it has come', () => {
    const watch = start(100)
    watch.owes(80, 0)
    watch.received()
    watch.owes(0, 1_000)

    expect(watch.deadline).toBe(Infinity)
    expect(watch.elapsed(10_000)).toBeUndefined()
  })

  test('has its time anew with each frame that comes', () => {
    const watch = start(100)
    watch.owes(80, 0)
    watch.received()
    watch.owes(80, 1_900)

    expect(watch.deadline).toBe(3_900)
  })

  test('by a handler that is slow is asked for less and less often, until more is owed', () => {
    const watch = start(100)
    const asked: number[] = []
    watch.owes(80, 0)
    for (let round = 0; round < 3; round++) {
      const at = watch.deadline
      asked.push(at)
      expect(watch.elapsed(at)).toBe(3_000)
      watch.received()
      watch.owes(80, at + 100)
    }
    watch.owes(160, 14_300)

    expect(asked).toEqual([2_000, 6_100, 14_200])
    expect(watch.deadline).toBe(16_300)
  })
})

describe('the round trip', () => {
  test('is that of each ping, however many are on their way', () => {
    const watch = start(2_000)
    watch.pinged(0)
    watch.pinged(1_000)
    watch.ponged(2_000)
    watch.ponged(3_000)
    watch.owes(80, 3_000)

    // Both took 2,000, and varied less and less: 4 * 1,000 * 3/4 * 3/4.
    expect(watch.deadline).toBe(3_000 + 2_000 + 2_250)
  })

  test('is not measured by a pong that nobody asked for, nor by one of the connection before', () => {
    const watch = start(100)
    watch.ponged(9_000)
    watch.pinged(9_000)
    watch.introduced(59_900)
    watch.start(60_000)
    watch.ponged(60_000)
    watch.owes(80, 60_000)

    expect(watch.deadline).toBe(62_000)
  })
})

describe('a long frame that nobody acknowledges', () => {
  test('buys the time that a slow link takes for it, until a pong says that it has arrived', () => {
    const watch = start(100)
    watch.wrote(80_000)
    watch.pinged(10)
    watch.wrote(8_000)
    watch.owes(80, 20)
    const both = watch.elapsed(2_020)
    watch.received()
    watch.ponged(2_030)
    watch.owes(80, 2_030)

    expect(both).toBe(3_000 + 11_000)
    expect(watch.elapsed(watch.deadline)).toBeLessThan(3_000 + 1_000 + 1_000)
  })

  test('buys nothing where it is short', () => {
    const watch = start(100)
    watch.wrote(4_095)
    watch.owes(80, 0)

    expect(watch.elapsed(2_000)).toBe(3_000)
  })
})
