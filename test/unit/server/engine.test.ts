import { describe, expect, test, vi } from 'vitest'
import { HoldfastError } from '../../../src/shared/errors.js'
import { createEngine } from '../../../src/server/engine/engine.js'
import { ServerEmitter } from '../../../src/server/engine/server-emitter.js'
import { createMemoryStreams, memoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { StreamStore } from '../../../src/server/stores/stream-store.js'
import { createFakeClock } from '../../support/fake-platform.js'
import {
  createFakeWorld,
  createServerPlatform,
  placeOf,
  sessionOf,
  type FakeClient,
  type Frame,
} from '../../support/server-world.js'

const hello = { t: 'hello', writers: {} }
const m = (w: string, s: number, more: object = {}): Frame => ({ t: 'm', w, s, e: 'ok', ...more })

describe('the event session', () => {
  test('comes once, before any message is handled, and after the welcome', () => {
    const world = createFakeWorld()
    const seen: string[] = []
    world.engine.on('session', (session) => {
      seen.push('session')
      session.send('hello')
      session.on('ok', () => seen.push('message'))
    })
    const client = world.connect()

    client.say({ ...hello, writers: { A: 1 } }, m('A', 1))
    client.drop()
    const again = world.connect()
    again.say({ ...hello, stream: { id: sessionOf(client), s: 0 } })

    expect(seen).toEqual(['session', 'message'])
    expect(client.frames.map(({ t }) => t)).toEqual(['greeting', 'welcome', 'm'])
    expect(again.frames.map(({ t }) => t)).toEqual(['greeting', 'welcome', 'm'])
  })

  test('comes behind what was missed, for a new server', () => {
    const streams = memoryStreams()
    const clock = createFakeClock()
    const first = createFakeWorld({ streams }, clock)
    const client = first.welcome()
    first.session.send('news', 1)
    first.engine.close()

    const second = createFakeWorld({ streams }, clock)
    second.engine.on('session', (session) => session.send('news', 2))
    const again = second.connect()
    again.say({ ...hello, stream: { id: sessionOf(client), s: 0 } })

    expect(second.session.id).toBe(first.session.id)
    expect(second.session).not.toBe(first.session)
    expect(again.of('m')).toMatchObject([
      { s: 1, d: 1 },
      { s: 2, d: 2 },
    ])
  })

  test('lets no listener that throws spoil it', () => {
    const world = createFakeWorld()
    world.engine.on('session', () => {
      throw new Error('a bug')
    })
    world.engine.on('error', () => {
      throw new Error('another')
    })

    const client = world.welcome()
    client.say({ t: 'p' })

    expect(client.heard()).toEqual([{ t: 'o' }])
    expect(world.errors).toMatchObject([{ code: 'LISTENER_THREW' }])
    expect(world.engine.errorCount).toBe(2)
  })
})

describe('a restart', () => {
  test('flags what may have been handled by the server before', () => {
    const streams = memoryStreams()
    const clock = createFakeClock()
    const first = createFakeWorld({ streams }, clock)
    first.engine.on('session', (session) => session.on('ok', () => new Promise(() => {})))
    first.welcome().say(m('A', 1))
    first.engine.stop()
    const flags: boolean[] = []
    const second = createFakeWorld({ streams }, clock)
    second.engine.on('session', (session) =>
      session.on('ok', (_data, { maybeDuplicate }) => flags.push(maybeDuplicate)),
    )

    second.welcome({ writers: { A: 1 } }).say(m('A', 1, { u: 1 }), m('A', 2), m('A', 3, { u: 1 }))

    expect(flags).toEqual([true, false, false])
  })

  test('without a trace: nothing is sent, recorded or rung by a server that was stopped', async () => {
    const streams = memoryStreams()
    const clock = createFakeClock()
    const world = createFakeWorld({ streams }, clock)
    let finish: (value?: unknown) => void = () => {}
    world.engine.on('session', (session) => session.on('ok', () => new Promise((resolve) => (finish = resolve))))
    const client = world.welcome()
    client.say(m('A', 1))

    world.engine.stop()
    finish()
    client.say({ t: 'p' })
    await clock.advance(100_000)

    expect(client.heard()).toEqual([])
    expect(clock.timers).toBe(0)
    expect(
      createFakeWorld({ streams }, clock)
        .welcome({ writers: { A: 1 } })
        .of('welcome'),
    ).toMatchObject([{ cursors: { A: 0 } }])
  })

  test('does not lose what a handler finished after the close', async () => {
    const streams = memoryStreams()
    const clock = createFakeClock()
    const world = createFakeWorld({ streams }, clock)
    let finish: (value?: unknown) => void = () => {}
    world.engine.on('session', (session) => session.on('ok', () => new Promise((resolve) => (finish = resolve))))
    const client = world.welcome()
    client.say(m('A', 1))

    world.engine.close()
    finish()
    await clock.settle()

    expect(client.closed?.code).toBe(1001)
    expect(
      createFakeWorld({ streams }, clock)
        .welcome({ writers: { A: 1 } })
        .of('welcome'),
    ).toMatchObject([{ cursors: { A: 1 } }])
  })
})

describe('two servers over one store', () => {
  test('fence each other', async () => {
    const streams = memoryStreams()
    const clock = createFakeClock()
    const [first, second] = [createFakeWorld({ streams }, clock), createFakeWorld({ streams }, clock)]
    const client = first.welcome()
    second.connect().say({ ...hello, stream: { id: sessionOf(client), s: 0 } })

    await clock.advance(40_000)

    expect(client.closed).toMatchObject({ code: 4409 })
    expect(first.engine.sessionCount).toBe(0)
    expect(second.session.id).toBe(sessionOf(client))
  })
})

describe('a store that goes back in time', () => {
  test('ends the sessions that it has forgotten something of, with one gap', () => {
    const streams = createMemoryStreams()
    const world = createFakeWorld({ streams })
    const client = world.welcome()
    world.session.send('news', 1)
    const snapshot = streams.snapshot()
    world.session.send('news', 2)

    streams.restore(snapshot)
    world.session.send('news', 3)

    expect(client.closed?.code).toBe(4409)
    const again = world.connect()
    again.say({ ...hello, stream: placeOf(client) })
    expect(again.of('welcome')).toMatchObject([{ resumed: false, lost: 'rollback' }])
  })

  test('resumes no session of which a part is missing that was never acknowledged', () => {
    const streams = createMemoryStreams()
    const world = createFakeWorld({ streams })
    const client = world.welcome()
    const snapshot = streams.snapshot()
    world.session.send('news', 1)
    client.drop()

    streams.restore(snapshot)
    const again = world.connect()
    again.say({ ...hello, stream: { id: sessionOf(client), s: 0 } })
    const third = world.connect()
    third.say({ ...hello, stream: { id: sessionOf(client), s: 0 } })

    expect(again.of('welcome')).toMatchObject([{ resumed: false, lost: 'rollback' }])
    expect(third.of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })
})

describe('a store that goes back in time and does not know', () => {
  /** The store takes nothing while it is away. */
  function openBlind() {
    const store = createMemoryStreams({ messagesMax: 2 })
    const state = { isAway: false }
    const streams: StreamStore = {
      open(platform) {
        const opened = store.open(platform)
        return {
          ...opened,
          append(...args) {
            if (state.isAway) throw new Error('away')
            return opened.append(...args)
          },
        }
      },
    }
    const world = createFakeWorld({ streams })
    const client = world.welcome()
    const resume = (): FakeClient => {
      const again = world.connect()
      again.say({ ...hello, stream: { id: sessionOf(client), s: 0 } })
      return again
    }
    return { world, store, state, client, resume }
  }

  test('resumes no session that it had ended for want of a message', () => {
    const { world, store, state, resume } = openBlind()
    const snapshot = store.snapshot()
    state.isAway = true
    world.session.send('news', 'lost')
    state.isAway = false

    store.restore(snapshot, true)
    expect(resume().closed?.code).toBe(1013)
    store.restore(snapshot, true)
    expect(resume().closed?.code).toBe(1013)
    expect(resume().of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })

  test('resumes no session that has ended since it forgot a message', () => {
    const { world, store, client, resume } = openBlind()
    const snapshot = store.snapshot()
    world.session.send('news', 'forgotten')

    store.restore(snapshot, true)
    world.session.send('news', 'kept')

    expect(client.closed?.code).toBe(4409)
    expect(resume().closed?.code).toBe(1013)
    expect(resume().of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })

  test('resumes no session that it was found to have forgotten something of', () => {
    const { world, store, client, resume } = openBlind()
    const snapshot = store.snapshot()
    world.session.send('news', 'forgotten')
    client.drop()

    store.restore(snapshot, true)
    expect(resume().closed?.code).toBe(1013)
    store.restore(snapshot, true)

    expect(resume().closed?.code).toBe(1013)
    expect(resume().of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })

  test('resumes no session that had overflowed', async () => {
    const { world, store, resume } = openBlind()
    const snapshot = store.snapshot()
    world.session.send('news', 1)
    await world.clock.advance(15_000)
    for (let n = 2; n <= 3; n++) world.session.send('news', n)

    store.restore(snapshot, true)

    expect(resume().closed?.code).toBe(1013)
    expect(resume().of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })
})

test('resumes no session that ends while its client is on its way back, for want of a message', async () => {
  const inner = memoryStreams()
  let isAway = false
  const streams: StreamStore = {
    open(platform) {
      const opened = inner.open(platform)
      const away = Promise.reject(new Error('away'))
      away.catch(() => {})
      return {
        ...opened,
        attach: async (request) => opened.attach(request),
        append: (...args) => (isAway ? away : opened.append(...args)),
      }
    },
  }
  const world = createFakeWorld({ streams })
  const client = world.welcome()
  await world.clock.settle()
  const resume = { ...hello, stream: { id: sessionOf(client), s: 0 } }

  isAway = true
  world.session.send('news', 1)
  const again = world.connect()
  again.say(resume)
  await world.clock.settle()
  const third = world.connect()
  third.say(resume)
  await world.clock.settle()

  expect(again.closed?.code).toBe(1013)
  expect(third.of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
})

describe('a store that fails in many sessions', () => {
  /** It keeps nothing and ends nothing while it is away. */
  function openFailing(sessionsMax: number) {
    const inner = memoryStreams()
    const state = { isAway: false }
    const streams: StreamStore = {
      open(platform) {
        const opened = inner.open(platform)
        const orAway =
          <Args extends unknown[], Answer>(ask: (...args: Args) => Answer) =>
          (...args: Args): Answer => {
            if (state.isAway) throw new Error('away')
            return ask(...args)
          }
        return { ...opened, append: orAway(opened.append), end: orAway(opened.end) }
      },
    }
    const world = createFakeWorld({ streams, limits: { sessionsMax } })
    const resume = (client: FakeClient): FakeClient => {
      const again = world.connect()
      again.say({ ...hello, stream: placeOf(client) })
      return again
    }
    return { world, state, resume }
  }

  test('resumes nothing for a while but what lives, once there are more than it can remember', async () => {
    const { world, state, resume } = openFailing(2)
    const clients = [world.welcome()]
    for (let failures = 0; failures < 3; failures++) {
      clients.push(world.welcome())
      state.isAway = true
      world.sessions.at(-1)?.send('news', 'lost')
      state.isAway = false
    }
    const [alive, first] = clients as [FakeClient, FakeClient]

    alive.drop()
    expect(resume(alive).of('welcome')).toMatchObject([{ resumed: true }])
    expect(resume(first).closed?.code).toBe(1013)
    expect(resume(first).of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })

  test('still resumes none that was asked for in vain meanwhile', () => {
    const { world, state, resume } = openFailing(20)
    const client = world.welcome()

    state.isAway = true
    world.session.send('news', 'lost')
    expect(resume(client).closed?.code).toBe(1013)
    state.isAway = false

    expect(resume(client).closed?.code).toBe(1013)
    expect(resume(client).of('welcome')).toMatchObject([{ resumed: false, lost: 'unknown' }])
  })
})

describe('rooms', () => {
  test('reach their members, near and away, and nobody else', () => {
    const world = createFakeWorld()
    const clients = [world.welcome(), world.welcome(), world.welcome()]
    world.sessions[0]?.join('a')
    world.sessions[1]?.join('a')
    clients[1]?.drop()

    world.engine.to('a').send('news', { n: 1 })
    world.engine.to('a').volatile('typing')
    world.engine.broadcast('all')

    expect(clients[0]?.heard()).toMatchObject([
      { t: 'm', e: 'news', d: { n: 1 } },
      { t: 'v', e: 'typing' },
      { e: 'all' },
    ])
    expect(clients[2]?.heard()).toMatchObject([{ t: 'm', e: 'all' }])
    const again = world.connect()
    again.say({ ...hello, stream: { id: sessionOf(clients[1] as never), s: 0 } })
    expect(again.of('m').map(({ e }) => e)).toEqual(['news', 'all'])
  })

  test('are left, also by who is gone', () => {
    const world = createFakeWorld()
    const clients = [world.welcome(), world.welcome()]
    for (const session of world.sessions) session.join('a')
    expect(world.sessions[0]?.rooms).toEqual(new Set(['a']))
    world.sessions[0]?.leave('a')
    clients[1]?.say({ t: 'bye' })

    world.engine.to('a').send('news')

    expect(clients[0]?.heard()).toEqual([])
    expect(world.sessions[1]?.rooms).toEqual(new Set())
    expect(world.errors).toEqual([])
  })

  test('encode a message once, whatever the number of members', () => {
    const world = createFakeWorld()
    for (let count = 0; count < 5; count++) world.welcome()
    const toJSON = vi.fn(() => 1)

    world.engine.broadcast('news', { toJSON })

    expect(toJSON).toHaveBeenCalledOnce()
  })

  test('refuse what cannot be sent, at the call', () => {
    const world = createFakeWorld()
    world.welcome()

    expect(() => world.engine.broadcast('news', 1n)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
    expect(() => world.engine.to('a').send('')).toThrow(TypeError)
    expect(() => world.engine.to('a').volatile('')).toThrow(TypeError)
  })
})

describe('who may connect', () => {
  test('is decided by the origin, after the upgrade', () => {
    const world = createFakeWorld({ origins: ['https://example.com'] })

    const [own, foreign, none] = [
      world.connect({ origin: 'https://example.com' }),
      world.connect({ origin: 'https://evil.example' }),
      world.connect(),
    ]

    expect([own.closed, none.closed]).toEqual([undefined, undefined])
    expect(foreign.frames.map(({ t }) => t)).toEqual(['greeting', 'error'])
    expect(foreign.frames[1]).toMatchObject({ code: 'FORBIDDEN' })
    expect(foreign.closed?.code).toBe(4403)
    expect(world.errors).toMatchObject([{ code: 'FORBIDDEN' }])
  })

  test('is decided by the number of connections', () => {
    const world = createFakeWorld({ limits: { connectionsMax: 1 } })
    const [first, second] = [world.connect(), world.connect()]

    expect(first.closed).toBeUndefined()
    expect(second.frames.at(-1)).toMatchObject({ t: 'error', code: 'SERVER_FAILED', after: 5_000 })
    expect(second.closed?.code).toBe(1013)
    expect(world.engine.connectionCount).toBe(1)
  })

  test('is decided by the number of sessions: who is away gives way', () => {
    const world = createFakeWorld({ limits: { sessionsMax: 2 } })
    const [first] = [world.welcome(), world.welcome()]
    expect(world.welcome().closed?.code).toBe(1013)
    first?.drop()

    const third = world.welcome()

    expect(third.closed).toBeUndefined()
    expect(world.engine.sessionCount).toBe(2)
    expect(world.welcome({ stream: { id: sessionOf(first as never), s: 0 } }).closed?.code).toBe(1013)
  })

  test('is nobody once the server is closed', () => {
    const world = createFakeWorld()
    world.engine.close()
    world.engine.close()

    const client = world.connect()
    client.say(hello)
    client.drop()

    expect(client.closed?.code).toBe(1006)
    expect(client.frames).toEqual([])
  })
})

describe('drain', () => {
  test('gives each client its own time, and closes with 1012', async () => {
    const world = createFakeWorld()
    const clients = [world.welcome(), world.welcome(), world.connect(), world.welcome()]

    await world.engine.drain({ windowMs: 1_000 })

    expect(clients.map((client) => client.of('drain')[0]?.after)).toEqual([125, 375, 625, 875])
    expect(clients.map((client) => client.closed?.code)).toEqual([1012, 1012, 1012, 1012])
    expect(world.connect().closed?.code).toBe(1012)
  })

  test('waits for handlers, and handles nothing new', async () => {
    const world = createFakeWorld()
    const begun: string[] = []
    const finishes: (() => void)[] = []
    world.engine.on('session', (session) =>
      session.on('ok', (_data, { id }) => {
        begun.push(id)
        return new Promise<void>((resolve) => finishes.push(resolve))
      }),
    )
    const client = world.welcome()
    client.say(m('A', 1))
    const drained = vi.fn()
    void world.engine.drain().then(drained)
    client.say(m('A', 2))
    await world.clock.advance(5_000)
    expect(drained).not.toHaveBeenCalled()

    finishes[0]?.()
    await world.clock.settle()

    expect(drained).toHaveBeenCalledOnce()
    expect(begun).toEqual(['A:1'])
    expect(client.heard()).toMatchObject([{ t: 'drain' }, { t: 'a', w: { A: 1 } }])
    expect(client.closed?.code).toBe(1012)
  })

  test('asked for twice ends once, for both', async () => {
    const world = createFakeWorld()
    let finish = (): void => {}
    world.engine.on('session', (session) =>
      session.on('slow', () => new Promise<void>((resolve) => (finish = resolve))),
    )
    const client = world.welcome()
    client.say({ t: 'm', w: 'a', s: 1, e: 'slow' })
    const ended: string[] = []
    void world.engine.drain({ windowMs: 1 }).then(() => ended.push('first'))
    void world.engine.drain().then(() => ended.push('second'))
    await world.clock.settle()
    const early = [...ended]
    finish()
    await world.clock.advance(30_000)

    expect(early).toEqual([])
    expect(ended).toEqual(['first', 'second'])
  })

  test('leaps over nothing that it ignores', async () => {
    const world = createFakeWorld()
    let finish = (): void => {}
    world.engine.on('session', (session) => session.on('ok', () => new Promise<void>((resolve) => (finish = resolve))))
    const client = world.welcome()
    client.say(m('A', 1))
    void world.engine.drain()

    client.say(m('B', 1), { t: 'skip', w: 'B', s: 3 }, m('B', 3))
    finish()
    await world.clock.settle()

    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 1 } }])
  })

  test('does not wait for ever', async () => {
    const world = createFakeWorld({ heartbeatMs: { interval: 1_000_000 } })
    world.engine.on('session', (session) => session.on('ok', () => new Promise(() => {})))
    const client = world.welcome()
    client.say(m('A', 1))

    const drained = world.engine.drain({ timeoutMs: 2_000 })
    await world.clock.advance(2_000)
    await drained

    expect(client.closed?.code).toBe(1012)
  })

  test('is over when the server is closed meanwhile, and does nothing after', async () => {
    const world = createFakeWorld()
    world.engine.on('session', (session) => session.on('ok', () => new Promise(() => {})))
    world.welcome().say(m('A', 1))
    const drained = world.engine.drain()

    world.engine.close()

    await drained
    await world.engine.drain()
    expect(() => world.engine.drain({ windowMs: 0 })).toThrow('windowMs must be an integer from 1 to 2147483647, got 0')
  })
})

test('uses one timer, whatever it waits for', async () => {
  const world = createFakeWorld()
  for (let count = 0; count < 10; count++) world.welcome().say(m('A', 1))

  expect(world.clock.timers).toBe(1)
  await world.clock.advance(20_000)
  expect(world.clock.timers).toBe(1)
})

test('refuses wrong options at the call', () => {
  const platform = createServerPlatform(createFakeClock())

  expect(() => createEngine({ limits: { sessionsMax: 0 } }, platform)).toThrow(RangeError)
})

test('keeps a session whose first reply is there before the store has answered for its place', async () => {
  const inner = memoryStreams()
  let release = (): void => {}
  const store: StreamStore = {
    open(platform) {
      const streams = inner.open(platform)
      const advance: typeof streams.advance = (...given) =>
        new Promise((resolve) => {
          release = () => resolve(streams.advance(...given))
        })
      return { ...streams, advance }
    },
  }
  const world = createFakeWorld({ streams: store })
  world.engine.on('session', (session) => session.handle('ask', () => 'answer'))
  const first = world.welcome({ writers: { a: 1 } })
  first.say({ t: 'm', w: 'a', s: 1, e: 'ask', r: 1 })
  first.drop()
  const second = world.welcome({ writers: { a: 1 } })
  release()
  await world.clock.settle()

  expect(second.of('r')).toHaveLength(1)
  expect(world.engine.sessionCount).toBeGreaterThan(0)
})

test('closes with 1011 where the function of origins throws, and says why at the server alone', () => {
  const world = createFakeWorld({
    origins: () => {
      throw new Error('no database at 10.0.0.5')
    },
  })

  const client = world.connect({ origin: 'https://example.com' })

  expect(client.closed).toEqual({ code: 1011, reason: 'LISTENER_THREW' })
  expect(client.of('error')).toEqual([{ t: 'error', code: 'LISTENER_THREW', message: 'The server failed' }])
  expect(world.errors).toMatchObject([{ code: 'LISTENER_THREW', message: expect.stringContaining('origins threw') }])
})

describe('an error that nobody listens for', () => {
  function open() {
    const warn = vi.fn<(text: string, error: Error) => void>()
    const engine = createEngine({}, { ...createServerPlatform(createFakeClock()), warn })
    return { engine, warn }
  }

  test('is printed once a kind, and counted each time', () => {
    const { engine, warn } = open()
    const bug = new HoldfastError('LISTENER_THREW', 'a bug')

    engine.report(bug)
    engine.report(new HoldfastError('LISTENER_THREW', 'another'))
    engine.report(new HoldfastError('NO_HANDLER', 'nobody'))

    expect(warn.mock.calls.map(([, { message }]) => message)).toEqual(['a bug', 'nobody'])
    expect(warn.mock.calls[0]?.[0]).toContain("server.on('error')")
    expect(engine.errorCount).toBe(3)
  })

  test('is printed where the listener itself throws', () => {
    const { engine, warn } = open()
    engine.on('error', () => {
      throw new Error('logger')
    })

    engine.report(new HoldfastError('NO_HANDLER', 'nobody'))

    expect(warn.mock.calls.map(([, { message }]) => message)).toEqual([expect.stringContaining('logger')])
    expect(engine.errorCount).toBe(2)
  })

  test('is not printed where somebody listens', () => {
    const { engine, warn } = open()
    engine.on('error', () => {})

    engine.report(new HoldfastError('NO_HANDLER', 'nobody'))

    expect(warn).not.toHaveBeenCalled()
  })
})

test('prints what it is advised to, also where somebody listens for errors', () => {
  const warn = vi.fn<(text: string, error: Error) => void>()
  const emitter = new ServerEmitter({ ...createServerPlatform(createFakeClock()), warn }, () => {})
  const heard = vi.fn()
  emitter.on('error', heard)
  const error = new HoldfastError('NO_HANDLER', 'nobody')

  emitter.report(error, 'no session has ever had a handler of "nots"')

  expect(heard).toHaveBeenCalledExactlyOnceWith(error)
  expect(warn.mock.calls).toEqual([
    ['Holdfast server: no session has ever had a handler of "nots". This name is printed once.', error],
  ])
})

describe('a server with many clients', () => {
  test('says in the welcome and in its pings over how long they should return, while they are many', async () => {
    const world = createFakeWorld({ limits: { returnsPerSecond: 1 }, heartbeatMs: { interval: 1_000, timeout: 5_000 } })
    const client = world.welcome()
    const other = world.welcome()
    expect([client, other].map((one) => one.of('welcome')[0]?.spread)).toEqual([1_000, 2_000])

    await world.clock.advance(1_000)
    expect(client.of('p')).toEqual([{ t: 'p', spread: 2_000 }])
  })

  test('says nothing while they return as fast anyway', () => {
    const world = createFakeWorld({ limits: { returnsPerSecond: 2 } })

    expect(world.welcome().of('welcome')[0]).not.toHaveProperty('spread')
  })
})
