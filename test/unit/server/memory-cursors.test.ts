import { expect, test } from 'vitest'
import { createCursorTable } from '../../../src/server/stores/memory-cursors.js'
import type { Cursor } from '../../../src/server/stores/stream-store.js'

const limits = { cursorTtlMs: 1_000, cursorsMax: 3, cursorBytesMax: 10_000 }
const cursor = (n: number, hasSeenAll = true): Cursor => ({ n, hasSeenAll, rejected: [], secret: '' })

test('finds what was written, per user', () => {
  const table = createCursorTable(limits)
  table.write('ann', 'A', cursor(4), 'life', 0)
  table.write('bob', 'A', cursor(9), 'life', 0)

  expect(table.read('ann', ['A', 'B'], 'life', 1)).toEqual(new Map([['A', cursor(4)]]))
})

test('is witness of nothing that another life has seen', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(4), 'old', 0)
  table.write('', 'B', cursor(4, false), 'new', 0)

  const found = table.read('', ['A', 'B'], 'new', 1)

  expect([...found.values()].map(({ hasSeenAll }) => hasSeenAll)).toEqual([false, false])
})

test('never steps back', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(4), 'life', 0)

  table.write('', 'A', cursor(3), 'life', 0)

  expect(table.read('', ['A'], 'life', 1).get('A')?.n).toBe(4)
})

test('forgets a writer that was quiet for too long', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(1), 'life', 0)
  table.write('', 'B', cursor(1), 'life', 500)

  expect([...table.read('', ['A', 'B'], 'life', 1_000).keys()]).toEqual(['B'])
})

test('forgets the quietest when there are too many', () => {
  const table = createCursorTable(limits)
  for (const writer of ['A', 'B', 'C']) table.write('', writer, cursor(1), 'life', 0)
  table.write('', 'A', cursor(2), 'life', 1)

  table.write('', 'D', cursor(1), 'life', 2)

  expect([...table.read('', ['A', 'B', 'C', 'D'], 'life', 2).keys()]).toEqual(['A', 'C', 'D'])
  expect(table.size).toBe(3)
})

test('forgets the quietest as a whole when their rejections take too much', () => {
  const table = createCursorTable(limits)
  const rejected = (writer: string, count: number): Cursor => ({
    ...cursor(count),
    rejected: Array.from({ length: count }, (_, index) => [writer, index + 1, 'REJECTED', 'x'.repeat(1_000)] as const),
  })
  table.write('', 'A', rejected('A', 2), 'life', 0)
  table.write('', 'B', rejected('B', 2), 'life', 1)
  expect(table.bytes).toBeGreaterThan(8_000)

  table.write('', 'B', rejected('B', 3), 'life', 2)

  const found = table.read('', ['A', 'B'], 'life', 2)
  expect([...found].map(([writer, { rejected: kept }]) => [writer, kept.length])).toEqual([['B', 3]])
  expect(table.bytes).toBeLessThan(8_000)
})

test('counts each cursor once, however often it is written, and in a copy too', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(1), 'life', 0)
  const { bytes } = table

  for (let n = 2; n < 1_000; n++) table.write('', 'A', cursor(n), 'life', 0)

  expect(bytes).toBeGreaterThan(0)
  expect(table.bytes).toBe(bytes)
  expect(table.copy().bytes).toBe(bytes)
  expect(table.read('', [], 'life', 2_000).size).toBe(0)
  expect(table.bytes).toBe(0)
})

test('copies itself', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(1), 'life', 0)

  const copy = table.copy()
  table.write('', 'A', cursor(2), 'life', 0)

  expect(copy.read('', ['A'], 'life', 0).get('A')?.n).toBe(1)
})
