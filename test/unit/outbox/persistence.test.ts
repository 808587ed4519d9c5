import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../../src/outbox/delivery.js'
import { createPersistence, persistent, type PersistentOptions } from '../../../src/outbox/persistence.js'
import type { OutboxStore, StoredMessage } from '../../../src/outbox/store.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { makeEntry } from '../../support/outbox-stage.js'

interface Given {
  isAsync?: boolean
  isFallingBack?: boolean
  store?: OutboxStore
}

function setUp({ isAsync = true, isFallingBack = false, ...given }: Given = {}) {
  const clock = createFakeClock()
  const store = createFakeStore({ isAsync })
  const log: string[] = []
  let ids = 0
  const names = (messages: readonly { sequence: number; writer: string }[]): string =>
    messages.map(({ writer, sequence }) => `${writer}${sequence}`).join(',')
  const persistence = createPersistence(
    given.store ?? store,
    { now: () => clock.now, createId: () => `w${++ids}` },
    {
      adopted({ messages, isOpen, keptOut }) {
        log.push(`adopted ${names(messages)} ${isOpen ? 'late' : 'first'}${keptOut ? ` ${keptOut.code}` : ''}`)
      },
      stored: (entries) => {
        if (entries.length > 0) log.push(`stored ${names(entries)}`)
      },
      refused: (entries, { code }) => log.push(`refused ${names(entries)} ${code}`),
      unavailable: ({ code }) => log.push(`unavailable ${code}`),
      deleted: () => log.push('deleted'),
      report: ({ code }) => log.push(`reported ${code}`),
    },
    isFallingBack,
  )
  const append = (): Entry => {
    const entry = makeEntry(persistence.writer, persistence.nextSequence())
    persistence.append(entry)
    persistence.flush()
    return entry
  }
  return { clock, store, log, persistence, append, settle: () => clock.settle() }
}

describe('createPersistence', () => {
  test('opens once, under a writer of its own, and counts from one', async () => {
    const { persistence, store, settle } = setUp()
    persistence.open()
    persistence.open()
    await settle()

    expect(store.opens).toEqual(['w1~w2'])
    expect(persistence.writer).toBe('w1~w2')
    expect([persistence.nextSequence(), persistence.nextSequence()]).toEqual([1, 2])
  })

  test('writes what was appended while it opened', async () => {
    const { persistence, append, log, settle } = setUp()
    persistence.open()
    append()
    const early = [...log]
    await settle()

    expect(early).toEqual([])
    expect(log).toEqual(['stored w1~w21'])
  })

  test('tells what is adopted first from what is adopted late', async () => {
    const { persistence, store, log, settle } = setUp()
    store.leave(stored('x', 1))
    persistence.open()
    await settle()
    store.adoptLate(stored('y', 1))

    expect(log).toEqual(['adopted x1 first', 'adopted y1 late'])
  })

  test.each([true, false])('tells that there is no store, and tries again when asked (async %s)', async (isAsync) => {
    const { persistence, store, log, settle, append } = setUp({ isAsync })
    store.failOpen(new Error('private'))
    persistence.open()
    await settle()
    persistence.open()
    append()
    await settle()

    expect(log).toEqual(['unavailable STORAGE_FAILED', 'stored w3~w41'])
    expect(store.opens).toEqual(['w1~w2', 'w3~w4'])
  })

  test('waits for a store whose promises are of another realm, and hears of their rejections', async () => {
    const far = (code: string): Promise<void> => runInNewContext(code) as Promise<void>
    const outcomes = ['Promise.reject(new Error("full"))', 'Promise.resolve()']
    const store: OutboxStore = {
      open: () => far('Promise.resolve()'),
      commit: () => far(outcomes.shift() ?? ''),
      close() {},
    }
    const { persistence, append, log, settle } = setUp({ store })
    persistence.open()
    append()
    const early = [...log]
    await settle()
    append()
    await settle()

    expect(early).toEqual([])
    expect(log).toEqual(['refused w1~w21 STORAGE_FAILED', 'stored w1~w22'])
  })

  test('tells which entries were refused', async () => {
    const { persistence, store, append, log, settle } = setUp()
    persistence.open()
    await settle()
    store.failCommits(new Error('full'))
    append()
    await settle()
    append()
    await settle()

    expect(log).toEqual(['refused w1~w21 STORAGE_FAILED', 'stored w1~w22'])
    expect(persistence.deadline).toBe(Infinity)
  })

  test('asks again for what was not forgotten, half as often each time', async () => {
    const { persistence, store, append, clock, log, settle } = setUp()
    persistence.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 4)
    persistence.settle(entry)
    persistence.flush()
    await settle()
    const waits: number[] = []
    while (persistence.deadline < Infinity) {
      waits.push(persistence.deadline - clock.now)
      await clock.advance(persistence.deadline - clock.now)
      persistence.elapsed()
      await settle()
    }

    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(log.filter((line) => line.startsWith('reported'))).toHaveLength(4)
    expect(store.kept).toEqual([])
  })

  test('is not put off by messages that fail meanwhile', async () => {
    const { persistence, store, append, clock, settle } = setUp()
    persistence.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 6)
    persistence.settle(entry)
    persistence.flush()
    await settle()
    const dueAt = persistence.deadline
    for (let count = 0; count < 5; count++) {
      await clock.advance(10)
      append()
      persistence.flush()
      await settle()
    }

    expect(persistence.deadline).toBe(dueAt)
  })

  test('does not ask before it is due', async () => {
    const { persistence, store, append, settle } = setUp()
    persistence.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'))
    persistence.settle(entry)
    persistence.flush()
    await settle()
    persistence.elapsed()
    await settle()

    expect(store.kept).toHaveLength(1)
  })

  test('lets go only when it has written all, and is heard no more', async () => {
    const { persistence, store, append, settle, log } = setUp()
    persistence.open()
    await settle()
    store.hold()
    append()
    const closing = persistence.close([])
    await settle()
    const early = store.closes
    store.release()
    await closing
    store.adoptLate(stored('late', 1))

    expect(early).toBe(0)
    expect(store.closes).toBe(1)
    expect(store.kept.map(({ writer }) => writer)).toEqual(['w1~w2', 'late'])
    expect(log.filter((line) => line.startsWith('adopted'))).toEqual([])
  })

  test('opens again after a store that threw when it was closed, and reports that', async () => {
    const { persistence, store, settle, log } = setUp()
    persistence.open()
    await settle()
    store.close = () => {
      throw new Error('the disk is gone')
    }
    await persistence.close([])
    persistence.open()
    await settle()

    expect(store.opens).toHaveLength(2)
    expect(log.filter((line) => line.startsWith('reported'))).toHaveLength(1)
  })

  test('writes nothing to a store that did not open', async () => {
    const { persistence, store, append, settle } = setUp()
    store.failOpen(new Error('no'))
    store.hold()
    persistence.open()
    append()
    const closing = persistence.close([])
    store.release()
    await settle()
    await closing

    expect(store.batches).toEqual([])
    expect(store.closes).toBe(0)
  })

  test('has nothing due once it is closed, even when the last commit failed', async () => {
    const { persistence, store, append, settle } = setUp()
    persistence.open()
    const entry = append()
    await settle()
    store.failCommits(new Error('busy'), 9)
    persistence.settle(entry)
    persistence.flush()
    await settle()
    await persistence.close([])

    expect(persistence.deadline).toBe(Infinity)
  })

  test('does not listen to what an earlier opening still hands over', async () => {
    const adopts: ((messages: StoredMessage[]) => void)[] = []
    const { persistence, log } = setUp({
      store: { open: (_, adopt) => void adopts.push(adopt), commit() {}, close() {} },
    })
    persistence.open()
    await persistence.close([])
    persistence.open()
    adopts[0]?.([stored('early', 1)])
    adopts[1]?.([stored('mine', 1)])

    expect(log).toEqual(['adopted mine1 late'])
  })

  test('closes what is open, once', async () => {
    const { persistence, store } = setUp()
    await persistence.close([])
    persistence.open()
    await Promise.all([persistence.close([]), persistence.close([])])
    await persistence.close([])

    expect(store.closes).toBe(1)
  })

  test('opens anew only after it has let go', async () => {
    const { persistence, store, settle } = setUp()
    persistence.open()
    await settle()
    store.hold()
    const entry = makeEntry('w1', 1)
    persistence.append(entry)
    persistence.flush()
    const closing = persistence.close([])
    persistence.open()
    await settle()
    const early = [...store.opens]
    store.release()
    await closing
    await settle()

    expect(early).toEqual(['w1~w2'])
    expect(store.opens).toEqual(['w1~w2', 'w3~w4'])
    expect([persistence.writer, persistence.nextSequence()]).toEqual(['w3~w4', 1])
  })
})

describe('createPersistence that goes on from memory', () => {
  const fallingBack = (): ReturnType<typeof setUp> => setUp({ isFallingBack: true })

  test.each([true, false])('does so without a store, says it once, and tries again (async %s)', async (isAsync) => {
    const { persistence, store, log, clock, settle, append } = setUp({ isAsync, isFallingBack: true })
    store.failOpen(new Error('private'))
    persistence.open()
    const early = append()
    await settle()
    const late = append()
    const during = persistence.durability
    store.failOpen(new Error('private'))
    await clock.advance(1_000)
    persistence.elapsed()
    await settle()
    await clock.advance(2_000)
    persistence.elapsed()
    await settle()
    const after = append()
    await settle()

    expect([early, late, after].map(({ keptOut }) => keptOut?.code)).toEqual([
      'STORAGE_FAILED',
      'STORAGE_FAILED',
      undefined,
    ])
    expect(during).toMatchObject({ durable: false, storageError: { code: 'STORAGE_FAILED' } })
    expect(persistence.durability).toEqual({ durable: true, storageError: undefined })
    expect(log).toEqual(['reported STORAGE_FAILED', 'stored w1~w23'])
    expect(store.opens).toEqual(['w1~w2', 'w1~w2', 'w1~w2'])
  })

  test('does so while the store takes nothing, and lets a later message try it again', async () => {
    const { persistence, store, log, clock, settle, append } = fallingBack()
    persistence.open()
    await settle()
    store.hold()
    store.failCommits(new Error('full'), 2)
    append()
    const behind = append()
    store.release()
    await settle()
    append()
    await clock.advance(1_000)
    persistence.elapsed()
    append()
    await settle()
    await clock.advance(2_000)
    persistence.elapsed()
    append()
    await settle()

    const tried = store.batches.map((batch) => batch.append.map(({ sequence }) => sequence))
    expect(tried).toEqual([[1], [4], [5]])
    expect(behind.keptOut?.code).toBe('STORAGE_FAILED')
    expect(log).toEqual(['reported STORAGE_FAILED', 'stored w1~w25'])
    expect(persistence.durability.durable).toBe(true)
  })

  test('stays there while the store only forgets, as a full disk does', async () => {
    const { persistence, store, settle, append } = fallingBack()
    persistence.open()
    const kept = append()
    await settle()
    store.failCommits(new Error('full'))
    append()
    await settle()
    persistence.settle(kept)
    persistence.flush()
    await settle()

    expect(store.kept).toEqual([])
    expect(persistence.durability.durable).toBe(false)
  })

  test('asks the store to forget nothing that it never took', async () => {
    const { persistence, store, settle, append } = fallingBack()
    persistence.open()
    await settle()
    store.failCommits(new Error('full'))
    append()
    await settle()
    const [first, second] = [append(), append()]
    persistence.settle(first)
    persistence.remove(second)
    persistence.flush()
    await settle()

    expect(store.batches.flatMap(({ settled, removed }) => [...settled, ...removed])).toEqual([])
  })

  test.each([true, false])(
    'writes at its closing what it had not kept, in order (falls back: %s)',
    async (isFallingBack) => {
      const { persistence, store, settle, append } = setUp({ isFallingBack })
      persistence.open()
      await settle()
      store.failCommits(new Error('full'))
      const entries = [append(), append()]
      const closing = persistence.close(entries)
      await settle()
      await closing

      expect(store.kept.map(({ sequence }) => sequence)).toEqual([1, 2])
    },
  )

  test('hands to its next opening what the store never took', async () => {
    const { persistence, store, settle, append, log } = fallingBack()
    persistence.open()
    await settle()
    store.failCommits(new Error('full'), 3)
    const entry = append()
    await settle()
    await persistence.close([entry])
    const between = persistence.durability
    log.length = 0
    persistence.open()
    await settle()

    expect(store.kept).toEqual([])
    expect(between).toEqual({ durable: false, storageError: undefined })
    expect(log).toEqual(['adopted w1~w21 first NOT_STORED'])
  })

  test('hands on nothing of a writer of which the store has a part, lest it overtakes that', async () => {
    const { persistence, store, settle, append, log } = fallingBack()
    persistence.open()
    const kept = append()
    await settle()
    store.failCommits(new Error('full'), 3)
    const late = append()
    await settle()
    const closing = persistence.close([kept, late])
    log.length = 0
    persistence.open()
    await closing
    await settle()

    expect(log.filter((line) => line.startsWith('adopted'))).toEqual(['adopted w1~w21 first'])
  })

  test('hands on what it had while no store opened, and none of it twice', async () => {
    const { persistence, store, settle, append, log } = fallingBack()
    for (let round = 0; round < 2; round++) {
      store.failOpen(new Error('private'))
      persistence.open()
      const entries = round ? [] : [append()]
      await settle()
      await persistence.close(entries)
    }
    persistence.open()
    await settle()

    expect(log).toEqual(['reported STORAGE_FAILED', 'adopted w1~w21 first NOT_STORED', 'reported STORAGE_FAILED'])
  })

  test('takes at an opening that waits for the last to end what that could not keep', async () => {
    const { persistence, store, settle, append, log } = fallingBack()
    persistence.open()
    await settle()
    store.hold()
    const closing = persistence.close([append()])
    persistence.open()
    const next = append()
    store.failCommits(new Error('full'), 3)
    store.release()
    await settle()
    await closing

    expect(next.keptOut).toBeUndefined()
    expect(log.filter((line) => !line.startsWith('reported'))).toEqual([
      'adopted w1~w21 first NOT_STORED',
      'stored w3~w41',
    ])
    expect(store.kept.map(({ writer }) => writer)).toEqual(['w3~w4'])
  })
})

test.each([{ whenUnavailable: 'disk' }, { whenUnavailable: true }])('persistent refuses %j', (options) => {
  // What a caller without types may pass.
  expect(() => persistent(createFakeStore(), options as PersistentOptions)).toThrow(
    /^whenUnavailable must be 'memory' or 'fail', got/,
  )
})
