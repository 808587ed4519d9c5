// oxlint-disable unicorn/prefer-add-event-listener -- handlers are part of what is tested
import { once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket as Native, WebSocketServer } from 'ws'
import { HoldfastWebSocket } from '../../../src/websocket.js'
import type { WebSocketClass } from '../../../src/platform/transport.js'
import { createRecordingServer, type RecordingServer } from '../../support/servers.js'

const cleanups: (() => unknown)[] = []
const Socket = HoldfastWebSocket.with({ WebSocket: Native as unknown as WebSocketClass })

afterEach(async () => {
  vi.unstubAllGlobals()
  while (cleanups.length > 0) await cleanups.pop()?.()
})

async function startServer(): Promise<RecordingServer> {
  const server = await createRecordingServer({ isEchoing: true })
  cleanups.push(() => server.stop())
  return server
}

function open(url: string, protocols?: string | string[]): HoldfastWebSocket {
  const socket = new Socket(url, protocols)
  cleanups.push(() => socket.close())
  return socket
}

const next = <Type extends keyof WebSocketEventMap>(
  socket: HoldfastWebSocket,
  type: Type,
): Promise<WebSocketEventMap[Type]> => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }))

describe('an instance', () => {
  test('is an EventTarget with nothing of its own to see', async () => {
    const server = await startServer()
    const socket = open(server.url)

    expect(socket).toBeInstanceOf(EventTarget)
    expect(socket).toBeInstanceOf(HoldfastWebSocket)
    expect(Object.keys(socket)).toEqual([])
    expect(Object.prototype.toString.call(socket)).toBe('[object WebSocket]')
  })

  test('begins as the standard says', async () => {
    const server = await startServer()
    const socket = open(server.url.replace('ws:', 'http:'))
    const { url, readyState, bufferedAmount, extensions, protocol, binaryType } = socket

    expect({ url, readyState, bufferedAmount, extensions, protocol, binaryType }).toEqual({
      url: `${server.url}/`,
      readyState: 0,
      bufferedAmount: 0,
      extensions: '',
      protocol: '',
      binaryType: 'blob',
    })
    expect([socket.onopen, socket.onmessage, socket.onerror, socket.onclose]).toEqual([null, null, null, null])
  })

  test('calls its handlers with events of the right class', async () => {
    const server = await startServer()
    const socket = open(server.url)
    const seen: unknown[] = []
    socket.onopen = (event) => {
      seen.push(event.constructor.name, event.type, event.target === socket)
      socket.send('text')
    }
    socket.onmessage = ({ constructor, data, origin }) => {
      seen.push(constructor.name, data, origin)
      socket.close(4000, 'bye')
    }
    socket.onclose = ({ code, reason, wasClean }) => seen.push(code, reason, wasClean)
    await next(socket, 'close')

    expect(seen).toEqual(['Event', 'open', true, 'MessageEvent', 'text', server.url, 4000, 'bye', true])
  })

  test('gives bytes as a Blob, or as an ArrayBuffer from the moment that it is told to', async () => {
    const server = await startServer()
    const socket = open(server.url)
    socket.send(Uint8Array.of(1, 2))
    const first = await next(socket, 'message')
    socket.binaryType = 'arraybuffer'
    socket.binaryType = 'nodebuffer' as BinaryType
    socket.send(new Blob([Uint8Array.of(3)]))
    const second = await next(socket, 'message')

    expect(new Uint8Array(await (first.data as Blob).arrayBuffer())).toEqual(Uint8Array.of(1, 2))
    expect(second.data).toEqual(Uint8Array.of(3).buffer)
    expect(socket.binaryType).toBe('arraybuffer')
  })

  test('has the subprotocol and the extensions that the server selected', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true })
    cleanups.push(() => server.close())
    await once(server, 'listening')
    const socket = open(`ws://127.0.0.1:${(server.address() as { port: number }).port}`, ['b', 'a'])
    await next(socket, 'open')

    expect([socket.protocol, socket.extensions]).toEqual(['b', 'permessage-deflate'])
  })

  test('needs the argument of send, and an instance for each getter', async () => {
    const server = await startServer()
    const socket = open(server.url)

    expect(() => (socket.send as () => void)()).toThrow(TypeError)
    expect(() => HoldfastWebSocket.prototype.readyState).toThrow(TypeError)
  })
})

describe('functions for url and protocols', () => {
  test('are asked at every attempt, and the url is the one that was dialled last', async () => {
    const offered: unknown[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    cleanups.push(() => server.close())
    server.on('connection', (peer, { url, headers }) => {
      offered.push([url, headers['sec-websocket-protocol']])
      if (offered.length < 3) peer.terminate()
      else peer.on('message', () => peer.send('hi'))
    })
    await once(server, 'listening')
    const base = `ws://127.0.0.1:${(server.address() as { port: number }).port}`
    const Quick = Socket.with({ WebSocket: Native as unknown as WebSocketClass, retryDelayMs: { min: 1, max: 2 } })
    let asked = 0
    const socket = new Quick(
      async () => `${base}/?ticket=${++asked}`,
      ({ attempt }) => [`token.${asked}`, `attempt.${attempt}`],
    )
    cleanups.push(() => socket.close())
    const before = socket.url
    socket.onopen = () => offered.length === 3 && socket.send('hello')
    const { origin } = await next(socket, 'message')

    expect([before, socket.url, origin]).toEqual(['', `${base}/?ticket=3`, base])
    expect(offered).toEqual([1, 2, 3].map((count) => [`/?ticket=${count}`, `token.${count},attempt.${count}`]))
  })

  test('end in CLOSED where they refuse', async () => {
    const socket = new Socket(() => null)
    const seen: string[] = []
    socket.onerror = () => seen.push('error')
    const { code, wasClean } = await next(socket, 'close')

    expect([seen, code, wasClean, socket.readyState, socket.url]).toEqual([['error'], 1006, false, 3, ''])
  })
})

describe('the class', () => {
  test('has the constants, and so have its instances, for good', () => {
    const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }

    expect(Object.fromEntries(Object.entries(HoldfastWebSocket))).toEqual(constants)
    expect(HoldfastWebSocket.prototype).toMatchObject(constants)
    expect(() => Object.assign(HoldfastWebSocket, { OPEN: 5 })).toThrow(TypeError)
  })

  test('checks its arguments at the call', () => {
    const names = [['/path'], ['ws://a#b'], ['ws://a', ['x', 'x']]].map(([url, protocols]) => {
      try {
        return new Socket(url as string, protocols)
      } catch (error) {
        return (error as DOMException).name
      }
    })

    expect(names).toEqual(['SyntaxError', 'SyntaxError', 'SyntaxError'])
    expect(() => new HoldfastWebSocket('ws://127.0.0.1', [], { reconect: true } as object)).toThrow(TypeError)
  })

  test('says what it needs where there is no WebSocket', () => {
    vi.stubGlobal('WebSocket', undefined)

    expect(() => new HoldfastWebSocket('ws://127.0.0.1')).toThrow(/^There is no global WebSocket here/)
  })

  test('binds options, which those of the call precede, and checks them', async () => {
    const server = await startServer()
    const Single = Socket.with({ reconnect: false, ping: 'ping' })
    const single = new Single(server.url)
    const lasting = new Single(server.url, [], { reconnect: true, retryDelayMs: { min: 1 } })
    cleanups.push(() => lasting.close())
    await Promise.all([next(single, 'open'), next(lasting, 'open')])
    server.disconnect(1012)
    await next(lasting, 'open')

    expect([single.readyState, lasting.readyState]).toEqual([3, 1])
    expect(single).toBeInstanceOf(Single)
    expect(single).toBeInstanceOf(HoldfastWebSocket)
    expect(Single.CLOSED).toBe(3)
    expect(() => HoldfastWebSocket.with({ reconnect: 1 } as object)).toThrow(TypeError)
    expect(() => HoldfastWebSocket.with({ maxAttempts: -1 })).toThrow(RangeError)
  })
})
