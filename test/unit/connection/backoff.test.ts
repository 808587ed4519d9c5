import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { fullJitter } from '../../../src/connection/backoff.js'
import { createFakeClock, createFakePlatform, createRandom } from '../../support/fake-platform.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const delays = fc
  .tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 0, max: 600_000 }))
  .map(([min, more]) => ({
    min,
    max: min + more,
  }))

describe('fullJitter', () => {
  test('draws from zero up to the bound, which doubles with each failure and ends at max', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        delays,
        fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true }),
        (failures, delay, chance) => {
          const bound = Math.min(delay.max, delay.min * 2 ** (failures - 1))

          const waitMs = fullJitter(failures, delay, () => chance)

          expect(waitMs).toBeGreaterThanOrEqual(0)
          expect(waitMs).toBeLessThan(bound)
          expect(waitMs / bound).toBeCloseTo(chance, 9)
        },
      ),
    )
  })

  test('has jitter on the first retry already', () => {
    const waits = [0, 0.25, 0.75].map((chance) => fullJitter(1, { min: 500, max: 30_000 }, () => chance))

    expect(waits).toEqual([0, 125, 375])
  })

  test('stays finite after very many failures', () => {
    expect(fullJitter(5_000, { min: 500, max: 30_000 }, () => 0.5)).toBe(15_000)
  })
})

describe('a thousand clients that are dropped at once', () => {
  const CLIENTS = 1_000
  const BINS = 20
  /** Chi-square with 19 degrees of freedom: a fair die exceeds this once in a thousand. */
  const CHI_SQUARE_MAX = 43.8

  test('come back evenly over the first delay', async () => {
    const clock = createFakeClock()
    const seeds = createRandom(2026)
    const platforms = Array.from({ length: CLIENTS }, () =>
      createFakePlatform({ clock, seed: Math.floor(seeds() * 2 ** 32) }),
    )
    for (const platform of platforms) {
      createClient({ url: 'ws://server/', platform, retryDelayMs: { min: 1_000, max: 30_000 } }).connect()
    }
    await clock.settle()
    for (const { link } of platforms) link.accept()
    const droppedAt = clock.now

    for (const { link } of platforms) link.close(1006)
    await clock.advance(1_000)

    const bins = Array.from({ length: BINS }, () => 0)
    for (const { links } of platforms) {
      expect(links).toHaveLength(2)
      const bin = Math.floor(((links[1]!.dialledAt - droppedAt) / 1_000) * BINS)
      bins[bin] = (bins[bin] ?? 0) + 1
    }
    const expected = CLIENTS / BINS
    const chiSquare = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(bins).toHaveLength(BINS)
    expect(chiSquare).toBeLessThan(CHI_SQUARE_MAX)
    expect(chiSquare).toBeGreaterThan(1) // Too even would be no chance at all.
  })
})
