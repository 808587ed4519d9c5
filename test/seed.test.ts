import { expect, test } from 'vitest'
import { chooseSeed } from '../e2e/support/seed.js'

test('each run of a commit draws the same, and another commit draws anew', () => {
  const commit = 'ec9aef0b41d7c3c0a5f2d1e8b9a7c6d5e4f3a2b1'

  expect(chooseSeed(undefined, commit)).toBe(0xec9aef0)
  expect(chooseSeed('', commit)).toBe(0xec9aef0)
  expect(chooseSeed(undefined, '0a5f2d1')).toBe(0x0a5f2d1)
})

test('without Git the seed is a constant', () => {
  expect(chooseSeed(undefined, '')).toBe(1)
})

test('HOLDFAST_SEED replays a run, or asks for a new one', () => {
  expect(chooseSeed('17', 'ec9aef0')).toBe(17)
  expect(chooseSeed('0', 'ec9aef0')).toBe(0)
  expect(chooseSeed('random', 'ec9aef0')).toBeGreaterThanOrEqual(0)
  expect(chooseSeed('random', 'ec9aef0')).not.toBe(0xec9aef0)
})

test.each(['-1', '1.5', 'yes', '4294967296'])('HOLDFAST_SEED=%s is refused', (setting) => {
  expect(() => chooseSeed(setting, '')).toThrow(RangeError)
})
