import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../../src/shared/errors.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { WRITERS_KEPT_MAX } from '../../../src/server/ordering/incoming-messages.js'
import { createFakeWorld, sessionOf, type FakeClient, type FakeWorld, type Frame } from '../../support/server-world.js'

const m = (w: string, s: number, more: object = {}): Frame => ({ t: 'm', w, s, e: 'ok', ...more })

function open(options: Parameters<typeof createFakeWorld>[0] = {}): { world: FakeWorld; handled: string[] } {
  const world = createFakeWorld(options)
  const handled: string[] = []
  world.engine.on('session', (session) => {
    session.on('ok', (_data, { id, maybeDuplicate }) => handled.push(maybeDuplicate ? `${id}?` : id))
    session.handle('ok', (_data, { id }) => handled.push(id))
    session.on('bad', () => {
      throw new HoldfastError('REJECTED', 'no')
    })
  })
  return { world, handled }
}

describe('acknowledgements', () => {
  test('wait for 25 ms', async () => {
    const { world } = open()
    const client = world.welcome()

    client.say(m('A', 1), m('A', 2))
    await world.clock.advance(24)
    expect(client.of('a')).toEqual([])
    await world.clock.advance(1)

    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 2 } }])
  })

  test('wait for no more than 16 messages', async () => {
    const { world } = open()
    const client = world.welcome()

    for (let s = 1; s <= 16; s++) client.say(m('A', s))
    await world.clock.advance(0)

    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 16 } }])
  })

  test('name each rejection once', async () => {
    const { world } = open()
    const client = world.welcome()
    client.say(m('A', 1, { e: 'bad' }))
    await world.clock.advance(25)

    client.say(m('A', 2), m('A', 1, { u: 1 }))
    await world.clock.advance(25)

    expect(client.of('a')).toEqual([
      { t: 'a', w: { A: 1 }, no: [['A', 1, 'REJECTED', 'no']] },
      { t: 'a', w: { A: 2 } },
    ])
  })

  test('are the last words of a connection that is closed', () => {
    const { world } = open()
    const client = world.welcome()
    client.say(m('A', 1))

    world.session.close(4999, 'done')

    expect(client.heard()).toEqual([{ t: 'a', w: { A: 1 } }])
    expect(client.closed).toEqual({ code: 4999, reason: 'done' })
  })

  test('come for what ran while more writers came than are kept in mind', async () => {
    const { world } = open({ limits: { window: { messages: 2_000 } } })
    let finish = (): void => {}
    world.engine.on('session', (session) =>
      session.on('slow', () => new Promise<void>((resolve) => (finish = resolve))),
    )
    const client = world.welcome()

    client.say(m('first', 1, { e: 'slow' }))
    for (let index = 0; index < WRITERS_KEPT_MAX + 10; index++) client.say(m(`w${index}`, 1))
    finish()
    await world.clock.advance(25)

    const acknowledged = Object.keys(Object.assign({}, ...client.of('a').map(({ w }) => w)) as object)
    expect(acknowledged).toHaveLength(WRITERS_KEPT_MAX + 11)
  })

  test('do not name what this connection has not received', async () => {
    const { world, handled } = open()
    const [one, two] = [world.welcome({ writers: { A: 1 } }), world.welcome({ writers: { A: 1 } })]

    one.say(m('A', 1))
    await world.clock.advance(25)
    expect(two.of('a')).toEqual([])
    two.say(m('A', 1, { u: 1 }))
    await world.clock.advance(25)

    expect(handled).toEqual(['A:1'])
    expect(two.of('a')).toEqual([{ t: 'a', w: { A: 1 } }])
  })
})

describe('a hold', () => {
  test('ignores the first flight until the client has said where it goes on', async () => {
    const { world, handled } = open()
    const client = world.welcome({ writers: { A: 4, B: 1 } })
    expect(client.of('welcome')).toMatchObject([{ held: true, cursors: { A: 0, B: 0 } }])

    client.say(m('B', 1), { t: 'skip', w: 'B', s: 9 }, m('A', 4))
    expect(handled).toEqual([])
    client.say({ t: 'resume', writers: { A: 3, B: 1 } }, m('A', 3, { u: 1 }), m('A', 4, { u: 1 }), m('B', 1, { u: 1 }))
    await world.clock.advance(25)

    expect(handled).toEqual(['A:3?', 'A:4?', 'B:1?'])
    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 4, B: 1 } }])
  })

  test('leaves the window as it was', () => {
    const { world, handled } = open({ limits: { window: { messages: 4, bytes: 1_000 } } })
    const client = world.welcome({ writers: { A: 4 } })

    for (let s = 4; s <= 7; s++) client.say(m('A', s))
    client.say({ t: 'resume', writers: { A: 4, Z: 6 } })
    for (let s = 4; s <= 7; s++) client.say(m('A', s, { u: 1 }))
    client.say(m('Z', 6))

    expect(client.closed).toBeUndefined()
    expect(handled).toEqual(['A:4?', 'A:5?', 'A:6?', 'A:7?', 'Z:6'])
  })
})

describe('skip', () => {
  test('introduces a writer, with what was rejected of it', async () => {
    const { world, handled } = open()
    world.welcome().say(m('A', 1), m('A', 2, { e: 'bad' }))
    const client = world.welcome()

    client.say({ t: 'skip', w: 'A', s: 2 }, m('A', 2, { e: 'bad', u: 1 }), m('A', 3))
    await world.clock.advance(25)

    expect(handled).toEqual(['A:1', 'A:3'])
    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 3 }, no: [['A', 2, 'REJECTED', 'no']] }])
  })

  test('says of a request that was answered to a lost session that its result is lost', async () => {
    const { world, handled } = open()
    world.welcome().say(m('A', 1, { r: 1 }))
    const client = world.welcome()

    client.say({ t: 'skip', w: 'A', s: 1 }, m('A', 1, { r: 1, u: 1 }))
    await world.clock.advance(25)

    expect(handled).toEqual(['A:1'])
    expect(client.of('r')).toMatchObject([{ w: 'A', n: 1, error: { code: 'RESULT_LOST' } }])
  })
})

describe('a request that another connection has handled', () => {
  /** Two connections have said the same, and the handler of the first message runs for the one. */
  function openTwice(options: Parameters<typeof createFakeWorld>[0] = {}) {
    const { world, handled } = open(options)
    const finishers: (() => void)[] = []
    world.engine.on('session', (session) => {
      const wait = (value: unknown) => () => new Promise<unknown>((resolve) => finishers.push(() => resolve(value)))
      session.on('slow', wait(undefined))
      session.handle('slow', wait('done'))
    })
    const late = world.welcome({ writers: { A: 1 } })
    late.say(m('A', 1, { e: 'slow' }), m('A', 2, { e: 'slow', r: 1 }))
    const client = world.welcome({ writers: { A: 1 } })
    const finish = async (): Promise<void> => {
      finishers.shift()?.()
      await world.clock.advance(25)
    }
    return { world, handled, late, client, finish }
  }

  const repeats = [m('A', 1, { e: 'slow', u: 1 }), m('A', 2, { e: 'slow', u: 1, r: 1 })]

  test('is answered in the session that asks again, though the other is gone by then', async () => {
    const { late, client, finish } = openTwice()
    client.say(...repeats)

    await finish()
    late.drop()
    await finish()

    expect(client.of('r')).toMatchObject([{ w: 'A', n: 2, d: 'done' }])
    expect(client.of('a').at(-1)).toEqual({ t: 'a', w: { A: 2 } })
  })

  test('is answered once, also where it is asked again after that', async () => {
    const { world, client, finish } = openTwice()
    await finish()
    await finish()

    client.say(...repeats)
    await world.clock.advance(25)

    expect(client.of('r')).toMatchObject([{ w: 'A', n: 2, d: 'done' }])
  })

  test('leaves the window of the one that asks again, though its turn has not come', async () => {
    const { late, client, finish } = openTwice({ limits: { window: { messages: 3 } } })
    client.say(m('B', 1, { e: 'slow' }), ...repeats)

    late.drop()
    await finish()
    client.say(m('A', 3))

    expect(client.of('a')).toEqual([{ t: 'a', w: { A: 1 } }])
    expect(client.closed).toBeUndefined()
  })

  test('is called off for all who ask', async () => {
    const { world, late, client, finish } = openTwice()
    let signal: AbortSignal | undefined
    world.sessions[0]?.handleAny((_event, _data, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    late.say(m('A', 3, { e: 'any', r: 1 }))
    client.say(...repeats, m('A', 3, { e: 'any', u: 1, r: 1 }))
    await finish()
    await finish()

    client.say({ t: 'cancel', w: 'A', s: 3 })

    expect(signal?.aborted).toBe(true)
  })

  test('has lost its result where another server has handled it', async () => {
    const streams = memoryStreams()
    const { world, handled } = open({ streams })
    let finish = (): void => {}
    world.engine.on('session', (session) =>
      session.on('slow', () => new Promise<void>((resolve) => (finish = resolve))),
    )
    const client = world.welcome({ writers: { A: 1, B: 1 } })
    client.say(m('B', 1, { e: 'slow' }), m('A', 1, { r: 1 }))

    await streams.open(world.platform).advance('', 'A', { n: 1, hasSeenAll: true, rejected: [], secret: '' })
    world.welcome({ writers: { A: 2 } })
    finish()
    await world.clock.advance(25)

    expect(handled).toEqual([])
    expect(client.of('r')).toMatchObject([{ w: 'A', n: 1, error: { code: 'RESULT_LOST' } }])
  })
})

describe('a stream that goes on', () => {
  const resume = (world: FakeWorld, client: FakeClient): FakeClient => {
    const again = world.connect()
    again.say({ t: 'hello', writers: { A: 1 }, stream: { id: sessionOf(client), s: 0 } }, m('A', 1, { r: 1, u: 1 }))
    return again
  }

  test('answers once what it was asked', async () => {
    const { world, handled } = open()
    const client = world.welcome()
    client.say(m('A', 1, { r: 1 }))
    client.drop()

    const again = resume(world, client)
    await world.clock.advance(25)

    expect(handled).toEqual(['A:1'])
    expect(again.of('r')).toEqual([expect.objectContaining({ w: 'A', n: 1, d: 1 })])
  })

  test('says that the result is lost where the last server has kept the cursor and not the reply', async () => {
    const streams = memoryStreams()
    const before = open({ streams })
    const client = before.world.welcome()
    before.world.engine.stop()
    await streams.open(before.world.platform).advance('', 'A', { n: 1, hasSeenAll: true, rejected: [], secret: '' })
    const { world, handled } = open({ streams })

    const again = resume(world, client)
    await world.clock.advance(25)

    expect(again.of('welcome')).toMatchObject([{ resumed: true, cursors: { A: 1 } }])
    expect(handled).toEqual([])
    expect(again.of('r')).toMatchObject([{ w: 'A', n: 1, error: { code: 'RESULT_LOST' } }])
  })
})

describe('the welcome', () => {
  test('names what was rejected from where the client goes on', () => {
    const { world } = open()
    world.welcome().say(m('A', 1, { e: 'bad' }), m('A', 2), m('A', 3, { e: 'bad' }))

    const client = world.welcome({ writers: { A: 2 } })

    expect(client.of('welcome')).toMatchObject([{ cursors: { A: 3 }, no: [['A', 3, 'REJECTED', 'no']] }])
  })

  test('keeps the writers of two users apart', () => {
    const world = createFakeWorld({ authenticate: ({ auth }) => ({ user: String(auth) }) })
    world.engine.on('session', (session) => session.onAny(() => {}))
    world.welcome({ auth: 'ann' }).say(m('A', 1))

    expect(world.welcome({ auth: 'bob', writers: { A: 1 } }).of('welcome')).toMatchObject([{ cursors: { A: 0 } }])
    expect(world.welcome({ auth: 'ann', writers: { A: 1 } }).of('welcome')).toMatchObject([{ cursors: { A: 1 } }])
  })
})

describe('skips behind a handler that runs', () => {
  test('wait, as many as the window has messages', () => {
    const { world } = open({ limits: { window: { messages: 4 } } })
    world.engine.on('session', (session) => session.on('slow', () => new Promise(() => {})))
    const client = world.welcome()
    client.say(m('A', 1, { e: 'slow' }))

    for (let index = 0; index < 4; index++) client.say({ t: 'skip', w: `w${index}`, s: 5 })
    expect(client.closed).toBeUndefined()
    client.say({ t: 'skip', w: 'w4', s: 5 })

    expect(client.closed).toEqual({ code: 4429, reason: 'RATE_LIMITED' })
  })
})

test('lanes that nobody uses any more are forgotten with their connection', () => {
  const { world, handled } = open()
  const client = world.welcome({ writers: { A: 1 } })
  client.say(m('A', 1))
  client.drop()

  const again = world.connect()
  again.say({ t: 'hello', writers: { A: 1 }, stream: { id: sessionOf(client), s: 0 } }, m('A', 1, { u: 1 }))

  expect(handled).toEqual(['A:1'])
  expect(again.of('welcome')).toMatchObject([{ resumed: true, cursors: { A: 1 } }])
})
