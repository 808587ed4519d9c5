import { describe, expect, test } from 'vitest'
import { createFakeWorld, placeOf, type FakeClient } from '../../support/server-world.js'

const closes = (clients: readonly FakeClient[]): unknown[] => clients.map(({ closed }) => closed?.code)

describe('connections of one address', () => {
  test('are limited, counted where they are refused, and make room when they end', () => {
    const world = createFakeWorld({ limits: { connectionsPerAddressMax: 2 } })
    const from = (remoteAddress: string) => world.connect({ remoteAddress })
    const clients = ['203.0.113.9', '203.0.113.9', '203.0.113.9', '203.0.113.10'].map(from)

    expect(closes(clients)).toEqual([undefined, undefined, 1013, undefined])
    expect(clients[2]?.of('error')).toMatchObject([{ code: 'SERVER_FAILED', after: 5_000 }])
    expect(world.errors).toMatchObject([{ code: 'TOO_MANY' }])
    expect(world.engine.errorCount).toBe(1)

    clients[0]?.drop()
    expect(closes([from('203.0.113.9'), from('203.0.113.9')])).toEqual([undefined, 1013])
  })

  test('are those of the client behind a proxy', () => {
    const world = createFakeWorld({ limits: { connectionsPerAddressMax: 1 }, trustProxy: 1 })
    const from = (forwardedFor: string) =>
      world.connect({ remoteAddress: '127.0.0.1', headers: { 'x-forwarded-for': forwardedFor } })

    expect(closes([from('203.0.113.9'), from('203.0.113.10'), from('203.0.113.9')])).toEqual([
      undefined,
      undefined,
      1013,
    ])
  })

  test('are those of one /64 of IPv6', () => {
    const world = createFakeWorld({ limits: { connectionsPerAddressMax: 1 } })
    const from = (remoteAddress: string) => world.connect({ remoteAddress })
    const addresses = ['2001:db8::1', '2001:db8:0:0:1::2', '2001:db8:0:1::1', '::1', '::2', '2001:db8:0:1:2:3:4:5']

    expect(closes(addresses.map(from))).toEqual([undefined, 1013, undefined, undefined, 1013, 1013])
  })

  test('of a local socket are not limited', () => {
    const world = createFakeWorld({ limits: { connectionsPerAddressMax: 1 } })

    expect(closes([world.connect(), world.connect()])).toEqual([undefined, undefined])
  })
})

describe('sessions of one user', () => {
  const setUp = () =>
    createFakeWorld({ authenticate: ({ auth }) => ({ user: String(auth) }), limits: { sessionsPerUserMax: 2 } })

  test('are limited, counted where they are refused, and make room when they end', () => {
    const world = setUp()
    const first = world.welcome({ auth: 'ann' })
    const others = ['ann', 'ann', 'bob'].map((auth) => world.welcome({ auth }))

    expect(closes(others)).toEqual([undefined, 1013, undefined])
    expect(world.errors).toMatchObject([{ code: 'TOO_MANY' }])
    first.say({ t: 'bye' })
    expect(closes([world.welcome({ auth: 'ann' }), world.welcome({ auth: 'ann' })])).toEqual([undefined, 1013])
  })

  test('give way while they are away, the one first that is so longest', () => {
    const world = setUp()
    const clients = ['bob', 'ann', 'ann'].map((auth) => world.welcome({ auth }))
    for (const client of clients) client.drop()

    expect(closes([world.welcome({ auth: 'ann' })])).toEqual([undefined])
    const resumes = (auth: string, client: FakeClient | undefined): unknown => {
      const again = world.connect()
      again.say({ t: 'hello', writers: {}, auth, stream: { ...placeOf(client!), c: 1 } })
      return again.of('welcome')[0]?.['resumed']
    }
    const [bob, older, newer] = clients
    expect([resumes('bob', bob), resumes('ann', newer)]).toEqual([true, true])
    expect(world.errors).toEqual([])
    expect(resumes('ann', older)).toBeUndefined()
    expect(world.errors).toMatchObject([{ code: 'TOO_MANY' }])
  })
})
