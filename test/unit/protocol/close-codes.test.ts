import { describe, expect, test } from 'vitest'
import { BAD_REQUEST, closeAdvice, LINK_ABANDONED, NORMAL_CLOSURE } from '../../../src/protocol/close-codes.js'

const ALL = Array.from({ length: 5_000 }, (_, code) => code)

describe('closeAdvice', () => {
  test('stops for what would end the same way', () => {
    expect(ALL.filter((code) => closeAdvice(code) === 'stop')).toEqual([
      1003, 1007, 1008, 1010, 3003, 4400, 4403, 4404, 4406, 4410,
    ])
  })

  test('asks for a fresh credential where there was a bad one', () => {
    expect(ALL.filter((code) => closeAdvice(code) === 'unauthorized')).toEqual([3000, 4401])
  })

  test.each([
    ['1000 done, or restarting', 1000],
    ['1001 going away', 1001],
    ['1005 no code', 1005],
    ['1006 cut', 1006],
    ['1009 too large', 1009],
    ['1011 server error', 1011],
    ['1012 restart', 1012],
    ['1013 try later', 1013],
    ['1015 TLS', 1015],
    ['4408 timeout', 4408],
    ['4429 too many', 4429],
    ['one that nobody knows', 4242],
  ])('comes back after %s', (_, code) => {
    expect(closeAdvice(code)).toBe('retry')
  })
})

test('our own codes are those that a browser lets us use', () => {
  expect([NORMAL_CLOSURE, LINK_ABANDONED, BAD_REQUEST]).toEqual([1000, 4000, 4400])
  expect(closeAdvice(LINK_ABANDONED)).toBe('retry')
})
