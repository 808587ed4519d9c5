import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../../src/shared/errors.js'
import type { Identity } from '../../../src/server/base/options.js'
import {
  createFakeWorld,
  placeOf,
  sessionOf,
  type FakeClient,
  type FakeWorld,
  type Frame,
} from '../../support/server-world.js'

const hello = { t: 'hello', writers: {} }

describe('the greeting', () => {
  test('comes before anything is read, with the limits', () => {
    const client = createFakeWorld({ limits: { frameBytesMax: 5_000, window: { messages: 7, bytes: 99 } } }).connect()

    expect(client.frames).toEqual([
      {
        t: 'greeting',
        v: 1,
        frame: 5_000,
        window: { messages: 7, bytes: 99 },
        heartbeat: { interval: 25_000, timeout: 15_000 },
      },
    ])
  })
})

describe('authentication', () => {
  function waiting(): { world: FakeWorld; client: FakeClient; admit(identity: Identity | null): Promise<void> } {
    let admit: (identity: Identity | null) => void = () => {}
    const world = createFakeWorld({ authenticate: () => new Promise((resolve) => (admit = resolve)) })
    const client = world.connect()
    return {
      world,
      client,
      admit(identity) {
        admit(identity)
        return world.clock.settle()
      },
    }
  }

  test('holds back what comes behind the hello', async () => {
    const { world, client, admit } = waiting()
    const handled: unknown[] = []
    world.engine.on('session', (session) => session.onAny((event) => handled.push(event)))

    client.say(hello, { t: 'm', w: 'A', s: 1, e: 'one' }, { t: 'v', e: 'two' }, { t: 'p' })
    expect(handled).toEqual([])
    expect(client.heard().map(({ t }) => t)).toEqual(['greeting', 'o'])
    await admit({ user: 'ann' })

    expect(handled).toEqual(['one', 'two'])
    expect(world.session.user).toBe('ann')
  })

  test('holds back no more than the window', async () => {
    const { client, admit } = waiting()
    client.say(hello)

    for (let s = 1; s <= 600; s++) client.say({ t: 'm', w: 'A', s, e: 'one' })
    await admit({ user: 'ann' })

    expect(client.closed).toEqual({ code: 4429, reason: 'RATE_LIMITED' })
    expect(client.of('welcome')).toEqual([])
  })

  test('holds back no more volatile messages than the window has bytes', async () => {
    const { world, client, admit } = waiting()
    const handled: unknown[] = []
    world.engine.on('session', (session) => session.onAny((event) => handled.push(event)))
    client.say(hello)

    for (let count = 0; count < 8; count++) client.say({ t: 'v', e: `v${count}`, d: 'x'.repeat(300_000) })
    client.say({ t: 'm', w: 'A', s: 1, e: 'one' })
    await admit({ user: 'ann' })

    expect(handled).toEqual(['v0', 'v1', 'v2', 'one'])
    expect(client.closed).toBeUndefined()
  })

  test('holds back no more of anything else either', async () => {
    const { client, admit } = waiting()
    client.say(hello)

    for (let count = 0; count < 8; count++) client.say({ t: 'auth', auth: 'x'.repeat(300_000) })
    await admit({ user: 'ann' })

    expect(client.closed).toEqual({ code: 4429, reason: 'RATE_LIMITED' })
  })

  test('is called off when the connection is gone', async () => {
    const { world, client, admit } = waiting()
    client.say(hello)

    client.drop()
    await admit({ user: 'ann' })

    expect(world.sessions).toEqual([])
    expect(world.engine.connectionCount).toBe(0)
  })

  test('that fails is our own fault, of which the client learns no more', () => {
    const world = createFakeWorld({
      authenticate() {
        throw new Error('password of the database')
      },
    })
    const client = world.connect()

    client.say(hello)

    expect(client.frames.at(-1)).toEqual({ t: 'error', code: 'AUTH_FAILED', message: 'The server failed' })
    expect(client.closed?.code).toBe(1011)
    expect(world.errors).toMatchObject([{ code: 'AUTH_FAILED' }])
  })
})

describe('a hostile client', () => {
  test.each<[string, string, number, (Frame | string)[]]>([
    ['says what is no JSON', 'BAD_FRAME', 4400, ['{"t":']],
    ['says what is no frame', 'BAD_FRAME', 4400, ['[]']],
    ['says a frame of no type', 'BAD_FRAME', 4400, [{ t: '__proto__' }]],
    ['says a wrong field', 'BAD_FRAME', 4400, [{ t: 'm', w: 'A', s: -1, e: 'one' }]],
    ['says a wrong field', 'BAD_FRAME', 4400, [{ t: 'm', w: 'A', s: 1, e: '' }]],
    ['says hello twice', 'BAD_FRAME', 4400, [hello]],
    ['resumes what is not held', 'BAD_FRAME', 4400, [{ t: 'resume', writers: {} }]],
    ['leaves a gap', 'SEQUENCE_GAP', 4400, [{ t: 'm', w: 'A', s: 2, e: 'one' }]],
    ['acknowledges the future', 'BAD_ACK', 4400, [{ t: 'a', s: 1 }]],
    ['is too large', 'TOO_LARGE', 1009, [{ t: 'v', e: 'one', d: 'a'.repeat(2_000) }]],
    ['floods with pings', 'RATE_LIMITED', 4429, Array.from({ length: 30 }, () => ({ t: 'p' }))],
    [
      'floods with old news',
      'RATE_LIMITED',
      4429,
      Array.from({ length: 30 }, () => ({ t: 'm', w: 'K', s: 1, e: 'one' })),
    ],
    ['floods with credentials', 'RATE_LIMITED', 4429, Array.from({ length: 30 }, () => ({ t: 'auth', auth: 1 }))],
    ['floods with pongs', 'RATE_LIMITED', 4429, Array.from({ length: 30 }, () => ({ t: 'o' }))],
    [
      'exceeds the window',
      'RATE_LIMITED',
      4429,
      Array.from({ length: 5 }, (_, index) => ({ t: 'm', w: 'A', s: index + 1, e: 'never' })),
    ],
  ])('that %s is told %s and closed with %d', (_, code, closeCode, frames) => {
    const world = createFakeWorld({
      limits: {
        frameBytesMax: 1_000,
        window: { messages: 4, bytes: 1_000 },
        framesPerSecond: 10,
        framesBurst: 10,
        messagesPerSecond: 1_000,
      },
    })
    world.engine.on('session', (session) => {
      session.on('never', () => new Promise(() => {}))
      session.on('one', () => {})
    })
    const client = world.welcome({ writers: { K: 1 } })
    client.say({ t: 'm', w: 'K', s: 1, e: 'one' })

    client.say(...frames)
    client.say(...frames)

    expect(client.frames.at(-1)).toMatchObject({ t: 'error', code })
    expect(client.closed).toMatchObject({ code: closeCode })
    expect(world.errors).toMatchObject([{ name: 'RemoteProtocolError', code }])
    expect(world.engine.errorCount).toBe(1)
    expect(world.engine.connectionCount).toBe(0)
  })

  test('that says a message before hello, or too many writers, never gets a session', () => {
    const world = createFakeWorld()
    const early = world.connect()
    const crowd = world.connect()

    early.say({ t: 'm', w: 'A', s: 1, e: 'one' })
    crowd.say({ ...hello, writers: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`w${index}`, 1])) })

    expect([early.closed?.code, crowd.closed?.code]).toEqual([4400, 4400])
    expect(world.sessions).toEqual([])
  })

  test('that sends bytes is told BAD_FRAME', () => {
    const client = createFakeWorld().welcome()

    client.connection.receive(new ArrayBuffer(8))

    expect(client.frames.at(-1)).toMatchObject({ t: 'error', code: 'BAD_FRAME' })
    expect(client.closed?.code).toBe(4400)
  })

  test('that goes on talking while it is closed is not heard', () => {
    const world = createFakeWorld()
    const client = world.welcome()
    client.say('nonsense')
    const { length } = client.frames

    client.say({ t: 'p' }, 'nonsense', { t: 'bye' })
    client.drop()

    expect(client.frames).toHaveLength(length)
    expect(world.engine.errorCount).toBe(1)
  })

  test('may name its writers as it likes', () => {
    const world = createFakeWorld()
    const handled: string[] = []
    world.engine.on('session', (session) => session.onAny((event, _data, { id }) => handled.push(`${id} ${event}`)))
    const client = world.connect()

    client.say('{"t":"hello","writers":{"__proto__":1,"constructor":1}}')
    client.say('{"t":"m","w":"__proto__","s":1,"e":"__proto__","d":{"__proto__":1}}')
    client.say('{"t":"m","w":"constructor","s":1,"e":"hasOwnProperty"}')

    expect(handled).toEqual(['__proto__:1 __proto__', 'constructor:1 hasOwnProperty'])
    expect(Object.keys(client.of('welcome')[0]?.cursors as object)).toEqual(['__proto__', 'constructor'])
  })

  test('does not fill the memory with writers', async () => {
    const world = createFakeWorld({ limits: { framesBurst: 100_000 } })
    world.engine.on('session', (session) => session.onAny(() => {}))
    const client = world.welcome()

    for (let index = 0; index < 3_000; index++) client.say({ t: 'm', w: `w${index}`, s: 1, e: 'one' })
    await world.clock.advance(100)
    client.say({ t: 'm', w: 'w0', s: 2, e: 'one' })
    await world.clock.advance(100)

    expect(client.closed).toBeUndefined()
    expect(client.frames.at(-1)).toEqual({ t: 'a', w: { w0: 2 } })
  })
})

describe('a client that does not read', () => {
  test('is closed with 1013 when nothing leaves the socket, and may resume', async () => {
    const world = createFakeWorld({ limits: { bufferedBytesMax: 1_000, stalledMs: 5_000 } })
    const client = world.welcome()
    client.bufferedAmount = 1_000
    for (let count = 0; count < 5; count++) world.session.send('news', count)
    expect(client.of('m')).toEqual([])

    await world.clock.advance(6_000)

    expect(client.closed).toEqual({ code: 1013, reason: 'does not read' })
    expect(world.errors).toMatchObject([{ name: 'ConnectionLostError', closeCode: 1013 }])
    const again = world.connect()
    again.say({ ...hello, stream: placeOf(client) })
    expect(again.of('welcome')).toMatchObject([{ resumed: true }])
    expect(again.of('m')).toHaveLength(5)
  })

  test('gets the rest when it reads on', async () => {
    const world = createFakeWorld({ limits: { bufferedBytesMax: 1_000 } })
    const client = world.welcome()
    client.bufferedAmount = 1_000
    world.session.send('news', 1)
    world.session.volatile('typing')
    await world.clock.advance(1_000)

    client.bufferedAmount = 0
    await world.clock.advance(100)

    expect(client.heard()).toMatchObject([{ t: 'm', s: 1, d: 1 }])
  })
})

describe('the heartbeat', () => {
  test('asks a silent client, and gives it up', async () => {
    const world = createFakeWorld({ heartbeatMs: { interval: 1_000, timeout: 500 } })
    const client = world.welcome()

    await world.clock.advance(1_000)
    expect(client.heard()).toEqual([{ t: 'p' }])
    client.say({ t: 'o' })
    await world.clock.advance(1_500)

    expect(client.closed).toEqual({ code: 4000, reason: 'silent' })
    expect(world.errors).toMatchObject([{ code: 'HEARTBEAT_TIMEOUT' }])
  })
})

describe('a credential that expires', () => {
  test('is asked for, and replaced or not', async () => {
    const world: FakeWorld = createFakeWorld({
      authenticate: ({ auth }) => (auth ? { user: 'ann', expiresAt: world.platform.wallNow() + 60_000 } : null),
      heartbeatMs: { interval: 1_000_000 },
    })
    const client = world.welcome({ auth: 'ticket' })
    await world.clock.advance(30_000)
    expect(client.heard()).toEqual([{ t: 'reauth', within: 30_000 }])

    client.say({ t: 'auth', auth: 'fresh' })
    await world.clock.advance(59_000)
    expect(client.closed).toBeUndefined()
    await world.clock.advance(1_000)

    expect(client.closed).toEqual({ code: 4401, reason: 'UNAUTHORIZED' })
  })

  test('that is refused ends the connection, not the session', () => {
    const world = createFakeWorld({ authenticate: ({ auth }) => (auth === 'good' ? { user: 'ann' } : null) })
    const client = world.welcome({ auth: 'good' })

    client.say({ t: 'auth', auth: 'bad' })

    expect(client.closed?.code).toBe(4401)
    const again = world.connect()
    again.say({ ...hello, auth: 'good', stream: { id: sessionOf(client), s: 0 } })
    expect(again.of('welcome')).toMatchObject([{ resumed: true }])
  })
})

test('a hello that comes after a later one of its client does not take the session back', () => {
  const world = createFakeWorld()
  const first = world.welcome()
  const id = sessionOf(first)
  const second = world.connect()
  const late = world.connect()

  second.say({ t: 'hello', writers: {}, stream: { id, s: 0, c: 2 } })
  late.say({ t: 'hello', writers: {}, stream: { id, s: 0, c: 1 } })

  expect(late.closed).toEqual({ code: 4409, reason: 'superseded' })
  expect(second.closed).toBeUndefined()
  expect(second.of('welcome')).toMatchObject([{ session: id, resumed: true }])
  world.session.send('still', 'here')
  expect(second.of('m')).toHaveLength(1)
})

test('attempts to resume a session that is lost do not count against the one that takes its place', () => {
  const world = createFakeWorld()
  const first = world.connect()
  first.say({ t: 'hello', writers: {}, stream: { id: 'forgotten', s: 4, g: 'x', c: 9 } })
  const second = world.connect()

  second.say({ t: 'hello', writers: {}, stream: { id: sessionOf(first), s: 0, c: 1 } })

  expect(second.of('welcome')).toMatchObject([{ session: sessionOf(first), resumed: true }])
})

test('an application’s error in a handler never closes a connection', () => {
  const world = createFakeWorld()
  world.engine.on('session', (session) => {
    session.onAny(() => {
      throw new HoldfastError('BAD_FRAME', 'not what you think')
    })
  })
  const client = world.welcome()

  client.say({ t: 'm', w: 'A', s: 1, e: 'one' }, { t: 'v', e: 'two' })

  expect(client.closed).toBeUndefined()
})
