import { afterEach, describe, expect, expectTypeOf, test } from 'vitest'
import type { Socket } from 'socket.io'
import { createClient } from '../../../src/client/client.js'
import type { Gap } from '../../../src/dialects/dialect.js'
import { socketIo, type SocketIoOptions } from '../../../src/dialects/socketio/socketio.js'
import type { ClientOptions } from '../../../src/client/options.js'
import type { ClientState } from '../../../src/client/snapshot.js'
import type { Client } from '../../../src/client/api.js'
import type { WebSocketClass } from '../../../src/platform/transport.js'
import { PlainWebSocket } from '../../support/clients.js'
import { createFaultProxy, type FaultProxy } from '../../support/fault-proxy.js'
import { createSocketIoServer, type SocketIoServer } from '../../support/socketio-server.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.()
})

async function serve(options: Parameters<typeof createSocketIoServer>[0] = {}): Promise<SocketIoServer> {
  const server = await createSocketIoServer(options)
  cleanups.push(() => server.close())
  return server
}

async function proxyTo({ port }: SocketIoServer): Promise<FaultProxy> {
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
  cleanups.push(() => proxy.close())
  return proxy
}

interface Chat {
  fromServer: Record<string, unknown>
  toServer: Record<string, unknown>
  requests: Record<string, { params: unknown; result: unknown }>
}

/** A client in Node, on the WebSocket class of `ws`. */
function connect(url: string, dialect: SocketIoOptions = {}, options: Partial<ClientOptions> = {}): Client<Chat> {
  const client = createClient<Chat>({
    url,
    dialect: socketIo(dialect),
    retryDelayMs: { min: 5, max: 20 },
    WebSocket: PlainWebSocket as unknown as WebSocketClass,
    ...options,
  })
  cleanups.push(() => client.close())
  client.connect()
  return client
}

const until = (client: Client<Chat>, holds: (state: ClientState) => boolean): Promise<ClientState> =>
  new Promise((resolve) => {
    const watch = (): void => {
      if (!holds(client.getState())) return
      off()
      resolve(client.getState())
    }
    const off = client.subscribe(watch)
    watch()
  })

const connected = (client: Client<Chat>): Promise<ClientState> => until(client, ({ status }) => status === 'connected')
const nextSocket = ({ io }: SocketIoServer, namespace = '/'): Promise<Socket> =>
  new Promise((resolve) => io.of(namespace).once('connection', resolve))
const heard = (client: Client<Chat>, event: string): Promise<unknown> =>
  new Promise((resolve) => client.once(event, resolve))
const told = (socket: Socket, event: string): Promise<unknown[]> =>
  new Promise((resolve) => socket.once(event, (...values: unknown[]) => resolve(values)))

describe('connecting', () => {
  test('joins the default namespace, and knows its session by the server’s id', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url)

    const state = await connected(client)

    expect(state).toMatchObject({ status: 'connected', sessionId: (await joined).id, recovered: false })
  })

  test('joins a namespace with its credential, which is never in the URL', async () => {
    const server = await serve()
    const joined = nextSocket(server, '/chat')
    connect(`${server.url}?room=7`, { namespace: '/chat' }, { auth: () => ({ token: 'secret' }) })

    const { handshake } = await joined

    expect(handshake.auth).toEqual({ token: 'secret' })
    expect(handshake.url).toBe('/socket.io/?room=7&EIO=4&transport=websocket')
  })

  test('wraps a credential that is no object, since Socket.IO takes only objects', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    connect(server.url, {}, { auth: () => 'secret' })

    expect((await joined).handshake.auth).toEqual({ token: 'secret' })
  })

  test('dials the path of the option, or of the url', async () => {
    const server = await serve({ path: '/live/' })
    const first = nextSocket(server)
    connect(server.url, { path: '/live/' })
    await first
    const second = nextSocket(server)
    connect(`${server.url}/live/`)

    expect((await second).nsp.name).toBe('/')
  })
})

describe('a refusal', () => {
  test('of a namespace that is not there stops the client, in the server’s words', async () => {
    const server = await serve()
    const client = connect(server.url, { namespace: '/nowhere' })

    const state = await until(client, ({ status }) => status === 'closed')

    expect(state).toMatchObject({ error: { name: 'RefusedError', code: 'REFUSED_BY_SERVER' } })
    expect((state as { error: Error }).error.message).toContain('Invalid namespace')
  })

  test('of a credential asks for a fresh one, once', async () => {
    const server = await serve()
    server.io.use(({ handshake }, next) => {
      if (handshake.auth['token'] === 'fresh') next()
      else next(Object.assign(new Error('expired'), { data: { retry: true } }))
    })
    const tokens = ['stale', 'fresh']
    const client = connect(server.url, {}, { auth: () => ({ token: tokens.shift() }) })

    await connected(client)

    expect(tokens).toEqual([])
  })

  test('of two credentials in a row stops the client, and tells what the server sent', async () => {
    const server = await serve()
    server.io.use((_, next) => next(Object.assign(new Error('banned'), { data: { until: 2030 } })))
    let asked = 0
    const client = connect(server.url, {}, { auth: () => ({ attempt: ++asked }) })

    const state = await until(client, ({ status }) => status === 'closed')

    expect(state).toMatchObject({
      error: { code: 'UNAUTHORIZED', cause: { message: 'banned', data: { until: 2030 } } },
    })
    expect(asked).toBe(2)
  })
})

describe('events', () => {
  test('go both ways, typed by the contract', async () => {
    const server = await serve()
    server.io.on('connection', (socket) => socket.on('message', (text) => server.io.emit('message', { text })))
    const client = connect(server.url)
    const echo = heard(client, 'message')
    await connected(client)

    const receipt = await client.send('message', 'hello').delivered

    expect(await echo).toEqual({ text: 'hello' })
    expect(receipt).toEqual({ confirmedBy: 'browser' })
  })

  test('carry bytes at any depth, both ways, as they were when they were sent', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url, { namespace: '/' })
    const socket = await joined
    const up = told(socket, 'file')
    const bytes = new Uint8Array([1, 2, 3])
    client.send('file', { name: 'a', parts: [bytes, bytes.buffer] })
    bytes.fill(9)
    const [value] = (await up) as [{ parts: Buffer[] }]
    const down = heard(client, 'file')
    socket.emit('file', { part: Buffer.from([4, 5]) })
    const { part } = (await down) as { part: ArrayBuffer }

    expect(value.parts.map((one) => [...one])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect([...new Uint8Array(part)]).toEqual([4, 5])
  })

  test('carry bytes and numbers in a namespace of its own', async () => {
    const server = await serve()
    const joined = nextSocket(server, '/chat')
    const client = connect(server.url, { namespace: '/chat', acks: true })
    const socket = await joined
    socket.on('file', (bytes: Buffer, done: (length: number) => void) => done(bytes.length))

    expect(await client.send('file', new Uint8Array(7)).delivered).toEqual({ confirmedBy: 'server' })
    expect(await client.request('file', new Uint8Array(5))).toBe(5)
  })

  test('have all their arguments where they are spread', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url, { spread: true })
    const socket = await joined
    const up = told(socket, 'pair')
    client.send('pair', [1, { two: 2 }])
    const down = heard(client, 'pair')
    socket.emit('pair', 3, 4)

    expect(await up).toEqual([1, { two: 2 }])
    expect(await down).toEqual([3, 4])
    expect(() => client.send('pair', 'no list')).toThrow(
      'With spread, the payload of "pair" is the list of its arguments',
    )
  })

  test('are refused at the call if Socket.IO cannot carry them', async () => {
    const server = await serve()
    const client = connect(server.url)
    const cycle: unknown[] = []
    cycle.push(cycle)

    expect(() => client.send('connect', 1)).toThrow('Socket.IO keeps this name for itself')
    expect(() => client.send('message', cycle)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
    expect(() => client.send('message', new Blob(['a']))).toThrow('await blob.arrayBuffer()')
    expect(() =>
      client.send(
        'message',
        Array.from({ length: 11 }, () => new Uint8Array(1)),
      ),
    ).toThrow('more than 10 attachments')
  })

  test('past the queue go at once or not at all', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url)
    const early = client.send('where', [0, 0], { volatile: true })
    await connected(client)
    const up = told(await joined, 'where')
    client.send('where', [1, 2], { volatile: true })

    expect(await up).toEqual([[1, 2]])
    expect(early.error).toMatchObject({ code: 'NOT_CONNECTED' })
  })

  test('reach the others of a room', async () => {
    const server = await serve()
    server.io.on('connection', (socket) =>
      socket.on('join', (room: string, done: () => void) => {
        void socket.join(room)
        socket.to(room).emit('user-joined', { id: socket.id })
        done()
      }),
    )
    const first = connect(server.url)
    const second = connect(server.url)
    const news = heard(first, 'user-joined')
    const notForItself: unknown[] = []
    second.on('user-joined', (user) => notForItself.push(user))
    await first.request('join', 'lobby')
    await second.request('join', 'lobby')

    expect(await news).toEqual({ id: (second.getState() as { sessionId: string }).sessionId })
    expect(notForItself).toEqual([])
  })
})

describe('acknowledgements', () => {
  test('deliver a message, and answer a request', async () => {
    const server = await serve()
    server.io.on('connection', (socket) => {
      socket.on('save', (_text: string, done: () => void) => done())
      socket.on('double', (number: number, done: (result: number) => void) => done(number * 2))
    })
    const client = connect(server.url, { acks: ['save'] })

    expect(await client.send('save', 'a').delivered).toEqual({ confirmedBy: 'server' })
    expect(await client.request('double', 21)).toBe(42)
  })

  test('settle their messages as they come', async () => {
    const server = await serve()
    const callbacks: (() => void)[] = []
    server.io.on('connection', (socket) => socket.on('save', (_text: string, done: () => void) => callbacks.push(done)))
    const client = connect(server.url, { acks: true })
    const [first, second] = ['a', 'b'].map((text) => client.send('save', text))
    while (callbacks.length < 2) await new Promise((resolve) => setImmediate(resolve))
    callbacks[1]?.()
    await second?.delivered
    const early = first?.status
    callbacks[0]?.()
    await first?.delivered

    expect(early).toBe('sent')
  })

  test('of the client are what its listener returns', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url)
    client.on('question', async (question) => `${String(question)}? 42`)
    client.on('receipt', () => {})
    const socket = await joined
    await connected(client)

    expect(await socket.timeout(5_000).emitWithAck('question', 'meaning')).toBe('meaning? 42')
    expect(await socket.timeout(5_000).emitWithAck('receipt', 1)).toBeUndefined()
  })

  test('that never come fail their messages and hold nobody else', async () => {
    const server = await serve({ pingInterval: 50 })
    server.io.on('connection', (socket) => socket.on('save', (_text: string, done: () => void) => done()))
    const client = connect(server.url, { acks: true, ackTimeoutMs: 60 })
    const deaf = client.send('unheard', 1)
    const saved = client.send('save', 2)

    await expect(deaf.delivered).rejects.toMatchObject({ code: 'NOT_ACKNOWLEDGED' })
    expect(await saved.delivered).toEqual({ confirmedBy: 'server' })
    expect(client.getState().pending).toBe(0)
  })

  test('are asked for anew after a cut: sent again until they come, in order', async () => {
    const server = await serve()
    const link = await proxyTo(server)
    const got: number[] = []
    let isDeaf = true
    server.io.on('connection', (socket) =>
      socket.on('save', (number: number, done: () => void) => {
        got.push(number)
        if (isDeaf) {
          if (got.length === 3) link.reset()
        } else done()
      }),
    )
    const client = connect(link.url, { acks: true })
    const deliveries = [1, 2, 3].map((number) => client.send('save', number))
    await until(client, ({ status }) => status === 'waiting')
    isDeaf = false
    await Promise.all(deliveries.map(({ delivered }) => delivered))

    expect(got).toEqual([1, 2, 3, 1, 2, 3])
  })

  test('are not asked for again where they had come out of turn before the cut', async () => {
    const server = await serve()
    const link = await proxyTo(server)
    const got: number[] = []
    let isFirst = true
    server.io.on('connection', (socket) =>
      socket.on('save', (number: number, done: () => void) => {
        got.push(number)
        if (number === 2 || !isFirst) done()
      }),
    )
    const client = connect(link.url, { acks: true })
    const deliveries = [1, 2].map((number) => client.send('save', number))
    await client.request('save', 2) // Its answer comes behind that of the message before it.
    isFirst = false
    link.reset()
    await Promise.all(deliveries.map(({ delivered }) => delivered))

    expect(got).toEqual([1, 2, 2, 1])
  })
})

describe('liveness', () => {
  test('answers the server’s pings, and counts them as life', async () => {
    const server = await serve({ pingInterval: 40, pingTimeout: 40 })
    const client = connect(server.url)
    const states: string[] = []
    client.lifecycle.on('state', ({ status }) => states.push(status))
    await connected(client)
    const socket = await server.io.fetchSockets()
    const pongs = new Promise<void>((resolve) => {
      let count = 0
      for (const one of server.io.of('/').sockets.values()) {
        one.conn.on('heartbeat', () => ++count === 5 && resolve())
      }
    })
    await pongs

    expect(socket).toHaveLength(1)
    expect(states.at(-1)).toBe('connected')
  })

  test('gives up a link on which the server’s pings stay away', async () => {
    const server = await serve({ pingInterval: 50, pingTimeout: 50 })
    const link = await proxyTo(server)
    const client = connect(link.url)
    await connected(client)
    link.blackhole()

    const state = await until(client, ({ status }) => status === 'waiting')

    expect(state).toMatchObject({ error: { code: 'HEARTBEAT_TIMEOUT' } })
  })
})

describe('the end of a connection', () => {
  test('by the server stops the client: it was meant', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url)
    const socket = await joined
    await connected(client)
    socket.disconnect(true)

    const state = await until(client, ({ status }) => status === 'closed')

    expect(state).toMatchObject({ error: { code: 'REFUSED_BY_SERVER' } })
  })

  test('by the client is told to the server as that', async () => {
    const server = await serve()
    const joined = nextSocket(server)
    const client = connect(server.url)
    const reason = told(await joined, 'disconnect')
    await connected(client)
    await client.close()

    expect((await reason)[0]).toBe('client namespace disconnect')
  })

  test('by a restart of the server is survived, with the queue', async () => {
    const server = await createSocketIoServer()
    const client = connect(server.url, { acks: true })
    const gaps: Gap[] = []
    client.lifecycle.on('gap', (gap) => gaps.push(gap))
    await connected(client)
    await server.close()
    await until(client, ({ status }) => status !== 'connected')
    const delivery = client.send('save', 'meanwhile')
    const again = await serve({ port: server.port })
    const got: unknown[] = []
    again.io.on('connection', (socket) =>
      socket.on('save', (text: string, done: () => void) => {
        got.push(text)
        done()
      }),
    )
    await delivery.delivered

    expect(got).toEqual(['meanwhile'])
    expect(gaps).toEqual([{ fromServer: true, toServer: false, reason: 'unknown' }])
  })
})

describe('connection state recovery', () => {
  test('brings what was missed, and tells no gap', async () => {
    const server = await serve({ connectionStateRecovery: {} })
    const link = await proxyTo(server)
    const client = connect(link.url)
    const got: unknown[] = []
    const gaps: Gap[] = []
    client.lifecycle.on('gap', (gap) => gaps.push(gap))
    client.on('news', (number) => got.push(number))
    const { sessionId } = (await connected(client)) as { sessionId: string }
    const first = heard(client, 'news')
    server.io.emit('news', 1)
    await first
    link.refuse()
    link.reset()
    await until(client, ({ status }) => status !== 'connected')
    server.io.emit('news', 2)
    server.io.emit('news', 3)
    void link.heal()
    const third = new Promise<void>((resolve) => client.on('news', (number) => number === 3 && resolve()))
    await third

    expect(client.getState()).toMatchObject({ status: 'connected', sessionId, recovered: true })
    expect(got).toEqual([1, 2, 3])
    expect(gaps).toEqual([])
  })
})

describe('a server of another kind', () => {
  test.each([
    ['echoes', 'hello'],
    ['sends JSON', '{"type":"welcome"}'],
    ['is Socket.IO 2', ['0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}', '40']],
    ['opens nothing', '40{"sid":"a"}'],
    ['has no handshake', '0'],
  ])('that %s is left for good', async (_, words) => {
    const { createServer } = await import('node:http')
    const { WebSocketServer } = await import('ws')
    const http = createServer()
    const sockets = new WebSocketServer({ server: http })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => {
      sockets.clients.forEach((socket) => socket.terminate())
      http.close()
    })
    sockets.on('connection', (socket) => [words].flat().forEach((word) => socket.send(word)))
    const client = connect(`ws://127.0.0.1:${(http.address() as { port: number }).port}`)

    const state = await until(client, ({ status }) => status === 'closed')

    expect(state).toMatchObject({ error: { name: 'RefusedError', code: 'PROTOCOL_MISMATCH' } })
  })
})

describe('a wrong option', () => {
  test.each([
    [{ namespace: 'chat' }, 'namespace must be a string that starts with "/", without a comma, got "chat"'],
    [{ namespace: '/a,b' }, 'without a comma, got "/a,b"'],
    [{ path: 'x' }, 'path must be a string that starts with "/", got "x"'],
    [{ acks: 'message' }, 'acks must be a boolean or a list of event names, got "message"'],
    [{ ackTimeoutMs: '5' }, 'ackTimeoutMs must be a number from 1 to 2147483647, got "5"'],
    [{ ackTimeoutMs: 0 }, 'ackTimeoutMs must be a number from 1 to 2147483647, got 0'],
    [{ spread: 1 }, 'spread must be a boolean, got 1'],
  ])('%j is refused at the call', (options, words) => {
    expect(() => socketIo(options as SocketIoOptions)).toThrow(words)
  })
})

test('the contract types both ways', () => {
  interface Typed {
    fromServer: { message: { text: string } }
    toServer: { message: string }
    requests: { join: { params: string; result: string[] } }
  }
  const client = createClient<Typed>({ url: 'http://127.0.0.1:9', dialect: socketIo() })

  expectTypeOf(client.request<'join'>).returns.resolves.toEqualTypeOf<string[]>()
  // @ts-expect-error no such event
  client.on('nothing', () => {})
})
