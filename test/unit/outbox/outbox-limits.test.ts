import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { setUpOutbox } from '../../support/outbox-stage.js'

describe('limits', () => {
  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('reject: a full outbox by %s throws and changes nothing', (_, outboxMax) => {
    const { add, waiting, log } = setUpOutbox({ outboxMax, overflow: 'reject' })
    add('a')
    add('b')

    expect(() => add('c')).toThrow(DeliveryError)
    expect(() => add('c')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
    expect(waiting()).toEqual(['a', 'b'])
    expect(log).toEqual(['stored a', 'stored b'])
  })

  test('counts up to the limit and not beyond it', () => {
    const { add, outbox } = setUpOutbox({ outboxMax: { messages: 3, bytes: 10 } })
    add('aaaa')
    add('bbbbbb')

    expect(() => add('c')).toThrow(/OUTBOX_FULL|2 messages, 10 bytes/)
    expect(outbox.pending).toBe(2)
  })

  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('drop-newest: a full outbox by %s fails the new message', async (_, outboxMax) => {
    const { add, waiting, log, kept } = setUpOutbox({ outboxMax, overflow: 'drop-newest' })
    add('a')
    add('b')
    const entry = add('c')

    expect(entry.status).toBe('failed')
    await expect(entry.delivered).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
    expect(waiting()).toEqual(['a', 'b'])
    expect(log.at(-1)).toBe('failed c OUTBOX_FULL')
    expect(kept()).toEqual(['a', 'b'])
  })

  test.each([
    ['messages', { messages: 2, bytes: 1_000 }],
    ['bytes', { messages: 100, bytes: 2 }],
  ])('drop-oldest: a full outbox by %s fails the oldest that waits', (_, outboxMax) => {
    const { add, waiting, log, kept } = setUpOutbox({ outboxMax, overflow: 'drop-oldest' })
    add('a')
    add('b')
    add('c')

    expect(waiting()).toEqual(['b', 'c'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual(['failed a OUTBOX_FULL'])
    expect(kept()).toEqual(['b', 'c'])
  })

  test('drop-oldest: makes as much room as a long message needs', () => {
    const { add, waiting } = setUpOutbox({ outboxMax: { messages: 100, bytes: 4 }, overflow: 'drop-oldest' })
    for (const body of ['a', 'b', 'c', 'd']) add(body)

    add('eee')

    expect(waiting()).toEqual(['d', 'eee'])
  })

  test('drop-oldest: spares what is on its way, and then drops the new one', () => {
    const { add, transmit, waiting } = setUpOutbox({
      outboxMax: { messages: 2, bytes: 1_000 },
      overflow: 'drop-oldest',
    })
    add('a')
    add('b')
    transmit(2)

    const entry = add('c')

    expect(entry.error?.code).toBe('OUTBOX_FULL')
    expect(waiting()).toEqual(['a', 'b'])
  })

  test('drop-oldest: drops nobody for a message that would never fit', () => {
    const { add, waiting } = setUpOutbox({ outboxMax: { messages: 100, bytes: 4 }, overflow: 'drop-oldest' })
    add('a')
    add('b')

    const entry = add('ccccc')

    expect(entry.status).toBe('failed')
    expect(waiting()).toEqual(['a', 'b'])
  })

  test('has room again for what has left', () => {
    const { add, transmit, arrive, outbox } = setUpOutbox({ outboxMax: { messages: 2, bytes: 2 } })
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
    const { add, outbox, clock, log, waiting, kept } = setUpOutbox()
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
    expect(kept()).toEqual(['b'])
    expect(outbox.deadline).toBe(Infinity)
  })

  test('is due for the soonest first', async () => {
    const { add, outbox, clock } = setUpOutbox()
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

  test('that many share fails them in their order', () => {
    const { add, outbox, clock, failures } = setUpOutbox()
    const bodies = Array.from({ length: 50 }, (_, index) => `m${index}`)
    for (const body of bodies) add(body, { ttlMs: 1_000 })
    clock.sleep(1_000)
    outbox.elapsed()

    expect(failures()).toEqual(bodies.map((body) => `${body} EXPIRED`))
  })

  test('that 25,000 share is over in slices, and nothing goes out meanwhile', () => {
    const { add, outbox, clock, transmit } = setUpOutbox({
      storage: memoryStore(),
      outboxMax: { messages: 30_000, bytes: 1_000_000 },
    })
    for (let index = 0; index < 25_000; index++) add('a', { ttlMs: 1_000 })
    add('b')
    clock.sleep(1_000)
    const rounds = [1, 2, 3].map(() => {
      const sent = transmit()
      return [sent, outbox.pending, outbox.deadline <= clock.now]
    })

    expect(rounds).toEqual([
      [[], 15_001, true],
      [[], 5_001, true],
      [['b'], 1, false],
    ])
  })

  test('never lets a stale message out, even when the timer was late', async () => {
    const { add, transmit, clock } = setUpOutbox()
    add('a', { ttlMs: 1_000 })
    add('b')
    clock.sleep(60_000)

    expect(transmit()).toEqual(['b'])
  })

  test('does not touch what is on its way, until it waits again', async () => {
    const { add, transmit, outbox, clock, waiting } = setUpOutbox()
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
    const { store, outbox, clock, transmit, log } = setUpOutbox()
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
    const { store, outbox, clock } = setUpOutbox()
    store.leave(stored('old', 1, { ttlMs: 1_000, enqueuedAt: clock.wallNow() + 3_600_000 }))

    outbox.open()

    expect(outbox.deadline).toBe(1_000)
  })

  test('runs on while the machine sleeps and the monotonic clock stands still', () => {
    const { add, outbox, clock, waiting } = setUpOutbox()
    add('a', { ttlMs: 60_000 })
    add('b', { ttlMs: 10 * 3_600_000 })
    clock.stepWall(8 * 3_600_000)
    const next = outbox.peek()
    const left = waiting()
    clock.stepWall(2 * 3_600_000)

    expect(next?.body).toBe('b')
    expect(left).toEqual(['b'])
    expect(outbox.peek()).toBeUndefined()
  })

  test('runs on where the wall clock is set back, and through a sleep after that', async () => {
    const { add, outbox, clock } = setUpOutbox()
    add('a', { ttlMs: 60_000 })
    add('b', { ttlMs: 90_000 })
    clock.stepWall(-7_200_000)
    await clock.advance(59_999)
    const before = outbox.peek()?.body
    await clock.advance(1)
    const after = outbox.peek()?.body
    clock.stepWall(31_000)

    expect([before, after]).toEqual(['a', 'b'])
    expect(outbox.peek()).toBeUndefined()
  })
})

describe('a key', () => {
  test('lets a newer message take the place of the older that waits', async () => {
    const { add, transmit, log, failures, kept } = setUpOutbox()
    const old = add('a1', { key: 'a' })
    add('b1', { key: 'b' })
    add('a2', { key: 'a' })

    expect(transmit()).toEqual(['b1', 'a2'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual(['failed a1 SUPERSEDED'])
    expect(failures()).toEqual([])
    await expect(old.delivered).rejects.toMatchObject({ code: 'SUPERSEDED' })
    expect(kept()).toEqual(['b1', 'a2'])
  })

  test('may be the empty string', () => {
    const { add, transmit } = setUpOutbox()
    add('a', { key: '' })
    add('b', { key: '' })
    add('c')

    expect(transmit()).toEqual(['b', 'c'])
  })

  test('does not touch what is on its way', () => {
    const { add, transmit, waiting } = setUpOutbox()
    add('a1', { key: 'a' })
    transmit()

    add('a2', { key: 'a' })

    expect(waiting()).toEqual(['a1', 'a2'])
  })

  test('leaves one of a key, also when a cut has brought an older back', () => {
    const { add, transmit, outbox, waiting } = setUpOutbox()
    add('a1', { key: 'a' })
    transmit()
    add('a2', { key: 'a' })
    outbox.rewind()

    add('a3', { key: 'a' })

    expect(waiting()).toEqual(['a3'])
  })

  test('counts the room that the older leaves', () => {
    const { add, waiting } = setUpOutbox({ outboxMax: { messages: 1, bytes: 4 } })
    add('aaaa', { key: 'a' })

    add('bbbb', { key: 'a' })

    expect(waiting()).toEqual(['bbbb'])
  })

  test.each(['reject', 'drop-newest', 'drop-oldest'] as const)(
    'does not lose the older when the newer is turned away (%s)',
    (overflow) => {
      const { add, waiting, log } = setUpOutbox({ outboxMax: { messages: 10, bytes: 4 }, overflow })
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

  test.each(['opens', 'is open'])(
    'leaves one of a key, also where others have left some while the store %s',
    async (when) => {
      const store = createFakeStore({ isAsync: true })
      const { add, settle, waiting, kept } = setUpOutbox({ store })
      if (when === 'opens') store.leave(stored('old', 1, { key: 'a' }), stored('old', 2, { key: 'a' }))
      add('a1', { key: 'a' })
      await settle()
      if (when === 'is open') store.adoptLate(stored('old', 1, { key: 'a' }), stored('old', 2, { key: 'a' }))
      const before = waiting().length

      add('a2', { key: 'a' })
      await settle()

      expect(before).toBe(3)
      expect(waiting()).toEqual(['a2'])
      expect(kept()).toEqual(['a2'])
    },
  )

  test('is found on adopted messages too', () => {
    const { add, store, waiting } = setUpOutbox()
    store.leave(stored('old', 1, { key: 'a' }), stored('old', 2))

    add('new', { key: 'a' })

    expect(waiting()).toEqual(['old2', 'new'])
  })
})

describe('taking back', () => {
  test('lists what is pending as people may see it', () => {
    const { add, outbox, clock } = setUpOutbox()
    add('a', { key: 'k' })

    expect(outbox.list()).toEqual([
      { id: 'w1:1', event: 'm', status: 'stored', body: 'a', bytes: 1, enqueuedAt: clock.wallNow(), key: 'k' },
    ])
  })

  test('removes one that waits, here and from the store', async () => {
    const { add, outbox, waiting, kept } = setUpOutbox()
    add('a')
    const entry = add('b')
    add('c')

    const isRemoved = outbox.remove(entry.id)

    expect(isRemoved).toBe(true)
    expect(waiting()).toEqual(['a', 'c'])
    expect(kept()).toEqual(['a', 'c'])
    await expect(entry.delivered).rejects.toMatchObject({ code: 'REMOVED' })
    expect(outbox.remove(entry.id)).toBe(false)
  })

  test('removes nothing that is on its way, or unknown', () => {
    const { add, outbox, transmit, waiting } = setUpOutbox()
    const { id } = add('a')
    transmit()

    expect([outbox.remove(id), outbox.remove('w1:99'), outbox.remove('')]).toEqual([false, false, false])
    expect(waiting()).toEqual(['a'])
  })

  test('removes one that is just being written, for good', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, transmit, log, kept } = setUpOutbox({ store })
    outbox.open()
    await settle()
    store.hold()
    const entry = add('a')
    add('b')
    outbox.remove(entry.id)
    store.release()
    await settle()

    expect(transmit()).toEqual(['b'])
    expect(kept()).toEqual(['b'])
    expect(log).toEqual(['failed a REMOVED', 'stored b'])
  })

  test('never writes one that was removed before its batch', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle } = setUpOutbox({ store })
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
    const { add, outbox, transmit, waiting, kept } = setUpOutbox()
    for (const body of ['a', 'b', 'c']) add(body)
    transmit(1)

    expect(outbox.clear()).toBe(2)
    expect(waiting()).toEqual(['a'])
    expect(kept()).toEqual(['a'])
    expect(outbox.clear()).toBe(0)
  })

  test('remembers the last hundred that failed, with the reason', () => {
    const { add, outbox, failures } = setUpOutbox()
    for (let count = 0; count < 105; count++) outbox.remove(add(`m${count}`).id)

    expect(failures()).toHaveLength(100)
    expect(failures()[0]).toBe('m5 REMOVED')
    expect(failures().at(-1)).toBe('m104 REMOVED')
  })
})
