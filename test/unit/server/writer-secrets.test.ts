import { describe, expect, test } from 'vitest'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import {
  createFakeWorld,
  placeOf,
  sessionOf,
  type FakeClient,
  type FakeWorld,
  type Frame,
} from '../../support/server-world.js'

const WRITER = 'ann~secret'

const m = (w: string, s: number, more: object = {}): Frame => ({ t: 'm', w, s, e: 'ok', ...more })

interface Stage {
  readonly world: FakeWorld
  readonly handled: string[]
  finish(): void
}

function open(options: Parameters<typeof createFakeWorld>[0] = {}): Stage {
  const world = createFakeWorld(options)
  const handled: string[] = []
  const stage: Stage = { world, handled, finish() {} }
  world.engine.on('session', (session) => {
    session.on('ok', (_data, { id }) => handled.push(id))
    session.on('slow', () => new Promise<void>((resolve) => (stage.finish = resolve)))
    session.handle('slow', () => new Promise((resolve) => (stage.finish = () => resolve('the reply'))))
  })
  return stage
}

/** What a client does that has read the id of a message, and knows no secret. */
const ATTACKS: Record<string, (attacker: FakeClient, writer: string) => void> = {
  'names it in hello': (attacker, writer) => attacker.say({ t: 'hello', writers: { [writer]: 1 } }),
  'goes far ahead in hello, to lift the hold': (attacker, writer) =>
    attacker.say({ t: 'hello', writers: { [writer]: 1_000 } }, m(writer, 1_000), {
      t: 'resume',
      writers: { [writer]: 1_000 },
    }),
  'sends a message as the writer': (attacker, writer) =>
    attacker.say({ t: 'hello', writers: {} }, m(writer, 2, { d: 'forged' })),
  'leaps over what is to come': (attacker, writer) =>
    attacker.say({ t: 'hello', writers: {} }, { t: 'skip', w: writer, s: 1_000 }),
  'names it where it resumes after a hold of its own': (attacker, writer) =>
    attacker.say({ t: 'hello', writers: { 'eve~x': 9 } }, { t: 'resume', writers: { 'eve~x': 9, [writer]: 1_000 } }),
  'hides it behind one of its own': (attacker, writer) =>
    attacker.say({ t: 'hello', writers: { 'eve~x': 1, [writer]: 1 } }),
}

describe.each(Object.keys(ATTACKS))('a client that %s', (attack) => {
  test.each(['ann', 'ann~', 'ann~Secret', 'ann~secre', 'ann~secret~', 'ann~other'])(
    'as %s gets nothing',
    async (writer) => {
      const { world, handled } = open()
      const victim = world.welcome({ writers: { [WRITER]: 1 } })
      victim.say(m(WRITER, 1))
      await world.clock.advance(25)
      const attacker = world.connect()

      ATTACKS[attack]?.(attacker, writer)
      await world.clock.advance(100)

      expect(attacker.of('error')).toMatchObject([{ code: 'FORBIDDEN' }])
      expect(attacker.closed).toMatchObject({ code: 4403 })
      expect(attacker.of('a')).toEqual([])
      expect(attacker.of('welcome').flatMap(({ cursors }) => Object.keys(cursors as object))).not.toContain(writer)
      expect(world.errors.map(({ code }) => code)).toEqual(['FORBIDDEN'])
      expect(world.engine.errorCount).toBe(1)
      victim.say(m(WRITER, 2), m(WRITER, 3))
      await world.clock.advance(25)
      expect(handled).toEqual(['ann:1', 'ann:2', 'ann:3'])
      expect(victim.of('a').at(-1)).toEqual({ t: 'a', w: { [WRITER]: 3 } })
    },
  )
})

describe('the secret of a writer', () => {
  test('counts while the first message is being handled, of which no store knows yet', async () => {
    const stage = open()
    const { world } = stage
    const victim = world.welcome({ writers: { [WRITER]: 1 } })
    victim.say(m(WRITER, 1, { e: 'slow', r: 1 }))
    const attacker = world.connect()

    attacker.say({ t: 'hello', writers: { 'ann~other': 1 } })
    stage.finish()
    await world.clock.advance(25)

    expect(attacker.closed).toMatchObject({ code: 4403 })
    expect(attacker.of('r')).toEqual([])
    expect(victim.of('r')).toMatchObject([{ d: 'the reply' }])
  })

  test('is remembered by the store, for the next server', async () => {
    const streams = memoryStreams()
    const before = open({ streams })
    before.world.welcome({ writers: { [WRITER]: 1 } }).say(m(WRITER, 1))
    before.world.engine.close()
    const { world, handled } = open({ streams })
    const attacker = world.connect()

    attacker.say({ t: 'hello', writers: { 'ann~other': 2 } })
    const heir = world.welcome({ writers: { [WRITER]: 1, 'heir~own': 1 } })
    heir.say(m(WRITER, 1, { u: 1 }), m(WRITER, 2, { u: 1 }))

    expect(attacker.closed).toMatchObject({ code: 4403 })
    expect(heir.of('welcome')).toMatchObject([{ cursors: { [WRITER]: 1, 'heir~own': 0 } }])
    expect(handled).toEqual(['ann:2'])
  })

  test('may be missing: then the name is the whole id', async () => {
    const { world, handled } = open()
    world.welcome({ writers: { A: 1 } }).say(m('A', 1))

    const again = world.welcome({ writers: { A: 1 } })

    expect(handled).toEqual(['A:1'])
    expect(again.of('welcome')).toMatchObject([{ cursors: { A: 1 } }])
  })

  test('is that of one user: another may have the same name', () => {
    const { world, handled } = open({ authenticate: ({ auth }) => ({ user: String(auth) }) })

    world.welcome({ auth: 'ann', writers: { [WRITER]: 1 } }).say(m(WRITER, 1))
    world.welcome({ auth: 'bob', writers: { 'ann~other': 1 } }).say(m('ann~other', 1))

    expect(handled).toEqual(['ann:1', 'ann:1'])
    expect(world.errors).toEqual([])
  })

  test('does not stand in what the server says of an error', () => {
    const { world } = open()
    const client = world.welcome({ writers: { [WRITER]: 1 } })

    client.say(m(WRITER, 5))

    expect(world.errors.map(({ message }) => message)).toEqual(['The peer sent ann:5 after ann:0'])
  })
})

describe('a hello that is refused for a secret', () => {
  test('may not give one name two secrets', () => {
    const { world } = open()
    const client = world.connect()

    client.say({ t: 'hello', writers: { 'eve~one': 1, 'eve~two': 1 } })

    expect(client.closed).toMatchObject({ code: 4403 })
  })

  test('leaves no session behind', () => {
    const { world } = open()
    world.welcome({ writers: { [WRITER]: 1 } }).say(m(WRITER, 1))

    world.connect().say({ t: 'hello', writers: { 'ann~other': 1 } })

    expect(world.engine.sessionCount).toBe(1)
    expect(world.sessions).toHaveLength(1)
  })

  test('does not cost its client the session that it has', () => {
    const { world } = open()
    world.welcome({ writers: { [WRITER]: 1 } }).say(m(WRITER, 1))
    const client = world.welcome()
    world.session.send('news', 1)

    world.connect().say({ t: 'hello', writers: { 'ann~other': 1 }, stream: { ...placeOf(client), c: 1 } })
    world.session.send('news', 2)
    client.drop()
    const again = world.welcome({ stream: { ...placeOf(client), c: 2 } })

    expect(client.of('m').map(({ d }) => d)).toEqual([1, 2])
    expect(sessionOf(again)).toBe(sessionOf(client))
    expect(again.of('welcome')).toMatchObject([{ resumed: true }])
  })
})
