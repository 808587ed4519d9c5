import { describe, expect, test } from 'vitest'
import { Entry } from '../../../src/outbox/delivery.js'
import { createJournal } from '../../../src/outbox/persistence.js'
import type { OutboxStore, StoredMessage } from '../../../src/outbox/store.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'

function setUp({ isAsync = true, ...given }: { isAsync?: boolean; store?: OutboxStore } = {}) {
  const clock = createFakeClock()
  const store = createFakeStore({ isAsync })
  const log: string[] = []
  let ids = 0
  const names = (messages: { sequence: number; writer: string }[]): string =>
    messages.map(({ writer, sequence }) => `${writer}${sequence}`).join(',')
  const journal = createJournal(
    given.store ?? store,
    { now: () => clock.now, createId: () => `w${++ids}` },
    {
      adopted: (messages, isOpen) => log.push(`adopted ${names(messages)} ${isOpen ? 'late' : 'first'}`),
      stored: (entries) => {
        if (entries.length > 0) log.push(`stored ${names(entries.map(({ message }) => message))}`)
      },
      refused: (entries, { code }) => log.push(`refused ${names(entries.map(({ message }) => message))} ${code}`),
      unavailable: ({ code }) => log.push(`unavailable ${code}`),
      report: ({ code }) => log.push(`reported ${code}`),
    },
  )
  const append = (): Entry => {
    const { writer, sequence } = journal.assign()
    const entry = new Entry(stored(writer, sequence), 1, Infinity)
    journal.append(entry)
    journal.flush()
    return entry
  }
  return { clock, store, log, journal, append, settle: () => clock.settle() }
}

describe('createJournal', () => {
  test('opens once, under a writer of its own, and counts from one', async () => {
    const { journal, store, settle } = setUp()
    journal.open()
    journal.open()
    await settle()

    expect(store.opens).toEqual(['w1'])
    expect([journal.assign(), journal.assign()]).toEqual([
      { writer: 'w1', sequence: 1 },
      { writer: 'w1', sequence: 2 },
    ])
  })

  test('writes what was appended while it opened', async () => {
    const { journal, append, log, settle } = setUp()
    journal.open()
    append()
    const early = [...log]
    await settle()

    expect(early).toEqual([])
    expect(log).toEqual(['stored w11'])
  })

  test('tells what is adopted first from what is adopted late', async () => {
    const { journal, store, log, settle } = setUp()
    store.leave(stored('x', 1))
    journal.open()
    await settle()
    store.adoptLate(stored('y', 1))

    expect(log).toEqual(['adopted x1 first', 'adopted y1 late'])
  })

  test.each([true, false])('tells that there is no store, and tries again when asked (async %s)', async (isAsync) => {
    const { journal, store, log, settle, append } = setUp({ isAsync })
    store.failOpen(new Error('private'))
    journal.open()
    await settle()
    journal.open()
    append()
    await settle()

    expect(log).toEqual(['unavailable STORAGE_FAILED', 'stored w21'])
    expect(store.opens).toEqual(['w1', 'w2'])
  })

  test('tells which entries were refused', async () => {
    const { journal, store, append, log, settle } = setUp()
    journal.open()
    await settle()
    store.failCommits(new Error('full'))
    append()
    await settle()
    append()
    await settle()

    expect(log).toEqual(['refused w11 STORAGE_FAILED', 'stored w12'])
    expect(journal.deadline).toBe(Infinity)
  })

  test('asks again for what was not forgotten, half as often each time', async () => {
    const { journal, store, append, clock, log, settle } = setUp()
    journal.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 4)
    journal.settle(entry)
    journal.flush()
    await settle()
    const waits: number[] = []
    while (journal.deadline < Infinity) {
      waits.push(journal.deadline - clock.now)
      await clock.advance(journal.deadline - clock.now)
      journal.elapsed()
      await settle()
    }

    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(log.filter((line) => line.startsWith('reported'))).toHaveLength(4)
    expect(store.kept).toEqual([])
  })

  test('is not put off by messages that fail meanwhile', async () => {
    const { journal, store, append, clock, settle } = setUp()
    journal.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 6)
    journal.settle(entry)
    journal.flush()
    await settle()
    const dueAt = journal.deadline
    for (let count = 0; count < 5; count++) {
      await clock.advance(10)
      append()
      journal.flush()
      await settle()
    }

    expect(journal.deadline).toBe(dueAt)
  })

  test('does not ask before it is due', async () => {
    const { journal, store, append, settle } = setUp()
    journal.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'))
    journal.settle(entry)
    journal.flush()
    await settle()
    journal.elapsed()
    await settle()

    expect(store.kept).toHaveLength(1)
  })

  test('lets go only when it has written all, and is heard no more', async () => {
    const { journal, store, append, settle, log } = setUp()
    journal.open()
    await settle()
    store.hold()
    append()
    const closing = journal.close()
    await settle()
    const early = store.closes
    store.release()
    await closing
    store.adoptLate(stored('late', 1))

    expect(early).toBe(0)
    expect(store.closes).toBe(1)
    expect(store.kept.map(({ writer }) => writer)).toEqual(['w1', 'late'])
    expect(log.filter((line) => line.startsWith('adopted'))).toEqual([])
  })

  test('has nothing due once it is closed, even when the last commit failed', async () => {
    const { journal, store, append, settle } = setUp()
    journal.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 9)
    journal.settle(entry)
    journal.flush()
    await settle()
    await journal.close()

    expect(journal.deadline).toBe(Infinity)
  })

  test('does not listen to what an earlier opening still hands over', async () => {
    const adopts: ((messages: StoredMessage[]) => void)[] = []
    const { journal, log } = setUp({
      store: { open: (_, adopt) => void adopts.push(adopt), commit() {}, close() {} },
    })
    journal.open()
    await journal.close()
    journal.open()
    adopts[0]?.([stored('early', 1)])
    adopts[1]?.([stored('mine', 1)])

    expect(log).toEqual(['adopted mine1 late'])
  })

  test('closes what is open, once', async () => {
    const { journal, store } = setUp()
    await journal.close()
    journal.open()
    await Promise.all([journal.close(), journal.close()])
    await journal.close()

    expect(store.closes).toBe(1)
  })

  test('opens anew only after it has let go', async () => {
    const { journal, store, settle } = setUp()
    journal.open()
    await settle()
    store.hold()
    const entry = new Entry(stored('w1', 1), 1, Infinity)
    journal.append(entry)
    journal.flush()
    const closing = journal.close()
    journal.open()
    await settle()
    const early = [...store.opens]
    store.release()
    await closing
    await settle()

    expect(early).toEqual(['w1'])
    expect(store.opens).toEqual(['w1', 'w2'])
    expect(journal.assign()).toEqual({ writer: 'w2', sequence: 1 })
  })
})
