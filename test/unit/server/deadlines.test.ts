import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDeadlines } from '../../../src/server/base/deadlines.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createServerPlatform } from '../../support/server-world.js'

test('rings each at its time, over a single timer', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: [string, number][] = []
  deadlines.create({ elapsed: (now) => void rings.push(['late', now]) }).set(300)
  deadlines.create({ elapsed: (now) => void rings.push(['soon', now]) }).set(100)

  const { timers } = clock
  await clock.advance(1_000)

  expect(timers).toBe(1)
  expect(rings).toEqual([
    ['soon', 100],
    ['late', 300],
  ])
})

test('rings anew only when it is set anew', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: number[] = []
  const deadline = deadlines.create({
    elapsed(now) {
      rings.push(now)
      if (rings.length < 3) deadline.set(now + 10)
    },
  })

  deadline.set(10)
  await clock.advance(1_000)

  expect(rings).toEqual([10, 20, 30])
})

test('rings one that is set into the past once at a time, and the others in between', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: string[] = []
  const stuck = deadlines.create({
    elapsed() {
      rings.push('stuck')
      if (rings.length < 6) stuck.set(10)
    },
  })
  stuck.set(10)
  const other = deadlines.create({
    elapsed(now) {
      rings.push('other')
      if (rings.length < 4) other.set(now)
    },
  })
  other.set(11)

  clock.sleep(20)
  await clock.advance(0)

  expect(rings).toEqual(['stuck', 'other', 'stuck', 'other', 'stuck', 'stuck'])
})

test('does not ring one that another has called off, though both are due', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: string[] = []
  const second = deadlines.create({ elapsed: () => void rings.push('second') })
  const third = deadlines.create({ elapsed: () => void rings.push('third') })
  const first = deadlines.create({
    elapsed() {
      rings.push('first')
      second.set(Infinity)
      third.set(20)
    },
  })
  first.set(10)
  second.set(11)
  third.set(11)

  clock.sleep(15)
  await clock.advance(0)
  expect(rings).toEqual(['first'])
  await clock.advance(100)

  expect(rings).toEqual(['first', 'third'])
})

test('does not ring when it is called off', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: number[] = []
  const deadline = deadlines.create({ elapsed: (now) => void rings.push(now) })
  deadline.set(10)

  deadline.set(Infinity)
  await clock.advance(100)

  expect(rings).toEqual([])
})

test('rings nothing any more once all are cancelled', async () => {
  const clock = createFakeClock()
  const deadlines = createDeadlines(createServerPlatform(clock))
  const rings: number[] = []
  const deadline = deadlines.create({ elapsed: (now) => void rings.push(now) })
  deadline.set(10)

  deadlines.cancel()
  deadline.set(20)
  await clock.advance(100)

  expect(rings).toEqual([])
  expect(clock.timers).toBe(0)
})

test('rings whatever was set last, whatever was set before', async () => {
  const moves = fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 50 })), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(moves, async (sets) => {
      const clock = createFakeClock()
      const deadlines = createDeadlines(createServerPlatform(clock))
      const rung = new Map<number, number>()
      const all = Array.from({ length: 10 }, (_, index) =>
        deadlines.create({ elapsed: (now) => void rung.set(index, now) }),
      )
      for (const [index, at] of sets) all[index]?.set(at)

      await clock.advance(60)

      expect(rung).toEqual(new Map(sets))
    }),
    { numRuns: 50 },
  )
}, 60_000)
