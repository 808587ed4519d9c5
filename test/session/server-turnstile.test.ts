import { expect, test } from 'vitest'
import { createTurnstile } from '../../src/session/server-turnstile.js'

test('lets pass at once while it is open', () => {
  const passed: number[] = []
  const turnstile = createTurnstile<number>((item) => passed.push(item))

  turnstile.enter(1)

  expect(passed).toEqual([1])
})

test('keeps those in line, and lets them pass in order', () => {
  const passed: number[] = []
  const turnstile = createTurnstile<number>((item) => passed.push(item))
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
  const turnstile = createTurnstile<number>((item) => {
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
  const turnstile = createTurnstile<number>((item) => {
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
  const turnstile = createTurnstile<number>((item) => passed.push(item))
  turnstile.close()
  turnstile.enter(1)

  turnstile.clear()
  turnstile.open()

  expect(passed).toEqual([])
})
