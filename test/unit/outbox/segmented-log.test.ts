import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { createSegmentedLog } from '../../../src/outbox/stores/segmented-log.js'
import { run } from '../../contract/outbox-store.js'

const NOTHING = { append: [], settled: [], removed: [] }

function open(name: string) {
  const ending = new AbortController()
  return { log: createSegmentedLog(name, ending.signal), end: () => ending.abort() }
}

test('keeps what one commit appends, and gives back what is left of it', async () => {
  const { log, end } = open('left')
  await log.write({ ...NOTHING, append: run('w', 1, 5) }, 'strict')
  await log.write({ ...NOTHING, append: run('w', 6, 8) }, 'relaxed')
  await log.write({ ...NOTHING, settled: [{ writer: 'w', sequence: 2 }] }, 'relaxed')
  await log.write({ ...NOTHING, removed: [{ writer: 'w', sequence: 7 }] }, 'relaxed')

  const left = await log.load('w')

  expect(left?.messages.map(({ sequence }) => sequence)).toEqual([3, 4, 5, 6, 8])
  end()
})

test('holds more than one segment of a thousand', async () => {
  const { log, end } = open('long')
  await log.write({ ...NOTHING, append: run('w', 1, 2_500) }, 'relaxed')
  await log.write({ ...NOTHING, settled: [{ writer: 'w', sequence: 1_700 }] }, 'relaxed')

  const left = await log.load('w')

  expect(left?.messages.length).toBe(800)
  expect(left?.messages[0]?.sequence).toBe(1_701)
  end()
})

test('has nothing of a writer whose messages are all settled', async () => {
  const { log, end } = open('empty')
  await log.write({ ...NOTHING, append: run('w', 1, 3) }, 'relaxed')
  await log.write({ ...NOTHING, settled: [{ writer: 'w', sequence: 3 }] }, 'relaxed')

  expect(await log.load('w')).toBeUndefined()
  expect(await log.writers()).toEqual([])
  end()
})

test('writes nothing once it has ended', async () => {
  const { log, end } = open('ended')
  end()

  await expect(log.write({ ...NOTHING, append: run('w', 1, 1) }, 'relaxed')).rejects.toThrow()
})
