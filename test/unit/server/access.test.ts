import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import type { HoldfastError } from '../../../src/shared/errors.js'
import type { Identity } from '../../../src/server/base/options.js'
import type { UpgradeRequest } from '../../../src/server/base/upgrade-request.js'
import { createServer, type Server, type ServerOptions } from '../../../src/server/http/server.js'
import type { ServerAddress } from '../../../src/server/http/listen-options.js'
import { nextClose } from '../../support/clients.js'
import type { Frame } from '../../support/server-world.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

interface Started<I extends Identity> {
  readonly server: Server<object, I>
  readonly address: ServerAddress
  readonly errors: HoldfastError[]
}

async function start<I extends Identity>(options: ServerOptions<I> = {}): Promise<Started<I>> {
  const server = createServer<object, I>(options)
  const errors: HoldfastError[] = []
  server.on('error', (error) => errors.push(error))
  cleanups.push(() => server.close())
  return { server, address: await server.listening, errors }
}

interface Dialled {
  readonly client: WebSocket
  readonly frames: readonly Frame[]
  say(frame: Frame): void
}

/** A client that says hello, with these headers in its upgrade. */
function dial(url: string, options: ClientOptions, auth?: unknown): Dialled {
  const client = new WebSocket(url, 'holdfast.1', options)
  const frames: Frame[] = []
  const say = (frame: Frame): void => client.send(JSON.stringify(frame))
  client.on('error', () => {})
  client.on('message', (data: Buffer) => {
    frames.push(JSON.parse(data.toString()) as Frame)
    if (frames.length === 1) say({ t: 'hello', writers: {}, auth })
  })
  cleanups.push(() => client.terminate())
  return { client, frames, say }
}

/** What `authenticate` and the session see of an upgrade with these headers. */
async function seen(options: ClientOptions, serverOptions: ServerOptions = {}, auth?: unknown) {
  const requests: UpgradeRequest[] = []
  const { server, address, errors } = await start({
    authenticate: ({ request }) => {
      requests.push(request)
      return { user: request.cookies['sid'] ?? '' }
    },
    ...serverOptions,
  })
  server.on('session', (session) => requests.push(session.request))
  const { client } = dial(`${address.url}/live?room=7`, options, auth)
  await vi.waitUntil(() => requests.length === 2)
  return { request: requests[1]!, requests, errors, host: `127.0.0.1:${address.port}`, client }
}

describe('session.request', () => {
  test('has address, headers, cookies and query of the upgrade, as authenticate saw it', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9', cookie: 'sid=1', 'x-tenant': 'a' }
    const { request, requests, host } = await seen({ headers }, { trustProxy: ['loopback'] })

    expect(requests[0]).toBe(request)
    expect(request).toMatchObject({
      address: '203.0.113.9',
      remoteAddress: '127.0.0.1',
      isSecure: false,
      isForeign: false,
      host,
      url: '/live?room=7',
      path: '/live',
      query: { room: '7' },
      cookies: { sid: '1' },
      headers: { 'x-tenant': 'a' },
      subprotocol: 'holdfast.1',
    })
  })

  test('believes no proxy that is not trusted', async () => {
    const { request } = await seen({ headers: { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' } })

    expect(request).toMatchObject({ address: '127.0.0.1', isSecure: false })
  })

  test('outlives the connection, and is that of the newest', async () => {
    const { server, address } = await start()
    const sessions: Parameters<Parameters<typeof server.on<'session'>>[1]>[0][] = []
    server.on('session', (session) => void sessions.push(session))
    const first = dial(`${address.url}/?n=1`, {})
    await vi.waitUntil(() => sessions.length === 1)
    const [session] = sessions
    first.client.terminate()
    await vi.waitUntil(() => !session!.isConnected)

    expect(session!.request).toMatchObject({ address: '127.0.0.1', query: { n: '1' } })

    const second = new WebSocket(`${address.url}/?n=2`, 'holdfast.1')
    cleanups.push(() => second.terminate())
    second.once('message', () => {
      second.send(JSON.stringify({ t: 'hello', writers: {}, stream: { id: session!.id, s: 0, c: 1 } }))
    })
    await vi.waitUntil(() => session!.isConnected)

    expect(session!.request.query).toMatchObject({ n: '2' })
    expect(sessions).toHaveLength(1)
  })
})

describe('cookies', () => {
  const COOKIE = { cookie: 'sid=1' }

  test('are handed to a page of the host that it dials', async () => {
    const { server, address, errors } = await start({
      authenticate: ({ request }) => ({ user: request.cookies['sid']! }),
    })
    const users: string[] = []
    server.on('session', ({ user }) => void users.push(user))
    dial(address.url, { headers: COOKIE, origin: `http://127.0.0.1:${address.port}` })
    await vi.waitUntil(() => users.length === 1)

    expect(users).toEqual(['1'])
    expect(errors).toEqual([])
  })

  test('are handed to programs that are no browsers', async () => {
    expect((await seen({ headers: COOKIE })).request).toMatchObject({ isForeign: false, cookies: { sid: '1' } })
  })

  test('are handed to listed pages', async () => {
    const origin = 'https://app.example'
    const { request } = await seen({ headers: COOKIE, origin }, { origins: [origin] })

    expect(request).toMatchObject({ isForeign: false, cookies: { sid: '1' } })
  })

  test.each(['https://evil.example', 'http://127.0.0.1', 'http://127.0.0.1:1', 'null'])(
    'are kept from %s, so that no user is hijacked',
    async (origin) => {
      const { server, address, errors } = await start({
        authenticate: ({ request }) => (request.cookies['sid'] === '1' ? { user: 'ann' } : null),
      })
      const session = vi.fn()
      server.on('session', session)
      const { client, frames } = dial(address.url, { headers: COOKIE, origin })

      expect(await nextClose(client)).toMatchObject({ closeCode: 4401 })
      expect(frames.at(-1)).toMatchObject({ t: 'error', code: 'UNAUTHORIZED' })
      expect(session).not.toHaveBeenCalled()
      expect(errors).toMatchObject([{ code: 'COOKIES_WITHHELD' }])
    },
  )

  test('are not had by claiming to come through a proxy', async () => {
    const headers = { ...COOKIE, 'x-forwarded-host': 'evil.example' }
    const { request } = await seen({ headers, origin: 'https://evil.example' })

    expect(request).toMatchObject({ isForeign: true, cookies: {} })
  })

  test('are not needed by a page of another host that has a credential in its hello', async () => {
    const { server, address, errors } = await start({
      authenticate: ({ auth }) => (auth === 'ticket' ? { user: 'ann' } : null),
    })
    const users: string[] = []
    server.on('session', ({ user }) => void users.push(user))
    dial(address.url, { headers: COOKIE, origin: 'https://elsewhere.example' }, 'ticket')
    await vi.waitUntil(() => users.length === 1)

    expect(users).toEqual(['ann'])
    expect(errors).toEqual([])
  })
})

describe('session.identity', () => {
  test('is all that authenticate has returned, and typed', async () => {
    const account = { user: 'ann', role: 'admin', friends: ['bob'] }
    const { server, address } = await start({ authenticate: () => account })
    const identities: unknown[] = []
    server.on('session', ({ identity }) => {
      expectTypeOf(identity).toEqualTypeOf<Readonly<{ user: string; role: string; friends: string[] }>>()
      identities.push(identity)
    })
    dial(address.url, {})
    await vi.waitUntil(() => identities.length === 1)

    expect(identities[0]).toBe(account)
  })

  test('is refreshed with the credential', async () => {
    const { server, address } = await start({
      authenticate: ({ auth }) => ({ user: 'ann', role: String(auth) }),
    })
    const sessions: { readonly identity: { readonly role: string } }[] = []
    server.on('session', (session) => void sessions.push(session))
    const { say } = dial(address.url, {}, 'guest')
    await vi.waitUntil(() => sessions.length === 1)
    expect(sessions[0]!.identity.role).toBe('guest')

    say({ t: 'auth', auth: 'admin' })
    await vi.waitUntil(() => sessions[0]!.identity.role === 'admin')
  })

  test('is the user without a name where nobody authenticates', async () => {
    const { server, address } = await start()
    const identities: Identity[] = []
    server.on('session', ({ identity }) => void identities.push(identity))
    dial(address.url, {})
    await vi.waitUntil(() => identities.length === 1)

    expect(identities).toEqual([{ user: '' }])
  })
})
