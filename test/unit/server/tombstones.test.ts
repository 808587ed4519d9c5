import { expect, test } from 'vitest'
import { createCondemned } from '../../../src/server/engine/tombstones.js'

function open() {
  const clock = { now: 0 }
  return { clock, condemned: createCondemned({ max: 2, forMs: 1_000 }, () => clock.now) }
}

test('knows those that it was told of, and no others by being asked', () => {
  const { condemned } = open()

  condemned.add('one')
  condemned.renew('two')

  expect(['one', 'two'].map(condemned.has)).toEqual([true, false])
})

test('takes every stream for condemned while one is forgotten that the store may still have', () => {
  const { clock, condemned } = open()
  condemned.add('one')
  clock.now = 400
  condemned.add('two')
  condemned.add('three')

  clock.now = 999
  expect(['one', 'two', 'any'].map(condemned.has)).toEqual([true, true, true])
  clock.now = 1_000

  expect(['one', 'two', 'three', 'any'].map(condemned.has)).toEqual([false, true, true, false])
})

test.each(['add', 'renew'] as const)('counts from when it was told of a stream last: %s', (tell) => {
  const { clock, condemned } = open()
  condemned.add('one')
  condemned.add('two')
  clock.now = 5_000

  condemned[tell]('one')
  condemned.add('three')

  expect(['one', 'two', 'three', 'any'].map(condemned.has)).toEqual([true, false, true, false])
})
