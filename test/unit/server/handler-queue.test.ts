import { describe, expect, test } from 'vitest'
import type { MessageContext } from '../../../src/server/base/api.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { MaybePromise } from '../../../src/shared/maybe-promise.js'
import type { StreamStore } from '../../../src/server/stores/stream-store.js'
import { createFakeClock, type FakeClock } from '../../support/fake-platform.js'
import { createFakeWorld, sessionOf, type FakeClient, type FakeWorld, type Frame } from '../../support/server-world.js'

/** A server whose handler of `slow` waits, and notes what is begun. */
function open(...given: Parameters<typeof createFakeWorld>) {
  const world = createFakeWorld(...given)
  const begun: string[] = []
  const contexts: MessageContext[] = []
  const waiting: { resolve: (value: unknown) => void; reject: (cause: unknown) => void }[] = []
  world.engine.on('session', (session) => {
    const wait = (_event: string, _data: unknown, context: MessageContext): Promise<unknown> => {
      begun.push(context.id)
      contexts.push(context)
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    }
    session.onAny(wait)
    session.handleAny(wait)
    session.on('quick', (_data, context) => {
      begun.push(context.id)
      contexts.push(context)
    })
  })
  return {
    world,
    begun,
    contexts,
    async finish(value?: unknown) {
      waiting.shift()?.resolve(value)
      await world.clock.advance(25)
    },
    async fail(cause: unknown) {
      waiting.shift()?.reject(cause)
      await world.clock.advance(25)
    },
  }
}

const STORE_MS = 30

/** A store that answers after a while, in the order of the calls. */
function slowStreams(clock: FakeClock): StreamStore {
  const store = memoryStreams()
  return {
    open(platform) {
      const inner = store.open(platform)
      const later = <T>(run: () => MaybePromise<T>): Promise<T> =>
        new Promise((resolve) => clock.setTimer(() => resolve(run()), STORE_MS))
      return {
        ttlMs: inner.ttlMs,
        attach: (request) => later(() => inner.attach(request)),
        append: (...args) => later(() => inner.append(...args)),
        acknowledge: (...args) => later(() => inner.acknowledge(...args)),
        end: (...args) => later(() => inner.end(...args)),
        sentToMany: () => later(() => inner.sentToMany()),
        cursors: (...args) => later(() => inner.cursors(...args)),
        advance: (...args) => later(() => inner.advance(...args)),
      }
    },
  }
}

const m = (w: string, s: number, more: object = {}): Frame => ({ t: 'm', w, s, e: 'slow', ...more })

function comeBack(world: FakeWorld, client: FakeClient, writers: object, hasStream = true): FakeClient {
  client.drop()
  const again = world.connect()
  again.say({ t: 'hello', writers, ...(hasStream && { stream: { id: sessionOf(client), s: 0 } }) })
  return again
}

describe('the order', () => {
  test('is one at a time, whatever the writers', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()

    client.say(m('A', 1), m('B', 1), m('A', 2))
    expect(begun).toEqual(['A:1'])
    await finish()
    expect(begun).toEqual(['A:1', 'B:1'])
    await finish()

    expect(begun).toEqual(['A:1', 'B:1', 'A:2'])
    expect(client.of('a')).toEqual([
      { t: 'a', w: { A: 1 } },
      { t: 'a', w: { B: 1 } },
    ])
  })

  test('holds for many messages that are done at once', async () => {
    const { world, begun } = open()
    const client = world.welcome()

    for (let s = 1; s <= 500; s++) client.say(m('A', s, { e: 'quick' }))
    await world.clock.advance(25)

    expect(begun).toHaveLength(500)
    expect(client.frames.at(-1)).toEqual({ t: 'a', w: { A: 500 } })
  })

  test('is kept while handlers wait for the rate', async () => {
    const { world, begun } = open({ limits: { messagesPerSecond: 100, messagesBurst: 2 } })
    const client = world.welcome()

    for (let s = 1; s <= 12; s++) client.say(m('A', s, { e: 'quick' }))
    expect(begun).toHaveLength(2)
    await world.clock.advance(50)
    expect(begun.length).toBeGreaterThanOrEqual(6)
    expect(begun.length).toBeLessThanOrEqual(7)
    await world.clock.advance(100)

    expect(begun).toHaveLength(12)
    expect(client.closed).toBeUndefined()
  })

  test('goes on when what waited for the rate was handled for another connection', async () => {
    const { world, begun } = open({ limits: { messagesPerSecond: 1, messagesBurst: 1 } })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m('A', 1, { e: 'quick' }), m('A', 2, { e: 'quick' }))
    const other = world.welcome({ writers: { A: 2 } })

    other.say(m('A', 2, { e: 'quick', u: 1 }))
    await world.clock.advance(1_000)
    client.say(m('A', 3, { e: 'quick' }))

    expect(begun).toEqual(['A:1', 'A:2', 'A:3'])
    expect(client.closed).toBeUndefined()
  })

  test('goes on when what waits for the rate runs for another connection', async () => {
    const { world, begun, finish } = open({ limits: { messagesPerSecond: 1, messagesBurst: 1 } })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m('A', 1, { e: 'quick' }), m('A', 2))
    const other = world.welcome({ writers: { A: 2 } })

    other.say(m('A', 2, { u: 1 }))
    await world.clock.advance(1_000)
    client.say(m('A', 3, { e: 'quick' }))
    await finish()

    expect(begun).toEqual(['A:1', 'A:2', 'A:3'])
    expect(client.closed).toBeUndefined()
  })
})

describe('a handler that outlives its connection', () => {
  test('holds up the repeat, which is not handled again', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1), m('A', 2))

    const again = comeBack(world, client, { A: 1 })
    again.say(m('A', 1, { u: 1 }), m('A', 2, { u: 1 }))
    expect(begun).toEqual(['A:1'])
    await finish()

    expect(begun).toEqual(['A:1', 'A:2'])
    expect(again.of('a')).toEqual([{ t: 'a', w: { A: 1 } }])
  })

  test('holds up the other writers of its session too', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1))

    const again = comeBack(world, client, { A: 1 })
    again.say(m('B', 1))
    expect(begun).toEqual(['A:1'])
    await finish()

    expect(begun).toEqual(['A:1', 'B:1'])
  })

  test('gives its reply to the session that has taken its writer over', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))

    const again = comeBack(world, client, { A: 1 }, false)
    again.say(m('A', 1, { r: 1, u: 1 }))
    await finish('done')

    expect(begun).toEqual(['A:1'])
    expect(again.of('r')).toMatchObject([{ s: 1, w: 'A', n: 1, d: 'done' }])
    expect(again.of('a')).toEqual([{ t: 'a', w: { A: 1 } }])
  })

  test('gives its reply even when the repeat comes later than the outcome', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))

    const again = comeBack(world, client, { A: 1 }, false)
    await finish('done')
    expect(again.of('a')).toEqual([])
    again.say(m('A', 1, { r: 1, u: 1 }))
    await world.clock.advance(25)

    expect(begun).toEqual(['A:1'])
    expect(again.heard().map(({ t }) => t)).toEqual(['greeting', 'welcome', 'r', 'a'])
  })

  test('gives its reply to a session that the store is still making when it ends', async () => {
    const clock = createFakeClock()
    const { world, begun, finish } = open({ streams: slowStreams(clock) }, clock)
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))
    for (let answers = 0; answers < 2; answers++) await clock.advance(STORE_MS)
    expect(begun).toEqual(['A:1'])
    const again = comeBack(world, client, { A: 1 }, false)
    again.say(m('A', 1, { r: 1, u: 1 }))

    await finish('done')
    for (let answers = 0; answers < 4; answers++) await clock.advance(STORE_MS)

    expect(begun).toEqual(['A:1'])
    expect(again.frames.map(({ t }) => t)).toEqual(['greeting', 'welcome', 'r', 'a'])
    expect(again.of('r')).toMatchObject([{ w: 'A', n: 1, d: 'done' }])
  })

  test('is not taken for a gap when the client goes on behind it', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1))

    const again = comeBack(world, client, { A: 2 })
    again.say(m('A', 2))
    await finish()

    expect(again.of('welcome')[0]?.held).toBeUndefined()
    expect(begun).toEqual(['A:1', 'A:2'])
  })
})

describe('cancel', () => {
  test('tells a running handler, whose reply still counts', async () => {
    const { world, contexts, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))

    client.say({ t: 'cancel', w: 'A', s: 1 })
    expect(contexts[0]?.signal.aborted).toBe(true)
    await finish('anyway')

    expect(client.of('r')).toMatchObject([{ d: 'anyway' }])
  })

  test('is answered with CANCELLED when the handler gives up, and is no fault', async () => {
    const { world, contexts, fail } = open()
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))
    const { signal } = contexts[0] as MessageContext

    client.say({ t: 'cancel', w: 'A', s: 1 })
    await fail(signal.reason)

    expect(client.of('r')).toMatchObject([{ error: { code: 'CANCELLED' } }])
    expect(world.errors).toEqual([])
  })

  test('spares what has not begun', async () => {
    const { world, begun, finish } = open()
    const client = world.welcome()
    client.say(m('A', 1), m('A', 2, { r: 1 }), { t: 'cancel', w: 'A', s: 2 })

    await finish()

    expect(begun).toEqual(['A:1'])
    expect(client.of('r')).toMatchObject([{ w: 'A', n: 2, error: { code: 'CANCELLED' } }])
    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 2 } }])
  })
})

describe('maybeDuplicate', () => {
  test('is said of a repeat to a server that has not seen the writer’s life', () => {
    const { world, contexts } = open()
    const client = world.welcome({ writers: { A: 1, B: 1 } })

    client.say(m('A', 1, { e: 'quick', u: 1 }), m('A', 2, { e: 'quick' }), m('A', 3, { e: 'quick', u: 1 }))

    expect(contexts.map(({ isRetransmitted, maybeDuplicate }) => [isRetransmitted, maybeDuplicate])).toEqual([
      [true, true],
      [false, false],
      [true, false],
    ])
  })
})
