import { expect, test } from 'vitest'
import { createTurnstile, type Turnstile } from '../../../src/server/ordering/pausable-queue.js'

/** Each item has as many bytes as it says. */
const create = (pass: (item: number) => void): Turnstile<number> =>
  createTurnstile<number>(pass, { messages: 4, bytes: 100 }, (item) => item)

test('lets pass at once while it is open', () => {
  const passed: number[] = []
  const turnstile = create((item) => passed.push(item))

  turnstile.enter(1)

  expect(passed).toEqual([1])
})

test('keeps those in line, and lets them pass in order', () => {
  const passed: number[] = []
  const turnstile = create((item) => passed.push(item))
  turnstile.close()
  turnstile.enter(1)
  turnstile.enter(2)
  expect(passed).toEqual([])

  turnstile.open()
  turnstile.enter(3)

  expect(passed).toEqual([1, 2, 3])
})

test('keeps the rest when one that passes closes it again', () => {
  const passed: number[] = []
  const turnstile = create((item) => {
    passed.push(item)
    if (item === 1) turnstile.close()
  })
  turnstile.close()
  turnstile.enter(1)
  turnstile.enter(2)

  turnstile.open()
  turnstile.enter(3)
  expect(passed).toEqual([1])
  turnstile.open()

  expect(passed).toEqual([1, 2, 3])
})

test('lets nobody overtake the line while it moves', () => {
  const passed: number[] = []
  const turnstile = create((item) => {
    passed.push(item)
    if (item === 1) turnstile.enter(9)
  })
  turnstile.close()
  turnstile.enter(1)
  turnstile.enter(2)

  turnstile.open()

  expect(passed).toEqual([1, 2, 9])
})

test('forgets who waits', () => {
  const passed: number[] = []
  const turnstile = create((item) => passed.push(item))
  turnstile.close()
  turnstile.enter(1)

  turnstile.clear()
  turnstile.open()

  expect(passed).toEqual([])
})

test('turns away whom the line has no room for, and lets the others pass', () => {
  const passed: number[] = []
  const turnstile = create((item) => passed.push(item))
  turnstile.close()

  const entered = [60, 50, 40, 0, 0, 0].map((item) => turnstile.enter(item))
  turnstile.open()

  expect(entered).toEqual([true, false, true, true, true, false])
  expect(passed).toEqual([60, 40, 0, 0])
})

test('has room again for as much as has passed or was forgotten', () => {
  const turnstile = create(() => {})
  turnstile.close()
  turnstile.enter(60)
  turnstile.open()
  turnstile.close()

  expect(turnstile.enter(100)).toBe(true)
  turnstile.clear()
  expect(turnstile.enter(100)).toBe(true)
})

test('takes anything while nobody waits', () => {
  const passed: number[] = []
  const turnstile = create((item) => passed.push(item))

  expect(turnstile.enter(500)).toBe(true)
  turnstile.close()
  expect(turnstile.enter(501)).toBe(true)
  turnstile.open()

  expect(passed).toEqual([500, 501])
})
