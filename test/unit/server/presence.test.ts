import { describe, expect, test } from 'vitest'
import { createFakeWorld, placeOf, type FakeClient, type FakeWorld } from '../../support/server-world.js'

function setUp(isListening = true) {
  const world = createFakeWorld({ authenticate: ({ auth }) => ({ user: String(auth) }), presenceGraceMs: 1_000 })
  const log: string[] = []
  const listen = (): void => {
    world.engine.on('join', ({ room, user }) => log.push(`${user} joins ${room}`))
    world.engine.on('leave', ({ room, user }) => log.push(`${user} leaves ${room}`))
  }
  if (isListening) listen()
  const enter = (user: string, ...rooms: string[]) => {
    const client = world.welcome({ auth: user })
    const { session } = world
    for (const room of rooms) session.join(room)
    return { client, session, back: () => comeBack(world, user, client) }
  }
  return { world, log, listen, enter }
}

function comeBack(world: FakeWorld, user: string, client: FakeClient): FakeClient {
  const again = world.connect()
  again.say({ t: 'hello', writers: {}, auth: user, stream: { ...placeOf(client), c: 1 } })
  return again
}

describe('join and leave', () => {
  test('are told of users, not of each page', () => {
    const { log, enter } = setUp()
    const first = enter('ann', 'a', 'b')
    const second = enter('ann', 'a')
    second.session.join('a')
    enter('bob', 'a')
    first.session.leave('a')
    second.session.leave('a')
    second.session.leave('a')
    first.session.close()

    expect(log).toEqual(['ann joins a', 'ann joins b', 'bob joins a', 'ann leaves a', 'ann leaves b'])
  })

  test('are silent over a blip', async () => {
    const { world, log, enter } = setUp()
    const { client, back } = enter('ann', 'a')
    client.drop()
    await world.clock.advance(999)
    back()
    await world.clock.advance(10_000)

    expect(log).toEqual(['ann joins a'])
  })

  test('are told of an absence, and of its end', async () => {
    const { world, log, enter } = setUp()
    const { client, back, session } = enter('ann', 'a')
    client.drop()
    await world.clock.advance(1_000)
    const away = await world.engine.members('a')
    session.join('b')
    session.leave('b')
    back()

    expect(away).toEqual([])
    expect(log).toEqual(['ann joins a', 'ann leaves a', 'ann joins a'])
    expect(await world.engine.members('a')).toEqual(['ann'])
  })

  test('are told once of a session that ends while it is absent', async () => {
    const { world, log, enter } = setUp()
    const { client } = enter('ann', 'a')
    client.drop()
    await world.clock.advance(200_000)

    expect(world.engine.sessionCount).toBe(0)
    expect(log).toEqual(['ann joins a', 'ann leaves a'])
  })

  test('begin with who is there', async () => {
    const { world, log, listen, enter } = setUp(false)
    const here = enter('ann', 'a')
    const away = enter('bob', 'a')
    away.client.drop()
    listen()
    enter('cid', 'a')
    await world.clock.advance(1_000)
    here.session.leave('a')

    expect(log).toEqual(['cid joins a', 'bob leaves a', 'ann leaves a'])
  })

  test('are not told of the end of the server', () => {
    const { world, log, enter } = setUp()
    enter('ann', 'a')
    world.engine.close()

    expect(log).toEqual(['ann joins a'])
  })
})

test('members are asked for without a listener too', async () => {
  const { world, enter } = setUp(false)
  const { client } = enter('ann', 'a')
  enter('bob', 'a')
  client.drop()

  expect(await world.engine.members('a')).toEqual(['ann', 'bob'])
  await world.clock.advance(1_000)
  expect(await world.engine.members('a')).toEqual(['bob'])
})
