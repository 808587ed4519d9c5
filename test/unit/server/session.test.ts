import { describe, expect, test } from 'vitest'
import type { EndReason } from '../../../src/server/base/api.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { Attached, StreamStore } from '../../../src/server/stores/stream-store.js'
import { createFakeWorld, placeOf, sessionOf, type FakeWorld } from '../../support/server-world.js'

const hello = { t: 'hello', writers: {} }

function watch(world: FakeWorld): string[] {
  const seen: string[] = []
  const { lifecycle } = world.session
  lifecycle.on('connected', () => seen.push('connected'))
  lifecycle.on('disconnected', ({ closeCode }) => seen.push(`disconnected ${closeCode}`))
  lifecycle.once('ended', ({ reason }) => seen.push(`ended ${reason}`))
  return seen
}

describe('a session', () => {
  test('keeps what is sent while its client is away', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    world.session.send('news', 1)
    client.say({ t: 'a', s: 1 })
    client.drop()
    expect(world.session.isConnected).toBe(false)

    world.session.send('news', 2)
    world.session.volatile('typing')
    const again = world.connect()
    again.say({ ...hello, stream: placeOf(client) })

    expect(again.of('welcome')).toMatchObject([{ resumed: true }])
    expect(again.heard().slice(2)).toMatchObject([{ t: 'm', s: 2, d: 2 }])
    expect(world.session.isConnected).toBe(true)
    expect(world.sessions).toHaveLength(1)
  })

  test('has methods that work unbound, and are the same each time', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const { send, on, join, close } = world.session

    join('news')
    on('ok', () => send('heard', 1))
    client.say({ t: 'm', w: 'A', s: 1, e: 'ok' })
    close(4999, 'done')

    expect(client.of('m')).toMatchObject([{ e: 'heard', d: 1 }])
    expect(client.closed).toEqual({ code: 4999, reason: 'done' })
    expect(world.session.send).toBe(send)
  })

  test('binds its own methods only', () => {
    const world = createFakeWorld()
    const [client, other] = [world.welcome(), world.welcome()]
    const [first, second] = world.sessions

    first?.send('news', 1)
    second?.send('news', 2)

    expect([client, other].map((one) => one.of('m').map(({ d }) => d))).toEqual([[1], [2]])
  })

  test('tells what happens to it', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const seen = watch(world)

    client.drop()
    const again = world.connect()
    again.say({ ...hello, stream: placeOf(client) }, { t: 'bye' })

    expect(seen).toEqual(['disconnected 1006', 'connected', 'disconnected 1000', 'ended bye'])
    expect(world.engine.sessionCount).toBe(0)
  })

  test('belongs to the newest connection, and nothing that the older one says is handled', () => {
    const world = createFakeWorld()
    const handled: unknown[] = []
    world.engine.on('session', (session) => session.onAny((_event, data) => handled.push(data)))
    const client = world.welcome()
    const again = world.connect()

    again.say({ ...hello, stream: placeOf(client) })
    client.say({ t: 'm', w: 'A', s: 1, e: 'ok', d: 'old' })
    client.drop()
    again.say({ t: 'm', w: 'A', s: 1, e: 'ok', d: 'new' })

    expect(client.closed).toEqual({ code: 4409, reason: 'superseded' })
    expect(handled).toEqual(['new'])
    expect(world.session.isConnected).toBe(true)
  })

  test('has its handlers still after a reconnect', () => {
    const world = createFakeWorld()
    const handled: unknown[] = []
    world.engine.on('session', (session) => session.on('ok', (data) => handled.push(data)))
    const client = world.welcome()
    client.drop()
    const again = world.connect()

    again.say({ ...hello, stream: placeOf(client) }, { t: 'm', w: 'A', s: 1, e: 'ok', d: 1 }, { t: 'v', e: 'ok', d: 2 })

    expect(handled).toEqual([1, 2])
  })

  test('counts volatile messages that nobody handles', () => {
    const world = createFakeWorld()

    world.welcome().say({ t: 'v', e: 'ok' })

    expect(world.errors).toMatchObject([{ code: 'NO_HANDLER' }])
  })
})

describe('what is told of a session', () => {
  test('is its disconnection before its end, where another server has it when its client leaves', () => {
    const streams = memoryStreams()
    const world = createFakeWorld({ streams })
    const client = world.welcome()
    const seen = watch(world)
    createFakeWorld({ streams }, world.clock).welcome({ stream: placeOf(client) })

    client.drop()

    expect(seen).toEqual(['disconnected 1006', 'ended superseded'])
  })
})

describe('the end', () => {
  test('comes to a session whose welcome failed, and which no connection ever had', async () => {
    const store = memoryStreams({ ttlMs: 5_000 })
    const cursors = new Map()
    let reads = 0
    cursors.get = () => {
      // Once the session is there.
      if (++reads > 1) throw new Error('damaged')
    }
    const streams: StreamStore = {
      open(platform) {
        const inner = store.open(platform)
        return { ...inner, attach: (request) => ({ ...(inner.attach(request) as Attached), cursors }) }
      },
    }
    const world = createFakeWorld({ streams })
    world.connect().say({ ...hello, writers: { A: 1 } })
    expect(world.engine.sessionCount).toBe(1)

    await world.clock.advance(5_000)

    expect(world.engine.sessionCount).toBe(0)
    expect(world.errors).toMatchObject([{ code: 'SERVER_FAILED' }])
  })

  test('comes when the client does not come back in time', async () => {
    const world = createFakeWorld({ streams: memoryStreams({ ttlMs: 5_000 }) })
    const client = world.welcome()
    const seen = watch(world)
    client.drop()

    await world.clock.advance(4_999)
    expect(world.engine.sessionCount).toBe(1)
    await world.clock.advance(1)

    expect(seen).toEqual(['disconnected 1006', 'ended expired'])
    expect(world.welcome({ stream: placeOf(client) }).of('welcome')).toMatchObject([{ lost: 'unknown' }])
  })

  test('does not come to a client that is connected and says nothing', async () => {
    const world = createFakeWorld({ streams: memoryStreams({ ttlMs: 5_000 }), heartbeatMs: { interval: 100_000 } })
    const client = world.welcome()

    await world.clock.advance(60_000)
    client.drop()

    expect(world.welcome({ stream: placeOf(client) }).of('welcome')).toMatchObject([{ resumed: true }])
  })

  test('comes by overflow, with 1013, and is told', async () => {
    const world = createFakeWorld({ streams: memoryStreams({ messagesMax: 2 }) })
    const client = world.welcome()
    const seen = watch(world)
    world.session.send('news', 0)
    await world.clock.advance(15_000)

    for (let count = 1; count < 4; count++) world.session.send('news', count)

    expect(client.frames.at(-1)).toMatchObject({ t: 'error', code: 'OVERFLOW' })
    expect(client.closed?.code).toBe(1013)
    expect(seen).toEqual(['disconnected 1013', 'ended overflow'])
    expect(world.errors).toMatchObject([
      { code: 'OVERFLOW' },
      { code: 'SESSION_ENDED', message: '"news" was sent to a session that has ended' },
    ])
    expect(world.welcome({ stream: placeOf(client) }).of('welcome')).toMatchObject([{ lost: 'overflow' }])
  })

  test('comes by overflow also while the client is away', async () => {
    const world = createFakeWorld({ streams: memoryStreams({ messagesMax: 1 }) })
    const client = world.welcome()
    const seen = watch(world)
    client.drop()
    world.session.send('news', 0)
    await world.clock.advance(15_000)

    world.session.send('news', 1)

    expect(seen).toEqual(['disconnected 1006', 'ended overflow'])
  })

  test('does not come to a client that was given no time, however much is sent in one turn', () => {
    const world = createFakeWorld()
    world.engine.on('session', (session) => {
      for (let count = 0; count < 10_001; count++) session.send('row', count)
      session.send('row', 'x'.repeat(5 * 2 ** 20))
    })

    const client = world.welcome()

    expect(client.of('m')).toHaveLength(10_002)
    expect(client.closed).toBeUndefined()
    expect(world.errors).toEqual([])
  })

  test('comes to the session that holds most when the memory of all is full, also while it is silent', async () => {
    const world = createFakeWorld({ streams: memoryStreams({ totalBytesMax: 1_000 }) })
    const hog = world.welcome()
    const seen = watch(world)
    world.session.send('news', 'a'.repeat(600))
    const neighbour = world.welcome()

    world.session.send('news', 'b'.repeat(400))
    await world.clock.advance(0)

    expect(seen).toEqual(['disconnected 1013', 'ended overflow'])
    expect(hog.frames.at(-1)).toMatchObject({ t: 'error', code: 'OVERFLOW' })
    expect(neighbour.of('m')).toHaveLength(1)
    expect(world.errors).toMatchObject([{ code: 'OVERFLOW' }])
  })

  test('comes when the client cannot go on where it was', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const seen = watch(world)
    client.drop()

    world.welcome({ stream: { id: sessionOf(client), s: 9, g: 'x' } })

    expect(seen).toEqual(['disconnected 1006', 'ended lost'])
    expect(world.engine.sessionCount).toBe(1)
  })

  test('does not come because another user names it', () => {
    const world = createFakeWorld({ authenticate: ({ auth }) => ({ user: String(auth) }) })
    const client = world.welcome({ auth: 'ann' })
    const seen = watch(world)

    const thief = world.welcome({ auth: 'bob', stream: { id: sessionOf(client), s: 0 } })

    expect(thief.of('welcome')).toMatchObject([{ resumed: false, lost: 'user' }])
    expect(seen).toEqual([])
    expect(client.closed).toBeUndefined()
  })

  test('comes by the application, whose code and words the client gets', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const seen = watch(world)

    world.session.close(4321, 'enough')
    world.session.close()
    world.session.join('a')

    expect(client.closed).toEqual({ code: 4321, reason: 'enough' })
    expect(seen).toEqual(['disconnected 4321', 'ended closed'] satisfies [string, `ended ${EndReason}`])
    expect(world.session.rooms.size).toBe(0)
  })

  test.each([
    [1001, 'a', 'code must be 1000 or an integer from 3000 to 4999, got 1001'],
    [5000, 'a', 'code must be 1000 or an integer from 3000 to 4999, got 5000'],
    [4000.5, 'a', 'code must be 1000 or an integer from 3000 to 4999, got 4000.5'],
    [4000, 'a'.repeat(124), 'reason must be at most 123 bytes long, got 124'],
  ])('refuses the code %d and the reason %s', (code, reason, message) => {
    const world = createFakeWorld()
    world.welcome()

    expect(() => world.session.close(code, reason)).toThrow(RangeError)
    expect(() => world.session.close(code, reason)).toThrow(message)
  })

  test('refuses a reason that is no text', () => {
    const world = createFakeWorld()
    world.welcome()

    // What a caller without types may pass.
    expect(() => world.session.close(4000, 7 as unknown as string)).toThrow('reason must be a string, got 7')
  })
})

describe('send', () => {
  test('hands back pressure', async () => {
    const world = createFakeWorld({ limits: { highWaterMark: { messages: 2 } } })
    const client = world.welcome()
    const { session } = world
    const sent: number[] = []
    const sendAll = async (): Promise<void> => {
      for (let row = 1; row <= 5; row++) {
        await session.send('row', row)
        sent.push(row)
      }
    }
    const all = sendAll()
    await world.clock.settle()
    expect([sent, session.writable]).toEqual([[1], false])

    for (let s = 1; s <= 3; s++) {
      client.say({ t: 'a', s })
      await world.clock.settle()
    }

    expect(sent).toEqual([1, 2, 3])
    client.say({ t: 'bye' })
    await expect(all).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })
})

describe('flush', () => {
  test('resolves when the client has handled everything', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    world.session.send('news', 1)
    const flushed = world.session.flush()

    client.say({ t: 'a', s: 1 })

    await flushed
  })

  test('rejects when the session ends first', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    world.session.send('news', 1)
    const flushed = world.session.flush()

    client.say({ t: 'bye' })

    await expect(flushed).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })
})

test('refuses what cannot be sent, at the call', () => {
  const world = createFakeWorld()
  world.welcome()

  expect(() => world.session.send('news', 1n)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  expect(() => world.session.send('')).toThrow(TypeError)
  expect(() => world.session.volatile('a'.repeat(257))).toThrow(TypeError)
})
