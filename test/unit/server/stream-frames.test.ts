import { expect, test } from 'vitest'
import { StreamFrames } from '../../../src/server/base/stream-frames.js'
import type { StreamEntry } from '../../../src/server/stores/stream-store.js'

const news: StreamEntry = { head: { t: 'm', e: 'news "s":1' }, payload: '{"s":2}' }

test('writes an entry for each stream with its place there', () => {
  const frames = new StreamFrames()

  const written = [1, 2].map((sequence) => frames.write({ ...news, sequence, tag: `x-${sequence}` }))

  expect(written.map((frame) => JSON.parse(String(frame)) as unknown)).toEqual([
    { t: 'm', e: 'news "s":1', s: 1, g: 'x-1', d: { s: 2 } },
    { t: 'm', e: 'news "s":1', s: 2, g: 'x-2', d: { s: 2 } },
  ])
})

test('takes no entry for another one', () => {
  const frames = new StreamFrames()
  const others: StreamEntry[] = [news, { ...news, payload: '3' }, { head: { ...news.head }, payload: '' }, news]

  const written = others.map((entry) => frames.write({ ...entry, sequence: 7, tag: 'g' }))

  expect(written.map((frame) => (JSON.parse(String(frame)) as { d?: unknown }).d)).toEqual([
    { s: 2 },
    3,
    undefined,
    { s: 2 },
  ])
})

test('writes a reply with its error', () => {
  const error = { code: 'NO_HANDLER', message: 'There is no handler of "join"' }
  const head = { t: 'r', w: 'A', n: 3, error } as const

  const frame = new StreamFrames().write({ head, payload: '', sequence: 4, tag: 'g4' })

  expect(JSON.parse(String(frame))).toEqual({ t: 'r', w: 'A', n: 3, error, s: 4, g: 'g4' })
})
