import { describe, expect, test } from 'vitest'
import type { Session } from '../../../src/server/base/api.js'
import { createFakeWorld, placeOf, type FakeClient, type FakeWorld } from '../../support/server-world.js'

interface Somebody {
  readonly client: FakeClient
  readonly session: Session
}

const createWorld = (): FakeWorld => createFakeWorld({ authenticate: ({ auth }) => ({ user: String(auth) }) })

function enter(world: FakeWorld, user: string, ...rooms: string[]): Somebody {
  const client = world.welcome({ auth: user })
  const { session } = world
  for (const room of rooms) session.join(room)
  return { client, session }
}

const eventsOf = ({ client }: Somebody): unknown[] => client.heard().map(({ e }) => e)

describe('a group', () => {
  test('is a room without some', () => {
    const world = createWorld()
    const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((user) => enter(world, user, 'a'))

    world.engine.to('a').except(ann!.session).send('one')
    world.engine.to('a').except(ann!.session, bob!.session).volatile('two')
    world.engine.to('a').except(ann!.session).except(cid!.session).send('three')

    expect(eventsOf(ann!)).toEqual([])
    expect(eventsOf(bob!)).toEqual(['one', 'three'])
    expect(eventsOf(cid!)).toEqual(['one', 'two'])
  })

  test('is all pages of a user, also those that are away', () => {
    const world = createWorld()
    const here = enter(world, 'ann')
    world.engine.toUser('ann').send('one')
    const later = enter(world, 'ann')
    const other = enter(world, 'bob')
    const place = placeOf(later.client)
    later.client.drop()

    world.engine.toUser('ann').send('two')
    world.engine.toUser('ann').except(here.session).send('three')
    world.engine.toUser('nobody').send('four')

    const again = world.connect()
    again.say({ t: 'hello', writers: {}, auth: 'ann', stream: { ...place, c: 1 } })
    expect(eventsOf(here)).toEqual(['one', 'two'])
    expect(again.of('m').map(({ e }) => e)).toEqual(['two', 'three'])
    expect(eventsOf(other)).toEqual([])
  })

  test('loses a user whose session has ended', () => {
    const world = createWorld()
    const ann = enter(world, 'ann')
    world.engine.toUser('ann').send('one')

    ann.session.close()
    world.engine.toUser('ann').send('two')

    expect(world.errors).toEqual([])
  })

  test('refuses names and data as a session does', () => {
    const { engine } = createWorld()

    expect(() => engine.toUser('ann').send('')).toThrow(TypeError)
    expect(() => engine.to('a').volatile('one', () => {})).toThrow(/NOT_ENCODABLE|no form/)
  })
})

describe('sessions', () => {
  const idsOf = async (found: Promise<readonly { id: string }[]>) => (await found).map(({ id }) => id)

  test('are found by user, by room, by both, or all', async () => {
    const world = createWorld()
    const ann = enter(world, 'ann', 'a')
    const other = enter(world, 'ann', 'b')
    const bob = enter(world, 'bob', 'a')
    const { engine } = world

    expect(await idsOf(engine.sessions())).toEqual([ann.session.id, other.session.id, bob.session.id])
    expect(await idsOf(engine.sessions({ user: 'ann' }))).toEqual([ann.session.id, other.session.id])
    expect(await idsOf(engine.sessions({ room: 'a' }))).toEqual([ann.session.id, bob.session.id])
    expect(await idsOf(engine.sessions({ user: 'ann', room: 'a' }))).toEqual([ann.session.id])
    expect(await idsOf(engine.sessions({ user: 'cid' }))).toEqual([])
  })

  test('are shown as they were, and can be told something', async () => {
    const world = createWorld()
    const ann = enter(world, 'ann', 'a')
    const [view] = await world.engine.sessions()
    view!.send('news', 1)
    view!.leave('a')
    view!.join('b')

    expect(view).toMatchObject({ id: ann.session.id, user: 'ann', isConnected: true, rooms: new Set(['a']) })
    expect([...ann.session.rooms]).toEqual(['b'])
    expect(ann.client.heard()).toMatchObject([{ t: 'm', e: 'news', d: 1 }])

    view!.close(4000, 'enough')
    expect(ann.client.closed).toEqual({ code: 4000, reason: 'enough' })
  })

  test('are asked for by names that are known', async () => {
    const { engine } = createWorld()

    await expect(engine.sessions({ users: 'ann' } as object)).rejects.toThrow('did you mean "user"?')
    await expect(engine.sessions({ room: 7 } as object)).rejects.toThrow('room must be a string, got 7')
  })
})

test('the members of a room are its users, each once', async () => {
  const world = createWorld()
  enter(world, 'bob', 'a')
  enter(world, 'ann', 'a')
  const away = enter(world, 'bob', 'a')
  enter(world, 'cid', 'b')
  away.client.drop()

  expect(await world.engine.members('a')).toEqual(['bob', 'ann'])
  expect(await world.engine.members('c')).toEqual([])
})

describe('disconnect', () => {
  test('ends all sessions of a user for good', async () => {
    const world = createWorld()
    const ann = enter(world, 'ann')
    const away = enter(world, 'ann')
    const bob = enter(world, 'bob')
    away.client.drop()

    await world.engine.disconnect('ann', 'banned')

    expect(ann.client.closed).toEqual({ code: 4403, reason: 'banned' })
    expect(bob.client.closed).toBeUndefined()
    expect(await world.engine.sessions({ user: 'ann' })).toEqual([])
    expect(world.engine.sessionCount).toBe(1)
  })

  test('takes a code of its own', async () => {
    const world = createWorld()
    const ann = enter(world, 'ann')

    await world.engine.disconnect('ann', 'logged out', { code: 4401 })

    expect(ann.client.closed).toEqual({ code: 4401, reason: 'logged out' })
  })

  test('reaches those that were let in and wait for the store', async () => {
    const clients: FakeClient[] = []
    const { memoryStreams } = await import('../../../src/server/stores/memory-streams.js')
    const store = memoryStreams()
    const world = createFakeWorld({
      authenticate: ({ auth }) => ({ user: String(auth) }),
      streams: {
        open(platform) {
          const streams = store.open(platform)
          const attach: typeof streams.attach = async (request) => {
            await Promise.resolve()
            return streams.attach(request)
          }
          return Object.assign(Object.create(streams) as typeof streams, { attach })
        },
      },
    })
    for (const user of ['ann', 'bob']) {
      const client = world.connect()
      client.say({ t: 'hello', writers: {}, auth: user })
      clients.push(client)
    }

    await world.engine.disconnect('ann')

    expect(clients.map(({ closed }) => closed)).toEqual([{ code: 4403, reason: 'disconnected' }, undefined])
  })

  test('leaves those alone that have not said who they are', async () => {
    const world = createFakeWorld()
    const client = world.connect()

    await world.engine.disconnect('')

    expect(client.closed).toBeUndefined()
  })

  test('takes codes and reasons that a close frame has', async () => {
    const { engine } = createWorld()

    await expect(engine.disconnect('ann', 'x'.repeat(124))).rejects.toThrow('reason must be at most 123 bytes long')
    await expect(engine.disconnect('ann', 'no', { code: 1006 })).rejects.toThrow('code must be 1000 or an integer')
    await expect(engine.disconnect(7 as never)).rejects.toThrow('user must be a string, got 7')
  })
})
