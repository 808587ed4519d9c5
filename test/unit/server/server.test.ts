import { createServer as createHttpServer, get, type Server as HttpServer } from 'node:http'
import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { createClient, plain, reliable, type Dialect, type WebSocketClass } from '../../../src/index.js'
import type { CompanionCodec } from '../../../src/protocol/frame-codec.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { ServerAddress } from '../../../src/server/http/listen-options.js'
import { addressOf } from '../../../src/server/http/listening-server.js'
import { createServer, offersProtocol, type Server, type ServerOptions } from '../../../src/server/http/server.js'
import { nextClose, openClient, PlainWebSocket } from '../../support/clients.js'
import { handshake, openRaw, type HeaderLines } from '../../support/raw-websocket.js'
import type { Frame } from '../../support/server-world.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

async function start(options: ServerOptions = {}): Promise<Server & ServerAddress> {
  const server = createServer(options)
  cleanups.push(() => server.close())
  return Object.assign(server, await server.listening)
}

interface Client {
  readonly client: WebSocket
  say(...frames: (Frame | string)[]): void
  /** The next frame of one type, of those that nobody has looked at. */
  hear(type: string): Promise<Frame>
}

async function connect(url: string, hello?: Partial<Frame>): Promise<Client> {
  const client = new WebSocket(url, 'holdfast.1')
  const frames: Frame[] = []
  client.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame))
  client.on('error', () => {})
  cleanups.push(() => client.terminate())
  const one: Client = {
    client,
    say: (...said) => said.forEach((frame) => client.send(typeof frame === 'string' ? frame : JSON.stringify(frame))),
    async hear(type) {
      await vi.waitUntil(() => frames.some(({ t }) => t === type), { timeout: 5_000, interval: 2 })
      const [frame] = frames.splice(
        frames.findIndex(({ t }) => t === type),
        1,
      )
      return frame!
    },
  }
  await one.hear('greeting')
  if (hello) one.say({ t: 'hello', writers: {}, ...hello })
  return one
}

async function startHttp(): Promise<HttpServer> {
  const http = createHttpServer((_request, response) => response.end('a page'))
  cleanups.push(() => http.close())
  http.listen(0, '127.0.0.1')
  await addressOf(http, new AbortController().signal)
  return http
}

const statusOf = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': 'holdfast.1',
    }
    const request = get(url.replace('ws:', 'http:'), { headers, agent: false })
    request.on('response', ({ statusCode }) => resolve(statusCode)).on('error', reject)
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      resolve(101)
    })
  })

describe('a conversation', () => {
  test('goes through a resume, as the protocol shows it', async () => {
    const server = await start({ authenticate: ({ auth }) => (auth === 'ann' ? { user: 'ann' } : null) })
    const handled: string[] = []
    server.on('session', (session) => {
      session.on('message', (_data, { id }) => handled.push(id))
      session.handle('join', async (room) => {
        session.join(String(room))
        await Promise.resolve()
        return { members: ['ann'] }
      })
    })
    const first = await connect(server.url, { auth: 'ann', writers: { A: 1 } })
    const { session } = await first.hear('welcome')
    first.say({ t: 'm', w: 'A', s: 1, e: 'message', d: 1 }, { t: 'm', s: 2, e: 'join', d: 'a', r: 1 })
    const reply = await first.hear('r')
    expect(reply).toMatchObject({ w: 'A', n: 2, s: 1, d: { members: ['ann'] } })
    // Where the machine is slow, the first message is acknowledged before the second one comes.
    let acknowledged: unknown
    while (acknowledged !== 2) acknowledged = ((await first.hear('a'))['w'] as { A: number }).A

    first.client.terminate()
    server.to('a').send('news', 'missed')
    const stream = { id: session, s: 1, g: reply.g }
    const second = await connect(server.url, { auth: 'ann', writers: { A: 2 }, stream })
    second.say({ t: 'm', w: 'A', s: 2, e: 'join', d: 'a', r: 1, u: 1 })

    expect(await second.hear('welcome')).toMatchObject({ session, resumed: true, cursors: { A: 2 } })
    expect(await second.hear('m')).toMatchObject({ s: 2, e: 'news', d: 'missed' })
    expect(handled).toEqual(['A:1'])
    expect([server.sessionCount, server.errorCount]).toEqual([1, 0])
  })

  test('goes on with the next server that has the same streams', async () => {
    const streams = memoryStreams()
    const first = await start({ streams })
    first.on('session', (session) => session.send('news', 1))
    const client = await connect(first.url, {})
    const { session } = await client.hear('welcome')
    await client.hear('m')
    await first.close()

    const second = await start({ streams })
    const again = await connect(second.url, { stream: { id: session, s: 0 } })

    expect(await again.hear('welcome')).toMatchObject({ session, resumed: true })
    expect(await again.hear('m')).toMatchObject({ s: 1, d: 1 })
  })

  test('is compressed where that is wanted and worth it', async () => {
    const server = await start({ compression: true })
    server.on('session', (session) => session.send('news', 'a'.repeat(100_000)))
    const { client, socket } = await openClient(server.url, { protocols: ['holdfast.1'], perMessageDeflate: true })
    const messages: Buffer[] = []
    client.on('message', (data: Buffer) => messages.push(data))

    client.send('{"t":"hello","writers":{}}')
    await vi.waitUntil(() => messages.some((data) => data.length > 100_000))

    expect(socket.bytesRead).toBeLessThan(10_000)
  })
})

describe('who is let in', () => {
  test('is who offers the protocol', async () => {
    const { url } = await start()

    await expect(openClient(url)).rejects.toThrow('400')
    await expect(openClient(url, { protocols: ['other', 'holdfast.2'] })).rejects.toThrow('400')
    expect((await openClient(url, { protocols: ['other', 'holdfast.1'] })).client.protocol).toBe('holdfast.1')
  })

  test('is who comes from an origin of the list, or from none', async () => {
    const { url } = await start({ origins: ['https://example.com'] })
    const foreign = await openClient(url, { protocols: ['holdfast.1'], origin: 'https://evil.example' })
    const messages: string[] = []
    foreign.client.on('message', (data: Buffer) => messages.push(data.toString()))

    expect(await nextClose(foreign.client)).toEqual({ closeCode: 4403, reason: 'FORBIDDEN' })
    await connect(url)
    await openClient(url, { protocols: ['holdfast.1'], origin: 'https://example.com' })
  })

  test('has a hello within the deadline', async () => {
    const { url } = await start({ limits: { helloTimeoutMs: 50 } })
    const { client } = await connect(url)

    expect(await nextClose(client)).toEqual({ closeCode: 4408, reason: 'HELLO_TIMEOUT' })
  })
})

describe('a hostile client', () => {
  test('with a giant frame is closed with 1009', async () => {
    const server = await start({ limits: { frameBytesMax: 1_000 } })
    const errors: unknown[] = []
    server.on('error', (error) => errors.push(error))
    const client = await connect(server.url, {})
    await client.hear('welcome')

    client.say('a'.repeat(1_001))

    expect(await nextClose(client.client)).toMatchObject({ closeCode: 1009 })
    expect(errors).toMatchObject([{ code: 'TOO_LARGE' }])
  })

  test('with bytes is closed with 4400', async () => {
    const { url } = await start()
    const { client } = await connect(url, {})

    client.send(Buffer.alloc(10))

    expect(await nextClose(client)).toEqual({ closeCode: 4400, reason: 'BAD_FRAME' })
  })

  test('that never reads does not fill the memory, and is closed with 1013', async () => {
    const limits = { bufferedBytesMax: 100_000, stalledMs: 200 }
    const server = await start({ limits, streams: memoryStreams({ bytesMax: 100 * 2 ** 20 }) })
    const errors: { closeCode?: number }[] = []
    server.on('error', (error) => errors.push(error as { closeCode?: number }))
    server.on('session', (session) => {
      for (let count = 0; count < 600; count++) session.send('news', 'a'.repeat(100_000))
    })
    const { client } = await openClient(server.url, { protocols: ['holdfast.1'], perMessageDeflate: false })

    client.send('{"t":"hello","writers":{}}')
    client.pause()
    await vi.waitUntil(() => errors.length > 0, { timeout: 10_000 })

    expect(errors).toMatchObject([{ name: 'ConnectionLostError', closeCode: 1013 }])
    expect(server.sessionCount).toBe(1)
    client.terminate()
  })
})

describe('listening', () => {
  test('picks a free port, and refuses one in use', async () => {
    const { url, port } = await start()
    const second = createServer({ port })

    expect(url).toBe(`ws://127.0.0.1:${port}`)
    await expect(second.listening).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await second.close()
  })

  test('attaches to an existing server, on one path, beside others', async () => {
    const http = await startHttp()
    const { url } = await start({ server: http, path: '/live' })
    const other = new WebSocketServer({ noServer: true })
    http.on('upgrade', (request, socket, head) => {
      if (request.url === '/other') other.handleUpgrade(request, socket, head, (client) => client.close(4999))
    })

    const { client } = await connect(url, {})
    const { client: elsewhere } = await openClient(new URL('/other', url).href)

    expect(client.readyState).toBe(WebSocket.OPEN)
    expect(await nextClose(elsewhere)).toMatchObject({ closeCode: 4999 })
    expect(await (await fetch(url.replace('ws:', 'http:'))).text()).toBe('a page')
  })

  test('refuses other paths where nobody else takes them', async () => {
    const { url, port } = await start({ path: '/live' })

    expect(url).toBe(`ws://127.0.0.1:${port}/live`)
    expect(await statusOf(url)).toBe(101)
    expect(await statusOf(`ws://127.0.0.1:${port}/other`)).toBe(404)
  })

  test('rejects when it is closed before an attached server listens', async () => {
    const server = createServer({ server: createHttpServer() })

    await server.close()

    await expect(server.listening).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('a refused upgrade', () => {
  async function startWatched(options: ServerOptions = {}) {
    const server = await start(options)
    const errors: HoldfastError[] = []
    server.on('error', (error) => errors.push(error))
    return { server, errors }
  }

  test('is counted, and the first of each kind is reported with what is likely to be wrong', async () => {
    const { server, errors } = await startWatched({ path: '/live' })
    const elsewhere = `ws://127.0.0.1:${server.port}`

    await statusOf(`${elsewhere}/typo?ticket=secret`)
    await expect(openClient(server.url)).rejects.toThrow('400')
    await statusOf(`${elsewhere}/typo`)
    await expect(openClient(server.url)).rejects.toThrow('400')

    expect(server.refusedCount).toBe(4)
    expect(errors.map(({ code }) => code)).toEqual(['UPGRADE_REFUSED', 'UPGRADE_REFUSED'])
    expect(errors[0]?.message).toMatch(
      /^Answered an upgrade of "\/typo" from 127\.0\.0\.1 with 404: .*The path of this server is "\/live"/,
    )
    expect(errors[1]?.message).toMatch(/with 400: Offer the subprotocol holdfast\.1\. .*reliable\(\)/)
    expect(server.errorCount).toBe(2)
  })

  test.each<[what: string, changes: HeaderLines, told: RegExp]>([
    ['that ws would refuse', { 'Sec-WebSocket-Key': 'short' }, /400: Missing or invalid Sec-WebSocket-Key header/],
    [
      'whose header a proxy has dropped',
      { Upgrade: undefined, Connection: undefined },
      /Upgrade must.* A proxy on the way/,
    ],
  ])('%s is reported too', async (_what, changes, told) => {
    const { server, errors } = await startWatched()

    const { response } = await openRaw(server.port, handshake({ 'Sec-WebSocket-Protocol': 'holdfast.1', ...changes }))

    expect(response.status).toBe(400)
    expect(errors).toMatchObject([{ code: 'UPGRADE_REFUSED', message: expect.stringMatching(told) }])
    expect(server.refusedCount).toBe(1)
  })

  test('is none where a page is asked for', async () => {
    const { server, errors } = await startWatched()

    expect((await fetch(server.url.replace('ws:', 'http:'))).status).toBe(426)

    expect([server.refusedCount, errors]).toEqual([0, []])
  })

  test.each<[dialect: string, make: () => Dialect, path: string]>([
    ['plain()', () => plain(), '/live'],
    ['reliable()', () => reliable(), '/typo'],
  ])('of a client with %s at %3$s is told to it with the likely causes', async (_name, make, path) => {
    const { server } = await startWatched({ path: '/live' })
    const url = `ws://127.0.0.1:${server.port}${path}`
    // The class of ws lacks dispatchEvent, which no client calls.
    const client = createClient({ url, dialect: make(), WebSocket: PlainWebSocket as unknown as WebSocketClass })
    cleanups.push(() => client.close())
    const failed = new Promise((resolve) => {
      client.lifecycle.on('state', (state) => state.status === 'waiting' && resolve(state.error))
    })

    client.connect()

    expect(await failed).toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/1006.*server up.*path.*dialect.*reliable\(\)/),
    })
  })
})

describe('the end', () => {
  test('closes every client with 1001, stops listening, and may be asked for again', async () => {
    const server = await start()
    const clients = [await connect(server.url, {}), await connect(server.url)]
    const closes = clients.map(({ client }) => nextClose(client))

    const closed = server.close()
    expect(server.close()).toBe(closed)
    await closed

    const expected = { closeCode: 1001, reason: 'server is shutting down' }
    expect(await Promise.all(closes)).toEqual([expected, expected])
    await expect(openClient(server.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('leaves an attached server running', async () => {
    const http = await startHttp()
    const server = await start({ server: http })

    await server.close()

    expect(http.listening).toBe(true)
    expect(http.listenerCount('upgrade')).toBe(0)
  })

  test('may be announced: clients are told when to come back', async () => {
    const server = await start()
    const one = await connect(server.url, {})
    await one.hear('welcome')
    const close = nextClose(one.client)

    await server.drain({ windowMs: 1_000 })

    expect(await one.hear('drain')).toMatchObject({ after: expect.any(Number) })
    expect(await close).toEqual({ closeCode: 1012, reason: 'drained' })
    expect(server.connectionCount).toBe(0)
  })
})

test('a contract types both ways', () => {
  interface Chat {
    fromServer: { message: { text: string }; bell: undefined }
    toServer: { message: { text: string } }
    requests: { join: { params: { room: string }; result: string[] } }
  }
  const server = createServer<Chat>()
  cleanups.push(() => server.close())
  server.on('session', (session) => {
    session.on('message', (data) => expectTypeOf(data).toEqualTypeOf<{ text: string }>())
    session.handle('join', ({ room }) => [room])
    // @ts-expect-error -- The result is a list.
    session.handle('join', () => 7)
    // @ts-expect-error -- There is no such event.
    session.on('massage', () => {})
    // @ts-expect-error -- The payload is missing.
    session.send('message')
    session.send('bell')
    server.to('a').send('message', { text: 'hi' })
    // @ts-expect-error -- The payload is another.
    server.broadcast('message', { txt: 'hi' })
  })
})

test.each([
  [{ path: 'live' }, TypeError, 'path must be a string that starts with "/", got "live"'],
  [{ port: '80' }, TypeError, 'port must be an integer from 0 to 65535, got "80"'],
  [{ compression: 1 }, TypeError, 'compression must be a boolean, got 1'],
  [
    { limits: { window: { bytes: 0 } } },
    RangeError,
    'limits.window.bytes must be an integer from 1 to 2147483647, got 0',
  ],
  [{ codec: {} }, TypeError, 'codec must be msgpack(), got [object Object]'],
  [{ codec: null }, TypeError, 'codec must be msgpack(), got null'],
  [{ authenticate: {} }, TypeError, 'authenticate must be a function, got [object Object]'],
])('refuses %o at the call', (options, kind, message) => {
  // What a caller without types may pass.
  const act = (): unknown => createServer(options as ServerOptions)

  expect(act).toThrow(kind)
  expect(act).toThrow(message)
})

describe('with a codec', () => {
  interface Talk {
    fromServer: { note: { data: unknown } }
    toServer: { note: { data: unknown } }
    requests: { same: { params: unknown; result: unknown } }
  }
  const data = { photo: new Uint8Array([1, 255]), at: new Date(5), id: 2n ** 60n, rate: NaN }

  function open(url: string, codec?: CompanionCodec) {
    const client = createClient<Talk>({ url, dialect: reliable(codec ? { codec } : {}), WebSocket: WebSocket as never })
    const heard: unknown[] = []
    client.on('note', (note) => void heard.push(note.data))
    cleanups.push(() => client.close())
    client.connect()
    return { client, heard }
  }

  test('carries bytes, dates and BigInts both ways, and to JSON what it can hold', async () => {
    const server = createServer<Talk>({ codec: msgpack() })
    cleanups.push(() => server.close())
    const handled: unknown[] = []
    server.on('session', (session) => {
      session.join('all')
      session.on('note', (note) => void handled.push(note.data))
      session.handle('same', (params) => params)
    })
    const { url } = await server.listening
    const [binary, text] = [open(url, msgpack()), open(url)]

    expect(await binary.client.request('same', data)).toEqual(data)
    expect(await text.client.request('same', { at: new Date(5) })).toEqual({ at: '1970-01-01T00:00:00.005Z' })
    await binary.client.send('note', { data }).delivered
    expect(handled).toEqual([data])

    server.to('all').send('note', { data })
    await vi.waitUntil(() => binary.heard.length + text.heard.length === 2)

    expect(binary.heard).toEqual([data])
    const json = { photo: 'Af8=', at: '1970-01-01T00:00:00.005Z', id: '1152921504606846976', rate: 'NaN' }
    expect(text.heard).toEqual([json])
  })

  test('selects the first that it speaks of what a client offers', async () => {
    const { url } = await start({ codec: msgpack() })

    for (const [offered, selected] of [
      [['holdfast.1', 'holdfast.1.msgpack'], 'holdfast.1'],
      [['other', 'holdfast.1.msgpack', 'holdfast.1'], 'holdfast.1.msgpack'],
    ] as const) {
      const { client } = await openClient(url, { protocols: [...offered] })
      expect(client.protocol).toBe(selected)
      client.terminate()
    }
  })

  test('refuses what it does not speak, and says what it does', async () => {
    const { url } = await start()
    const client = new WebSocket(url, 'holdfast.1.msgpack')
    const refused = new Promise((resolve) => client.on('error', (error) => resolve(error.message)))

    expect(await refused).toBe('Unexpected server response: 400')
  })
})

test.each([
  ['holdfast.1', true],
  ['other, holdfast.1', true],
  ['holdfast.10,xholdfast.1', false],
  ['', false],
])('takes the offer %o: %o', (offered, isFine) => {
  expect(offersProtocol({ headers: { 'sec-websocket-protocol': offered } })).toBe(isFine)
})
