import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import type { OutboxStorage } from '../../../src/outbox/storage.js'
import { makeEntry, setUpOutbox } from '../../support/outbox-stage.js'

/** Clients of one storage, each with a writer of its own. */
function setUp() {
  const storage = memoryStore()
  const log: string[] = []
  let ids = 0
  return {
    log,
    attach: (to: OutboxStorage = storage) =>
      to.attach(
        { now: () => 0, createId: () => `w${++ids}` },
        {
          adopted: ({ messages, isOpen }) =>
            log.push(`${messages.map(({ writer, sequence }) => `${writer}:${sequence}`).join(' ')} ${isOpen}`),
          stored: () => log.push('stored'),
          refused: () => log.push('refused'),
          deleted: () => log.push('deleted'),
          unavailable: () => log.push('unavailable'),
          report: () => log.push('report'),
        },
      ),
  }
}

test('answers at once: a message is safe when it is accepted, and nothing is ever due', () => {
  const { attach, log } = setUp()
  const client = attach()
  client.open()
  const isSafe = client.append(makeEntry(client.writer, client.nextSequence()))
  client.flush()
  client.elapsed()

  expect(isSafe).toBe(true)
  expect(client.deadline).toBe(Infinity)
  expect(log).toEqual([])
})

test('gives each opening a writer of its own, and counts from one', async () => {
  const { attach } = setUp()
  const client = attach()
  client.open()
  client.open()
  const first = [client.writer, client.nextSequence(), client.nextSequence()]
  await client.close([])
  client.open()

  expect(first).toEqual(['w1~w2', 1, 2])
  expect([client.writer, client.nextSequence()]).toEqual(['w3~w4', 1])
})

test('hands what a client left to the next that opens, once and in order, every field intact', async () => {
  const storage = memoryStore()
  const { outbox, add, clock } = setUpOutbox({ storage })
  add('a', { ttlMs: 5_000, key: 'k' })
  outbox.add('m', new Uint8Array([0, 255, 7]), 3)
  const before = outbox.list()
  await outbox.close()
  outbox.open()
  const after = outbox.list()

  expect(after).toEqual(before)
  expect(outbox.deadline).toBe(clock.now + 5_000)
})

test('hands what was adopted and left again on, before what is newer', async () => {
  const { attach, log } = setUp()
  const client = attach()
  client.open()
  const first = makeEntry('w1', 1)
  await client.close([first])
  client.open()
  await client.close([first, makeEntry('w2', 1)])
  client.open()
  await client.close([])
  client.open()

  expect(log).toEqual(['w1:1 false', 'w1:1 w2:1 false'])
})

test('does not hand one client the messages of another that lives', async () => {
  const { attach, log } = setUp()
  const [one, other, third] = [attach(), attach(), attach()]
  one.open()
  one.append(makeEntry(one.writer, one.nextSequence()))
  other.open()
  await other.close([])
  third.open()

  expect(log).toEqual([])
})

test('hands out what each client that shares it has left, in the order in which they closed', async () => {
  const { attach, log } = setUp()
  const [one, other, third] = [attach(), attach(), attach()]
  one.open()
  other.open()
  await other.close([makeEntry('w2', 1)])
  await one.close([makeEntry('w1', 1), makeEntry('w1', 2)])
  third.open()

  expect(log).toEqual(['w2:1 w1:1 w1:2 false'])
})

test('hands over nothing that was delivered, removed, or asked', async () => {
  const storage = memoryStore()
  const { outbox, add, ask, transmit, arrive, waiting } = setUpOutbox({ storage, dialect: { acknowledges: true } })
  for (const body of ['a', 'b', 'c']) add(body)
  ask('d')
  transmit(1)
  arrive()
  outbox.remove('w1:2')
  await outbox.close()
  outbox.open()

  expect(waiting()).toEqual(['c'])
})

test("does not follow a message that it handed over: what becomes of it is its new client's business", async () => {
  const storage = memoryStore()
  const { outbox, add, transmit, arrive, waiting } = setUpOutbox({ storage })
  add('a')
  add('b')
  await outbox.close()
  outbox.open()
  transmit(1)
  arrive()
  await outbox.close()
  outbox.open()

  expect(waiting()).toEqual(['b'])
})
