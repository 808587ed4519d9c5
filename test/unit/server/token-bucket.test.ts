import { expect, test } from 'vitest'
import { TokenBucket } from '../../../src/server/ordering/token-bucket.js'

test('gives its burst at once and then no more', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 })

  const taken = [0, 0, 0, 0].map((now) => bucket.take(now))

  expect(taken).toEqual([true, true, true, false])
})

test('says when the next token is there, and has it then', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 1 })
  bucket.take(0)
  bucket.take(30)

  const { nextAt } = bucket

  expect(nextAt).toBeCloseTo(100)
  expect(bucket.take(99)).toBe(false)
  expect(bucket.take(bucket.nextAt)).toBe(true)
})

test('fills up to its burst and no further', () => {
  const bucket = new TokenBucket({ perSecond: 1_000, burst: 2 })

  const taken = [60_000, 60_000, 60_000].map((now) => bucket.take(now))

  expect(taken).toEqual([true, true, false])
})
