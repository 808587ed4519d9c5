import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { ConnectionLostError, RemoteProtocolError } from '../../../src/shared/errors.js'
import { createEchoServer, type EchoServer, type EchoServerOptions } from '../../../src/server/echo/echo-server.js'
import type { ServerAddress } from '../../../src/server/http/listen-options.js'
import { nextClose, nextMessage, openClient } from '../../support/clients.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

async function start(options: EchoServerOptions = {}): Promise<EchoServer & ServerAddress> {
  const server = createEchoServer(options)
  cleanups.push(() => server.close())
  return Object.assign(server, await server.listening)
}

async function startHttp(): Promise<Server> {
  const http = createServer((_request, response) => response.end('a page'))
  cleanups.push(() => http.close())
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return http
}

describe('echo', () => {
  test('echoes text on any path', async () => {
    const { url } = await start()
    const { client } = await openClient(`${url}/rooms/7?name=%C3%A9`)

    client.send('héllo 🌊')

    expect(await nextMessage(client)).toBe('héllo 🌊')
  })

  test('echoes binary as binary, byte for byte', async () => {
    const { url } = await start()
    const { client } = await openClient(url)
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

    client.send(bytes)

    expect(await nextMessage(client)).toEqual(bytes)
  })

  test('echoes an empty message', async () => {
    const { url } = await start()
    const { client } = await openClient(url)

    client.send('')

    expect(await nextMessage(client)).toBe('')
  })

  test('keeps the order of many messages', async () => {
    const { url } = await start()
    const { client } = await openClient(url)
    const sent = Array.from({ length: 500 }, (_, index) => (index % 50 === 0 ? `${index}`.repeat(5000) : `${index}`))
    const received = collect(client, sent.length)

    for (const text of sent) client.send(text)

    expect(await received).toEqual(sent)
  })

  test('answers pings', async () => {
    const { url } = await start()
    const { client } = await openClient(url)

    client.ping('are you there')
    const [payload] = await once(client, 'pong')

    expect(String(payload)).toBe('are you there')
  })

  test('selects the first subprotocol that is offered, since Chromium fails without one', async () => {
    const { url } = await start()

    const { client } = await openClient(url, { protocols: ['chat.2', 'chat.1'] })

    expect(client.protocol).toBe('chat.2')
  })

  test('answers plain HTTP with 426 and the protocol to upgrade to', async () => {
    const { port } = await start()

    const response = await request(port)

    expect(response.statusCode).toBe(426)
    expect(response.headers.upgrade).toBe('websocket')
  })
})

describe('compression', () => {
  test('compresses messages of 1024 bytes and more when the client offers it', async () => {
    const { url } = await start({ compression: true })
    const { client, socket } = await openClient(url, { perMessageDeflate: true })
    const before = socket.bytesRead

    client.send('a'.repeat(1024))

    expect(await nextMessage(client)).toBe('a'.repeat(1024))
    expect(client.extensions).toContain('permessage-deflate')
    expect(socket.bytesRead - before).toBeLessThan(100)
  })

  test('leaves shorter messages as they are', async () => {
    const { url } = await start({ compression: true })
    const { client, socket } = await openClient(url, { perMessageDeflate: true })
    const before = socket.bytesRead

    client.send('a'.repeat(1023))

    expect(await nextMessage(client)).toBe('a'.repeat(1023))
    expect(socket.bytesRead - before).toBeGreaterThan(1023)
  })

  test('is accepted only where it is switched on', async () => {
    const { url } = await start()

    const { client } = await openClient(url, { perMessageDeflate: true })

    expect(client.extensions).toBe('')
  })
})

describe('limits', () => {
  test('echoes a message of exactly the longest length', async () => {
    const { url } = await start({ payloadBytesMax: 1000 })
    const { client } = await openClient(url)

    client.send('a'.repeat(1000))

    expect(await nextMessage(client)).toHaveLength(1000)
  })

  test('closes with 1009 when a message is one byte too long', async () => {
    const { url } = await start({ payloadBytesMax: 1000 })
    const { client } = await openClient(url)

    client.send('a'.repeat(1001))

    expect(await nextClose(client)).toMatchObject({ closeCode: 1009 })
  })

  test('takes 1 MiB by default, and no more', async () => {
    const { url } = await start()
    const { client } = await openClient(url)

    client.send(Buffer.alloc(1024 * 1024))
    const echoed = await nextMessage(client)
    client.send(Buffer.alloc(1024 * 1024 + 1))

    expect(echoed).toHaveLength(1024 * 1024)
    expect(await nextClose(client)).toMatchObject({ closeCode: 1009 })
  })

  test('counts the length after decompression', async () => {
    const { url } = await start({ payloadBytesMax: 10_000, compression: true })
    const { client } = await openClient(url, { perMessageDeflate: true })

    client.send('a'.repeat(10_001))

    expect(await nextClose(client)).toMatchObject({ closeCode: 1009 })
  })

  test('does not read on from a client that sends without reading, and loses nothing once it reads', async () => {
    const http = await startHttp()
    const serverSockets: Socket[] = []
    http.on('connection', (socket) => serverSockets.push(socket))
    const { url } = await start({ server: http })
    const { client } = await openClient(url, { perMessageDeflate: false })
    const [serverSocket] = serverSockets
    const count = 512
    const received = collect(client, count)

    client.pause()
    for (let index = 0; index < count; index += 1) client.send(Buffer.alloc(64 * 1024, index % 256))
    await vi.waitUntil(() => serverSocket?.isPaused(), { timeout: 20_000 })
    const bufferedBytes = serverSocket?.writableLength ?? 0
    client.resume()
    const messages = await received

    // The limit, what one read may hold, and the message that crossed the limit.
    expect(bufferedBytes).toBeLessThan(1024 * 1024 + 2 * 64 * 1024 + 4096)
    expect(messages.every((bytes, index) => bytes.length === 64 * 1024 && bytes[0] === index % 256)).toBe(true)
  })
})

describe('a client that offers the reliable protocol', () => {
  test('gets every event back before it is acknowledged, and every request answered', async () => {
    const { url } = await start()
    const { client } = await openClient(url, { protocols: ['other', 'holdfast.1'] })
    const frames: unknown[] = []
    client.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())))

    client.send('{"t":"hello","writers":{"A":1}}')
    client.send('{"t":"m","w":"A","s":1,"e":"__proto__","d":{"a":1}}')
    client.send('{"t":"m","s":2,"e":"any name","d":[2],"r":1}')
    await vi.waitUntil(() => frames.length >= 4)

    expect(client.protocol).toBe('holdfast.1')
    expect(frames.slice(-3)).toMatchObject([
      { t: 'm', s: 1, e: '__proto__', d: { a: 1 } },
      { t: 'r', s: 2, w: 'A', n: 2, d: [2] },
      { t: 'a', w: { A: 2 } },
    ])
  })

  test('is counted among the errors when it breaks the protocol', async () => {
    const onError = vi.fn()
    const server = await start({ onError, payloadBytesMax: 500 })
    const { client } = await openClient(server.url, { protocols: ['holdfast.1'] })

    client.send('nonsense')

    expect(await nextClose(client)).toMatchObject({ closeCode: 4400 })
    expect(server.errorCount).toBe(1)
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'BAD_FRAME' }))
  })
})

describe('failures of clients', () => {
  test('counts and tells a frame that breaks the protocol, and closes with 1002', async () => {
    const onError = vi.fn()
    const server = await start({ onError })
    const { client, socket } = await openClient(server.url)

    // RFC 6455 section 5.1: a client's frames are masked; this one is not.
    socket.write(Buffer.from([0x81, 0x01, 0x61]))

    expect(await nextClose(client)).toMatchObject({ closeCode: 1002 })
    expect(server.errorCount).toBe(1)
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(RemoteProtocolError))
    expect(onError.mock.lastCall?.[0]).toMatchObject({ code: 'BAD_FRAME', cause: expect.any(Error) })
    expect(onError.mock.lastCall?.[0].message).toMatch(/^Bad frame from 127\.0\.0\.1:\d+: .*MASK.*; closing$/)
  })

  test('counts and tells a reset', async () => {
    const onError = vi.fn()
    const server = await start({ onError })
    const { socket } = await openClient(server.url)

    socket.resetAndDestroy()
    await vi.waitUntil(() => server.clientCount === 0)

    expect(server.errorCount).toBe(1)
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ConnectionLostError))
    expect(onError.mock.lastCall?.[0]).toMatchObject({ code: 'CONNECTION_CLOSED', closeCode: 1006 })
    expect(onError.mock.lastCall?.[0].message).toMatch(/^Lost 127\.0\.0\.1:\d+: .*ECONNRESET; dropped$/)
  })

  test('serves the others on when nobody listens for errors', async () => {
    const server = await start()
    const { client } = await openClient(server.url)
    const { client: broken, socket } = await openClient(server.url)

    socket.write(Buffer.from([0xff, 0xff]))
    await nextClose(broken)
    client.send('still here')

    expect(await nextMessage(client)).toBe('still here')
    expect(server.errorCount).toBe(1)
  })

  test('echoes nothing that comes after the close frame', async () => {
    const { url } = await start()
    const { client, socket } = await openClient(url)
    const received: string[] = []
    client.on('message', (data: Buffer) => received.push(data.toString()))

    // In one write: a text, a close frame, and a text that comes too late (RFC 6455 section 5.5.1).
    const text = [0x81, 0x81, 0, 0, 0, 0, 0x61]
    socket.write(Buffer.from([...text, 0x88, 0x80, 0, 0, 0, 0, ...text]))
    await nextClose(client)

    expect(received).toEqual(['a'])
  })
})

describe('listening', () => {
  test('picks a free port and tells its URL', async () => {
    const { url, port } = await start({ port: 0 })

    expect(port).toBeGreaterThan(0)
    expect(url).toBe(`ws://127.0.0.1:${port}`)
  })

  test.skipIf(!hasIpv6())('writes an IPv6 address in brackets', async () => {
    const { url, port } = await start({ host: '::1' })

    expect(url).toBe(`ws://[::1]:${port}`)
  })

  test('rejects when the port is in use', async () => {
    const { port } = await start()

    const second = createEchoServer({ port })

    await expect(second.listening).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await second.close()
  })

  test('attaches to an existing server and leaves its pages alone', async () => {
    const http = await startHttp()
    const { url, port } = await start({ server: http })
    const { client } = await openClient(`${url}/any/path`)

    client.send('hi')

    expect(await nextMessage(client)).toBe('hi')
    expect((await request(port)).statusCode).toBe(200)
  })

  test('waits for an attached server that listens later', async () => {
    const http = createServer()
    cleanups.push(() => http.close())
    const server = createEchoServer({ server: http })
    cleanups.push(() => server.close())

    http.listen(0, '127.0.0.1')

    expect((await server.listening).port).toBe(portOf(http))
  })

  test('rejects when it is closed before an attached server listens', async () => {
    const server = createEchoServer({ server: createServer() })

    await server.close()

    await expect(server.listening).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('close', () => {
  test('closes every client with 1001 and a reason', async () => {
    const server = await start()
    const clients = await Promise.all([openClient(server.url), openClient(server.url)])
    const closes = clients.map(({ client }) => nextClose(client))

    await server.close()

    const expected = { closeCode: 1001, reason: 'server is shutting down' }
    expect(await Promise.all(closes)).toEqual([expected, expected])
    expect(server.clientCount).toBe(0)
  })

  test('ends a client that does not answer after 1 s', async () => {
    const server = await start()
    const { client } = await openClient(server.url)
    client.pause()
    const startedAt = performance.now()

    await server.close()

    expect(performance.now() - startedAt).toBeGreaterThan(990)
    expect(server.clientCount).toBe(0)
    client.terminate()
  })

  test('does not wait for who has connected and said nothing', async () => {
    const server = await start()
    const socket = connect(server.port, '127.0.0.1').resume()
    const gone = once(socket, 'close')
    await once(socket, 'connect')

    await server.close()

    await gone
    expect(socket.bytesRead).toBe(0)
  })

  test('stops listening', async () => {
    const server = await start()

    await server.close()

    await expect(openClient(server.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('leaves an attached server running, without the echo', async () => {
    const http = await startHttp()
    const server = await start({ server: http })
    const { client } = await openClient(server.url)
    const closed = nextClose(client)

    await server.close()

    expect(await closed).toMatchObject({ closeCode: 1001 })
    expect((await request(server.port)).statusCode).toBe(200)
    await expect(openClient(server.url)).rejects.toThrow('Unexpected server response: 200')
  })

  test('may be called at once and again', async () => {
    const server = createEchoServer()

    const first = server.close()

    expect(server.close()).toBe(first)
    await first
    await server.listening
  })

  test('resolves for a server that could not listen', async () => {
    const { port } = await start()
    const second = createEchoServer({ port })

    await second.close()

    await expect(second.listening).rejects.toThrow('EADDRINUSE')
  })
})

describe('options', () => {
  test.each([
    [{ port: 65536 }, RangeError, 'port must be an integer from 0 to 65535, got 65536'],
    [{ port: 1.5 }, RangeError, 'port must be an integer from 0 to 65535, got 1.5'],
    [{ port: '80' }, TypeError, 'port must be an integer from 0 to 65535, got "80"'],
    [{ host: '' }, TypeError, 'host must be a non-empty string, got ""'],
    [{ payloadBytesMax: 0 }, RangeError, 'payloadBytesMax must be an integer from 1 to 2147483647, got 0'],
    [
      { payloadBytesMax: 2 ** 31 },
      RangeError,
      'payloadBytesMax must be an integer from 1 to 2147483647, got 2147483648',
    ],
    [
      { server: 8080 },
      TypeError,
      'server must be an http.Server, an https.Server, or an http2 server with allowHTTP1, got 8080',
    ],
    [{ compression: 'yes' }, TypeError, 'compression must be a boolean, got "yes"'],
    [{ onError: true }, TypeError, 'onError must be a function, got true'],
    [{ server: createServer(), port: 1 }, TypeError, 'port must be absent when server is given, got 1'],
    [{ server: createServer(), host: 'a' }, TypeError, 'host must be absent when server is given, got "a"'],
  ])('refuses %o at the call', (options, kind, message) => {
    // What a caller without types may pass.
    const act = (): unknown => createEchoServer(options as EchoServerOptions)

    expect(act).toThrow(kind)
    expect(act).toThrow(message)
  })
})

function collect(client: WebSocket, count: number): Promise<(string | Buffer)[]> {
  const messages: (string | Buffer)[] = []
  return new Promise((resolve) => {
    client.on('message', (data: Buffer, isBinary) => {
      messages.push(isBinary ? data : data.toString())
      if (messages.length === count) resolve(messages)
    })
  })
}

function request(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => resolve(response.resume())).on('error', reject)
  })
}

function portOf(http: Server): number {
  // An http server that listens on TCP has an AddressInfo.
  return (http.address() as AddressInfo).port
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))
}
