import { expect, test } from 'vitest'
import { createMemoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { MaybePromise } from '../../../src/shared/maybe-promise.js'
import type { StreamStore, Streams } from '../../../src/server/stores/stream-store.js'
import { createFakeWorld, sessionOf, type Frame } from '../../support/server-world.js'

/** A store that answers late, but in order; its next operations fail when it is told so. */
function lateStore(): StreamStore & { failures: number } {
  const store = createMemoryStreams()
  let last: Promise<unknown> = Promise.resolve()
  const late = {
    failures: 0,
    open(platform: Parameters<StreamStore['open']>[0]) {
      const inner = store.open(platform)
      const ask = <T>(run: () => MaybePromise<T>): Promise<T> => {
        const isFailing = late.failures > 0
        if (isFailing) late.failures--
        const answer = last.then(() => new Promise((resolve) => setImmediate(resolve)))
        const result = answer.then(() => {
          if (isFailing) throw new Error('away')
          return run()
        })
        last = result.catch(() => {})
        return result
      }
      const streams: Streams = {
        ttlMs: inner.ttlMs,
        attach: (request) => ask(() => inner.attach(request)),
        append: (...args) => ask(() => inner.append(...args)),
        acknowledge: (...args) => ask(() => inner.acknowledge(...args)),
        end: (...args) => ask(() => inner.end(...args)),
        sentToMany: () => ask(() => inner.sentToMany()),
        cursors: (...args) => ask(() => inner.cursors(...args)),
        advance: (...args) => ask(() => inner.advance(...args)),
      }
      return streams
    },
  }
  return late
}

const m = (w: string, s: number, more: object = {}): Frame => ({ t: 'm', w, s, e: 'ok', ...more })

async function settle(): Promise<void> {
  for (let round = 0; round < 40; round++) await new Promise((resolve) => setImmediate(resolve))
}

test('keeps the order of frames while the store is asked', async () => {
  const world = createFakeWorld({ streams: lateStore() })
  const handled: string[] = []
  world.engine.on('session', (session) => session.on('ok', (_data, { id }) => handled.push(id)))
  const client = world.connect()

  client.say({ t: 'hello', writers: { A: 1 } }, m('A', 1), m('B', 1), m('A', 2), { t: 'skip', w: 'C', s: 4 }, m('C', 4))
  await settle()
  await world.clock.advance(25)

  expect(handled).toEqual(['A:1', 'B:1', 'A:2', 'C:4'])
  expect(client.closed).toBeUndefined()
  expect(client.frames.at(-1)).toMatchObject({ t: 'a', w: { C: 4 } })
})

test('lifts a hold only once every cursor is raised', async () => {
  const world = createFakeWorld({ streams: lateStore() })
  const handled: string[] = []
  world.engine.on('session', (session) => session.on('ok', (_data, { id }) => handled.push(id)))
  const client = world.connect()
  client.say({ t: 'hello', writers: { A: 7, B: 9 } }, m('A', 7))
  await settle()

  client.say({ t: 'resume', writers: { A: 7, B: 9, C: 3 } }, m('A', 7, { u: 1 }), m('B', 9, { u: 1 }), m('C', 3))
  await settle()

  expect(handled).toEqual(['A:7', 'B:9', 'C:3'])
})

test('raises no cursor after the server was stopped', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const client = world.connect()
  client.say({ t: 'hello', writers: { A: 7, B: 9 } })
  await settle()

  client.say({ t: 'resume', writers: { A: 7, B: 9 } })
  world.engine.stop()
  await settle()
  const cursors = await store.open(world.platform).cursors('', ['A', 'B'])

  expect([...cursors.keys()]).toEqual([])
})

test('does not raise the next cursor when the server was stopped after the first', () => {
  const store = createMemoryStreams()
  const raised: string[] = []
  const world = createFakeWorld({
    streams: {
      open(platform) {
        const inner = store.open(platform)
        return {
          ...inner,
          advance(user, writer, cursor) {
            raised.push(writer)
            world.engine.stop()
            return inner.advance(user, writer, cursor)
          },
        }
      },
    },
  })
  const client = world.connect()

  client.say({ t: 'hello', writers: { A: 7, B: 9 } }, { t: 'resume', writers: { A: 7, B: 9 } })

  expect(raised).toEqual(['A'])
})

test('reports no failure of the store after the server was stopped', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const client = world.connect()

  store.failures = 1
  client.say({ t: 'hello', writers: {} })
  world.engine.stop()
  await settle()

  expect(world.errors).toEqual([])
  expect(client.closed).toBeUndefined()
})

test('closes with 1011 when the store does not keep what was handled, and never handles it again', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const handled: string[] = []
  world.engine.on('session', (session) =>
    session.on('ok', (_data, { id }) => {
      handled.push(id)
      if (handled.length === 1) store.failures = 1
    }),
  )
  const client = world.connect()
  client.say({ t: 'hello', writers: { A: 1 } }, m('A', 1))
  await settle()
  expect(client.closed).toEqual({ code: 1011, reason: 'STORAGE_FAILED' })
  expect(client.of('a')).toEqual([])

  const again = world.connect()
  again.say({ t: 'hello', writers: { A: 1 }, stream: { id: sessionOf(client), s: 0 } }, m('A', 1, { u: 1 }), m('A', 2))
  await settle()

  expect(again.of('welcome')).toMatchObject([{ resumed: true, cursors: { A: 1 } }])
  expect(handled).toEqual(['A:1', 'A:2'])
})

test('closes with 1011 when the store cannot attach, and loses nothing that was sent meanwhile', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const client = world.connect()
  client.say({ t: 'hello', writers: {} })
  await settle()
  client.drop()
  await settle()

  store.failures = 1
  const failing = world.connect()
  failing.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  world.session.send('news', 1)
  await settle()
  expect(failing.closed?.code).toBe(1011)
  const again = world.connect()
  again.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  world.session.send('news', 2)
  await settle()

  expect(again.of('welcome')).toMatchObject([{ resumed: true }])
  expect(again.of('m').map(({ d }) => d)).toEqual([1, 2])
})

test('takes a stream that was attached for a connection that is gone', async () => {
  const world = createFakeWorld({ streams: lateStore() })
  const client = world.connect()
  client.say({ t: 'hello', writers: {} })
  await settle()
  const hurried = world.connect()
  hurried.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  world.session.send('news', 1)

  hurried.drop()
  await settle()
  const again = world.connect()
  again.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  await settle()

  expect(again.of('m').map(({ d }) => d)).toEqual([1])
  expect(world.sessions).toHaveLength(1)
})

test('leaves no stream to the next server in which a message is missing', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const client = world.connect()
  client.say({ t: 'hello', writers: {} })
  await settle()

  store.failures = 1
  world.session.send('news', 1)
  world.session.send('news', 2)
  world.engine.close()
  await settle()
  const next = createFakeWorld({ streams: store })
  const again = next.connect()
  again.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  await settle()

  expect(world.errors).toMatchObject([{ code: 'STORAGE_FAILED' }])
  expect(again.of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
})

test('leaves a stream to the next server with what the store answers for after the end', async () => {
  const store = lateStore()
  const world = createFakeWorld({ streams: store })
  const client = world.connect()
  client.say({ t: 'hello', writers: {} })
  await settle()

  world.session.send('news', 1)
  world.engine.close()
  await settle()
  const again = createFakeWorld({ streams: store }).connect()
  again.say({ t: 'hello', writers: {}, stream: { id: sessionOf(client), s: 0 } })
  await settle()

  expect(world.errors).toEqual([])
  expect(again.of('welcome')).toMatchObject([{ resumed: true }])
  expect(again.of('m').map(({ d }) => d)).toEqual([1])
})
