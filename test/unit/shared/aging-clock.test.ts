import { expect, test } from 'vitest'
import { createAgingClock } from '../../../src/shared/aging-clock.js'
import { createFakeClock } from '../../support/fake-platform.js'

function setUp() {
  const clock = createFakeClock()
  return { clock, agingNow: createAgingClock({ now: () => clock.now, wallNow: clock.wallNow }) }
}

test('goes with the monotonic clock', async () => {
  const { clock, agingNow } = setUp()
  await clock.advance(500)

  expect(agingNow()).toBe(500)
})

test('goes on through a sleep, in which the monotonic clock stands still', async () => {
  const { clock, agingNow } = setUp()
  clock.stepWall(3_600_000)
  await clock.advance(500)

  expect([agingNow(), agingNow()]).toEqual([3_600_500, 3_600_500])
})

test('does not step back with the wall clock, and counts a sleep after that in full', () => {
  const { clock, agingNow } = setUp()
  clock.stepWall(-7_200_000)
  const back = agingNow()
  clock.stepWall(60_000)

  expect([back, agingNow()]).toEqual([0, 60_000])
})

test('counts no rounding of the two clocks', () => {
  const { clock, agingNow } = setUp()
  for (let step = 0; step < 100; step++) {
    clock.stepWall(step % 2 ? 900 : -900)
    agingNow()
  }

  expect(agingNow()).toBe(0)
})
