import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { makeServer } from 'graphql-ws'
import { Server as SocketIoServer } from 'socket.io'
import { io } from 'socket.io-client'
import { createServer as createVite } from 'vite'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { createEchoServer } from '../../../src/server/echo/echo-server.js'
import { createServer, type Server, type ServerOptions } from '../../../src/server/http/server.js'
import { CERTIFICATE } from '../../support/certificate.js'
import { nextMessage } from '../../support/clients.js'
import { handshake, openRaw, requestText, type HeaderLines } from '../../support/raw-websocket.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

/** An http server with a page, and its port once it listens. */
async function listening(http: HttpServer = createHttpServer((_request, response) => response.end('a page'))) {
  cleanups.unshift(() => {
    http.close()
    http.closeAllConnections()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return { http, port: (http.address() as AddressInfo).port }
}

function companion(options: ServerOptions): { server: Server; errors: HoldfastError[] } {
  const server = createServer(options)
  const errors: HoldfastError[] = []
  server.on('error', (error) => errors.push(error))
  cleanups.unshift(() => server.close())
  return { server, errors }
}

/** The first message of a WebSocket server at this path, or how the attempt has failed. */
async function firstMessage(port: number, path: string, protocols: string[] = []): Promise<string> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols)
  cleanups.unshift(() => client.terminate())
  const failed = new Promise<string>((resolve) => client.on('error', ({ message }) => resolve(message)))
  return Promise.race([nextMessage(client).then(String, () => 'closed'), failed])
}

const greeting = (port: number, path = '/live'): Promise<string> => firstMessage(port, path, ['holdfast.1'])

/** The status of the answer to a raw handshake. */
async function statusOf(port: number, path: string, changes: HeaderLines = {}): Promise<number> {
  const { response, socket } = await openRaw(
    port,
    handshake({ 'Sec-WebSocket-Protocol': 'holdfast.1', ...changes }, `GET ${path} HTTP/1.1`),
  )
  cleanups.unshift(() => socket.destroy())
  return response.status
}

/** Something else on the http server that takes upgrades, with a client that sees it work. */
interface Neighbour {
  readonly name: string
  /** Attaches it; the returned function dials it and resolves when it has answered as it should. */
  readonly attach: (http: HttpServer) => (port: number) => Promise<unknown>
}

const NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'ws with a path',
    attach(http) {
      new WebSocketServer({ server: http, path: '/chat' }).on('connection', (client) => client.send('from ws'))
      return async (port) => expect(await firstMessage(port, '/chat')).toBe('from ws')
    },
  },
  {
    name: 'ws that chooses by the subprotocol',
    attach(http) {
      const sockets = new WebSocketServer({ noServer: true })
      http.on('upgrade', (request, socket, head) => {
        if (request.headers['sec-websocket-protocol'] !== 'mine') return
        sockets.handleUpgrade(request, socket, head, (client) => client.send('mine'))
      })
      return async (port) => expect(await firstMessage(port, '/', ['mine'])).toBe('mine')
    },
  },
  {
    name: 'graphql-ws',
    attach(http) {
      const graphql = makeServer({})
      const sockets = new WebSocketServer({ server: http, path: '/graphql' })
      sockets.on('connection', (client, request) => {
        const socket = {
          protocol: client.protocol,
          send: (data: string) => client.send(data),
          close: (code?: number, reason?: string) => client.close(code, reason),
          onMessage: (callback: (message: string) => Promise<void>) =>
            client.on('message', (data: Buffer) => void callback(data.toString())),
        }
        const closed = graphql.opened(socket, { request })
        client.on('close', (code, reason) => void closed(code, reason.toString()))
      })
      return async (port) => {
        const client = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws')
        cleanups.unshift(() => client.terminate())
        client.on('open', () => client.send('{"type":"connection_init"}'))
        expect(await nextMessage(client)).toContain('connection_ack')
      }
    },
  },
  {
    name: 'Socket.IO',
    attach(http) {
      const server = new SocketIoServer(http)
      cleanups.unshift(() => server.close())
      server.on('connection', (socket) => socket.emit('hi'))
      return async (port) => {
        const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false })
        cleanups.unshift(() => client.close())
        await new Promise((resolve, reject) => client.on('hi', () => resolve(undefined)).on('connect_error', reject))
      }
    },
  },
]

describe.each(NEIGHBOURS)('beside $name', ({ attach }) => {
  test.each<[order: string, isFirst: boolean, path: string | undefined]>([
    ['first, with a path', true, '/live'],
    ['first, without a path', true, undefined],
    ['second, with a path', false, '/live'],
    ['second, without a path', false, undefined],
  ])('a companion that is attached %s, and its neighbour, both work', async (_order, isFirst, path) => {
    const { http, port } = await listening()
    const options = { server: http, ...(path !== undefined && { path }) }
    const early = isFirst ? companion(options) : undefined
    const dial = attach(http)
    const { errors } = early ?? companion(options)

    expect(await greeting(port)).toContain('greeting')
    await dial(port)
    expect(await greeting(port)).toContain('greeting')
    expect(errors).toEqual([])
  })
})

test.each([['/live'], [undefined]])('beside Vite’s HMR, with the path %s, both work', async (path) => {
  const { http, port } = await listening()
  const vite = await createVite({
    configFile: false,
    logLevel: 'silent',
    root: new URL('../../support', import.meta.url).pathname,
    server: { middlewareMode: true, hmr: { server: http }, watch: null },
    optimizeDeps: { noDiscovery: true },
  })
  cleanups.unshift(() => vite.close())
  companion({ server: http, ...(path !== undefined && { path }) })

  // oxlint-disable-next-line typescript/no-deprecated -- Vite's own client has it from there too
  expect(await firstMessage(port, `/?token=${vite.config.webSocketToken}`, ['vite-hmr'])).toContain('connected')
  expect(await greeting(port)).toContain('greeting')
})

describe('what is not ours', () => {
  test('is answered with 404 where all listeners are ours', async () => {
    const { http, port } = await listening()
    companion({ server: http, path: '/live' })
    const { server } = companion({ server: http, path: '/admin' })

    expect([await statusOf(port, '/typo'), await statusOf(port, '/live/')]).toEqual([404, 404])
    expect([await statusOf(port, '/live'), await statusOf(port, '/admin')]).toEqual([101, 101])
    expect(server.refusedCount).toBe(0)
  })

  test('is left alone where others listen, and reported once when a client of ours has gone there', async () => {
    const { http, port } = await listening()
    const { server, errors } = companion({ server: http, path: '/live' })
    http.on('upgrade', () => {})
    const clients = ['/typo', '/other'].map((path) => new WebSocket(`ws://127.0.0.1:${port}${path}`, 'holdfast.1'))
    clients.forEach((client) => client.on('error', () => {}))
    cleanups.unshift(() => clients.forEach((client) => client.terminate()))

    await vi.waitUntil(() => errors.length > 0)

    expect(errors).toMatchObject([{ code: 'UPGRADE_IGNORED', message: expect.stringContaining('"/typo"') }])
    expect(clients.map(({ readyState }) => readyState)).toEqual([WebSocket.CONNECTING, WebSocket.CONNECTING])
    expect(server.refusedCount).toBe(0)
  })

  test('goes to the server without a path, where one has it and another has not', async () => {
    const { http, port } = await listening()
    const anywhere = companion({ server: http })
    const live = companion({ server: http, path: '/live' })

    expect(await greeting(port, '/live')).toContain('greeting')
    expect([anywhere.server.connectionCount, live.server.connectionCount]).toEqual([0, 1])
    expect(await greeting(port, '/other')).toContain('greeting')
    expect([anywhere.server.connectionCount, live.server.connectionCount]).toEqual([1, 1])
  })
})

describe('what is ours', () => {
  test('is ours at our path whatever it offers, also where others listen', async () => {
    const { http, port } = await listening()
    http.on('upgrade', () => {})
    const { server } = companion({ server: http, path: '/live' })

    expect(await statusOf(port, '/live', { 'Sec-WebSocket-Protocol': undefined })).toBe(400)
    expect(server.refusedCount).toBe(1)
  })

  test.each([
    ['before', true],
    ['after', false],
  ])('is ours where a listener that takes everything came %s us', async (_when, isFirst) => {
    const { http, port } = await listening()
    const attach = (): unknown =>
      new WebSocketServer({ server: http }).on('connection', (client) => client.send('from the greedy one'))
    if (isFirst) attach()
    const { server, errors } = companion({ server: http, path: '/live' })
    if (!isFirst) attach()

    expect(await greeting(port)).toContain('greeting')
    expect(await firstMessage(port, '/other')).toBe('from the greedy one')
    expect(errors).toEqual([])

    await server.close()
    expect(await greeting(port)).toBe('from the greedy one')
  })

  test('is, for an echo server, also what offers nothing', async () => {
    const { http, port } = await listening()
    http.on('upgrade', () => {})
    const echo = createEchoServer({ server: http })
    cleanups.unshift(() => echo.close())
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    cleanups.unshift(() => client.terminate())
    client.on('open', () => client.send('hello'))

    expect(await nextMessage(client)).toBe('hello')
  })
})

describe('handleUpgrade', () => {
  test('takes what the application’s own listener has chosen', async () => {
    const { http, port } = await listening()
    const { server } = companion({ noServer: true })
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url === '/live') server.handleUpgrade(request, socket, head)
      else socket.destroy()
    })

    expect(await greeting(port)).toContain('greeting')
    expect(await statusOf(port, '/live', { 'Sec-WebSocket-Protocol': 'other' })).toBe(400)
    await server.close()
    expect(await statusOf(port, '/live')).toBe(503)
  })

  test('answers 404 where the server has another path', async () => {
    const { http, port } = await listening()
    const { server } = companion({ noServer: true, path: '/live' })
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      server.handleUpgrade(request, socket, head),
    )

    expect([await statusOf(port, '/live'), await statusOf(port, '/other')]).toEqual([101, 404])
  })

  test('belongs to a server that listens nowhere, and says so', async () => {
    const { server } = companion({ noServer: true })

    await expect(server.listening).rejects.toThrow('listens nowhere')
    expect(() => createServer({ noServer: true, port: 80 })).toThrow(
      'noServer must be false when port, host or server is given, got true',
    )
  })
})

describe('an upgrade to something else', () => {
  const H2C = { Connection: 'keep-alive, Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQ' }

  /** All that a server sends until it has sent `end`. */
  async function talk(socket: Socket, request: string, end: string): Promise<string> {
    cleanups.unshift(() => socket.destroy())
    let text = ''
    const done = new Promise<void>((resolve) =>
      socket.on('data', (chunk) => {
        text += chunk.toString()
        if (text.includes(end)) resolve()
      }),
    )
    socket.write(request)
    await done
    return text
  }

  /** Says of each request what came of it. */
  function answers(): HttpServer {
    return createHttpServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () =>
        response.end(
          `<${request.method} ${request.url} ${request.headers.upgrade} ${String(request.headers['x-a'])} ${body}>`,
        ),
      )
    })
  }

  test('gets the application’s answer, with its body and what follows on the connection', async () => {
    const { http, port } = await listening(answers())
    companion({ server: http, path: '/live' })
    companion({ server: http })
    const first = requestText('POST /one HTTP/1.1', { Host: 'a', 'X-A': 'b', ...H2C, 'Content-Length': '5' })
    const second = requestText('GET /two HTTP/1.1', { Host: 'a', ...H2C })
    const socket = connectTcp(port, '127.0.0.1')

    expect(await talk(socket, `${first}hello`, '>')).toContain('<POST /one undefined b hello>')
    expect(await talk(socket, second, '>')).toContain('<GET /two undefined undefined >')
    expect(await greeting(port)).toContain('greeting')
  })

  test('gets it on https too, and when its body comes later', async () => {
    const http = createHttpsServer(CERTIFICATE)
    http.on('request', (request, response) => {
      request.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`))
      response.writeHead(200)
      response.flushHeaders()
    })
    const { port } = await listening(http)
    companion({ server: http })
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })

    expect(
      await talk(socket, requestText('POST / HTTP/1.1', { Host: 'a', ...H2C, 'Content-Length': '5' }), '200'),
    ).toContain('200')
    expect(await talk(socket, 'hello', '<hello>')).toContain('<hello>')
  })

  test('is left to the others where others listen', async () => {
    const { http, port } = await listening()
    companion({ server: http })
    http.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 501 Not Implemented\r\n\r\n'))

    const { response } = await openRaw(port, requestText('GET / HTTP/1.1', { Host: 'a', ...H2C }))

    expect(response.status).toBe(501)
  })
})

describe('a server of its own', () => {
  test('answers probes: it lives, and whether new clients are welcome', async () => {
    const { server } = companion({ path: '/live' })
    const { port } = await server.listening
    const probe = async (path: string, method = 'GET'): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
      return [response.status, await response.text()]
    }

    expect([await probe('/healthz'), await probe('/readyz?a=1')]).toEqual([
      [200, 'ok'],
      [200, 'ok'],
    ])
    expect(await probe('/readyz', 'HEAD')).toEqual([200, ''])
    expect((await probe('/readyz', 'POST'))[0]).toBe(405)

    await server.drain()

    expect([await probe('/healthz'), await probe('/readyz')]).toEqual([
      [200, 'ok'],
      [503, 'draining'],
    ])
  })

  test('has a WebSocket at the path of a probe, if it must', async () => {
    const { server } = companion({ path: '/healthz' })
    const { port } = await server.listening

    expect(await greeting(port, '/healthz')).toContain('greeting')
  })
})
