import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { SendOptions } from '../../../src/shared/contract.js'
import { DeliveryError, StorageError, type HoldfastError } from '../../../src/shared/errors.js'
import type { Entry } from '../../../src/outbox/delivery.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { createOutbox } from '../../../src/outbox/outbox.js'
import type { OutboxStore } from '../../../src/outbox/store.js'
import type { OutboxListener } from '../../../src/outbox/outbox-api.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeStore, stored, type FakeStore } from '../../support/fake-store.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const RECEIPT = { confirmedBy: 'browser' } as const

type OutboxOptions = Parameters<typeof createOutbox>[0]

interface SetUp<Store extends OutboxStore> extends Partial<Omit<OutboxOptions, 'outbox'>> {
  store?: Store
  on?: Partial<OutboxListener>
}

/** An outbox, and everything that it says. */
function setUp<Store extends OutboxStore = FakeStore>({ store, on = {}, ...options }: SetUp<Store> = {}) {
  const clock = createFakeClock()
  const log: string[] = []
  const reports: HoldfastError[] = []
  const used = store ?? (createFakeStore() as unknown as Store)
  let ids = 0
  const note =
    (what: 'stored' | 'delivered' | 'failed') =>
    (entry: Entry): void => {
      log.push(`${what} ${String(entry.message.body)}${what === 'failed' ? ` ${entry.error?.code}` : ''}`)
      on[what]?.(entry)
    }
  const outbox = createOutbox(
    {
      outbox: used,
      outboxMax: { messages: 100, bytes: 1_000 },
      overflow: 'reject',
      dialect: { acknowledges: false },
      ...options,
    },
    { now: () => clock.now, wallNow: () => clock.wallNow(), createId: () => `w${++ids}` },
    {
      stored: note('stored'),
      delivered: note('delivered'),
      failed: note('failed'),
      ready: () => on.ready?.(),
      changed: () => on.changed?.(),
      report: (error) => void reports.push(error),
    },
  )
  let position = 0
  return {
    store: used,
    clock,
    log,
    reports,
    outbox,
    settle: () => clock.settle(),
    add: (body: string, sendOptions: SendOptions = {}): Entry => outbox.add('m', body, body.length, sendOptions),
    /** Transmits all that may be, at most so many, and says what it was. */
    transmit(most = Infinity): string[] {
      const bodies: string[] = []
      for (let entry = outbox.peek(); entry && bodies.length < most; entry = outbox.peek()) {
        outbox.sent(entry, ++position, entry.bytes)
        bodies.push(String(entry.message.body))
      }
      return bodies
    },
    /** The first so many that are on their way arrive. */
    arrive(count = Infinity): void {
      let left = Math.min(count, outbox.inFlight)
      outbox.settle(() => left-- > 0, RECEIPT)
    },
    waiting: (): string[] => outbox.list().map(({ body }) => String(body)),
    failures: (): string[] => outbox.failed().map(({ body, error }) => `${String(body)} ${error?.code}`),
  }
}

describe('order', () => {
  test('hands messages out in the order they were accepted', () => {
    const { add, transmit } = setUp()
    for (const body of ['a', 'b', 'c']) add(body)

    expect(transmit()).toEqual(['a', 'b', 'c'])
    expect(transmit()).toEqual([])
  })

  test('gives every message an id of its own, by writer and count', () => {
    const { add } = setUp()

    expect(['a', 'b', 'c'].map((body) => add(body).id)).toEqual(['w1:1', 'w1:2', 'w1:3'])
  })

  test('takes up again where the link was cut, in the old order', () => {
    const { add, transmit, arrive, outbox } = setUp()
    for (const body of ['a', 'b', 'c', 'd']) add(body)
    transmit(3)
    arrive(1)

    outbox.rewind()

    expect(outbox.inFlight).toBe(0)
    expect(outbox.list().map(({ status }) => status)).toEqual(['stored', 'stored', 'stored'])
    expect(transmit()).toEqual(['b', 'c', 'd'])
  })

  test('settles from the oldest on, and stops at the first that has not arrived', () => {
    const { add, transmit, outbox, log } = setUp()
    const [first, second, third] = ['a', 'b', 'c'].map((body) => add(body))
    transmit()

    const settled = outbox.settle((entry) => entry !== second, RECEIPT)

    expect(settled).toBe(true)
    expect([first, second, third].map((entry) => entry?.status)).toEqual(['delivered', 'sent', 'sent'])
    expect(log.filter((line) => line.startsWith('delivered'))).toEqual(['delivered a'])
    expect(outbox.pending).toBe(2)
  })

  test('settles what waits too, where the server says that it has it from an earlier connection', () => {
    const { add, transmit, outbox, waiting } = setUp()
    for (const body of ['a', 'b', 'c']) add(body)
    transmit(2)
    outbox.rewind()
    transmit(1)

    outbox.settle(({ message }) => message.sequence <= 2, RECEIPT)

    expect(waiting()).toEqual(['c'])
    expect(outbox).toMatchObject({ inFlight: 0, bytesInFlight: 0, pending: 1 })
  })
})

describe('one message alone', () => {
  test('is done with wherever it stands, and nobody else', () => {
    const { add, transmit, outbox, waiting, store, log } = setUp()
    const [, second, third] = ['a', 'b', 'c'].map((body) => add(body))
    transmit(2)

    outbox.finish(second!, RECEIPT)
    outbox.finish(third!, RECEIPT, new DeliveryError('NOT_ACKNOWLEDGED', 'never'))
    outbox.finish(second!, RECEIPT)

    expect(waiting()).toEqual(['a'])
    expect(outbox).toMatchObject({ inFlight: 1, bytesInFlight: 1, pending: 1 })
    expect(log.slice(-2)).toEqual(['delivered b', 'failed c NOT_ACKNOWLEDGED'])
    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
  })

  test('at the head lets the store forget it, and the next still stands', () => {
    const { add, transmit, outbox, store } = setUp()
    const [first] = ['a', 'b'].map((body) => add(body))
    transmit()

    outbox.finish(first!, RECEIPT)
    outbox.rewind()

    expect(store.kept.map(({ body }) => body)).toEqual(['b'])
    expect(transmit()).toEqual(['b'])
  })
})

describe('storing', () => {
  test('transmits nothing before it is stored', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, settle, log } = setUp({ store })
    const entry = add('a')
    await settle()
    store.hold()
    const second = add('b')
    const before = transmit()
    const whileWriting = [entry.status, second.status]
    store.release()
    await settle()

    expect(before).toEqual(['a'])
    expect(whileWriting).toEqual(['sent', 'queued'])
    expect(transmit()).toEqual(['b'])
    expect(log).toEqual(['stored a', 'stored b'])
  })

  test('says when there may be something to transmit', async () => {
    const sent: string[][] = []
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, settle } = setUp({ store, on: { ready: () => void sent.push(transmit()) } })
    add('a')
    await settle()
    add('b')
    await settle()

    expect(sent.flat()).toEqual(['a', 'b'])
  })

  test('lets the store forget only what was delivered', async () => {
    const { add, transmit, arrive, store, outbox } = setUp()
    add('a')
    add('b')
    transmit()
    const sent = store.kept.map(({ body }) => body)

    arrive(1)

    expect(sent).toEqual(['a', 'b'])
    expect(store.kept.map(({ body }) => body)).toEqual(['b'])
    expect(outbox.pending).toBe(1)
  })

  test('resolves stored and delivered, in that order', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, arrive, settle } = setUp({ store })
    const entry = add('a')
    const order: string[] = []
    void entry.stored.then(() => order.push('stored'))
    void entry.delivered.then(({ confirmedBy }) => order.push(confirmedBy))
    await settle()
    transmit()
    arrive()
    await settle()

    expect(order).toEqual(['stored', 'browser'])
  })

  test('writes one batch at a time, and what comes meanwhile in the next', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle } = setUp({ store })
    store.hold()
    add('a')
    store.step()
    await settle()
    for (const body of ['b', 'c', 'd']) add(body)
    const under = store.underWay
    store.step()
    await settle()
    store.release()
    await settle()

    expect(under).toBe(1)
    expect(store.batches.map(({ append }) => append.map(({ body }) => body))).toEqual([['a'], ['b', 'c', 'd']])
  })

  test('keeps the messages in the store when they are not yet delivered', async () => {
    const { add, transmit, outbox, store } = setUp()
    add('a')
    add('b')
    transmit(1)

    await outbox.close()

    expect(store.kept.map(({ body }) => body)).toEqual(['a', 'b'])
    expect(store.closes).toBe(1)
  })
})

describe('a store that fails', () => {
  test.each([false, true])('fails the message, and nothing else (async %s)', async (isAsync) => {
    const store = createFakeStore({ isAsync })
    const { add, transmit, settle, log, waiting } = setUp({ store })
    add('a')
    await settle()
    store.failCommits(new Error('disk'))
    const entry = add('b')
    await settle()
    add('c')
    await settle()

    expect(entry.status).toBe('failed')
    expect(entry.error).toBeInstanceOf(StorageError)
    expect(entry.error).toMatchObject({ code: 'STORAGE_FAILED', cause: new Error('disk') })
    await expect(entry.stored).rejects.toBe(entry.error)
    await expect(entry.delivered).rejects.toBe(entry.error)
    expect(log).toEqual(['stored a', 'failed b STORAGE_FAILED', 'stored c'])
    expect(waiting()).toEqual(['a', 'c'])
    expect(transmit()).toEqual(['a', 'c'])
  })

  test('is quoted when it has a typed error of its own', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle } = setUp({ store })
    const full = new StorageError('STORAGE_FULL', 'no room')
    store.failCommits(full)
    const entry = add('a')
    await settle()

    expect(entry.error).toBe(full)
  })

  test('frees the room of what it did not keep', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle } = setUp({ store, outboxMax: { messages: 1, bytes: 3 } })
    store.failCommits(new Error('disk'))
    add('abc')
    await settle()

    expect(() => add('def')).not.toThrow()
  })

  test('is told again of what it did not forget, and fails no message by that', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, arrive, settle, reports, clock, outbox } = setUp({ store })
    const entry = add('a')
    await settle()
    transmit()
    store.failCommits(new Error('disk'))
    arrive()
    await settle()
    const forgotten = store.kept.length
    for (let round = 0; round < 5 && outbox.deadline < Infinity; round++) {
      await clock.advance(outbox.deadline - clock.now)
      outbox.elapsed()
      await settle()
    }

    expect(entry.status).toBe('delivered')
    expect(reports).toMatchObject([{ code: 'STORAGE_FAILED' }])
    expect(forgotten).toBe(1)
    expect(store.kept).toEqual([])
  })

  test.each([false, true])('to open fails what waits, and the next message tries again (async %s)', async (isAsync) => {
    const store = createFakeStore({ isAsync })
    const { add, transmit, settle, reports, outbox, waiting } = setUp({ store })
    store.failOpen(new StorageError('STORAGE_UNAVAILABLE', 'private mode'))
    const lost = add('a')
    await settle()
    const after = [lost.status, outbox.pending]
    const kept = add('b')
    await settle()

    expect(after).toEqual(['failed', 0])
    expect(lost.error?.code).toBe('STORAGE_UNAVAILABLE')
    expect(reports).toMatchObject([{ code: 'STORAGE_UNAVAILABLE' }])
    expect(kept.status).toBe('stored')
    expect(waiting()).toEqual(['b'])
    expect(transmit()).toEqual(['b'])
  })
})

describe('limits', () => {
  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('reject: a full outbox by %s throws and changes nothing', (_, outboxMax) => {
    const { add, waiting, log } = setUp({ outboxMax, overflow: 'reject' })
    add('a')
    add('b')

    expect(() => add('c')).toThrow(DeliveryError)
    expect(() => add('c')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
    expect(waiting()).toEqual(['a', 'b'])
    expect(log).toEqual(['stored a', 'stored b'])
  })

  test('counts up to the limit and not beyond it', () => {
    const { add, outbox } = setUp({ outboxMax: { messages: 3, bytes: 10 } })
    add('aaaa')
    add('bbbbbb')

    expect(() => add('c')).toThrow(/OUTBOX_FULL|2 messages, 10 bytes/)
    expect(outbox.pending).toBe(2)
  })

  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('drop-newest: a full outbox by %s fails the new message', async (_, outboxMax) => {
    const { add, waiting, log, store } = setUp({ outboxMax, overflow: 'drop-newest' })
    add('a')
    add('b')
    const entry = add('c')

    expect(entry.status).toBe('failed')
    await expect(entry.delivered).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
    expect(waiting()).toEqual(['a', 'b'])
    expect(log.at(-1)).toBe('failed c OUTBOX_FULL')
    expect(store.kept.map(({ body }) => body)).toEqual(['a', 'b'])
  })

  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('drop-oldest: a full outbox by %s fails the oldest that waits', (_, outboxMax) => {
    const { add, waiting, log, store } = setUp({ outboxMax, overflow: 'drop-oldest' })
    add('a')
    add('b')
    add('c')

    expect(waiting()).toEqual(['b', 'c'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual(['failed a OUTBOX_FULL'])
    expect(store.kept.map(({ body }) => body)).toEqual(['b', 'c'])
  })

  test('drop-oldest: makes as much room as a long message needs', () => {
    const { add, waiting } = setUp({ outboxMax: { messages: 100, bytes: 4 }, overflow: 'drop-oldest' })
    for (const body of ['a', 'b', 'c', 'd']) add(body)

    add('eee')

    expect(waiting()).toEqual(['d', 'eee'])
  })

  test('drop-oldest: spares what is on its way, and then drops the new one', () => {
    const { add, transmit, waiting } = setUp({ outboxMax: { messages: 2, bytes: 1_000 }, overflow: 'drop-oldest' })
    add('a')
    add('b')
    transmit(2)

    const entry = add('c')

    expect(entry.error?.code).toBe('OUTBOX_FULL')
    expect(waiting()).toEqual(['a', 'b'])
  })

  test('drop-oldest: drops nobody for a message that would never fit', () => {
    const { add, waiting } = setUp({ outboxMax: { messages: 100, bytes: 4 }, overflow: 'drop-oldest' })
    add('a')
    add('b')

    const entry = add('ccccc')

    expect(entry.status).toBe('failed')
    expect(waiting()).toEqual(['a', 'b'])
  })

  test('has room again for what has left', () => {
    const { add, transmit, arrive, outbox } = setUp({ outboxMax: { messages: 2, bytes: 2 } })
    add('a')
    const { id } = add('b')
    transmit(1)
    arrive()
    outbox.remove(id)

    add('c')
    add('d')

    expect(outbox.pending).toBe(2)
  })
})

describe('a time to live', () => {
  test('ends in EXPIRED at its deadline, not before', async () => {
    const { add, outbox, clock, log, waiting, store } = setUp()
    add('a', { ttlMs: 1_000 })
    add('b')
    const deadline = outbox.deadline
    await clock.advance(999)
    outbox.elapsed()
    const before = waiting()
    await clock.advance(1)
    outbox.elapsed()

    expect(deadline).toBe(1_000)
    expect(before).toEqual(['a', 'b'])
    expect(waiting()).toEqual(['b'])
    expect(log.at(-1)).toBe('failed a EXPIRED')
    expect(store.kept.map(({ body }) => body)).toEqual(['b'])
    expect(outbox.deadline).toBe(Infinity)
  })

  test('is due for the soonest first', async () => {
    const { add, outbox, clock } = setUp()
    add('a', { ttlMs: 3_000 })
    add('b', { ttlMs: 1_000 })
    add('c', { ttlMs: 2_000 })
    const deadlines: number[] = []
    while (outbox.deadline < Infinity) {
      deadlines.push(outbox.deadline)
      await clock.advance(outbox.deadline - clock.now)
      outbox.elapsed()
    }

    expect(deadlines).toEqual([1_000, 2_000, 3_000])
  })

  test('never lets a stale message out, even when the timer was late', async () => {
    const { add, transmit, clock } = setUp()
    add('a', { ttlMs: 1_000 })
    add('b')
    clock.sleep(60_000)

    expect(transmit()).toEqual(['b'])
  })

  test('does not touch what is on its way, until it waits again', async () => {
    const { add, transmit, outbox, clock, waiting } = setUp()
    add('a', { ttlMs: 1_000 })
    transmit()
    await clock.advance(2_000)
    outbox.elapsed()
    const onItsWay = waiting()
    outbox.rewind()
    const deadline = outbox.deadline
    outbox.elapsed()

    expect(onItsWay).toEqual(['a'])
    expect(deadline).toBeLessThanOrEqual(clock.now)
    expect(waiting()).toEqual([])
  })

  test('counts while the page was closed', async () => {
    const { store, outbox, clock, transmit, log } = setUp()
    const now = clock.wallNow()
    store.leave(
      stored('old', 1, { ttlMs: 1_000, enqueuedAt: now - 1_001 }),
      stored('old', 2, { ttlMs: 1_000, enqueuedAt: now - 400 }),
      stored('old', 3),
    )
    outbox.open()
    const deadline = outbox.deadline
    const sent = transmit(1)
    await clock.advance(600)

    expect(deadline).toBeLessThanOrEqual(0)
    expect(sent).toEqual(['old2'])
    expect(log).toEqual(['failed old1 EXPIRED'])
  })

  test('is never longer than it was, though the wall clock stepped back', () => {
    const { store, outbox, clock } = setUp()
    store.leave(stored('old', 1, { ttlMs: 1_000, enqueuedAt: clock.wallNow() + 3_600_000 }))

    outbox.open()

    expect(outbox.deadline).toBe(1_000)
  })

  test('runs on the monotonic clock in the life of a page', async () => {
    const { add, outbox, clock, waiting } = setUp()
    add('a', { ttlMs: 1_000 })
    clock.stepWall(3_600_000)
    outbox.elapsed()
    const stepped = waiting()
    clock.stepWall(-7_200_000)
    await clock.advance(1_000)
    outbox.elapsed()

    expect(stepped).toEqual(['a'])
    expect(waiting()).toEqual([])
  })
})

describe('a key', () => {
  test('lets a newer message take the place of the older that waits', async () => {
    const { add, transmit, log, store } = setUp()
    const old = add('a1', { key: 'a' })
    add('b1', { key: 'b' })
    add('a2', { key: 'a' })

    expect(transmit()).toEqual(['b1', 'a2'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual(['failed a1 SUPERSEDED'])
    await expect(old.delivered).rejects.toMatchObject({ code: 'SUPERSEDED' })
    expect(store.kept.map(({ body }) => body)).toEqual(['b1', 'a2'])
  })

  test('may be the empty string', () => {
    const { add, transmit } = setUp()
    add('a', { key: '' })
    add('b', { key: '' })
    add('c')

    expect(transmit()).toEqual(['b', 'c'])
  })

  test('does not touch what is on its way', () => {
    const { add, transmit, waiting } = setUp()
    add('a1', { key: 'a' })
    transmit()

    add('a2', { key: 'a' })

    expect(waiting()).toEqual(['a1', 'a2'])
  })

  test('leaves one of a key, also when a cut has brought an older back', () => {
    const { add, transmit, outbox, waiting } = setUp()
    add('a1', { key: 'a' })
    transmit()
    add('a2', { key: 'a' })
    outbox.rewind()

    add('a3', { key: 'a' })

    expect(waiting()).toEqual(['a3'])
  })

  test('counts the room that the older leaves', () => {
    const { add, waiting } = setUp({ outboxMax: { messages: 1, bytes: 4 } })
    add('aaaa', { key: 'a' })

    add('bbbb', { key: 'a' })

    expect(waiting()).toEqual(['bbbb'])
  })

  test.each(['reject', 'drop-newest', 'drop-oldest'] as const)(
    'does not lose the older when the newer is turned away (%s)',
    (overflow) => {
      const { add, waiting, log } = setUp({ outboxMax: { messages: 10, bytes: 4 }, overflow })
      add('aa', { key: 'a' })
      try {
        add('bbbbb', { key: 'a' })
      } catch (error) {
        expect(error).toMatchObject({ code: 'OUTBOX_FULL' })
      }

      expect(waiting()).toEqual(['aa'])
      expect(log).not.toContain('failed aa SUPERSEDED')
    },
  )

  test('is found on adopted messages too', () => {
    const { add, store, waiting } = setUp()
    store.leave(stored('old', 1, { key: 'a' }), stored('old', 2))

    add('new', { key: 'a' })

    expect(waiting()).toEqual(['old2', 'new'])
  })
})

describe('taking back', () => {
  test('lists what is pending as people may see it', () => {
    const { add, outbox, clock } = setUp()
    add('a', { key: 'k' })

    expect(outbox.list()).toEqual([
      { id: 'w1:1', event: 'm', status: 'stored', body: 'a', bytes: 1, enqueuedAt: clock.wallNow(), key: 'k' },
    ])
  })

  test('removes one that waits, here and from the store', async () => {
    const { add, outbox, store, waiting } = setUp()
    add('a')
    const entry = add('b')
    add('c')

    const isRemoved = outbox.remove(entry.id)

    expect(isRemoved).toBe(true)
    expect(waiting()).toEqual(['a', 'c'])
    expect(store.kept.map(({ body }) => body)).toEqual(['a', 'c'])
    await expect(entry.delivered).rejects.toMatchObject({ code: 'REMOVED' })
    expect(outbox.remove(entry.id)).toBe(false)
  })

  test('removes nothing that is on its way, or unknown', () => {
    const { add, outbox, transmit, waiting } = setUp()
    const { id } = add('a')
    transmit()

    expect([outbox.remove(id), outbox.remove('w1:99'), outbox.remove('')]).toEqual([false, false, false])
    expect(waiting()).toEqual(['a'])
  })

  test('removes one that is just being written, for good', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, transmit, log } = setUp({ store })
    outbox.open()
    await settle()
    store.hold()
    const entry = add('a')
    add('b')
    outbox.remove(entry.id)
    store.release()
    await settle()

    expect(transmit()).toEqual(['b'])
    expect(store.kept.map(({ body }) => body)).toEqual(['b'])
    expect(log).toEqual(['failed a REMOVED', 'stored b'])
  })

  test('never writes one that was removed before its batch', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle } = setUp({ store })
    outbox.open()
    await settle()
    store.hold()
    add('a')
    outbox.remove(add('b').id)
    store.release()
    await settle()

    expect(store.batches.flatMap(({ append }) => append).map(({ body }) => body)).toEqual(['a'])
  })

  test('clears all that waits and says how many', () => {
    const { add, outbox, transmit, waiting, store } = setUp()
    for (const body of ['a', 'b', 'c']) add(body)
    transmit(1)

    expect(outbox.clear()).toBe(2)
    expect(waiting()).toEqual(['a'])
    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
    expect(outbox.clear()).toBe(0)
  })

  test('remembers the last hundred that failed, with the reason', () => {
    const { add, outbox, failures } = setUp()
    for (let count = 0; count < 105; count++) outbox.remove(add(`m${count}`).id)

    expect(failures()).toHaveLength(100)
    expect(failures()[0]).toBe('m5 REMOVED')
    expect(failures().at(-1)).toBe('m104 REMOVED')
  })
})

describe('adoption', () => {
  test('puts what others left before our own', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle, transmit } = setUp({ store })
    store.leave(stored('x', 1), stored('x', 2))
    store.leave(stored('y', 1))
    add('mine')
    await settle()

    expect(transmit()).toEqual(['x1', 'x2', 'y1', 'mine'])
  })

  test('puts what others leave later behind our own, and says that it is there', async () => {
    let ready = 0
    const store = createFakeStore({ isAsync: true })
    const { add, settle, transmit } = setUp({ store, on: { ready: () => void ready++ } })
    add('a')
    add('b')
    await settle()
    transmit(1)
    const before = ready

    store.adoptLate(stored('z', 1))

    expect(ready).toBeGreaterThan(before)
    expect(transmit()).toEqual(['b', 'z1'])
  })

  test('keeps the ids that the messages had', async () => {
    const { store, outbox } = setUp()
    store.leave(stored('x', 7))
    outbox.open()

    expect(outbox.list()).toMatchObject([{ id: 'x:7', status: 'stored', event: 'm' }])
    expect(outbox.pending).toBe(1)
  })

  test('lets the store forget adopted messages by their own writer', async () => {
    const { store, add, transmit, arrive } = setUp()
    store.leave(stored('x', 1), stored('x', 2))
    store.leave(stored('y', 5))
    add('a')
    transmit()

    arrive(2)

    expect(store.kept.map(({ body }) => body)).toEqual(['y5', 'a'])
    arrive()
    expect(store.kept).toEqual([])
  })

  test('is not listened to any more after close', async () => {
    const { store, outbox } = setUp()
    outbox.open()
    await outbox.close()

    store.adoptLate(stored('z', 1))

    expect(outbox.pending).toBe(0)
  })
})

describe('closing', () => {
  test('breaks the promises, and says that the messages stay', async () => {
    const { add, outbox, failures } = setUp()
    const entry = add('a')
    const delivered = expect(entry.delivered).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })

    await outbox.close()

    await delivered
    expect(outbox.pending).toBe(0)
    expect(outbox.deadline).toBe(Infinity)
    expect(failures()).toEqual([])
    expect(entry.error?.message).toContain('stays in the store')
  })

  test('closes a store once, and only one that was opened', async () => {
    const { outbox, store, add } = setUp()
    await outbox.close()
    const unopened = store.closes
    add('a')

    await Promise.all([outbox.close(), outbox.close()])

    expect(unopened).toBe(0)
    expect(store.closes).toBe(1)
  })

  test('waits for what is being written', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle } = setUp({ store })
    outbox.open()
    await settle()
    store.hold()
    add('a')
    add('b')
    let isClosed = false
    const closing = outbox.close().then(() => (isClosed = true))
    await settle()
    const early = isClosed
    store.release()
    await closing

    expect(early).toBe(false)
    expect(store.kept.map(({ body }) => body)).toEqual(['a', 'b'])
    expect(store.closes).toBe(1)
  })

  test('while the store is still opening writes down what was sent meanwhile', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle } = setUp({ store })
    store.hold()
    add('a')
    const closing = outbox.close()
    await settle()
    const early = store.closes
    store.release()
    await closing

    expect(early).toBe(0)
    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
    expect(store.closes).toBe(1)
  })

  test('and opening again hands back what was left, under a new writer', async () => {
    const store = memoryStore()
    const { add, outbox, transmit, waiting } = setUp({ store })
    add('a')
    add('b')
    await outbox.close()

    outbox.open()
    add('c')

    expect(waiting()).toEqual(['a', 'b', 'c'])
    expect(outbox.list().map(({ id }) => id)).toEqual(['w1:1', 'w1:2', 'w2:1'])
    expect(transmit()).toEqual(['a', 'b', 'c'])
  })

  test('and opening at once waits for the closing', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, transmit } = setUp({ store })
    add('a')
    await settle()
    store.hold()
    add('b')
    const closing = outbox.close()
    add('c')
    await settle()
    const opens = store.opens.length
    store.release()
    await closing
    await settle()

    expect(opens).toBe(1)
    expect(store.opens).toEqual(['w1', 'w2'])
    expect(store.kept.map(({ body }) => body)).toEqual(['a', 'b', 'c'])
    expect(transmit()).toEqual(['c'])
  })

  test('reports what could not be written at the last moment', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, reports } = setUp({ store })
    outbox.open()
    await settle()
    store.failCommits(new Error('disk'))
    add('a')

    await outbox.close()

    expect(reports).toMatchObject([{ code: 'STORAGE_FAILED' }])
  })

  test('forgets how much room was taken', async () => {
    const { add, outbox, transmit, arrive } = setUp({
      store: createFakeStore(),
      outboxMax: { messages: 10, bytes: 4 },
      on: {
        delivered: ({ message }) => {
          if (message.body === 'a') void outbox.close()
        },
      },
    })
    for (const body of ['a', 'b', 'c', 'd']) add(body)
    transmit()
    arrive()
    await outbox.close()
    for (const body of ['a', 'b', 'c', 'd']) add(body)

    expect(() => add('e')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
  })
})

describe('a server that acknowledges', () => {
  const acknowledging = (options: Parameters<typeof setUp<FakeStore>>[0] = {}) =>
    setUp({ dialect: { acknowledges: true }, ...options })

  test('must be sent again what it may have: that is neither taken back, nor superseded, nor too late', async () => {
    const { add, transmit, outbox, clock, waiting } = acknowledging()
    const sent = add('a', { key: 'k', ttlMs: 10 })
    add('b', { ttlMs: 10 })
    transmit(1)
    outbox.rewind()
    add('c', { key: 'k' })
    const isRemoved = outbox.remove(sent.id)
    await clock.advance(10)
    outbox.elapsed()
    const late = waiting()
    outbox.clear()

    expect(isRemoved).toBe(false)
    expect(late).toEqual(['a', 'c'])
    expect(waiting()).toEqual(['a'])
    expect(outbox.deadline).toBe(Infinity)
  })

  test('must not be sent what another page has left and is too late now: nobody knows whether it was ever sent', async () => {
    const store = createFakeStore()
    const { outbox, waiting, clock } = acknowledging({ store })
    store.leave(stored('old', 1, { ttlMs: 10, enqueuedAt: clock.wallNow() }), stored('old', 2))
    outbox.open()
    await clock.advance(10)
    outbox.elapsed()

    expect(waiting()).toEqual(['old2'])
  })

  test('does not drop the oldest that it may have', () => {
    const { add, transmit, outbox, waiting } = acknowledging({
      overflow: 'drop-oldest',
      outboxMax: { messages: 2, bytes: 1_000 },
    })
    add('a')
    transmit()
    outbox.rewind()
    add('b')
    add('c')

    expect(waiting()).toEqual(['a', 'c'])
  })

  test('rejects some, which are told and forgotten, and stored no more', async () => {
    const { add, transmit, outbox, log, store } = acknowledging()
    const [, bad] = ['a', 'b', 'c'].map((body) => add(body))
    transmit()
    const error = new DeliveryError('REJECTED', 'no')
    const rejections = new Map([['w1:2', error]])
    outbox.settle(({ message }) => message.sequence <= 2, RECEIPT, rejections)

    expect(bad).toMatchObject({ status: 'failed', error })
    expect(log.slice(3)).toEqual(['delivered a', 'failed b REJECTED'])
    expect(rejections.size).toBe(0)
    expect(outbox.failed()).toMatchObject([{ id: 'w1:2' }])
    expect(store.kept.map(({ sequence }) => sequence)).toEqual([3])
  })

  test('counts bytes of frames, and no more once they are settled or the link is gone', () => {
    const { add, outbox } = acknowledging()
    for (const body of ['a', 'b', 'c']) {
      const entry = add(body)
      outbox.sent(entry, 0, 100)
    }
    const counts = [outbox.bytesInFlight]
    outbox.settle(({ message }) => message.sequence <= 1, RECEIPT)
    counts.push(outbox.bytesInFlight)
    outbox.rewind()
    counts.push(outbox.bytesInFlight)

    expect(counts).toEqual([300, 200, 0])
  })

  test('counts bytes of messages until they are delivered, fail, or it is closed', async () => {
    const { add, outbox } = acknowledging()
    const counts = ['a', 'bb', 'ccc'].map((body) => (add(body), outbox.bytes))
    outbox.sent(outbox.peek()!, 0, 100)
    counts.push(outbox.bytes)
    outbox.settle(({ message }) => message.sequence <= 1, RECEIPT)
    counts.push(outbox.bytes)
    outbox.remove('w1:2')
    counts.push(outbox.bytes)
    await outbox.close()
    counts.push(outbox.bytes)

    expect(counts).toEqual([1, 3, 6, 6, 5, 3, 0])
  })

  test('is told of the first waiting message of each writer', () => {
    const store = createFakeStore()
    store.leave(stored('old', 4), stored('old', 5))
    const { add, outbox } = acknowledging({ store })
    const before = outbox.heads()
    outbox.open()
    add('a')
    add('b')

    expect([...before]).toEqual([])
    expect([...outbox.heads()]).toEqual([
      ['old', 4],
      ['w1', 1],
    ])
    expect(outbox.writer).toBe('w1')
  })
})

describe('requests', () => {
  const asking = () => {
    const changes: number[] = []
    const set = setUp({
      dialect: { acknowledges: true },
      on: { changed: () => void changes.push(set.outbox.pending) },
    })
    return { ...set, changes, ask: (body: string) => quiet(set.outbox.ask('ask', body, body.length)) }
  }

  /** Whoever asks has the answer's failure; a test need not. */
  function quiet<Asked extends { result: Promise<unknown> }>(request: Asked): Asked {
    request.result.catch(() => {})
    return request
  }

  const GONE = new DeliveryError('REQUEST_ABORTED', 'gone')

  test('wait in their turn, and are never stored', () => {
    const { add, ask, transmit, store } = asking()
    add('a')
    ask('b')
    add('c')

    expect(transmit()).toEqual(['a', 'b', 'c'])
    expect(store.kept.map(({ sequence }) => sequence)).toEqual([1, 3])
  })

  test('do not overtake a message that is being stored', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, transmit, settle } = setUp({ store, dialect: { acknowledges: true } })
    add('a')
    quiet(outbox.ask('ask', 'b', 1))
    const early = transmit()
    await settle()

    expect([early, transmit()]).toEqual([[], ['a', 'b']])
  })

  test.each<[what: string, happen: (set: ReturnType<typeof setUp<FakeStore>>) => unknown]>([
    ['is refused by it', ({ store }) => (store.failCommits(new Error('full')), store.release())],
    ['expires', ({ clock, outbox }) => clock.advance(100).then(() => outbox.elapsed())],
    ['is removed', ({ outbox }) => outbox.remove('w1:1')],
  ])('go as soon as what waits before them for the store %s', async (_, happen) => {
    const store = createFakeStore({ isAsync: true })
    store.hold()
    const sent: string[] = []
    const set = setUp({
      store,
      dialect: { acknowledges: true },
      on: { ready: () => void sent.push(...set.transmit()) },
    })
    set.add('a', { ttlMs: 100 })
    quiet(set.outbox.ask('ask', 'b', 1))
    expect(sent).toEqual([])

    await happen(set)
    await set.settle()

    expect(sent).toEqual(['b'])
  })

  test('are on their way already when others are found: those come behind', async () => {
    const store = createFakeStore({ isAsync: true })
    const { outbox, transmit, settle } = setUp({ store, dialect: { acknowledges: true } })
    store.leave(stored('old', 1))
    quiet(outbox.ask('ask', 'b', 1))
    const first = transmit()
    await settle()

    expect(first).toEqual(['b'])
    expect(outbox.inFlight).toBe(1)
    expect(transmit()).toEqual(['old1'])
  })

  test('are pending until they are answered, acknowledged or not', () => {
    const { ask, transmit, arrive, outbox, changes } = asking()
    ask('a')
    ask('b')
    transmit()
    outbox.answer('w1:1', { data: 'yes' })
    const answered = [outbox.pending, outbox.inFlight]
    arrive()
    const acknowledged = [outbox.pending, outbox.inFlight]
    outbox.answer('w1:2', { data: 'yes' })

    expect([answered, acknowledged]).toEqual([
      [1, 2],
      [1, 0],
    ])
    expect(changes).toEqual([1, 2, 1, 1, 0])
  })

  test('that are settled keep their place on their way, and are not listed, nor sent again', () => {
    const { ask, add, transmit, outbox, waiting } = asking()
    const first = ask('a')
    add('b')
    transmit()
    const wasWaiting = outbox.withdraw(first, GONE)
    const before = [waiting(), outbox.inFlight, outbox.pending]
    outbox.rewind()

    expect(wasWaiting).toBe(true)
    expect(before).toEqual([['b'], 2, 1])
    expect(transmit()).toEqual(['b'])
    expect(outbox.withdraw(first, GONE)).toBe(false)
  })

  test('that are given up while they wait leave at once, and tell nobody but who asked', async () => {
    const { ask, add, transmit, outbox, log } = asking()
    const first = ask('a')
    add('b')
    outbox.withdraw(first, GONE)

    expect(transmit()).toEqual(['b'])
    expect(log).toEqual(['stored b'])
    expect(outbox.failed()).toEqual([])
    await expect(first.result).rejects.toBe(GONE)
  })

  test('lose their answers with the session, once they are acknowledged', async () => {
    const { ask, transmit, outbox } = asking()
    const [first, second] = [ask('a'), ask('b')]
    transmit()
    outbox.settle(({ message }) => message.sequence === 1, RECEIPT)
    outbox.loseAnswers()

    await expect(first.result).rejects.toMatchObject({ code: 'RESULT_LOST' })
    expect(second.isDone).toBe(false)
    expect(outbox.pending).toBe(1)
  })

  test('fail when the client closes', async () => {
    const { ask, transmit, outbox, arrive } = asking()
    const requests = ['a', 'b', 'c'].map(ask)
    transmit(2)
    arrive(1)
    await outbox.close()

    for (const { result } of requests) await expect(result).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(outbox.pending).toBe(0)
  })
})

describe('listeners that act on the outbox', () => {
  test('may clear it while messages expire, and lose nothing that is sent meanwhile', async () => {
    const { add, outbox, clock, waiting, log } = setUp({
      on: {
        failed: (entry) => {
          if (entry.message.body !== 'a') return
          outbox.clear()
          add('news')
        },
      },
    })
    for (const body of ['a', 'b', 'c']) add(body, { ttlMs: 10 })
    await clock.advance(10)

    outbox.elapsed()

    expect(waiting()).toEqual(['news'])
    expect(log.filter((line) => line.startsWith('failed')).sort()).toEqual([
      'failed a EXPIRED',
      'failed b REMOVED',
      'failed c REMOVED',
    ])
  })

  test('may remove what is being cleared, and it fails once', () => {
    const { add, outbox, log } = setUp({ on: { failed: () => void outbox.clear() } })
    for (const body of ['a', 'b', 'c']) add(body)

    outbox.clear()

    expect(log.filter((line) => line.startsWith('failed')).sort()).toEqual([
      'failed a REMOVED',
      'failed b REMOVED',
      'failed c REMOVED',
    ])
  })

  test.each([
    ['superseded', { key: 'k' }, { messages: 100, bytes: 1_000 }],
    ['dropped', {}, { messages: 1, bytes: 1_000 }],
  ])('may send when one is %s: ids stay apart and ascend', (_, options, outboxMax) => {
    const store = createFakeStore()
    let isFirst = true
    const { add } = setUp({
      store,
      outboxMax,
      overflow: 'drop-oldest',
      on: {
        failed: () => {
          if (!isFirst) return
          isFirst = false
          add('news')
        },
      },
    })
    add('a', options)
    add('b', options)
    const written = store.batches.flatMap(({ append }) => append.map(({ sequence }) => sequence))

    expect(new Set(written).size).toBe(written.length)
    expect(written).toEqual([...written].sort((a, b) => a - b))
  })

  test('may send when one is delivered or stored, in order', () => {
    const { add, transmit, arrive, waiting } = setUp({
      on: {
        stored: ({ message }) => {
          if (message.body === 'a') add('after stored')
        },
        delivered: ({ message }) => {
          if (message.body === 'a') add('after delivered')
        },
      },
    })
    add('a')
    add('b')
    transmit()
    arrive()

    expect(waiting()).toEqual(['after delivered'])
  })
})

describe('against a model', () => {
  interface Model {
    queue: { body: string; isSent: boolean }[]
    failed: string[]
    delivered: string[]
  }
  interface Real {
    system: ReturnType<typeof setUp<FakeStore>>
    bodies: number
  }
  const MAX = 5

  class Add implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, real: Real): Promise<void> {
      const { system } = real
      const body = `m${++real.bodies}`
      if (model.queue.length >= MAX) {
        const oldest = model.queue.findIndex(({ isSent }) => !isSent)
        if (oldest < 0) model.failed.push(body)
        else model.failed.push(...model.queue.splice(oldest, 1).map((gone) => gone.body))
      }
      if (!model.failed.includes(body)) model.queue.push({ body, isSent: false })

      system.add(body)
      await compare(model, system)
    }
    toString = () => 'add'
  }
  class Transmit implements fc.AsyncCommand<Model, Real> {
    constructor(readonly count: number) {}
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      const next = model.queue.filter(({ isSent }) => !isSent).slice(0, this.count)
      for (const message of next) message.isSent = true

      expect(system.transmit(this.count)).toEqual(next.map(({ body }) => body))
      await compare(model, system)
    }
    toString = () => `transmit ${this.count}`
  }
  class Arrive implements fc.AsyncCommand<Model, Real> {
    constructor(readonly count: number) {}
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      const sent = model.queue.filter(({ isSent }) => isSent).slice(0, this.count)
      model.queue.splice(0, sent.length)
      model.delivered.push(...sent.map(({ body }) => body))

      system.arrive(this.count)
      await compare(model, system)
    }
    toString = () => `arrive ${this.count}`
  }
  class Rewind implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      for (const message of model.queue) message.isSent = false

      system.outbox.rewind()
      await compare(model, system)
    }
    toString = () => 'rewind'
  }
  class Remove implements fc.AsyncCommand<Model, Real> {
    constructor(readonly index: number) {}
    check = (model: Readonly<Model>) => model.queue.length > 0
    async run(model: Model, { system }: Real): Promise<void> {
      const index = this.index % model.queue.length
      const { isSent } = model.queue[index]!
      const { id } = system.outbox.list()[index]!
      if (!isSent) model.failed.push(...model.queue.splice(index, 1).map(({ body }) => body))

      expect(system.outbox.remove(id)).toBe(!isSent)
      await compare(model, system)
    }
    toString = () => `remove ${this.index}`
  }
  class Reopen implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      for (const message of model.queue) message.isSent = false
      // The page ends: what the store has is what the next one finds.
      await system.outbox.close()
      system.store.leave(...system.store.takeAll())

      system.outbox.open()
      await compare(model, system)
    }
    toString = () => 'reopen'
  }

  async function compare(model: Model, system: Real['system']): Promise<void> {
    await system.settle()
    expect(system.waiting()).toEqual(model.queue.map(({ body }) => body))
    expect(system.outbox.pending).toBe(model.queue.length)
    expect(system.outbox.inFlight).toBe(model.queue.filter(({ isSent }) => isSent).length)
    expect(system.store.kept.map(({ body }) => body)).toEqual(model.queue.map(({ body }) => body))
    const told = (what: string): string[] =>
      system.log.filter((line) => line.startsWith(what)).map((line) => line.split(' ')[1] ?? '')
    expect(told('failed')).toEqual(model.failed)
    expect(told('delivered')).toEqual(model.delivered)
    expect(system.reports).toEqual([])
  }

  const commands = fc.commands(
    [
      fc.constant(new Add()),
      fc.constant(new Add()),
      fc.integer({ min: 1, max: 4 }).map((count) => new Transmit(count)),
      fc.integer({ min: 1, max: 4 }).map((count) => new Arrive(count)),
      fc.constant(new Rewind()),
      fc.nat(9).map((index) => new Remove(index)),
      fc.constant(new Reopen()),
    ],
    { maxCommands: 60 },
  )

  test.each([false, true])('behaves as an array does, with a store that answers later: %s', async (isAsync) => {
    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        const system = setUp({
          store: createFakeStore({ isAsync }),
          overflow: 'drop-oldest',
          outboxMax: { messages: MAX, bytes: 1_000 },
        })
        await fc.asyncModelRun(
          () => ({ model: { queue: [], failed: [], delivered: [] }, real: { system, bodies: 0 } }),
          steps,
        )
      }),
      { numRuns: 60 },
    )
  })
})
