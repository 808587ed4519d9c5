import { expect, test } from 'vitest'
import { createTombstones } from '../../../src/server/engine/tombstones.js'

function open() {
  const clock = { now: 0 }
  return { clock, tombstones: createTombstones({ max: 2, forMs: 1_000 }, () => clock.now) }
}

test('knows those that it was told of, and no others by being asked', () => {
  const { tombstones } = open()

  tombstones.add('one')
  tombstones.renew('two')

  expect(['one', 'two'].map(tombstones.has)).toEqual([true, false])
})

test('takes every stream for tombstones while one is forgotten that the store may still have', () => {
  const { clock, tombstones } = open()
  tombstones.add('one')
  clock.now = 400
  tombstones.add('two')
  tombstones.add('three')

  clock.now = 999
  expect(['one', 'two', 'any'].map(tombstones.has)).toEqual([true, true, true])
  clock.now = 1_000

  expect(['one', 'two', 'three', 'any'].map(tombstones.has)).toEqual([false, true, true, false])
})

test.each(['add', 'renew'] as const)('counts from when it was told of a stream last: %s', (tell) => {
  const { clock, tombstones } = open()
  tombstones.add('one')
  tombstones.add('two')
  clock.now = 5_000

  tombstones[tell]('one')
  tombstones.add('three')

  expect(['one', 'two', 'three', 'any'].map(tombstones.has)).toEqual([true, false, true, false])
})
