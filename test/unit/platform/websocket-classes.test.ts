// @vitest-environment happy-dom
import { Server, WebSocket as MockSocket } from 'mock-socket'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { indexedDbStore } from '../../../src/outbox/stores/indexeddb-store.js'
import type { WebSocketClass } from '../../../src/platform/transport.js'
import { text } from '../../../src/protocol/codec.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { HoldfastWebSocket } from '../../../src/websocket/holdfast-websocket.js'
import { ReactNative } from '../../support/react-native-websocket.js'
import { createRecordingServer } from '../../support/servers.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.()
  vi.unstubAllGlobals()
})

/** A client on this class, and all that it says. */
function setUp(url: string, options: Partial<Parameters<typeof createClient>[0]> = {}) {
  const client = createClient({ url, dialect: plain({ codec: text() }), retryDelayMs: { min: 5, max: 5 }, ...options })
  cleanups.push(() => client.close())
  const heard: unknown[] = []
  const errors: string[] = []
  const roundTrips: number[] = []
  const statuses: string[] = []
  client.on('message', (data) => void heard.push(data))
  client.lifecycle.on('state', ({ status }) => void statuses.push(status))
  client.lifecycle.on('error', ({ code }) => void errors.push(code))
  client.lifecycle.on('rtt', (rttMs) => void roundTrips.push(rttMs))
  client.connect()
  const until = (holds: () => boolean): Promise<void> =>
    vi.waitUntil(holds, { interval: 5, timeout: 10_000 }).then(() => {})
  const untilConnected = (): Promise<void> => until(() => client.getState().status === 'connected')
  const untilLost = (): Promise<void> => until(() => statuses.includes('waiting'))
  return { client, heard, errors, roundTrips, until, untilConnected, untilLost }
}

async function startEcho() {
  const server = await createRecordingServer({ isEchoing: true })
  cleanups.push(() => server.stop())
  return server
}

describe("mock-socket's WebSocket", () => {
  function startMock(): { url: string; server: Server } {
    const url = 'ws://mock.test/'
    const server = new Server(url)
    cleanups.push(() => server.stop())
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(data))
    })
    return { url, server }
  }
  const WebSocket = MockSocket as WebSocketClass

  test('carries messages, pings, and a connection that ends and comes back', async () => {
    const { url, server } = startMock()
    const heartbeatMs = { interval: 20, timeout: 1_000 }
    const dialect = plain({ codec: text(), ping: 'ping', pong: 'ping' })
    const { client, heard, roundTrips, errors, until, untilConnected, untilLost } = setUp(url, {
      WebSocket,
      dialect,
      heartbeatMs,
    })
    const delivered = client.send('message', 'one').delivered
    await untilConnected()
    await expect(delivered).resolves.toEqual({ confirmedBy: 'browser' })
    await until(() => heard.length === 1 && roundTrips.length > 0)
    for (const socket of server.clients()) socket.close({ code: 1012, reason: 'restart', wasClean: true })
    await untilLost()
    await untilConnected()
    client.send('message', 'two')
    await until(() => heard.length === 2)

    expect(heard).toEqual(['one', 'two'])
    expect(Math.max(...roundTrips)).toBeLessThan(1_000)
    expect(errors).toEqual([])
  })

  test('tells a close code that is final', async () => {
    const { url, server } = startMock()
    const { client, untilConnected, until } = setUp(url, { WebSocket })
    await untilConnected()
    for (const socket of server.clients()) socket.close({ code: 4403, reason: 'no', wasClean: true })
    await until(() => client.getState().status === 'closed')

    expect(client.getState()).toMatchObject({ error: { code: 'REFUSED_BY_SERVER', cause: { closeCode: 4403 } } })
  })

  test('serves the WebSocket interface', async () => {
    const { url } = startMock()
    const socket = new HoldfastWebSocket(url, [], { WebSocket })
    const heard: unknown[] = []
    const ended = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)))
    socket.addEventListener('open', () => socket.send('one'))
    socket.addEventListener('message', ({ data }) => {
      heard.push(data)
      socket.close(1000)
    })

    expect(await ended).toBe(1000)
    expect(heard).toEqual(['one'])
  })
})

describe("React Native's WebSocket", () => {
  test('carries messages over a cut, without the browser saying what is in its buffer', async () => {
    const server = await startEcho()
    const { client, heard, until, untilConnected, untilLost } = setUp(server.url, { WebSocket: ReactNative })
    await untilConnected()
    await client.send('message', 'one').delivered
    await until(() => heard.length === 1)
    server.terminate()
    await untilLost()
    client.send('message', 'two')
    await until(() => heard.length === 2)

    expect(server.messages.map(({ text: body }) => body)).toEqual(['one', 'two'])
  })

  test('carries bytes, though it knows no blobs', async () => {
    const server = await startEcho()
    const dialect = plain({ codec: msgpack() })
    const { client, heard, until } = setUp(server.url, { WebSocket: ReactNative, dialect })
    client.send('message', new Uint8Array([1, 2]))
    await until(() => heard.length === 1)

    expect(heard).toEqual([new Uint8Array([1, 2])])
  })

  test('comes back to a server that was away', async () => {
    const server = await startEcho()
    await server.stop()
    const { client, untilConnected, untilLost } = setUp(server.url, { WebSocket: ReactNative })
    await untilLost()
    await server.start()
    await untilConnected()

    expect(client.getState().status).toBe('connected')
  })
})

describe('a page of a test environment', () => {
  test('sends from memory where there is no IndexedDB, and says so', async () => {
    const server = await startEcho()
    const outbox = indexedDbStore({ name: 'tested' })
    const { client, errors, until } = setUp(server.url, { WebSocket: ReactNative, outbox })
    await client.send('message', 'one').delivered
    await until(() => server.messages.length === 1)

    expect(typeof document).toBe('object')
    expect(errors).toEqual(['STORAGE_UNAVAILABLE'])
    expect(client.getState()).toMatchObject({ durable: false, storageError: { code: 'STORAGE_UNAVAILABLE' } })
  })

  test('says at connect where there is no source of ids, as in React Native without a polyfill', () => {
    vi.stubGlobal('crypto', undefined)
    const client = createClient({ url: 'ws://server.test/', WebSocket: ReactNative })

    expect(() => client.connect()).toThrow(/getRandomValues/)
  })

  test('says at connect where there is no WebSocket class', () => {
    vi.stubGlobal('WebSocket', undefined)
    const client = createClient({ url: 'ws://server.test/' })

    expect(() => client.connect()).toThrow(/no global WebSocket here: pass one as options\.WebSocket/)
  })
})
