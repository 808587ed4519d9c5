import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageWindow } from '../../../src/protocol/window.js'

describe('a window', () => {
  test('takes as many messages as it holds', () => {
    const window = new MessageWindow({ messages: 2, bytes: 100 })

    window.take(1)
    expect(window.fits(1)).toBe(true)
    window.take(1)

    expect(window.fits(1)).toBe(false)
  })

  test('takes as many bytes as it holds, to the last', () => {
    const window = new MessageWindow({ messages: 10, bytes: 100 })

    window.take(60)

    expect(window.fits(40)).toBe(true)
    expect(window.fits(41)).toBe(false)
  })

  test('takes a single message of any length, and nothing beside it', () => {
    const window = new MessageWindow({ messages: 10, bytes: 100 })

    expect(window.fits(1_000)).toBe(true)
    window.take(1_000)

    expect(window.fits(1)).toBe(false)
  })

  test('has room again for what is given back', () => {
    const window = new MessageWindow({ messages: 1, bytes: 100 })
    window.take(100)

    window.give(100)

    expect(window.fits(1_000)).toBe(true)
  })

  test('never holds more than it may, whatever is taken and given', () => {
    const max = { messages: 5, bytes: 100 }
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 1, max: 150 }))), (steps) => {
        const window = new MessageWindow(max)
        const held: number[] = []
        for (const step of steps) {
          const given = step === null ? held.shift() : undefined
          if (given !== undefined) window.give(given)
          if (step === null || !window.fits(step)) continue
          window.take(step)
          held.push(step)

          expect(held.length).toBeLessThanOrEqual(max.messages)
          const bytes = held.reduce((sum, one) => sum + one, 0)
          expect(held.length === 1 || bytes <= max.bytes).toBe(true)
        }
      }),
    )
  })
})
