import { expect, test } from 'vitest'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { createStoreTag } from '../../../src/server/stores/store-tag.js'

const AT = 1_700_000_000_000

const ours = createStoreTag(AT, 'abcdef')

test.each([
  ['of our own', ours.mark('id'), false],
  ['of a store that was born before', createStoreTag(AT - 1, 'x').mark('id'), false],
  ['of a store that was born at the same time', createStoreTag(AT, 'x').mark('id'), false],
  ['of a store that was born later', createStoreTag(AT + 1, 'x').mark('id'), true],
  ['of a store that is yet to be born', createStoreTag(AT + 100_000_000, 'x').mark('id'), false],
  ['of a kind without a tag', 'A9f0', false],
  ['that is made up', '~~~.-', false],
  ['that is made up of a tag alone', 'zzzzzzzzzz-.', false],
])('an id %s', (_, id, isYounger) => {
  expect(ours.isYounger(id, AT + 10_000)).toBe(isYounger)
})

test('makes ids that the wire takes', () => {
  expect(createStoreTag(AT + 0.5, 'a_b-c.d~é').mark('a'.repeat(22))).toMatch(/^[\w.~-]{30,64}$/)
})

test('a store says once that a client has come from a younger one, and never of a lost session of its own', () => {
  let foreign = 0
  const now = (): number => 0
  const older = memoryStreams().open({ now, wallNow: () => AT, createId: () => 'a', onForeign: () => void foreign++ })
  const younger = memoryStreams().open({
    now,
    wallNow: () => AT + 5,
    createId: () => 'b',
    onForeign: () => void foreign++,
  })
  const idOf = ({ id }: { id: string }): string => id
  const ids = [older, younger].map((streams) => idOf(streams.attach({ user: '', writers: [] }) as { id: string }))
  const [old = '', young = ''] = ids

  void younger.attach({ user: '', writers: [], stream: { id: old, s: 0 } })
  void older.attach({ user: '', writers: [], stream: { id: old + 'x', s: 0 } })
  expect(foreign).toBe(0)
  void older.attach({ user: '', writers: [], stream: { id: young, s: 0 } })
  void older.attach({ user: '', writers: [], stream: { id: young, s: 0 } })

  expect(foreign).toBe(1)
})
