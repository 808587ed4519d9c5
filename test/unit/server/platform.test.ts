import { expect, test, vi } from 'vitest'
import { nodePlatform } from '../../../src/server/base/platform.js'

test('makes ids of 128 bits that a frame can carry', () => {
  const ids = new Set(Array.from({ length: 1_000 }, () => nodePlatform.createId()))

  expect(ids.size).toBe(1_000)
  for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/)
})

test('has two clocks and luck', () => {
  const before = nodePlatform.now()

  expect(nodePlatform.now()).toBeGreaterThanOrEqual(before)
  expect(Math.abs(nodePlatform.wallNow() - Date.now())).toBeLessThan(1_000)
  expect(nodePlatform.random()).toBeLessThan(1)
})

test('rings once, and not when it was called off', async () => {
  const rings: string[] = []
  const cancel = nodePlatform.setTimer(() => rings.push('cancelled'), 0)
  nodePlatform.setTimer(() => rings.push('rung'), -1)

  cancel()
  await vi.waitUntil(() => rings.length > 0)

  expect(rings).toEqual(['rung'])
})
