import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDeadlineHeap, type Timed } from '../../../src/shared/deadline-heap.js'

const make = (at: number, sequence = 0): Timed => ({ at, sequence, index: -1 })

describe('a heap of deadlines', () => {
  test('has nothing first where nothing is in it', () => {
    const heap = createDeadlineHeap()
    const item = make(1)
    heap.add(item)
    heap.remove(item)

    expect(heap.first).toBeUndefined()
    expect(item.index).toBe(-1)
  })

  test('has the soonest first, also one that never is due', () => {
    const heap = createDeadlineHeap()
    const [never, late, soon] = [make(Infinity), make(20), make(10)]
    const seen = [never, late, soon].map((item) => (heap.add(item), heap.first))

    expect(seen).toEqual([never, late, soon])
  })

  test('is not changed by removing an item that is not in it', () => {
    const heap = createDeadlineHeap()
    const [one, other] = [make(10), make(20)]
    heap.add(one)
    heap.remove(other)
    heap.add(other)
    heap.remove(one)
    heap.remove(one)

    expect(heap.first).toBe(other)
  })

  test('is empty once it is cleared, and takes the same items again', () => {
    const heap = createDeadlineHeap()
    const items = [3, 1, 2].map((at) => make(at))
    items.forEach(heap.add)
    heap.clear()
    const cleared = [heap.first, ...items.map(({ index }) => index)]
    items.forEach(heap.add)

    expect(cleared).toEqual([undefined, -1, -1, -1])
    expect(heap.first).toBe(items[1])
  })

  test('gives out by deadline whatever was added and removed', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 20 }) }) },
        { weight: 2, arbitrary: fc.record({ remove: fc.nat(50) }) },
      ),
      { maxLength: 100 },
    )
    fc.assert(
      fc.property(steps, (all) => {
        const heap = createDeadlineHeap()
        const items: Timed[] = []
        let sequence = 0
        for (const step of all) {
          if ('add' in step) {
            const item = make(step.add, sequence++)
            items.push(item)
            heap.add(item)
          } else if (items.length) {
            heap.remove(items.splice(step.remove % items.length, 1)[0]!)
          }
          expect(heap.first?.at).toBe(items.length ? Math.min(...items.map(({ at }) => at)) : undefined)
        }
        const rest: Timed[] = []
        for (let first = heap.first; first; first = heap.first) {
          rest.push(first)
          heap.remove(first)
        }
        expect(rest).toEqual(items.sort((one, other) => one.at - other.at || one.sequence - other.sequence))
      }),
    )
  })
})
