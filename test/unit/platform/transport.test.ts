import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { createSendBuffer } from '../../../src/dialects/send-buffer.js'
import { text, type Received } from '../../../src/protocol/codec.js'
import { createTransport, type WebSocketClass } from '../../../src/platform/transport.js'
import { createRecordingServer, type RecordingServer } from '../../support/servers.js'

const Native = WebSocket as unknown as WebSocketClass
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.()
})

async function startServer(options: { isEchoing?: boolean } = {}): Promise<RecordingServer> {
  const server = await createRecordingServer(options)
  cleanups.push(() => server.stop())
  return server
}

/** A transport, every socket that it made, and all that it says, in order. */
function setUp(Class: WebSocketClass = Native) {
  const log: string[] = []
  const frames: Received[] = []
  const causes: unknown[] = []
  const sockets: WebSocket[] = []
  const watchers = new Set<() => void>()
  const note = (line: string): void => {
    log.push(line)
    for (const watch of watchers) watch()
  }
  class Recorded extends (Class as unknown as typeof WebSocket) {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const transport = createTransport(Recorded as unknown as WebSocketClass, {
    opened: () => note('opened'),
    frame: (frame) => {
      frames.push(frame)
      note('frame')
    },
    closed: (code, reason) => note(`closed ${code} ${reason}`.trim()),
    blocked: (cause) => {
      causes.push(cause)
      note('blocked')
    },
  })
  cleanups.push(() => sockets.forEach((socket) => socket.terminate()))
  return {
    transport,
    log,
    frames,
    causes,
    sockets,
    /** Resolves when so many lines were said. */
    heard: (count: number) =>
      new Promise<void>((resolve) => {
        const watch = (): void => {
          if (log.length < count) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch()
      }),
  }
}

/** Goes on for as long as what is under way takes, over a link of its own to the same server. */
async function roundTrip(server: RecordingServer): Promise<void> {
  const probe = new WebSocket(server.url)
  await once(probe, 'open')
  const count = server.messages.length
  probe.send('probe')
  await server.when(({ messages }) => messages.length > count)
  probe.close()
  await once(probe, 'close')
}

describe('one attempt', () => {
  test('opens, sends and receives', async () => {
    const server = await startServer({ isEchoing: true })
    const { transport, log, frames, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    transport.send('text')
    transport.send(new Uint8Array([1, 2, 255]))
    await heard(3)

    expect(log).toEqual(['opened', 'frame', 'frame'])
    expect(frames[0]).toBe('text')
    expect(frames[1]).toBeInstanceOf(ArrayBuffer)
    expect([...new Uint8Array(frames[1] as ArrayBuffer)]).toEqual([1, 2, 255])
  })

  test('is under way without a timer, which in a hidden page takes up to a minute', async () => {
    const server = await startServer()
    const { transport, sockets } = setUp()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    cleanups.push(vi.useRealTimers)

    transport.open(server.url, [])
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()

    expect(sockets).toHaveLength(1)
  })

  // React Native's class and common mocks declare `bufferedAmount` and never set it.
  test('has nothing in its buffer where the class does not say what is there', async () => {
    class Silent extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols)
        Object.defineProperty(this, 'bufferedAmount', { value: undefined })
      }
    }
    const server = await startServer()
    const { transport, heard } = setUp(Silent as unknown as WebSocketClass)
    transport.open(server.url, [])
    await heard(1)
    transport.send('text')

    expect(transport.buffered()).toBe(0)
    await server.when(({ messages }) => messages.length === 1)
  })

  // Trap 3: an error before the close makes partysocket say 1000, wasClean. Trap 28: and retry for ever.
  test('to nobody says 1006 once, and is not repeated', async () => {
    const server = await startServer()
    await server.stop()
    const { transport, log, heard, sockets } = setUp()
    transport.open(server.url, [])
    await heard(1)
    await server.start()
    await roundTrip(server)

    expect(log).toEqual(['closed 1006'])
    expect(sockets).toHaveLength(1)
    expect(server.acceptedConnections).toBe(1)
  })

  test('that the server answers with 401 says 1006', async () => {
    const http = createServer().on('upgrade', (_, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'))
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    cleanups.push(() => http.close())
    const { transport, log, heard } = setUp()
    transport.open(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, [])
    await heard(1)

    expect(log).toEqual(['closed 1006'])
  })

  test.each([
    [4401, 'who are you'],
    [1012, 'restart'],
    [1000, ''],
    [4999, 'ä'.repeat(61)],
  ])('ends with the code %i and reason that the server gave', async (code, reason) => {
    const server = await startServer()
    const { transport, log, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.disconnect(code, reason)
    await heard(2)

    expect(log).toEqual(['opened', `closed ${code} ${reason}`.trim()])
  })

  test('ends with 1006 when the server is killed', async () => {
    const server = await startServer()
    const { transport, log, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.terminate()
    await heard(2)

    expect(log).toEqual(['opened', 'closed 1006'])
  })

  test('can be followed by the next, at once', async () => {
    const server = await startServer()
    const { transport, log, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.terminate()
    await heard(2)
    transport.open(server.url, [])
    await heard(3)
    server.disconnect(4000)
    await heard(4)

    expect(log).toEqual(['opened', 'closed 1006', 'opened', 'closed 4000'])
    expect(server.acceptedConnections).toBe(2)
  })

  test('offers the subprotocols, or none', async () => {
    const offers: (string | undefined)[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    server.on('connection', (_, request) => offers.push(request.headers['sec-websocket-protocol']))
    cleanups.push(() => {
      server.clients.forEach((client) => client.terminate())
      server.close()
    })
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { transport, heard, sockets } = setUp()
    transport.open(url, ['a.1', 'b'])
    await heard(1)
    transport.open(url, [])
    await heard(2)

    expect(offers).toEqual(['a.1,b', undefined])
    expect(sockets[0]?.protocol).toBe('a.1')
  })
})

describe('a socket that cannot be made', () => {
  test('is reported with its cause, once, and the next attempt is free', async () => {
    const server = await startServer()
    const { transport, log, causes, heard } = setUp()
    transport.open(server.url, ['not a token'])
    await heard(1)
    transport.open(server.url, [])
    await heard(2)

    expect(log).toEqual(['blocked', 'opened'])
    expect(causes).toMatchObject([expect.any(SyntaxError)])
  })

  test('can be followed by another from within its report', async () => {
    const server = await startServer()
    const log: string[] = []
    const opened = new Promise<void>((resolve) => {
      const transport = createTransport(Native, {
        opened: () => resolve(void log.push('opened')),
        frame: () => {},
        closed: () => {},
        blocked: () => {
          log.push('blocked')
          transport.open(server.url, [])
        },
      })
      cleanups.push(() => transport.drop(1000, ''))
      transport.open(server.url, ['not a token'])
    })
    await opened

    expect(log).toEqual(['blocked', 'opened'])
  })

  test('is reported when the class throws what is no error', async () => {
    const { transport, causes, heard } = setUp(function () {
      // oxlint-disable-next-line typescript/only-throw-error -- a host may
      throw 'mixed content'
    } as unknown as WebSocketClass)
    transport.open('ws://127.0.0.1:9/', [])
    await heard(1)

    expect(causes).toEqual(['mixed content'])
  })
})

describe('one socket at a time', () => {
  // Trap 11: what was asked last counts. Trap 26: five calls made five connections.
  test('of five opens in a row makes the last', async () => {
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    for (const path of ['a', 'b', 'c', 'd', 'e']) transport.open(`${server.url}/${path}`, [])
    await heard(1)
    await roundTrip(server)

    expect(sockets.map(({ url }) => url)).toEqual([`${server.url}/e`])
    expect(log).toEqual(['opened'])
  })

  test('of two opens in a row makes none when it closes', async () => {
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    transport.open(server.url, [])
    transport.open(server.url, [])
    await heard(1)
    server.disconnect(4001)
    await heard(2)
    await roundTrip(server)

    expect(log).toEqual(['opened', 'closed 4001'])
    expect(sockets).toHaveLength(1)
  })

  test('leaves the old one when it opens another', async () => {
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    transport.open(server.url, [])
    await heard(1)
    transport.open(server.url, [])
    await heard(2)
    await server.when(({ liveConnections }) => liveConnections === 1)

    expect(log).toEqual(['opened', 'opened'])
    expect(sockets).toHaveLength(2)
  })

  // Trap 24: close() before there is a socket left the wait and the dial behind.
  test('makes none when it is dropped first', async () => {
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    transport.open(`${server.url}/never`, [])
    transport.drop(1000, '')
    await roundTrip(server)
    const dropped = [...sockets]
    transport.open(`${server.url}/now`, [])
    await heard(1)

    expect(dropped).toEqual([])
    expect(log).toEqual(['opened'])
    expect(sockets.map(({ url }) => url)).toEqual([`${server.url}/now`])
  })

  test('drops a socket that is still connecting', async () => {
    const server = await startServer()
    const { transport, log, sockets } = setUp()
    transport.open(server.url, [])
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const gone = new Promise((resolve) => sockets[0]!.on('close', resolve))
    transport.drop(1000, '')
    await gone

    expect(log).toEqual([])
    expect(server.liveConnections).toBe(0)
  })

  test('says goodbye with the code that it was given', async () => {
    const closes: unknown[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    cleanups.push(() => server.close())
    const gone = new Promise<void>((resolve) =>
      server.on('connection', (socket) =>
        socket.on('close', (code, reason) => {
          closes.push([code, reason.toString()])
          resolve()
        }),
      ),
    )
    const { transport, log, heard } = setUp()
    transport.open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, [])
    await heard(1)
    transport.drop(4400, 'bad frames')
    await gone

    expect(closes).toEqual([[4400, 'bad frames']])
    expect(log).toEqual(['opened'])
  })

  test('hears nothing of an abandoned socket', async () => {
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.send('on its way')
    transport.drop(1000, '')
    await once(sockets[0]!, 'close')
    transport.open(server.url, [])
    await heard(2)
    sockets[0]!.emit('message', 'late', false)
    sockets[0]!.emit('close', 1006, Buffer.from(''))
    await roundTrip(server)

    expect(log).toEqual(['opened', 'opened'])
  })

  // A browser takes such a frame, throws it away, and warns in the console.
  test('says that a socket takes no frames any more once its closing handshake has begun', async () => {
    const server = await startServer()
    const { transport, heard, sockets } = setUp()
    const before = transport.isOpen
    transport.open(server.url, [])
    const dialing = transport.isOpen
    await heard(1)
    const open = transport.isOpen
    sockets[0]!.close()

    expect([before, dialing, open, transport.isOpen]).toEqual([false, false, true, false])
  })

  test('never sends to an abandoned socket', async () => {
    const server = await startServer()
    const { transport, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    transport.drop(1000, '')

    expect(transport.isOpen).toBe(false)
    expect(() => transport.send('lost')).not.toThrow()
    expect(transport.buffered()).toBe(0)
    await roundTrip(server)
    expect(server.messages.map(({ text: message }) => message)).toEqual(['probe'])
  })
})

describe("the page's content security policy", () => {
  /** What the page says when its policy forbids something. */
  function setPolicy() {
    const target = new EventTarget()
    const listeners = { added: 0, removed: 0 }
    vi.stubGlobal('addEventListener', (...given: Parameters<EventTarget['addEventListener']>) => {
      listeners.added++
      target.addEventListener(...given)
    })
    vi.stubGlobal('removeEventListener', (...given: Parameters<EventTarget['removeEventListener']>) => {
      listeners.removed++
      target.removeEventListener(...given)
    })
    return {
      listeners,
      violate: (blockedURI: string, disposition = 'enforce') =>
        target.dispatchEvent(
          Object.assign(new Event('securitypolicyviolation'), {
            blockedURI,
            disposition,
            effectiveDirective: 'connect-src',
          }),
        ),
    }
  }

  afterEach(() => vi.unstubAllGlobals())

  test('that forbids the socket blocks it, once', async () => {
    const { violate } = setPolicy()
    const server = await startServer()
    const { transport, log, causes, sockets } = setUp()
    transport.open(`${server.url}/live?ticket=1`, [])
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    violate(`${server.url}/live?ticket=1`)
    violate(`${server.url}/live?ticket=1`)
    sockets[0]!.terminate()
    await roundTrip(server)

    expect(log).toEqual(['blocked'])
    expect(causes).toMatchObject([{ message: 'Content-Security-Policy: connect-src' }])
  })

  test.each([
    ['forbids another address', 'ws://127.0.0.1:1/other', 'enforce'],
    ['only reports', undefined, 'report'],
  ])('that %s changes nothing', async (_, blockedURI, disposition) => {
    const { violate } = setPolicy()
    const server = await startServer()
    const { transport, log, heard, sockets } = setUp()
    transport.open(server.url, [])
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    violate(blockedURI ?? server.url, disposition)
    await heard(1)

    expect(log).toEqual(['opened'])
  })

  test('is not listened to once the socket is let go', async () => {
    const { violate, listeners } = setPolicy()
    const server = await startServer()
    const { transport, log, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    transport.drop(1000, '')
    violate(server.url)

    expect(log).toEqual(['opened'])
    expect(listeners).toEqual({ added: 1, removed: 1 })
  })
})

describe('the buffer', () => {
  const CHUNK = 'x'.repeat(256 * 1024)

  test('holds what the network has not taken, counted as bytes of messages, and empties', async () => {
    const server = await startServer()
    const { transport, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.pause()
    const buffer = createSendBuffer()
    const positions: number[] = []
    while (transport.buffered() < 4 * CHUNK.length) {
      transport.send(CHUNK)
      positions.push(buffer.written(CHUNK.length))
    }
    const stuck = (positions.at(-1) ?? 0) - transport.buffered()
    server.resume()
    await server.when(({ messages }) => messages.length === positions.length)

    expect(positions).toEqual([...positions].sort((a, b) => a - b))
    expect(stuck).toBeLessThan(positions.at(-1) ?? 0)
    expect(transport.buffered()).toBe(0)
  })

  test('is a new one with each socket', async () => {
    const server = await startServer()
    const { transport, heard } = setUp()
    transport.open(server.url, [])
    await heard(1)
    server.pause()
    while (transport.buffered() < CHUNK.length) transport.send(CHUNK)
    transport.open(server.url, [])
    await heard(2)

    expect(transport.buffered()).toBe(0)
  })
})

describe('a client on a real socket', () => {
  function connect(server: RecordingServer, options: Partial<Parameters<typeof createClient>[0]> = {}) {
    const client = createClient({
      url: server.url,
      dialect: plain({ codec: text() }),
      retryDelayMs: { min: 1, max: 20 },
      WebSocket: Native,
      ...options,
    })
    cleanups.push(() => client.close())
    client.connect()
    return client
  }

  // Trap 12: partysocket's queue went out by itself. Trap 14: what was sent into a cut was gone.
  test('delivers what was queued before, and what is sent while the server is down, in order', async () => {
    const server = await startServer()
    const client = connect(server)
    const expected: string[] = []
    const send = (): void => {
      const body = `m${expected.length}`
      expected.push(body)
      client.send('message', body)
    }
    for (let count = 0; count < 10; count++) send()
    await server.when(({ messages }) => messages.length === 10)
    const lost = new Promise<void>((resolve) =>
      client.lifecycle.on('state', ({ status }) => {
        if (status === 'waiting') resolve()
      }),
    )
    await server.stop()
    await lost
    for (let count = 0; count < 10; count++) send()
    await server.start()
    await server.when(({ messages }) => messages.length === 20)

    expect(server.messages.map(({ text: message }) => message)).toEqual(expected)
  })

  // Trap 8 and 10: a provider that never answers held partysocket for ever, and reconnect() changed nothing.
  test('gets past a provider that never answers', async () => {
    const server = await startServer()
    let calls = 0
    const client = connect(server, {
      url: () => (++calls === 1 ? new Promise<string>(() => {}) : server.url),
      connectTimeoutMs: 60_000,
    })
    client.send('message', 'hello')
    await new Promise((resolve) => setImmediate(resolve))
    client.reconnect()
    await server.when(({ messages }) => messages.length === 1)

    expect(calls).toBe(2)
  })

  // Trap 9: a provider that rejects with nothing ended partysocket without a word.
  test('gets past a provider that rejects with undefined', async () => {
    const server = await startServer()
    let calls = 0
    const client = connect(server, {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
      url: () => (++calls < 3 ? Promise.reject(undefined) : server.url),
    })
    client.send('message', 'hello')
    await server.when(({ messages }) => messages.length === 1)

    expect(calls).toBe(3)
  })

  test('tells the true close code, stops, and leaves nothing that keeps the process alive', async () => {
    const server = await startServer()
    const client = connect(server)
    const closed = new Promise((resolve) =>
      client.lifecycle.on('state', (state) => {
        if (state.status === 'connected') server.disconnect(4403, 'forbidden')
        if (state.status === 'closed') resolve(state.error?.cause)
      }),
    )

    expect(await closed).toMatchObject({ closeCode: 4403, closeReason: 'forbidden' })
  })
})

test.each([
  ['hands on when a frame came', 'our clock', () => performance.now(), expect.any(Number)],
  ['leaves it open', 'the time since 1970, as DOM Level 3 had it', () => Date.now(), undefined],
  ['leaves it open', 'no time', () => undefined, undefined],
])('%s, where events have %s', async (_does, _has, timeStamp, wanted) => {
  const timed = (event: Event): Event => Object.defineProperty(event, 'timeStamp', { value: timeStamp() })
  const sockets: EventTarget[] = []
  class Stub extends EventTarget {
    readonly readyState = 0
    constructor() {
      super()
      sockets.push(this)
    }
    close(): void {}
  }
  const frame = vi.fn()
  const listener = { opened: () => {}, frame, closed: () => {}, blocked: () => {} }
  const transport = createTransport(Stub as unknown as WebSocketClass, listener)
  cleanups.push(() => transport.drop(1000, ''))
  transport.open('ws://127.0.0.1', [])
  await vi.waitUntil(() => sockets.length > 0)

  sockets[0]?.dispatchEvent(timed(new Event('open')))
  sockets[0]?.dispatchEvent(timed(new MessageEvent('message', { data: 'hi' })))

  expect(frame).toHaveBeenCalledExactlyOnceWith('hi', wanted)
})
