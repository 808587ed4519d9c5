import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { RECEIPT, setUpOutbox, type OutboxSetUp } from '../../support/outbox-stage.js'

describe('a server that acknowledges', () => {
  const acknowledging = (options: OutboxSetUp = {}) => setUpOutbox({ dialect: { acknowledges: true }, ...options })

  test('must be sent again what it may have: that is neither taken back, nor superseded, nor too late', async () => {
    const { add, transmit, outbox, clock, waiting } = acknowledging()
    const sent = add('a', { key: 'k', ttlMs: 10 })
    add('b', { ttlMs: 10 })
    transmit(1)
    outbox.rewind(1006)
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
    outbox.rewind(1006)
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
    outbox.settle(({ sequence }) => sequence <= 2, RECEIPT, rejections)

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
      outbox.sent(entry, 100, Infinity)
    }
    const counts = [outbox.bytesInFlight]
    outbox.settle(({ sequence }) => sequence <= 1, RECEIPT)
    counts.push(outbox.bytesInFlight)
    outbox.rewind(1006)
    counts.push(outbox.bytesInFlight)

    expect(counts).toEqual([300, 200, 0])
  })

  test('counts bytes of messages until they are delivered, fail, or it is closed', async () => {
    const { add, outbox } = acknowledging()
    const counts = ['a', 'bb', 'ccc'].map((body) => (add(body), outbox.bytes))
    outbox.sent(outbox.peek()!, 100, Infinity)
    counts.push(outbox.bytes)
    outbox.settle(({ sequence }) => sequence <= 1, RECEIPT)
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
    const before = outbox.firstPending()
    outbox.open()
    add('a')
    add('b')

    expect([...before]).toEqual([])
    expect([...outbox.firstPending()]).toEqual([
      ['old', 4],
      ['w1~w2', 1],
    ])
    expect(outbox.writer).toBe('w1~w2')
  })
})

describe('requests', () => {
  const asking = (options: OutboxSetUp = {}) => setUpOutbox({ dialect: { acknowledges: true }, ...options })

  const timeOut = async ({ clock, requests, outbox }: ReturnType<typeof asking>): Promise<void> => {
    await clock.advance(requests.deadline - clock.now)
    requests.elapsed()
    outbox.flush()
  }

  test('wait in their turn, and are never stored', () => {
    const { add, ask, transmit, store } = asking()
    add('a')
    ask('b')
    add('c')

    expect(transmit()).toEqual(['a', 'b', 'c'])
    expect(store.kept.map(({ sequence }) => sequence)).toEqual([1, 3])
  })

  test('do not overtake a message that is being stored', async () => {
    const { add, ask, transmit, settle } = asking({ store: createFakeStore({ isAsync: true }) })
    add('a')
    ask('b')
    const early = transmit()
    await settle()

    expect([early, transmit()]).toEqual([[], ['a', 'b']])
  })

  test('go as soon as what waits before them for the store is refused by it', async () => {
    const sent: string[] = []
    const store = createFakeStore({ isAsync: true })
    store.hold()
    const { add, ask, settle, transmit } = asking({ store, progressed: () => void sent.push(...transmit()) })
    add('a')
    ask('b')
    const early = [...sent]
    store.failCommits(new Error('full'))
    store.release()
    await settle()

    expect([early, sent]).toEqual([[], ['b']])
  })

  test.each<[what: string, happen: (stage: ReturnType<typeof asking>) => unknown]>([
    ['expires', ({ clock, outbox }) => clock.advance(100).then(() => outbox.elapsed())],
    ['is removed', ({ outbox }) => outbox.remove('w1:1')],
  ])('go as soon as what waits before them for the store %s', async (_, happen) => {
    const store = createFakeStore({ isAsync: true })
    store.hold()
    const stage = asking({ store })
    stage.add('a', { ttlMs: 100 })
    stage.ask('b')
    const early = stage.transmit()

    await happen(stage)

    expect([early, stage.transmit()]).toEqual([[], ['b']])
  })

  test('are in flight already when others are found: those come behind', async () => {
    const store = createFakeStore({ isAsync: true })
    const { ask, outbox, transmit, settle } = asking({ store })
    store.leave(stored('old', 1))
    ask('b')
    const first = transmit()
    await settle()

    expect(first).toEqual(['b'])
    expect(outbox.inFlight).toBe(1)
    expect(transmit()).toEqual(['old1'])
  })

  test('are pending until they have a reply, acknowledged or not', () => {
    const { ask, transmit, arrive, outbox, requests } = asking()
    const counts: number[][] = []
    const count = (): unknown => counts.push([outbox.pending + outbox.awaited, outbox.inFlight])
    ask('a')
    ask('b')
    transmit()
    count()
    requests.reply('w1:1', { data: 'yes' })
    count()
    arrive()
    count()
    requests.reply('w1:2', { data: 'yes' })
    count()

    expect(counts).toEqual([
      [2, 2],
      [1, 2],
      [1, 0],
      [0, 0],
    ])
  })

  test.each([true, false])('that are settled in flight are not pending (server acknowledges: %s)', (acknowledges) => {
    const { ask, transmit, outbox, requests } = asking({ dialect: { acknowledges } })
    const { request } = ask('a')
    transmit()
    requests.reply(request.id, { data: 'yes' })
    const before = outbox.pending
    outbox.finish(request, RECEIPT)

    expect([before, outbox.pending]).toEqual([0, 0])
  })

  test('that are settled keep their place in flight, and are not listed, nor sent again', async () => {
    const stage = asking()
    const { ask, add, transmit, outbox, waiting } = stage
    const { result } = ask('a')
    add('b')
    transmit()
    await timeOut(stage)
    const before = [waiting(), outbox.inFlight, outbox.pending]
    outbox.rewind(1006)

    expect(before).toEqual([['b'], 2, 1])
    expect(transmit()).toEqual(['b'])
    await expect(result).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  })

  test('that are given up while they wait leave at once, and tell nobody but the caller', async () => {
    const stage = asking()
    const { ask, add, transmit, outbox, log } = stage
    const { result } = ask('a')
    add('b')
    await timeOut(stage)

    expect(transmit()).toEqual(['b'])
    expect(log).toEqual(['stored b'])
    expect(outbox.failed()).toEqual([])
    await expect(result).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  })

  test('lose their replies with the session, once they are acknowledged', async () => {
    const { ask, transmit, outbox, requests } = asking()
    const [first, second] = [ask('a'), ask('b')]
    transmit()
    outbox.settle(({ sequence }) => sequence === 1, RECEIPT)
    requests.lose()

    await expect(first?.result).rejects.toMatchObject({ code: 'RESULT_LOST' })
    expect(second?.request.isDone).toBe(false)
    expect(outbox.pending + outbox.awaited).toBe(1)
  })

  test('fail when the client closes', async () => {
    const { ask, transmit, outbox, arrive, requests } = asking()
    const asked = ['a', 'b', 'c'].map((body) => ask(body))
    transmit(2)
    arrive(1)
    requests.close(new DeliveryError('CLIENT_CLOSED', 'closed'))
    await outbox.close()

    for (const { result } of asked) await expect(result).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(outbox.pending + outbox.awaited).toBe(0)
  })

  test.each(['drop-oldest', 'drop-newest'] as const)('fail where there is no room (%s)', async (overflow) => {
    const { add, ask, transmit, failures } = asking({ overflow, outboxMax: { messages: 1, bytes: 100 } })
    add('a')
    transmit()
    const { result, request } = ask('b')

    await expect(result).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
    expect(request.isDone).toBe(true)
    expect(failures()).toEqual([])
  })
})
