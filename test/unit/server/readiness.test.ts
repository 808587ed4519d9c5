import { describe, expect, test, vi } from 'vitest'
import type { EngineOptions } from '../../../src/server/base/options.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeWorld, sessionOf, type FakeClient, type FakeWorld, type Frame } from '../../support/server-world.js'

const m = (s: number, e = 'ok', more: object = {}): Frame => ({ t: 'm', w: 'A', s, e, ...more })
const hello = { writers: { A: 1 } }

/** A server whose listener of `session` looks something up before it binds: `answer` and `fail` end the oldest look-up. */
function open(options: EngineOptions = {}) {
  const world = createFakeWorld(options)
  const handled: string[] = []
  const waiting: { answer(): void; fail(): void }[] = []
  world.engine.on('session', async (session) => {
    await new Promise<void>((resolve, reject) => {
      waiting.push({ answer: resolve, fail: () => reject(new Error('no database')) })
    })
    session.on('ok', (_data, { id }) => void handled.push(id))
  })
  return { world, handled, answer: () => waiting.shift()?.answer(), fail: () => waiting.shift()?.fail() }
}

const codesOf = (world: FakeWorld): string[] => world.errors.map(({ code }) => code)

describe('a listener of session that awaits before it binds', () => {
  test('gets what was sent meanwhile, in order, and none is acknowledged before', async () => {
    const { world, handled, answer } = open()
    const client = world.welcome(hello)
    client.say(m(1), m(2), m(3))
    await world.clock.advance(5_000)
    expect([handled, client.of('a')]).toEqual([[], []])

    answer()
    await world.clock.advance(100)

    expect(handled).toEqual(['A:1', 'A:2', 'A:3'])
    expect(client.of('a')).toMatchObject([{ w: { A: 3 } }])
    expect(world.errors).toEqual([])
  })

  test('gets it also from a client that was cut off meanwhile and has come back', async () => {
    const { world, handled, answer } = open()
    const client = world.welcome(hello)
    client.say(m(1))
    client.drop()
    const again = world.welcome({ ...hello, stream: { id: sessionOf(client), s: 0 } })
    again.say(m(1, 'ok', { u: 1 }), m(2))

    answer()
    await world.clock.advance(100)

    expect(handled).toEqual(['A:1', 'A:2'])
    expect(world.sessions).toHaveLength(1)
  })

  test('is awaited where another has bound its handlers at once', async () => {
    const { world, handled, answer } = open()
    world.engine.on('session', (session) => session.on('other', () => void handled.push('other')))
    const client = world.welcome(hello)
    client.say(m(1, 'other'), m(2))
    await world.clock.advance(100)
    expect(handled).toEqual([])

    answer()
    await world.clock.advance(100)

    expect(handled).toEqual(['other', 'A:2'])
  })

  test('leaves out what may be lost', async () => {
    const { world, answer } = open()
    const seen = vi.fn()
    const client = world.welcome(hello)
    world.session.on('flash', seen)

    client.say({ t: 'v', e: 'flash', d: 1 })
    answer()
    await world.clock.advance(100)
    expect(seen).not.toHaveBeenCalled()
    client.say({ t: 'v', e: 'flash', d: 2 })

    expect(seen.mock.calls).toMatchObject([[2, {}]])
    expect(world.errors).toEqual([])
  })

  test('keeps no server from draining: the client brings its messages to the next', async () => {
    const { world } = open()
    const client = world.welcome(hello)
    client.say(m(1))

    const drained = world.engine.drain()
    await drained

    expect(client.closed).toEqual({ code: 1012, reason: 'drained' })
    expect(client.of('a')).toEqual([])
  })

  test('may take listenerTimeoutMs; then its session ends, and the client brings its messages to the next', async () => {
    const { world, handled, answer } = open({ listenerTimeoutMs: 1_000 })
    const client = world.welcome(hello)
    client.say(m(1))
    const ended = vi.fn()
    world.session.lifecycle.on('ended', ended)

    await world.clock.advance(999)
    expect(client.closed).toBeUndefined()
    await world.clock.advance(1)

    expect(client.closed).toEqual({ code: 1011, reason: 'SERVER_FAILED' })
    expect(ended.mock.calls).toEqual([[{ reason: 'failed' }]])
    expect(world.errors).toMatchObject([
      { code: 'LISTENER_TIMEOUT', message: 'What a listener of "session" has returned is not done, after 1000 ms' },
    ])
    answer()
    const again = world.welcome({ ...hello, stream: { id: sessionOf(client), s: 0 } })
    again.say(m(1, 'ok', { u: 1 }))
    answer()
    await world.clock.advance(100)
    expect(world.sessions).toHaveLength(2)
    expect(handled).toEqual(['A:1'])
  })

  test('has no deadline any more once it has ended the session itself', async () => {
    const world = createFakeWorld({ listenerTimeoutMs: 1_000 })
    world.engine.on('session', (session) => {
      session.close(4001, 'banned')
      return new Promise(() => {})
    })

    const client = world.welcome(hello)
    await world.clock.advance(60_000)

    expect(client.closed).toEqual({ code: 4001, reason: 'banned' })
    expect(world.errors).toEqual([])
  })
})

describe('a listener of session that fails', () => {
  test('costs no message: the session ends at the first without a handler, which comes again in the next', async () => {
    const { world, handled, answer, fail } = open()
    const client = world.welcome(hello)
    client.say(m(1))
    fail()
    await world.clock.advance(100)

    expect(client.closed).toEqual({ code: 1011, reason: 'SERVER_FAILED' })
    expect(client.of('a')).toEqual([])
    expect(codesOf(world)).toEqual(['LISTENER_THREW'])
    const again = world.welcome({ ...hello, stream: { id: sessionOf(client), s: 0 } })
    again.say(m(1, 'ok', { u: 1 }))
    answer()
    await world.clock.advance(100)
    expect(handled).toEqual(['A:1'])
    expect(again.of('a')).toMatchObject([{ w: { A: 1 } }])
  })

  test('does so also where it throws at once, and takes no handler away that was bound', async () => {
    const world = createFakeWorld()
    const handled: number[] = []
    world.engine.on('session', (session) => {
      session.on('ok', (n) => void handled.push(n as number))
      throw new Error('a bug')
    })
    const client = world.welcome(hello)

    client.say(m(1, 'ok', { d: 1 }))
    await world.clock.advance(100)
    expect([handled, client.of('a')]).toMatchObject([[1], [{ w: { A: 1 } }]])
    client.say(m(2, 'other'))

    expect(client.closed).toEqual({ code: 1011, reason: 'SERVER_FAILED' })
    expect(codesOf(world)).toEqual(['LISTENER_THREW'])
  })

  test('rejects no volatile message either', async () => {
    const { world, fail } = open()
    const client = world.welcome(hello)
    fail()
    await world.clock.advance(100)

    client.say({ t: 'v', e: 'flash', d: 1 })

    expect(client.closed).toBeUndefined()
    expect(codesOf(world)).toEqual(['LISTENER_THREW'])
  })
})

describe('a server without a listener of session', () => {
  /** A server that was restarted, and a client that has come back to it with one message more. */
  function openDeaf(options: EngineOptions = {}) {
    const clock = createFakeClock()
    const streams = memoryStreams()
    const before = createFakeWorld({ streams }, clock)
    const stream = { id: sessionOf(before.welcome(hello)), s: 0 }
    before.engine.stop()
    const world = createFakeWorld({ streams, ...options }, clock, false)
    const handled: string[] = []
    const met: string[] = []
    const comeBack = (): FakeClient => {
      const client = world.welcome({ ...hello, stream })
      client.say(m(1, 'ok', { u: 1 }), m(2))
      return client
    }
    const listen = (): void => {
      world.engine.on('session', ({ id }) => met.push(id))
      world.engine.on('session', (session) => session.on('ok', (_data, { id }) => void handled.push(id)))
    }
    return { world, stream, handled, met, comeBack, listen }
  }

  test('holds what comes until one is bound, with all that are bound behind it', async () => {
    const { world, stream, handled, met, comeBack, listen } = openDeaf()
    const client = comeBack()
    await world.clock.advance(5_000)
    expect(client.of('a')).toEqual([])

    listen()
    await world.clock.advance(100)

    expect(met).toEqual([stream.id])
    expect(handled).toEqual(['A:1', 'A:2'])
    expect(client.of('a')).toMatchObject([{ w: { A: 2 } }])
    expect(world.errors).toEqual([])
  })

  test('has one that is bound told of clients that are away too', async () => {
    const { world, stream, met, comeBack, listen } = openDeaf()
    comeBack().drop()

    listen()
    await world.clock.advance(100)
    comeBack()
    await world.clock.advance(100)

    expect(met).toEqual([stream.id])
  })

  test('says so after listenerTimeoutMs and closes, and the session is there when its client comes back', async () => {
    const { world, stream, handled, met, comeBack, listen } = openDeaf({ listenerTimeoutMs: 1_000 })
    const client = comeBack()

    await world.clock.advance(1_000)

    expect(client.closed).toEqual({ code: 1011, reason: 'LISTENER_TIMEOUT' })
    expect(world.errors).toMatchObject([
      { code: 'LISTENER_TIMEOUT', message: expect.stringContaining('bind a listener with server.on("session"') },
    ])
    listen()
    const again = comeBack()
    await world.clock.advance(100)
    expect(again.of('welcome')).toMatchObject([{ session: stream.id, resumed: true }])
    expect([met, handled]).toEqual([[stream.id], ['A:1', 'A:2']])
  })

  test('says nothing of clients that are away', async () => {
    const { world, comeBack } = openDeaf({ listenerTimeoutMs: 1_000 })
    comeBack().drop()

    await world.clock.advance(10_000)

    expect(world.errors).toEqual([])
  })
})
