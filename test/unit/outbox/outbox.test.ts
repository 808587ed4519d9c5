import { describe, expect, test } from 'vitest'
import { DeliveryError, StorageError } from '../../../src/shared/errors.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { createFakeStore } from '../../support/fake-store.js'
import { RECEIPT, setUpOutbox } from '../../support/outbox-stage.js'

describe('order', () => {
  test('hands messages out in the order they were accepted', () => {
    const { add, transmit } = setUpOutbox()
    for (const body of ['a', 'b', 'c']) add(body)

    expect(transmit()).toEqual(['a', 'b', 'c'])
    expect(transmit()).toEqual([])
  })

  test('gives every message an id of its own, by writer and count', () => {
    const { add } = setUpOutbox()

    expect(['a', 'b', 'c'].map((body) => add(body).id)).toEqual(['w1:1', 'w1:2', 'w1:3'])
  })

  test('takes up again where the link was cut, in the old order', () => {
    const { add, transmit, arrive, outbox } = setUpOutbox()
    for (const body of ['a', 'b', 'c', 'd']) add(body)
    transmit(3)
    arrive(1)

    outbox.rewind()

    expect(outbox.inFlight).toBe(0)
    expect(outbox.list().map(({ status }) => status)).toEqual(['stored', 'stored', 'stored'])
    expect(transmit()).toEqual(['b', 'c', 'd'])
  })

  test('settles from the oldest on, and stops at the first that has not arrived', () => {
    const { add, transmit, outbox, log } = setUpOutbox()
    const [first, second, third] = ['a', 'b', 'c'].map((body) => add(body))
    transmit()

    const settled = outbox.settle((entry) => entry !== second, RECEIPT)

    expect(settled).toBe(true)
    expect([first, second, third].map((entry) => entry?.status)).toEqual(['delivered', 'sent', 'sent'])
    expect(log.filter((line) => line.startsWith('delivered'))).toEqual(['delivered a'])
    expect(outbox.pending).toBe(2)
  })

  test('settles what waits too, where the server says that it has it from an earlier connection', () => {
    const { add, transmit, outbox, waiting } = setUpOutbox()
    for (const body of ['a', 'b', 'c']) add(body)
    transmit(2)
    outbox.rewind()
    transmit(1)

    outbox.settle(({ sequence }) => sequence <= 2, RECEIPT)

    expect(waiting()).toEqual(['c'])
    expect(outbox).toMatchObject({ inFlight: 0, bytesInFlight: 0, pending: 1 })
  })
})

describe('one message alone', () => {
  test('is done with wherever it stands, and nobody else', () => {
    const { add, transmit, outbox, waiting, kept, log } = setUpOutbox()
    const [, second, third] = ['a', 'b', 'c'].map((body) => add(body))
    transmit(2)

    outbox.finish(second!, RECEIPT)
    outbox.finish(third!, RECEIPT, new DeliveryError('NOT_ACKNOWLEDGED', 'never'))
    outbox.finish(second!, RECEIPT)

    expect(waiting()).toEqual(['a'])
    expect(outbox).toMatchObject({ inFlight: 1, bytesInFlight: 1, pending: 1 })
    expect(log.slice(-2)).toEqual(['delivered b', 'failed c NOT_ACKNOWLEDGED'])
    expect(kept()).toEqual(['a'])
  })

  test('at the head lets the store forget it, and the next still stands', () => {
    const { add, transmit, outbox, kept } = setUpOutbox()
    const [first] = ['a', 'b'].map((body) => add(body))
    transmit()

    outbox.finish(first!, RECEIPT)
    outbox.rewind()

    expect(kept()).toEqual(['b'])
    expect(transmit()).toEqual(['b'])
  })
})

describe('storing', () => {
  test('transmits nothing before it is stored', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, settle, log } = setUpOutbox({ store })
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
    const { add, transmit, settle } = setUpOutbox({ store, progressed: () => void sent.push(transmit()) })
    add('a')
    await settle()
    add('b')
    await settle()

    expect(sent.flat()).toEqual(['a', 'b'])
  })

  test('lets the store forget only what was delivered', async () => {
    const { add, transmit, arrive, outbox, kept } = setUpOutbox()
    add('a')
    add('b')
    transmit()
    const sent = kept()

    arrive(1)

    expect(sent).toEqual(['a', 'b'])
    expect(kept()).toEqual(['b'])
    expect(outbox.pending).toBe(1)
  })

  test('resolves stored and delivered, in that order', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, arrive, settle } = setUpOutbox({ store })
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
    const { add, settle } = setUpOutbox({ store })
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
    const { add, transmit, outbox, store, kept } = setUpOutbox()
    add('a')
    add('b')
    transmit(1)

    await outbox.close()

    expect(kept()).toEqual(['a', 'b'])
    expect(store.closes).toBe(1)
  })
})

describe('a store that fails', () => {
  test.each([false, true])('fails the message, and nothing else (async %s)', async (isAsync) => {
    const store = createFakeStore({ isAsync })
    const { add, transmit, settle, log, waiting } = setUpOutbox({ store })
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
    const { add, settle } = setUpOutbox({ store })
    const full = new StorageError('STORAGE_FULL', 'no room')
    store.failCommits(full)
    const entry = add('a')
    await settle()

    expect(entry.error).toBe(full)
  })

  test('frees the room of what it did not keep', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle } = setUpOutbox({ store, outboxMax: { messages: 1, bytes: 3 } })
    store.failCommits(new Error('disk'))
    add('abc')
    await settle()

    expect(() => add('def')).not.toThrow()
  })

  test('is told again of what it did not forget, and fails no message by that', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, transmit, arrive, settle, reports, clock, outbox } = setUpOutbox({ store })
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
    const { add, transmit, settle, reports, outbox, waiting } = setUpOutbox({ store })
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

describe('closing', () => {
  test('breaks the promises, and says that the messages stay', async () => {
    const { add, outbox, failures } = setUpOutbox()
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
    const { outbox, store, add } = setUpOutbox()
    await outbox.close()
    const unopened = store.closes
    add('a')

    await Promise.all([outbox.close(), outbox.close()])

    expect(unopened).toBe(0)
    expect(store.closes).toBe(1)
  })

  test('waits for what is being written', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, kept } = setUpOutbox({ store })
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
    expect(kept()).toEqual(['a', 'b'])
    expect(store.closes).toBe(1)
  })

  test('while the store is still opening writes down what was sent meanwhile', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, kept } = setUpOutbox({ store })
    store.hold()
    add('a')
    const closing = outbox.close()
    await settle()
    const early = store.closes
    store.release()
    await closing

    expect(early).toBe(0)
    expect(kept()).toEqual(['a'])
    expect(store.closes).toBe(1)
  })

  test('and opening again hands back what was left, under a new writer', async () => {
    const storage = memoryStore()
    const { add, outbox, transmit, waiting } = setUpOutbox({ storage })
    add('a')
    add('b')
    await outbox.close()

    outbox.open()
    add('c')

    expect(waiting()).toEqual(['a', 'b', 'c'])
    expect(outbox.list().map(({ id }) => id)).toEqual(['w1:1', 'w1:2', 'w3:1'])
    expect(transmit()).toEqual(['a', 'b', 'c'])
  })

  test('and opening at once waits for the closing', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, transmit, kept } = setUpOutbox({ store })
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
    expect(store.opens).toEqual(['w1~w2', 'w3~w4'])
    expect(kept()).toEqual(['a', 'b', 'c'])
    expect(transmit()).toEqual(['a', 'b', 'c'])
  })

  test('reports what could not be written at the last moment', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, outbox, settle, reports } = setUpOutbox({ store })
    outbox.open()
    await settle()
    store.failCommits(new Error('disk'))
    add('a')

    await outbox.close()

    expect(reports).toMatchObject([{ code: 'STORAGE_FAILED' }])
  })

  test('forgets how much room was taken', async () => {
    const { add, outbox, transmit, arrive } = setUpOutbox({ outboxMax: { messages: 10, bytes: 4 } })
    for (const body of ['a', 'b', 'c', 'd']) add(body)
    transmit()
    arrive(1)
    await outbox.close()
    const closed = [outbox.pending, outbox.bytes, outbox.inFlight, outbox.bytesInFlight]
    add('e')

    expect(closed).toEqual([0, 0, 0, 0])
    expect([outbox.pending, outbox.bytes]).toEqual([4, 4])
    expect(() => add('f')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
  })
})
