import { afterEach, describe, expect, test } from 'vitest'
import type { WebSocketClass } from '../../../src/platform/transport.js'
import { createConnection, type Connection } from '../../../src/websocket/connection.js'
import { planOf, type HoldfastWebSocketOptions } from '../../../src/websocket/options.js'
import { PlainWebSocket } from '../../support/clients.js'
import { createFakeStore } from '../../support/fake-store.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { createRecordingServer, type RecordingServer } from '../../support/servers.js'

const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.()
})

async function startServer(options: { isEchoing?: boolean } = {}): Promise<RecordingServer> {
  const server = await createRecordingServer(options)
  cleanups.push(() => server.stop())
  return server
}

/** A connection, and what it says, in order; `react` is called with each line when it is said. */
function connect(
  url: string,
  options: HoldfastWebSocketOptions = {},
  react: (line: string, connection: Connection) => void = () => {},
) {
  const log: string[] = []
  const watchers = new Set<() => void>()
  const note = (line: string): void => {
    log.push(line)
    react(line, connection)
    for (const watch of watchers) watch()
  }
  const native = PlainWebSocket as unknown as WebSocketClass
  const plan = planOf(url, [], { retryDelayMs: { min: 1, max: 2 }, WebSocket: native, ...options })
  const connection = createConnection(plan, {
    opened: () => note(`open ${state()}`),
    message: (data) => note(`message ${typeof data === 'string' ? data : new Uint8Array(data).join()}`),
    error: () => note(`error ${state()}`),
    closed: ({ code, reason, wasClean }) => note(`close ${code} ${reason} ${wasClean} ${state()}`),
  })
  const state = (): string | undefined => STATES[connection.readyState]
  cleanups.push(() => connection.close([]))
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const watch = (): void => {
        if (!holds()) return
        watchers.delete(watch)
        resolve()
      }
      watchers.add(watch)
      watch()
    })
  return { connection, log, state, heard: (count: number) => until(() => log.length >= count) }
}

const texts = (server: RecordingServer): string[] => server.messages.map(({ text }) => text)

/** Goes on when all that was due has run, and some more. */
const settled = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a page that is frozen in the wait after a clean close hears that the next attempt has failed', async () => {
  const page = Object.assign(new EventTarget(), { baseURI: 'http://127.0.0.1/' })
  Object.assign(globalThis, { document: page })
  cleanups.push(() => Reflect.deleteProperty(globalThis, 'document'))
  const server = await startServer()
  const { log, heard } = connect(server.url, { retryDelayMs: { min: 60_000, max: 60_000 } })
  await heard(1)
  server.disconnect(1012, '')
  await heard(2)

  page.dispatchEvent(new Event('freeze'))
  await heard(4)

  expect(log).toEqual(['open OPEN', 'close 1012  true CLOSED', 'error CLOSED', 'close 1006  false CLOSED'])
})

describe('a connection', () => {
  test('opens, and hands over what comes', async () => {
    const server = await startServer({ isEchoing: true })
    const { connection, log, heard, state } = connect(server.url)
    const before = state()
    await heard(1)
    connection.send('text')
    connection.send(Uint8Array.of(1, 2))
    await heard(3)

    expect([before, ...log]).toEqual(['CONNECTING', 'open OPEN', 'message text', 'message 1,2'])
  })

  test('comes back when it is lost, and says so in between', async () => {
    const server = await startServer({ isEchoing: true })
    const { connection, log, heard, state } = connect(server.url)
    await heard(1)
    server.disconnect(4999, 'restart')
    await heard(2)
    const between = state()
    connection.send('later')
    await heard(4)

    expect(between).toBe('CONNECTING')
    expect(log).toEqual(['open OPEN', 'close 4999 restart true CLOSED', 'open OPEN', 'message later'])
  })

  test('fails with an error and 1006 when it cannot be made, and is tried again', async () => {
    const server = await startServer()
    await server.stop()
    const { log, heard } = connect(server.url)
    await heard(4)
    await server.start()
    await server.when(({ liveConnections }) => liveConnections === 1)

    expect(log.slice(0, 4)).toEqual([
      'error CLOSED',
      'close 1006  false CLOSED',
      'error CLOSED',
      'close 1006  false CLOSED',
    ])
  })

  test('sends what was sent before it was there, in order', async () => {
    const server = await startServer()
    const { connection } = connect(server.url, {}, (line) => {
      if (line === 'open OPEN') connection.send('from open')
    })
    connection.send('first')
    connection.send('second')
    await server.when(({ messages }) => messages.length === 3)

    expect(texts(server)).toEqual(['first', 'second', 'from open'])
  })

  test.each([1008, 4403])('ends with %i for good', async (code) => {
    const server = await startServer()
    const { log, heard, state } = connect(server.url)
    await heard(1)
    server.disconnect(code, 'no')
    await heard(2)
    await settled()

    expect([...log, state()]).toEqual(['open OPEN', `close ${code} no true CLOSED`, 'CLOSED'])
    expect(server.acceptedConnections).toBe(1)
  })

  test('comes back after 1000, with which servers restart', async () => {
    const server = await startServer()
    const { heard, log } = connect(server.url)
    await heard(1)
    server.disconnect(1000)
    await heard(3)

    expect(log).toEqual(['open OPEN', 'close 1000  true CLOSED', 'open OPEN'])
  })

  test('comes back all the same if shouldReconnect says so', async () => {
    const server = await startServer()
    const { heard, log } = connect(server.url, { shouldReconnect: ({ code }) => code === 1008 })
    await heard(1)
    server.disconnect(1008)
    await heard(3)

    expect(log[2]).toBe('open OPEN')
  })

  test('ends when its attempts are used up', async () => {
    const server = await startServer()
    await server.stop()
    const { log, heard, state } = connect(server.url, { maxAttempts: 2 })
    await heard(4)
    await settled()

    expect(log).toHaveLength(4)
    expect(state()).toBe('CLOSED')
  })

  test.each<[what: string, lose: (server: RecordingServer) => void, told: string[]]>([
    ['closed', (server) => server.disconnect(1012, 'restart'), ['close 1012 restart true CLOSED']],
    ['cut', (server) => server.terminate(), ['close 1006  false CLOSED']],
  ])('without reconnect ends when it is %s', async (_, lose, told) => {
    const server = await startServer()
    const { log, heard, state } = connect(server.url, { reconnect: false })
    await heard(1)
    lose(server)
    await heard(2)
    await settled()

    expect([...log.slice(1), state()]).toEqual([...told, 'CLOSED'])
    expect(server.acceptedConnections).toBe(1)
  })

  test('without reconnect ends when it cannot be made', async () => {
    const server = await startServer()
    await server.stop()
    const { log, heard, state } = connect(server.url, { reconnect: false })
    await heard(2)
    await server.start()
    await settled()

    expect([...log, state()]).toEqual(['error CLOSED', 'close 1006  false CLOSED', 'CLOSED'])
    expect(server.acceptedConnections).toBe(0)
  })

  test('finds a server that does not answer its pings', async () => {
    const server = await startServer({ isEchoing: true })
    const { log, heard } = connect(server.url, { ping: 'ping', heartbeatMs: { interval: 10, timeout: 30 } })
    await heard(1)
    await server.when(({ messages }) => messages.length > 2)
    server.isEchoing = false
    await heard(3)

    expect(log.slice(1, 3)).toEqual(['error CLOSED', 'close 1006  false CLOSED'])
  })

  test('ends where the browser makes no socket', async () => {
    function Insecure(): never {
      throw new DOMException('no ws: on an https: page', 'SecurityError')
    }
    const { log, heard, state } = connect('ws://127.0.0.1', { WebSocket: Insecure as unknown as WebSocketClass })
    await heard(2)
    await settled()

    expect([...log, state()]).toEqual(['error CLOSED', 'close 1006  false CLOSED', 'CLOSED'])
  })

  test('does not take the end of one socket for that of the next', async () => {
    const server = await startServer()
    let made = 0
    function Once(url: string): PlainWebSocket {
      if (++made > 1) throw new DOMException('no more', 'SecurityError')
      return new PlainWebSocket(url)
    }
    const { log, heard } = connect(server.url, { WebSocket: Once as unknown as WebSocketClass })
    await heard(1)
    server.disconnect(4999, 'restart')
    await heard(4)

    expect(log.slice(1)).toEqual(['close 4999 restart true CLOSED', 'error CLOSED', 'close 1006  false CLOSED'])
  })

  test('needs a native class', () => {
    const plan = planOf('ws://127.0.0.1', [], {})

    // Node before 22 has none.
    if (typeof globalThis.WebSocket === 'function') return
    expect(() => createConnection(plan, {} as never)).toThrow(/^There is no global WebSocket here/)
  })
})

describe('close', () => {
  test('says goodbye in the words that it is given', async () => {
    const server = await startServer()
    const { connection, log, heard, state } = connect(server.url, { closeTimeoutMs: 150 })
    await heard(1)
    connection.close([4001, 'bye'])
    const during = state()
    await heard(2)

    expect([during, ...log]).toEqual(['CLOSING', 'open OPEN', 'close 4001 bye true CLOSED'])
    await settled(200)
    expect([log.length, server.acceptedConnections]).toEqual([2, 1])
  })

  test('comes behind all that was sent, however much that is', async () => {
    const server = await startServer()
    const { connection, log, heard } = connect(server.url)
    await heard(1)
    for (let index = 0; index < 12; index++) connection.send(`${index} ${'x'.repeat(1_000_000)}`)
    connection.close([])
    await heard(2)

    expect(texts(server).map((text) => parseInt(text))).toEqual(Array.from({ length: 12 }, (_, index) => index))
    expect(log[1]).toBe('close 1005  true CLOSED')
  })

  test('waits for a Blob that is being read', async () => {
    const server = await startServer()
    const { connection, heard } = connect(server.url)
    await heard(1)
    connection.send('first')
    connection.send(new Blob(['second']))
    connection.send('third')
    connection.close([1000, ''])
    await heard(2)

    expect(texts(server)).toEqual(['first', 'second', 'third'])
  })

  test('waits for a store that is still writing', async () => {
    const store = createFakeStore({ isAsync: true })
    const server = await startServer()
    const { connection, heard, log } = connect(server.url, { outbox: persistent(store) })
    await heard(1)
    store.hold()
    connection.send('written late')
    connection.close([1000, ''])
    await settled()
    const early = texts(server)
    store.release()
    await heard(2)

    expect([early, texts(server), log[1]]).toEqual([[], ['written late'], 'close 1000  true CLOSED'])
  })

  test('lets no message in any more', async () => {
    const server = await startServer()
    const { connection, heard, log } = connect(server.url)
    await heard(1)
    server.send('too late')
    connection.close([])
    await heard(2)

    expect(log).toEqual(['open OPEN', 'close 1005  true CLOSED'])
  })

  test('fails an attempt, a turn later', async () => {
    const server = await startServer()
    const { connection, log, heard, state } = connect(server.url)
    connection.close([1000, ''])
    const during = [state(), log.length]
    await heard(2)
    await settled()

    expect(during).toEqual(['CLOSING', 0])
    expect(log).toEqual(['error CLOSED', 'close 1006  false CLOSED'])
    expect(server.acceptedConnections).toBe(0)
  })

  test('fails an attempt for which a Blob is being read', async () => {
    const server = await startServer()
    const { connection, log, heard } = connect(server.url)
    connection.send(new Blob(['12345']))
    connection.close([])
    await heard(2)
    await settled()

    expect(log).toEqual(['error CLOSED', 'close 1006  false CLOSED'])
    expect(connection.bufferedAmount).toBe(5)
  })

  test('ends the wait for the next attempt', async () => {
    const server = await startServer()
    const { connection, log, heard } = connect(server.url, { retryDelayMs: { min: 10_000, max: 10_000 } })
    await heard(1)
    server.disconnect(1012, '')
    await heard(2)
    await settled(0)
    connection.close([1000, ''])
    await heard(4)

    expect(log.slice(2)).toEqual(['error CLOSED', 'close 1006  false CLOSED'])
  })

  test.each(['error', 'close'])(
    'from a listener of %s keeps it from coming back, without another event',
    async (type) => {
      const server = await startServer()
      await server.stop()
      const { log, heard, state } = connect(server.url, {}, (line, connection) => {
        if (line.startsWith(type)) connection.close([])
      })
      await heard(2)
      await server.start()
      await settled()

      expect([...log, state()]).toEqual(['error CLOSED', 'close 1006  false CLOSED', 'CLOSED'])
      expect(server.acceptedConnections).toBe(0)
    },
  )

  test('from a listener of open closes', async () => {
    const server = await startServer()
    const { log, heard } = connect(server.url, {}, (line, connection) => {
      if (line.startsWith('open')) connection.close([4000, ''])
    })
    await heard(2)

    expect(log).toEqual(['open OPEN', 'close 4000  true CLOSED'])
  })

  test('does nothing the second time', async () => {
    const server = await startServer()
    const { connection, log, heard } = connect(server.url)
    await heard(1)
    connection.close([4000, ''])
    connection.close([4001, ''])
    await heard(2)
    connection.close([4002, ''])
    await settled()

    expect(log).toEqual(['open OPEN', 'close 4000  true CLOSED'])
  })

  test('does not wait for ever for a server that hangs', async () => {
    const server = await startServer()
    const { connection, log, heard } = connect(server.url, { closeTimeoutMs: 50 })
    await heard(1)
    server.pause()
    connection.close([4000, ''])
    await heard(3)

    expect(log).toEqual(['open OPEN', 'error CLOSED', 'close 1006  false CLOSED'])
  })

  test('is over with 1006 when the link dies first', async () => {
    const server = await startServer()
    const { connection, log, heard, state } = connect(server.url)
    await heard(1)
    server.pause()
    connection.close([4000, ''])
    server.terminate()
    await heard(2)
    await settled()

    expect([...log.slice(-1), state()]).toEqual(['close 1006  false CLOSED', 'CLOSED'])
    expect(server.acceptedConnections).toBe(1)
  })
})

describe('bufferedAmount', () => {
  test('counts what waits in bytes of UTF-8, Blobs among it, and falls to nothing once it has left', async () => {
    const server = await startServer()
    const { connection } = connect(server.url)
    connection.send('aé€😀')
    connection.send(new Blob(['12345']))
    connection.send(new Uint8Array(3))
    const before = connection.bufferedAmount
    await server.when(({ messages }) => messages.length === 3)
    await settled()

    expect([before, connection.bufferedAmount]).toEqual([18, 0])
  })

  test('keeps what will never leave, and grows with what is sent after the end', async () => {
    const server = await startServer()
    const { connection, heard } = connect(server.url)
    connection.send('12345')
    connection.close([])
    const amounts = [connection.bufferedAmount]
    connection.send('1')
    amounts.push(connection.bufferedAmount)
    await heard(2)
    connection.send(new Blob(['12']))
    amounts.push(connection.bufferedAmount)

    expect(amounts).toEqual([5, 6, 8])
    expect(server.acceptedConnections).toBe(0)
  })
})

describe('send', () => {
  test('throws when the outbox is full', async () => {
    const server = await startServer()
    const { connection } = connect(server.url, { outboxMax: { messages: 1 } })
    connection.send('one')

    expect(() => connection.send('two')).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
  })

  test('keeps the order around a Blob, and says with an error that one could not be sent', async () => {
    const server = await startServer()
    const { connection, log } = connect(server.url)
    const broken = Object.assign(new Blob(['broken']), { arrayBuffer: () => Promise.reject(new Error('gone')) })
    for (const message of ['a', new Blob(['b']), '', broken, 'd']) connection.send(message)
    await server.when(({ messages }) => messages.length === 4)

    expect(texts(server)).toEqual(['a', 'b', '', 'd'])
    expect(log.filter((line) => line.startsWith('error'))).toHaveLength(1)
  })

  test('from a listener of close waits for the next connection', async () => {
    const server = await startServer()
    const { heard } = connect(server.url, {}, (line, connection) => {
      if (line.startsWith('close')) connection.send('again')
    })
    await heard(1)
    server.disconnect(1012)
    await server.when(({ messages }) => messages.length === 1)

    expect(server.messages).toMatchObject([{ text: 'again', connection: 2 }])
  })
})
