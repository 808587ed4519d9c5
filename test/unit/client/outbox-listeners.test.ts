import { expect, test } from 'vitest'
import type { Delivery, Entry } from '../../../src/outbox/delivery.js'
import { createClient } from '../../../src/client/client.js'
import type { ClientOptions } from '../../../src/client/options.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { text } from '../../../src/protocol/codec.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore, type FakeStore } from '../../support/fake-store.js'

type Told = 'stored' | 'delivered' | 'failed'

interface SetUp extends Partial<Omit<ClientOptions, 'outbox' | 'platform'>> {
  /** Default: the page's memory. */
  store?: FakeStore
  /** What the listener of each event does, with the body of the message that it is told of. */
  on?: Partial<Record<Told, (body: string, act: Acting) => void>>
}

interface Acting {
  send(body: string): Delivery
  clear(): number
  close(): Promise<void>
}

/** A client with a listener that acts on its outbox, and all that it says, by the body of each message. */
function setUp({ store, on = {}, ...options }: SetUp = {}) {
  const platform = createFakePlatform()
  const client = createClient({
    url: 'ws://server/',
    dialect: plain({ codec: text() }),
    outbox: store ? persistent(store) : memoryStore(),
    platform,
    ...options,
  })
  const log: string[] = []
  const send = (body: string, sendOptions = {}): Delivery => client.send('message', body, sendOptions)
  const acting: Acting = { send, clear: client.outbox.clear, close: client.close }
  for (const event of ['stored', 'delivered', 'failed'] as const) {
    client.lifecycle.on(event, (delivery) => {
      const { error } = delivery
      // A client's deliveries are the entries of its outbox.
      const body = String((delivery as Entry).body)
      log.push(`${event} ${body}${error ? ` ${error.code}` : ''}`)
      on[event]?.(body, acting)
    })
  }
  return {
    platform,
    client,
    send,
    told: (event: Told) => log.filter((line) => line.startsWith(event)),
    waiting: () => client.outbox.list().map(({ body }) => String(body)),
    async connect(): Promise<void> {
      client.connect()
      await platform.settle()
      platform.link.accept()
      await platform.settle()
    },
  }
}

test('a listener may clear the outbox while messages expire, and loses nothing that is sent meanwhile', async () => {
  const { send, platform, waiting, told } = setUp({
    on: {
      failed: (body, act) => {
        if (body !== 'a') return
        act.clear()
        act.send('news')
      },
    },
  })
  for (const body of ['a', 'b', 'c']) send(body, { ttlMs: 10 })
  send('d')
  await platform.advance(10)

  expect(waiting()).toEqual(['news'])
  expect(told('failed')).toEqual(['failed a EXPIRED', 'failed b EXPIRED', 'failed c EXPIRED', 'failed d REMOVED'])
})

test('a listener may remove what is being cleared, and it fails once', () => {
  const counts: number[] = []
  const { send, client, told } = setUp({ on: { failed: (_, act) => void counts.push(act.clear()) } })
  for (const body of ['a', 'b', 'c']) send(body)

  expect(client.outbox.clear()).toBe(3)
  expect(told('failed')).toEqual(['failed a REMOVED', 'failed b REMOVED', 'failed c REMOVED'])
  expect(counts).toEqual([0, 0, 0])
})

test.each([
  ['superseded', { key: 'k' }, { messages: 100, bytes: 1_000 }],
  ['dropped', {}, { messages: 1, bytes: 1_000 }],
])('a listener may send when a message is %s: ids stay apart and ascend', (_, options, outboxMax) => {
  const store = createFakeStore()
  let isFirst = true
  const { send } = setUp({
    store,
    outboxMax,
    overflow: 'drop-oldest',
    on: {
      failed: (_body, act) => {
        if (isFirst) act.send('news')
        isFirst = false
      },
    },
  })
  send('a', options)
  send('b', options)
  const written = store.batches.flatMap(({ append }) => append.map(({ sequence }) => sequence))

  expect(written).toEqual([1, 2, 3])
  expect(store.kept.at(-1)?.body).toBe('news')
})

test('a listener may send when a message is stored or delivered, and that goes out in order', async () => {
  const { send, connect, platform, told, waiting } = setUp({
    store: createFakeStore(),
    on: {
      stored: (body, act) => void (body === 'a' && act.send('after stored')),
      delivered: (body, act) => void (body === 'a' && act.send('after delivered')),
    },
  })
  send('a')
  send('b')
  await connect()
  await platform.advance(1_000)

  expect(platform.link.written).toEqual(['a', 'after stored', 'b', 'after delivered'])
  expect(told('delivered')).toEqual([
    'delivered a',
    'delivered after stored',
    'delivered b',
    'delivered after delivered',
  ])
  expect(waiting()).toEqual([])
})

test('a listener may close the client when a message is delivered: nothing more is told, and no room stays taken', async () => {
  const { send, connect, client, platform, told, waiting } = setUp({
    outboxMax: { messages: 4, bytes: 4 },
    on: { delivered: (body, act) => void (body === 'a' && act.close()) },
  })
  for (const body of ['a', 'b', 'c', 'd']) send(body)
  await connect()
  await platform.advance(1_000)
  const delivered = told('delivered')
  client.connect()
  const left = waiting()
  for (let room = 4 - left.length; room > 0; room--) send('e')

  expect(delivered).toEqual(['delivered a'])
  expect(() => send('f')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
  await client.close()
})

test('20,000 messages that expire together are told in slices, in order, each once', async () => {
  const count = 20_000
  const { send, platform, told } = setUp({ outboxMax: { messages: count, bytes: 2 ** 30 } })
  for (let index = 0; index < count; index++) send(String(index), { ttlMs: 10 })
  platform.clock.sleep(10)
  await platform.advance(0)

  expect(told('failed')).toEqual(Array.from({ length: count }, (_, index) => `failed ${index} EXPIRED`))
}, 60_000)
