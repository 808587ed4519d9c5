import { expect, test } from 'vitest'
import { createCursorTable } from '../../src/server/memory-cursors.js'
import type { Cursor } from '../../src/session/server-lane.js'

const limits = { cursorTtlMs: 1_000, cursorsMax: 3 }
const cursor = (n: number, isWitnessed = true): Cursor => ({ n, isWitnessed, rejected: [] })

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

  expect([...found.values()].map(({ isWitnessed }) => isWitnessed)).toEqual([false, false])
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

test('copies itself', () => {
  const table = createCursorTable(limits)
  table.write('', 'A', cursor(1), 'life', 0)

  const copy = table.copy()
  table.write('', 'A', cursor(2), 'life', 0)

  expect(copy.read('', ['A'], 'life', 0).get('A')?.n).toBe(1)
})
