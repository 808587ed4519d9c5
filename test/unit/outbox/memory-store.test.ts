import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import type { StoredMessage } from '../../../src/outbox/store.js'
import { describeOutboxStore, message, run, turn } from '../../contract/outbox-store.js'

describeOutboxStore('memoryStore', 'alone', () => ({
  page: () => ({ store: memoryStore(), crash() {} }),
  idle: () => turn(1),
}))

describe('memoryStore', () => {
  test('answers at once, never with a promise', () => {
    const store = memoryStore()

    expect(store.open('a', () => {})).toBeUndefined()
    expect(store.commit({ append: run('a', 1, 2), settled: [], removed: [] })).toBeUndefined()
    expect(store.close()).toBeUndefined()
  })

  test('does not hand one client the messages of another that shares the store', async () => {
    const store = memoryStore()
    const adopted: StoredMessage[][] = []
    await store.open('a', (messages) => adopted.push(messages))
    await store.commit({ append: run('a', 1, 2), settled: [], removed: [] })
    await store.open('b', (messages) => adopted.push(messages))
    await store.close()
    await store.open('c', (messages) => adopted.push(messages))

    expect(adopted).toEqual([])
  })

  test('hands out what clients that share it left once all of them have closed', async () => {
    const store = memoryStore()
    const adopted: StoredMessage[][] = []
    await store.open('a', () => {})
    await store.open('b', () => {})
    await store.commit({ append: run('a', 1, 2), settled: [], removed: [] })
    await store.commit({ append: run('b', 1, 1), settled: [], removed: [] })
    await store.close()
    await store.close()
    await store.open('c', (messages) => adopted.push(messages))

    expect(adopted).toEqual([run('a', 1, 2), run('b', 1, 1)])
  })

  test('keeps what it handed over to itself: a later commit does not change it', async () => {
    const store = memoryStore()
    const adopted: StoredMessage[][] = []
    await store.open('a', () => {})
    await store.commit({ append: run('a', 1, 3), settled: [], removed: [] })
    await store.close()
    await store.open('b', (messages) => adopted.push(messages))
    await store.commit({ append: [], settled: [{ writer: 'a', sequence: 2 }], removed: [{ writer: 'a', sequence: 3 }] })

    expect(adopted).toEqual([run('a', 1, 3)])
  })

  test('settles a long queue one by one without moving the rest each time', async () => {
    const store = memoryStore()
    const adopted: StoredMessage[][] = []
    await store.open('a', () => {})
    await store.commit({ append: run('a', 1, 1000), settled: [], removed: [] })
    for (let sequence = 1; sequence < 1000; sequence++) {
      await store.commit({ append: [], settled: [{ writer: 'a', sequence }], removed: [{ writer: 'a', sequence }] })
    }
    await store.close()
    await store.open('b', (messages) => adopted.push(messages))

    expect(adopted).toEqual([[message('a', 1000)]])
  })
})
