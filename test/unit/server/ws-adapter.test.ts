import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import type { HoldfastError } from '../../../src/shared/errors.js'
import type { ServerSocket } from '../../../src/server/connection/sender.js'
import { addressOf } from '../../../src/server/http/listening-server.js'
import type { Upgrade } from '../../../src/server/base/upgrade-request.js'
import { bindSocket } from '../../../src/server/http/ws-adapter.js'
import { nextClose, nextMessage, openClient } from '../../support/clients.js'

const cleanups: (() => unknown)[] = []

afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp()
})

/** TLS with a key that both sides know: without certificates. */
const PSK = Buffer.alloc(32)
const TLS = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
const TLS_CLIENT = { ...TLS, pskCallback: () => ({ psk: PSK, identity: '' }), checkServerIdentity: () => false }

/** A socket that is bound to an engine which only takes notes. */
async function bind(isTls = false) {
  const errors: HoldfastError[] = []
  const received: unknown[] = []
  const closed = vi.fn()
  const accepted: { socket: ServerSocket; request: Upgrade }[] = []
  const engine = {
    accept(socket: ServerSocket, request: Upgrade) {
      accepted.push({ socket, request })
      return { receive: (frame: unknown) => void received.push(frame), closed }
    },
    report: (error: HoldfastError) => errors.push(error) > 0,
  }
  const http = (isTls ? createTlsServer({ ...TLS, pskCallback: () => PSK }) : createServer()).listen(0, '127.0.0.1')
  const sockets = new WebSocketServer({ server: http, maxPayload: 1_000 })
  sockets.on('connection', (client, request) => bindSocket(engine, client, request))
  cleanups.push(
    () => http.close(),
    () => sockets.clients.forEach((client) => client.terminate()),
  )
  const { url } = await addressOf(http, new AbortController().signal)
  const origin = 'https://example.com'
  const opened = await openClient(`${url}/live?a=1`, isTls ? { ...TLS_CLIENT, origin } : { origin })
  await vi.waitUntil(() => accepted.length > 0)
  const [first] = accepted
  return { client: opened.client, tcp: opened.socket, errors, received, closed, ...first! }
}

test('tells the engine of the upgrade', async () => {
  const { request } = await bind()

  expect(request).toMatchObject({ origin: 'https://example.com', url: '/live?a=1', remoteAddress: '127.0.0.1' })
  expect(request.headers.host).toMatch(/^127\.0\.0\.1:/)
})

test('hands on text as text and bytes as bytes', async () => {
  const { client, received } = await bind()

  client.send('grüße')
  client.send(new Uint8Array([1, 2]))
  await vi.waitUntil(() => received.length === 2)

  expect(received).toEqual(['grüße', new Uint8Array([1, 2]).buffer])
})

test('sends and closes, and is silent after that', async () => {
  const { client, socket } = await bind()
  const message = nextMessage(client)
  const close = nextClose(client)

  socket.send('hi')
  socket.close(4321, 'enough')
  socket.send('too late')

  expect(await message).toBe('hi')
  expect(await close).toEqual({ closeCode: 4321, reason: 'enough' })
  expect(socket.bufferedAmount).toBe(0)
})

test.each([
  ['TCP', false],
  ['TLS', true],
])('knows over %s how much of a long frame has left', async (_name, isTls) => {
  const { client, tcp, socket } = await bind(isTls)
  const length = 24 * 2 ** 20
  let unread = length / 8
  client.pause()
  socket.send('x'.repeat(length))
  await vi.waitUntil(() => socket.bytesLeft > 0, { timeout: 4_000 })
  const before = socket.bytesLeft
  tcp.on('data', (bytes) => {
    unread -= bytes.length
    if (unread < 0) client.pause()
  })
  client.resume()
  await vi.waitUntil(() => unread < 0 && socket.bytesLeft > before, { timeout: 4_000 })

  expect(socket.bytesLeft).toBeLessThan(length)
  expect(socket.bufferedAmount).toBeGreaterThan(length)
})

test('tells the code and reason of a close', async () => {
  const { client, closed } = await bind()

  client.close(4000, 'bye')
  await vi.waitUntil(() => closed.mock.calls.length > 0)

  expect(closed).toHaveBeenCalledExactlyOnceWith(4000, 'bye')
})

test('ends a connection at once', async () => {
  const { client, socket } = await bind()
  const close = nextClose(client)

  socket.terminate()

  expect(await close).toMatchObject({ closeCode: 1006 })
})

test('reports frames that break the protocol', async () => {
  const { client, tcp, errors } = await bind()

  // RFC 6455 section 5.1: a client's frames are masked; this one is not.
  tcp.write(Buffer.from([0x81, 0x01, 0x61]))

  expect(await nextClose(client)).toMatchObject({ closeCode: 1002 })
  expect(errors).toMatchObject([{ name: 'RemoteProtocolError', code: 'BAD_FRAME' }])
})

test('reports frames that are too large', async () => {
  const { client, errors } = await bind()

  client.send('a'.repeat(1_001))

  expect(await nextClose(client)).toMatchObject({ closeCode: 1009 })
  expect(errors).toMatchObject([{ code: 'TOO_LARGE' }])
})

test('reports a reset', async () => {
  const { tcp, errors, closed } = await bind()

  tcp.resetAndDestroy()
  await vi.waitUntil(() => closed.mock.calls.length > 0)

  expect(errors).toMatchObject([{ name: 'ConnectionLostError', code: 'CONNECTION_CLOSED', closeCode: 1006 }])
  expect(closed).toHaveBeenCalledExactlyOnceWith(1006, '')
})
