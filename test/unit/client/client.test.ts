import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { LocalProtocolError, type HoldfastError } from '../../../src/shared/errors.js'
import type { ClientOptions } from '../../../src/client/options.js'
import { json, text } from '../../../src/protocol/codec.js'
import { createFakePlatform, type FakePlatform } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'

interface SetUp extends Partial<ClientOptions> {
  platform?: FakePlatform
}

/** A client in the hands of a test, and all that it says. */
function setUp({ platform = createFakePlatform(), ...options }: SetUp = {}) {
  platform.chance ??= 0.5
  const client = createClient({
    url: 'ws://server/',
    retryDelayMs: { min: 1_000, max: 30_000 },
    dialect: plain({ codec: text() }),
    platform,
    ...options,
  })
  const log: string[] = []
  const errors: HoldfastError[] = []
  client.lifecycle.on('state', ({ status }) => log.push(status))
  client.lifecycle.on('stored', ({ id }) => log.push(`stored ${id.split(':')[1]}`))
  client.lifecycle.on('delivered', ({ id }) => log.push(`delivered ${id.split(':')[1]}`))
  client.lifecycle.on('failed', ({ id, error }) => log.push(`failed ${id.split(':')[1]} ${error?.code}`))
  client.lifecycle.on('error', (error) => void errors.push(error))
  return {
    client,
    platform,
    log,
    errors,
    status: () => client.getState().status,
    send: (body: string, sendOptions = {}) => client.send('message', body, sendOptions),
    async connect(): Promise<void> {
      client.connect()
      await platform.settle()
      platform.link.accept()
      await platform.settle()
    },
    error(): HoldfastError {
      const state = client.getState()
      if (!('error' in state) || !state.error) throw new Error(`There is no error in the state ${state.status}`)
      return state.error
    },
    /** What a client that has let go leaves behind. */
    leftovers: () => ({ timers: platform.clock.timers, watchers: platform.watchers, links: platform.liveLinks.length }),
  }
}

const NOTHING = { timers: 0, watchers: 0, links: 0 }

describe('createClient', () => {
  test('touches nothing until it is asked to', async () => {
    const url = vi.fn(() => 'ws://server/')
    const store = createFakeStore()
    const { client, platform, leftovers } = setUp({ url, outbox: store })
    client.on('message', () => {})
    client.subscribe(() => {})
    client.reconnect()
    await platform.advance(100_000)

    expect(leftovers()).toEqual(NOTHING)
    expect(url).not.toHaveBeenCalled()
    expect(store.opens).toEqual([])
    expect(client.getState()).toEqual({
      status: 'idle',
      pending: 0,
      rttMs: undefined,
      lastReceivedAt: undefined,
      errorCount: 0,
    })
  })

  test('refuses wrong options at the call', () => {
    expect(() => createClient({ url: 'nowhere' })).toThrow(TypeError)
    expect(() => createClient({ url: 'ws://server/', maxAttempts: 0 })).toThrow(RangeError)
  })

  test.runIf(typeof WebSocket === 'undefined')('says that there is no WebSocket, and can still be closed', async () => {
    const client = createClient({ url: 'ws://server/' })
    const connect = (): void => client.connect()

    expect(connect).toThrow(TypeError)
    expect(connect).toThrow(/options\.WebSocket/)
    await client.close()
    expect(client.getState().status).toBe('closed')
  })
})

describe('connecting', () => {
  test('dials the url with the subprotocols, and says how far it is', async () => {
    const { client, platform, log } = setUp({ dialect: plain({ subprotocols: ['a', 'b'] }) })
    client.connect()
    const connecting = client.getState()
    await platform.settle()
    platform.link.accept()

    expect(platform.link).toMatchObject({ url: 'ws://server/', subprotocols: ['a', 'b'] })
    expect(connecting).toMatchObject({ status: 'connecting', attempt: 1 })
    expect(client.getState()).toMatchObject({ status: 'connected', connectedAt: platform.wallNow() })
    expect(log).toEqual(['connecting', 'connected'])
  })

  test('does nothing while it is connected or trying', async () => {
    const { client, platform, connect } = setUp()
    client.connect()
    client.connect()
    await connect()
    client.connect()
    await platform.settle()

    expect(platform.links).toHaveLength(1)
    expect(platform.watchers).toBe(1)
  })

  test('asks the provider anew at every attempt, and tells it which', async () => {
    const attempts: number[] = []
    const { client, platform } = setUp({
      url: ({ attempt }) => {
        attempts.push(attempt)
        return new URL(`https://server/?ticket=${attempt}#part`)
      },
    })
    client.connect()
    await platform.settle()
    platform.link.refuse()
    await platform.advance(500)
    platform.link.refuse()
    await platform.advance(1_000)

    expect(attempts).toEqual([1, 2, 3])
    expect(platform.links.map(({ url }) => url)).toEqual([1, 2, 3].map((ticket) => `wss://server/?ticket=${ticket}`))
  })

  test('waits with full jitter before the first retry already, and no longer', async () => {
    const { client, platform, error } = setUp()
    client.connect()
    await platform.settle()
    platform.link.refuse()
    const waiting = client.getState()
    await platform.advance(499.9)
    const early = platform.links.length
    await platform.advance(0.1)

    expect(waiting).toMatchObject({ status: 'waiting', attempt: 2, retryAt: platform.wallNow() })
    expect(early).toBe(1)
    expect(platform.links).toHaveLength(2)
    expect(() => error()).toThrow()
  })

  const failures: [string, () => string | Promise<string>, unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no ticket')
      },
      new Error('no ticket'),
    ],
    ['rejects', () => Promise.reject(new Error('no ticket')), new Error('no ticket')],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with undefined', () => Promise.reject(undefined), undefined],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with null', () => Promise.reject(null), null],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with what cannot be printed', () => Promise.reject(Object.create(null)), {}],
    ['answers with no url', () => 'http//bad', expect.any(TypeError)],
    ['answers with nothing', () => undefined as unknown as string, expect.any(TypeError)],
  ]
  test.each(failures)('takes a provider that %s for a failed attempt', async (_, url, cause) => {
    const { client, platform, error, errors } = setUp({ url })
    client.connect()
    await platform.settle()

    expect(client.getState()).toMatchObject({ status: 'waiting', attempt: 2 })
    expect(error()).toMatchObject({ name: 'ConnectError', code: 'URL_FAILED' })
    if (cause !== undefined && cause !== null) expect(error().cause).toEqual(cause)
    await platform.advance(500)
    expect(client.getState()).toMatchObject({ attempt: 3 })
    expect(errors).toEqual([])
  })

  test('gives up a provider that never settles at the connect deadline, and tells it', async () => {
    const signals: AbortSignal[] = []
    const { client, platform, error } = setUp({
      url: ({ signal }) => {
        signals.push(signal)
        return new Promise<string>(() => {})
      },
    })
    client.connect()
    await platform.advance(9_999)
    const early = [client.getState().status, signals[0]?.aborted]
    await platform.advance(1)
    const late = [client.getState().status, signals[0]?.aborted]
    const { code } = error()
    await platform.advance(500)

    expect(early).toEqual(['connecting', false])
    expect(late).toEqual(['waiting', true])
    expect(code).toBe('CONNECT_TIMEOUT')
    expect(signals).toHaveLength(2)
  })

  test('measures the deadline from the start, provider included', async () => {
    let answer: (url: string) => void = () => {}
    const { client, platform } = setUp({ url: () => new Promise<string>((resolve) => (answer = resolve)) })
    client.connect()
    await platform.advance(9_000)
    answer('ws://server/')
    await platform.settle()
    const dialled = platform.liveLinks.length
    await platform.advance(1_000)

    expect(dialled).toBe(1)
    expect(platform.liveLinks).toEqual([])
    expect(client.getState().status).toBe('waiting')
  })

  test('is twice as patient after two time-outs in a row', async () => {
    const { client, platform } = setUp()
    client.connect()
    await platform.advance(10_000 + 500)
    await platform.advance(10_000 + 1_000)
    const third = client.getState()
    await platform.advance(19_999)
    const late = client.getState()
    await platform.advance(1)

    expect(third).toMatchObject({ status: 'connecting', attempt: 3 })
    expect(late).toMatchObject({ status: 'connecting', attempt: 3 })
    expect(client.getState()).toMatchObject({ status: 'waiting', attempt: 4 })
  })

  test('throws away the answer of a provider that came too late', async () => {
    const answers: ((url: string) => void)[] = []
    const { client, platform } = setUp({ url: () => new Promise<string>((resolve) => answers.push(resolve)) })
    client.connect()
    await platform.settle()
    client.reconnect()
    await platform.settle()
    answers[0]?.('ws://server/?ticket=old')
    await platform.settle()
    const stale = platform.links.length
    answers[1]?.('ws://server/?ticket=new')
    await platform.settle()

    expect(stale).toBe(0)
    expect(platform.links.map(({ url }) => url)).toEqual(['ws://server/?ticket=new'])
  })

  test('does not mind a provider that fails too late', async () => {
    const fail: ((error: Error) => void)[] = []
    const { client, platform, status } = setUp({ url: () => new Promise<string>((_, reject) => fail.push(reject)) })
    client.connect()
    await platform.settle()
    client.reconnect()
    await platform.settle()
    fail[0]?.(new Error('old'))
    await platform.settle()

    expect(status()).toBe('connecting')
  })

  test('stops with the reason when the browser makes no socket', async () => {
    const platform = createFakePlatform()
    platform.blockedBy = new DOMException('insecure', 'SecurityError')
    const { client, error, log } = setUp({ platform })
    client.connect()
    await platform.advance(100_000)

    expect(log).toEqual(['connecting', 'closed'])
    expect(error()).toMatchObject({ code: 'BLOCKED_BY_BROWSER', cause: platform.blockedBy })
    expect(platform.clock.timers).toBe(0)
  })

  test('gives up after maxAttempts, with the reason, until it is asked again', async () => {
    const { client, platform, error, status } = setUp({ maxAttempts: 3 })
    platform.onDial = (link) => queueMicrotask(() => link.refuse())
    client.connect()
    await platform.advance(100_000)
    const links = platform.links.length
    const { code, cause } = error()
    client.connect()
    await platform.settle()

    expect(links).toBe(3)
    expect(code).toBe('ATTEMPTS_EXHAUSTED')
    expect(cause).toMatchObject({ code: 'UNREACHABLE' })
    expect(status()).toBe('waiting')
    expect(platform.links).toHaveLength(4)
  })

  test('resolves a path against the page', async () => {
    const platform = createFakePlatform()
    platform.pageUrl = 'https://page.example/app/index.html?x#y'
    const { client } = setUp({ platform, url: '/live?v=1' })
    client.connect()
    await platform.settle()

    expect(platform.link.url).toBe('wss://page.example/live?v=1')
  })
})

describe('a connection that ends', () => {
  test('is told with its true close code and reason', async () => {
    const { platform, connect, error } = setUp()
    await connect()

    platform.link.close(1012, 'restart')

    expect(error()).toMatchObject({ code: 'CONNECTION_CLOSED', closeCode: 1012, closeReason: 'restart' })
  })

  test('counts attempts on until one has lasted stableAfterMs', async () => {
    const { client, platform, connect } = setUp()
    await connect()
    await platform.advance(4_999)
    platform.link.close()
    await platform.advance(500)
    platform.link.accept()
    await platform.advance(4_999)
    platform.link.close()
    const unstable = client.getState()
    await platform.advance(1_000)
    platform.link.accept()
    await platform.advance(5_000)
    platform.link.close()

    expect(unstable).toMatchObject({ status: 'waiting', attempt: 3 })
    expect(client.getState()).toMatchObject({ status: 'waiting', attempt: 2 })
  })

  test('stops for good at a final close code, and keeps what waits', async () => {
    const { client, platform, connect, error, send } = setUp()
    await connect()
    platform.link.close(4403, 'forbidden')
    send('a')
    await platform.advance(100_000)

    expect(error()).toMatchObject({ name: 'RefusedError', code: 'REFUSED_BY_SERVER', cause: { closeCode: 4403 } })
    expect(platform.links).toHaveLength(1)
    expect(client.getState().pending).toBe(1)
  })

  test('tries once more after 4401, with a fresh url, then stops as UNAUTHORIZED', async () => {
    let tickets = 0
    const { platform, connect, error, status } = setUp({ url: () => `ws://server/?ticket=${++tickets}` })
    await connect()
    platform.link.close(4401)
    const once = status()
    await platform.advance(500)
    platform.link.accept()
    platform.link.close(4401)
    await platform.advance(100_000)

    expect(once).toBe('waiting')
    expect(platform.links.map(({ url }) => url)).toEqual(['ws://server/?ticket=1', 'ws://server/?ticket=2'])
    expect(error().code).toBe('UNAUTHORIZED')
  })

  test('asks shouldReconnect, and survives its throwing', async () => {
    const asked: unknown[] = []
    const { platform, connect, status, errors } = setUp({
      shouldReconnect: (close) => {
        asked.push(close)
        throw new Error('oops')
      },
    })
    await connect()
    platform.link.close(1006)
    const after = status()
    await platform.advance(500)

    expect(asked).toEqual([{ code: 1006, reason: '' }])
    expect(after).toBe('waiting')
    expect(status()).toBe('connecting')
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW' }])
  })
})

describe('reconnect', () => {
  test('drops the link and dials at once with a fresh url', async () => {
    let tickets = 0
    const { client, platform, connect, log } = setUp({ url: () => `ws://server/?ticket=${++tickets}` })
    await connect()

    client.reconnect()
    await platform.settle()

    expect(platform.links.map(({ status }) => status)).toEqual(['dropped', 'connecting'])
    expect(platform.link.url).toBe('ws://server/?ticket=2')
    expect(log).toEqual(['connecting', 'connected', 'connecting'])
  })

  test('cuts the wait', async () => {
    const { client, platform, connect } = setUp()
    await connect()
    platform.link.close()

    client.reconnect()
    await platform.settle()

    expect(platform.links).toHaveLength(2)
    expect(platform.clock.now).toBe(0)
  })

  test('five times over makes one connection', async () => {
    const { client, platform, connect } = setUp()
    await connect()
    for (let count = 0; count < 5; count++) client.reconnect()
    await platform.settle()

    expect(platform.liveLinks).toHaveLength(1)
    expect(platform.links).toHaveLength(2)
  })

  test('takes along what waits', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    client.reconnect()
    await platform.settle()
    platform.link.accept()

    expect(platform.link.received).toEqual(['a'])
  })
})

describe('what the page does', () => {
  test('wake cuts a long wait', async () => {
    const { client, platform } = setUp({ retryDelayMs: { min: 1_000, max: 600_000 } })
    platform.onDial = (link) => queueMicrotask(() => link.refuse())
    client.connect()
    await platform.advance(40_000)
    const before = platform.links.length
    const state = client.getState()
    platform.signal('wake')
    await platform.advance(500)

    expect(state).toMatchObject({ status: 'waiting' })
    expect('retryAt' in state && state.retryAt - platform.wallNow()).toBeGreaterThan(5_000)
    expect(platform.links).toHaveLength(before + 1)
  })

  test.each(['wake', 'doubt'] as const)('%s while connected probes the link, and finds it dead', async (signal) => {
    const { platform, connect, error } = setUp({ dialect: plain({ codec: text(), ping: 'ping' }) })
    await connect()
    await platform.advance(1_000)
    platform.signal(signal)
    const sent = [...platform.link.written]
    await platform.advance(5_000)

    expect(sent).toEqual(['ping'])
    expect(error().code).toBe('HEARTBEAT_TIMEOUT')
    expect(platform.links[0]?.status).toBe('dropped')
  })

  test('wake while connected harms no link that answers', async () => {
    const { client, platform, connect, status } = setUp({ dialect: plain({ codec: text(), ping: 'ping' }) })
    await connect()
    platform.signal('wake')
    await platform.advance(30)
    platform.link.deliver('pong')
    await platform.advance(20_000)

    expect(status()).toBe('connected')
    expect(client.getState().rttMs).toBe(30)
  })

  test('suspend drops the link without a timer, and resume dials at once', async () => {
    const { platform, connect, status, leftovers, send } = setUp()
    await connect()
    platform.signal('suspend')
    send('a')
    await platform.advance(100_000)
    const suspended = leftovers()
    platform.signal('resume')
    await platform.settle()
    platform.link.accept()

    expect(suspended).toEqual({ timers: 0, watchers: 1, links: 0 })
    expect(platform.links).toHaveLength(2)
    expect(status()).toBe('connected')
    expect(platform.link.received).toEqual(['a'])
  })
})

describe('a dead link', () => {
  test('is found, dropped and replaced, and nothing queued is lost', async () => {
    const { platform, connect, error, send } = setUp({ dialect: plain({ codec: text(), ping: 'ping' }) })
    await connect()
    platform.link.hold()
    send('a')
    await platform.advance(40_000)
    const [dead] = platform.links
    const { code } = error()
    await platform.advance(500)
    platform.link.accept()

    expect(dead?.status).toBe('dropped')
    expect(code).toBe('HEARTBEAT_TIMEOUT')
    expect(platform.link.received).toEqual(['a'])
  })

  test('is not declared of a machine that slept while frames were waiting', async () => {
    const { platform, connect, status } = setUp({ dialect: plain({ codec: text(), ping: 'ping' }) })
    await connect()
    await platform.advance(25_000)
    platform.clock.sleep(3_600_000)
    await platform.advance(0)
    platform.link.deliver('pong')
    await platform.advance(14_000)

    expect(status()).toBe('connected')
    expect(platform.links).toHaveLength(1)
  })
})

describe('close', () => {
  const REACH: Record<string, (system: ReturnType<typeof setUp>) => Promise<void> | void> = {
    idle: () => {},
    connecting: ({ client }) => client.connect(),
    dialling: async ({ client, platform }) => {
      client.connect()
      await platform.settle()
    },
    connected: ({ connect }) => connect(),
    waiting: async ({ connect, platform }) => {
      await connect()
      platform.link.close()
    },
    suspended: async ({ connect, platform }) => {
      await connect()
      platform.signal('suspend')
    },
    refused: async ({ connect, platform }) => {
      await connect()
      platform.link.close(4403)
    },
    'sending with a deadline': async ({ connect, send, platform }) => {
      await connect()
      platform.link.hold()
      send('a', { ttlMs: 60_000 })
    },
  }
  test.each(Object.keys(REACH))('leaves no timer, listener, link or provider call when %s', async (from) => {
    const url = vi.fn(() => 'ws://server/')
    const system = setUp({ url, dialect: plain({ codec: text(), ping: 'ping' }) })
    await REACH[from]?.(system)
    const calls = url.mock.calls.length

    await system.client.close()
    const left = system.leftovers()
    await system.platform.advance(600_000)

    expect(left).toEqual(NOTHING)
    expect(system.leftovers()).toEqual(NOTHING)
    expect(url).toHaveBeenCalledTimes(calls)
    expect(system.client.getState()).toMatchObject({ status: 'closed', pending: 0 })
  })

  test('while the provider is asked tells it, and opens no socket when it answers', async () => {
    let answer: (url: string) => void = () => {}
    let signal: AbortSignal | undefined
    const { client, platform } = setUp({
      url: (context) => {
        signal = context.signal
        return new Promise<string>((resolve) => (answer = resolve))
      },
    })
    client.connect()
    await platform.settle()
    await client.close()
    answer('ws://server/')
    await platform.advance(60_000)

    expect(signal?.aborted).toBe(true)
    expect(platform.links).toEqual([])
  })

  test('says goodbye in the orderly way, and is not an error', async () => {
    const { client, platform, connect, log } = setUp()
    await connect()

    await client.close()

    expect(platform.link.dropped).toMatchObject({ code: 1000 })
    expect(client.getState()).toMatchObject({ status: 'closed', error: null })
    expect(log).toEqual(['connecting', 'connected', 'closed'])
  })

  test('breaks the deliveries, keeps the messages, and takes no more', async () => {
    const store = createFakeStore()
    const { client, send } = setUp({ outbox: store })
    const delivery = send('a')
    const delivered = expect(delivery.delivered).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })

    await client.close()

    await delivered
    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
    expect(() => send('b')).toThrow(expect.objectContaining({ code: 'CLIENT_CLOSED', name: 'DeliveryError' }))
    expect(() => send('b', { volatile: true })).toThrow(expect.objectContaining({ code: 'CLIENT_CLOSED' }))
  })

  test('and connect starts anew, with what was left', async () => {
    const { client, platform, connect, send } = setUp()
    send('a')
    await client.close()
    await connect()
    send('b')
    await platform.settle()

    expect(platform.link.received).toEqual(['a', 'b'])
  })

  test('is not undone by what comes late', async () => {
    const { client, platform, connect, log } = setUp()
    await connect()
    const { link } = platform
    await client.close()
    const before = log.length
    link.deliver('late')
    link.close(1006)
    platform.signal('wake')
    client.reconnect()
    await platform.advance(60_000)

    expect(log).toHaveLength(before)
    expect(client.getState().status).toBe('closed')
  })

  test('drains first: waits until all is delivered', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    const delivery = send('a')
    let isClosed = false
    const closing = client.close({ drainMs: 10_000 }).then(() => (isClosed = true))
    await platform.advance(5_000)
    const early = isClosed
    platform.link.flush()
    await platform.advance(1_000)
    await closing

    expect(early).toBe(false)
    expect(delivery.status).toBe('delivered')
    expect(platform.link.dropped).toMatchObject({ code: 1000 })
    expect(platform.clock.now).toBe(6_000)
  })

  test('drains no longer than it was told', async () => {
    const { client, platform, connect, send, leftovers } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    let closedAt: number | undefined
    void client.close({ drainMs: 10_000 }).then(() => (closedAt = platform.clock.now))
    await platform.advance(9_999)
    const early = closedAt
    await platform.advance(1)

    expect(early).toBeUndefined()
    expect(closedAt).toBe(10_000)
    expect(leftovers()).toEqual(NOTHING)
  })

  test('drains through a cut', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    const closing = client.close({ drainMs: 10_000 })
    platform.link.close(1006)
    await platform.advance(500)
    platform.link.accept()
    await platform.advance(100)
    await closing

    expect(platform.link.received).toEqual(['a'])
    expect(platform.clock.now).toBeLessThan(1_000)
  })

  test('does not wait when nothing is pending', async () => {
    const { client, platform, connect, leftovers } = setUp()
    await connect()

    await client.close({ drainMs: 10_000 })

    expect(leftovers()).toEqual(NOTHING)
    expect(platform.clock.now).toBe(0)
  })

  test('settles both when it is called twice while it drains', async () => {
    const { client, platform, connect, send, leftovers } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    const settled: string[] = []
    void client.close({ drainMs: 10_000 }).then(() => settled.push('first'))
    void client.close({ drainMs: 20_000 }).then(() => settled.push('second'))
    platform.link.flush()
    await platform.advance(30_000)

    expect(settled.sort()).toEqual(['first', 'second'])
    expect(leftovers()).toEqual(NOTHING)
  })

  test('cuts the draining short when it is called again without it', async () => {
    const { client, platform, connect, send, leftovers } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    let isSettled = false
    void client.close({ drainMs: 10_000 }).then(() => (isSettled = true))

    await client.close()
    await platform.settle()

    expect(isSettled).toBe(true)
    expect(leftovers()).toEqual(NOTHING)
  })

  test('is called off by connect while it drains', async () => {
    const { client, platform, connect, send, status } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    const closing = client.close({ drainMs: 1_000 })
    client.connect()
    await platform.advance(1_000)
    await closing

    expect(status()).toBe('connected')
    expect(() => send('b')).not.toThrow()
  })

  test.each([NaN, -1, Infinity, '1'])('refuses to drain for %s', async (drainMs) => {
    const { client, send } = setUp()

    await expect(client.close({ drainMs: drainMs as number })).rejects.toThrow(/^drainMs must be /)
    expect(() => send('a')).not.toThrow()
  })
})

describe('send', () => {
  test('keeps what is sent before there is a connection, and sends it in order', async () => {
    const { platform, connect, send, log } = setUp()
    const deliveries = ['a', 'b', 'c'].map((body) => send(body))
    await connect()
    await platform.advance(100)

    expect(platform.link.received).toEqual(['a', 'b', 'c'])
    expect(deliveries.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered'])
    expect(await deliveries[0]?.delivered).toEqual({ confirmedBy: 'browser' })
    expect(log.filter((line) => line.startsWith('delivered'))).toEqual(['delivered 1', 'delivered 2', 'delivered 3'])
  })

  test('counts what is pending', async () => {
    const { client, platform, connect, send } = setUp()
    send('a')
    send('b')
    const queued = client.getState().pending
    await connect()
    await platform.advance(100)

    expect(queued).toBe(2)
    expect(client.getState().pending).toBe(0)
  })

  test('transmits nothing before the store has it', async () => {
    const store = createFakeStore({ isAsync: true })
    const { platform, connect, send } = setUp({ outbox: store })
    await connect()
    store.hold()
    const delivery = send('a')
    await platform.settle()
    const early = [...platform.link.written]
    store.release()
    await platform.settle()

    expect(early).toEqual([])
    expect(platform.link.written).toEqual(['a'])
    expect(delivery.status).toBe('sent')
  })

  test('asks a store again that did not forget what was delivered, with nothing else to do', async () => {
    const store = createFakeStore({ isAsync: true })
    const { platform, connect, send, errors } = setUp({ outbox: store })
    await connect()
    send('a')
    await platform.settle()
    store.failCommits(new Error('disk'))
    await platform.advance(500)
    const owed = store.kept.length
    await platform.advance(60_000)

    expect(errors).toMatchObject([{ code: 'STORAGE_FAILED' }])
    expect(owed).toBe(1)
    expect(store.kept).toEqual([])
  })

  test('leaves no timer when the store fails while the client closes', async () => {
    const store = createFakeStore({ isAsync: true })
    const { client, platform, connect, send, leftovers } = setUp({ outbox: store })
    await connect()
    send('a')
    await platform.settle()
    store.failCommits(new Error('disk'), 9)
    await platform.advance(100)

    await client.close()

    expect(leftovers()).toEqual(NOTHING)
  })

  test('sends what another page has left, before its own', async () => {
    const store = createFakeStore({ isAsync: true })
    store.leave(stored('old', 1), stored('old', 2))
    const { platform, connect, send } = setUp({ outbox: store })
    send('mine')
    await connect()

    expect(platform.link.written).toEqual(['old1', 'old2', 'mine'])
  })

  test.each([[''], [1], [undefined], [null]])('refuses the event name %s', (event) => {
    const { client } = setUp()

    expect(() => client.send(event as string, 'a')).toThrow(/^event must be a non-empty string/)
  })

  test.each([
    [{ ttlMs: 0 }, RangeError, 'ttlMs'],
    [{ ttlMs: NaN }, RangeError, 'ttlMs'],
    [{ ttlMs: '5' }, TypeError, 'ttlMs'],
    [{ key: 5 }, TypeError, 'key'],
  ])('refuses the options %o', (options, type, name) => {
    const { client, send } = setUp()

    expect(() => send('a', options)).toThrow(type)
    expect(() => send('a', options)).toThrow(new RegExp(`^${name} must be .*, got `))
    expect(client.getState().pending).toBe(0)
  })

  test('refuses what is too large, by bytes, and queues nothing', () => {
    const { client, send } = setUp({ frameBytesMax: 4 })
    send('ää')

    expect(() => send('ääa')).toThrow(LocalProtocolError)
    expect(() => send('ääa')).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect(() => send('ääa')).toThrow(/5 bytes.*4/)
    expect(client.getState().pending).toBe(1)
  })

  test('refuses what cannot be encoded, and queues nothing', () => {
    const { client } = setUp({ dialect: plain({ codec: json() }) })

    expect(() => client.send('m', 1n)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
    expect(client.getState().pending).toBe(0)
  })

  test('encodes at the call: later changes do not matter', async () => {
    const { client, platform, connect } = setUp({ dialect: plain({ codec: json() }) })
    const payload = { n: 1 }
    client.send('m', payload)
    payload.n = 2
    await connect()

    expect(platform.link.received).toEqual(['{"event":"m","data":{"n":1}}'])
  })

  test.each([
    ['before it ever connects', async () => {}],
    [
      'while it waits',
      async ({ connect, platform }: ReturnType<typeof setUp>) => {
        platform.chance = 0.999
        await connect()
        platform.link.close()
      },
    ],
    [
      'after it was refused',
      async ({ connect, platform }: ReturnType<typeof setUp>) => {
        await connect()
        platform.link.close(4403)
      },
    ],
    [
      'while it is suspended',
      async ({ connect, platform }: ReturnType<typeof setUp>) => {
        await connect()
        platform.signal('suspend')
      },
    ],
    [
      'behind a full buffer',
      async ({ connect, platform, send }: ReturnType<typeof setUp>) => {
        await connect()
        platform.link.hold()
        send('x'.repeat(200_000))
      },
    ],
  ])('expires on time %s', async (_, reach) => {
    const system = setUp({ retryDelayMs: { min: 20_000, max: 30_000 } })
    await reach(system)
    const delivery = system.send('a', { ttlMs: 1_000 })
    await system.platform.advance(999)
    const early = delivery.status
    await system.platform.advance(1)

    expect(early).toBe('stored')
    expect(delivery.status).toBe('failed')
    expect(delivery.error?.code).toBe('EXPIRED')
  })

  test('lets messages be listed, taken back and looked up after they failed', async () => {
    const { client, platform, connect, send } = setUp()
    const { id } = send('a')
    send('b')
    const isRemoved = client.outbox.remove(id)
    await connect()

    expect(isRemoved).toBe(true)
    expect(client.outbox.failed()).toMatchObject([{ id, body: 'a', status: 'failed', error: { code: 'REMOVED' } }])
    expect(platform.link.received).toEqual(['b'])
    expect(client.outbox.clear()).toBe(0)
  })
})

describe('a request', () => {
  test('is refused where the dialect knows none', async () => {
    const { client, connect } = setUp()
    await connect()

    await expect(client.request('ask')).rejects.toMatchObject({ name: 'LocalProtocolError', code: 'NOT_ENCODABLE' })
    await expect(client.request('')).rejects.toThrow(TypeError)
    expect(client.getState().pending).toBe(0)
  })
})

describe('a volatile message', () => {
  test('goes at once where there is a connection, and is nowhere kept', async () => {
    const store = createFakeStore()
    const { client, platform, connect, send } = setUp({ outbox: store })
    await connect()

    const delivery = send('now', { volatile: true })

    expect(platform.link.received).toEqual(['now'])
    expect(delivery.status).toBe('sent')
    expect(await delivery.delivered).toEqual({ confirmedBy: 'browser' })
    await expect(delivery.stored).rejects.toMatchObject({ code: 'NOT_STORED' })
    expect(store.batches).toEqual([])
    expect(client.getState().pending).toBe(0)
  })

  test('fails where there is none, and comes back from nowhere', async () => {
    const { client, platform, connect, send } = setUp()

    const delivery = send('now', { volatile: true })
    await connect()

    expect(delivery.status).toBe('failed')
    await expect(delivery.delivered).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    expect(platform.link.written).toEqual([])
    expect(client.outbox.list()).toEqual([])
  })

  test('fails where the buffer is full', async () => {
    const { platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('x'.repeat(200_000))

    expect(send('now', { volatile: true }).error?.code).toBe('NOT_CONNECTED')
    expect(platform.link.written).toHaveLength(1)
  })

  test('is refused at the call like any other when it is too large', () => {
    const { send } = setUp({ frameBytesMax: 2 })

    expect(() => send('abc', { volatile: true })).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
  })
})

describe('what the server sends', () => {
  test('reaches the listeners, once each and in order', async () => {
    const { client, platform, connect } = setUp({ dialect: plain({ codec: json() }) })
    const seen: unknown[] = []
    client.on('a', (payload) => seen.push(payload))
    client.once('a', (payload) => seen.push(`once ${String(payload)}`))
    await connect()
    for (const data of [1, 2]) platform.link.deliver(JSON.stringify({ event: 'a', data }))

    expect(seen).toEqual([1, 'once 1', 2])
  })

  test('can be read in a loop', async () => {
    const { client, platform, connect } = setUp()
    const events = client.events('message')
    await connect()
    platform.link.deliver('a')
    platform.link.deliver('b')
    const seen: unknown[] = []
    for await (const payload of events) if (seen.push(payload) === 2) break

    expect(seen).toEqual(['a', 'b'])
  })

  test('is counted and reported when it is malformed, eight times over ends the link, and nothing queued is lost', async () => {
    const { client, platform, connect, errors, error, log } = setUp({ dialect: plain({ codec: json() }) })
    await connect()
    platform.link.hold()
    client.send('m', 1)
    for (let count = 0; count < 7; count++) platform.link.deliver('{')
    const seven = [client.getState().status, client.getState().errorCount]
    platform.link.deliver('{')
    const [bad] = platform.links
    const { code } = error()
    await platform.advance(500)
    platform.link.accept()

    expect(seven).toEqual(['connected', 7])
    expect(errors.map((reported) => reported.code)).toEqual(Array.from({ length: 8 }, () => 'BAD_FRAME'))
    expect(bad?.dropped).toMatchObject({ code: 4400 })
    expect(code).toBe('BAD_FRAME')
    expect(platform.link.received).toEqual(['{"event":"m","data":1}'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
  })

  test('may be named like anything that objects have', async () => {
    const { client, platform, connect, errors } = setUp({ dialect: plain({ codec: json() }) })
    const seen: unknown[] = []
    client.on('constructor', (payload) => seen.push(payload))
    await connect()
    for (const event of ['__proto__', 'toString', 'constructor']) {
      platform.link.deliver(JSON.stringify({ event, data: event }))
    }

    expect(seen).toEqual(['constructor'])
    expect(errors).toEqual([])
  })
})

describe('the state', () => {
  test('is the same object until something in it changes', async () => {
    const { client, platform, connect } = setUp()
    const idle = client.getState()
    const same = client.getState()
    await connect()
    const connected = client.getState()
    await platform.advance(60_000)

    expect(same).toBe(idle)
    expect(connected).not.toBe(idle)
    expect(client.getState()).toBe(connected)
    expect(Object.isFrozen(connected)).toBe(true)
  })

  test('tells its subscribers once for many changes, with the last of them in place', async () => {
    const { client, platform, send } = setUp()
    const seen: number[] = []
    const off = client.subscribe(() => seen.push(client.getState().pending))
    for (const body of ['a', 'b', 'c']) send(body)
    const sync = [...seen]
    await platform.settle()
    off()
    send('d')
    await platform.settle()

    expect(sync).toEqual([])
    expect(seen).toEqual([3])
  })

  test('tells once, however often it was looked at meanwhile', async () => {
    const { client, platform, send } = setUp()
    let count = 0
    client.subscribe(() => void count++)
    for (const body of ['a', 'b', 'c']) {
      send(body)
      client.getState()
    }
    await platform.settle()

    expect(count).toBe(1)
  })

  test('shows when the server was last heard, to the second', async () => {
    const { client, platform, connect } = setUp()
    await connect()
    await platform.advance(5_000)
    platform.link.deliver('a')
    const first = client.getState()
    await platform.advance(999)
    platform.link.deliver('b')
    const second = client.getState()
    await platform.advance(1)
    platform.link.deliver('c')

    expect(first.lastReceivedAt).toBe(platform.wallNow() - 1_000)
    expect(second).toBe(first)
    expect(client.getState().lastReceivedAt).toBe(platform.wallNow())
  })

  test('shows the round trip, and tells it', async () => {
    const { client, platform, connect } = setUp({ dialect: plain({ codec: text(), ping: 'ping', pong: 'pong' }) })
    const trips: number[] = []
    client.lifecycle.on('rtt', (rttMs) => trips.push(rttMs))
    await connect()
    await platform.advance(25_000)
    await platform.advance(17)
    platform.link.deliver('pong')

    expect(trips).toEqual([17])
    expect(client.getState().rttMs).toBe(17)
  })

  test('is handed to lifecycle listeners as getState has it', async () => {
    const { client, platform } = setUp()
    const pairs: boolean[] = []
    client.lifecycle.on('state', (state) => pairs.push(state === client.getState()))
    client.connect()
    await platform.settle()
    platform.link.accept()

    expect(pairs).toEqual([true, true])
  })
})

describe('a listener that fails', () => {
  const oops = new Error('oops')
  const fail = (): never => {
    throw oops
  }

  test('stops nobody, and is reported', async () => {
    const { client, platform, connect, errors } = setUp()
    const second = vi.fn()
    client.on('message', fail)
    client.on('message', second)
    await connect()
    platform.link.deliver('a')

    expect(second).toHaveBeenCalledOnce()
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW', cause: oops }])
    expect(client.getState().errorCount).toBe(1)
    expect(platform.thrown).toEqual([])
  })

  test('stops nobody either when what it throws cannot be printed', async () => {
    const { client, platform, connect, errors, send } = setUp()
    const second = vi.fn()
    client.on('message', () => {
      // oxlint-disable-next-line typescript/only-throw-error -- applications do
      throw Object.create(null)
    })
    client.on('message', second)
    await connect()
    platform.link.deliver('a')
    send('b')

    expect(second).toHaveBeenCalledOnce()
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW' }])
    expect(platform.link.received).toEqual(['b'])
  })

  test('is thrown later where nobody listens for errors', async () => {
    const platform = createFakePlatform()
    const client = createClient({ url: 'ws://server/', platform, dialect: plain({ codec: text() }) })
    client.on('message', fail)
    client.connect()
    await platform.settle()
    platform.link.accept()
    platform.link.deliver('a')

    expect(platform.thrown).toMatchObject([{ code: 'LISTENER_THREW', cause: oops }])
  })

  test('is not thrown for a bad frame, which is no bug of the application', async () => {
    const platform = createFakePlatform()
    const client = createClient({ url: 'ws://server/', platform })
    client.connect()
    await platform.settle()
    platform.link.accept()
    platform.link.deliver('{')

    expect(platform.thrown).toEqual([])
    expect(client.getState().errorCount).toBe(1)
  })

  test('of errors does not run in a circle, and is thrown later', async () => {
    const { client, platform, connect, send } = setUp({ dialect: plain({ codec: text() }) })
    let calls = 0
    client.lifecycle.on('error', () => {
      calls++
      throw oops
    })
    client.on('message', fail)
    await connect()
    platform.link.deliver('a')
    send('still alive')
    await platform.settle()

    expect(calls).toBe(1)
    expect(platform.thrown).toMatchObject([{ code: 'LISTENER_THREW', cause: oops }])
    expect(platform.link.received).toEqual(['still alive'])
  })

  test('of errors does not run in a circle when it fails later', async () => {
    const { client, platform, connect } = setUp()
    let calls = 0
    client.lifecycle.on('error', async () => {
      if (++calls > 10) return
      await Promise.resolve()
      throw oops
    })
    client.on('message', fail)
    await connect()
    platform.link.deliver('a')
    await platform.settle()

    expect(calls).toBe(1)
    expect(platform.thrown).toMatchObject([{ code: 'LISTENER_THREW', cause: oops }])
  })

  test.each(['state', 'stored', 'delivered', 'failed', 'rtt'] as const)('of %s harms nothing', async (event) => {
    const { client, platform, connect, send, errors, leftovers } = setUp({
      dialect: plain({ codec: text(), ping: 'ping' }),
    })
    client.lifecycle.on(event, fail)
    client.outbox.remove(send('x').id)
    await connect()
    send('a')
    await platform.advance(25_010)
    platform.link.deliver('pong')
    await platform.advance(100)
    platform.link.close()
    await platform.advance(500)
    platform.link.accept()
    send('b')

    expect(platform.link.received).toEqual(['b'])
    expect(errors.length).toBeGreaterThan(0)
    await client.close()
    expect(leftovers()).toEqual(NOTHING)
  })
})

describe('a listener that acts on its client', () => {
  test('may send from each of them', async () => {
    const { client, platform, connect, send } = setUp({ dialect: plain({ codec: text() }) })
    const say = (what: string) => (): void => void (sent.includes(what) || (sent.push(what), send(what)))
    const sent: string[] = []
    client.lifecycle.on('state', ({ status }) => {
      if (status !== 'closed') say(`state ${status}`)()
    })
    client.lifecycle.on('stored', say('stored'))
    client.lifecycle.on('delivered', say('delivered'))
    client.on('message', say('message'))
    await connect()
    platform.link.deliver('hello')
    await platform.advance(1_000)

    expect(platform.link.received).toEqual([...new Set(platform.link.received)])
    expect(new Set<unknown>(platform.link.received)).toEqual(new Set<unknown>(sent))
    expect(sent).toEqual(
      expect.arrayContaining(['state connecting', 'state connected', 'stored', 'delivered', 'message']),
    )
  })

  test('may close from a message, and hears no more', async () => {
    const { client, platform, connect, leftovers } = setUp()
    const seen: unknown[] = []
    client.on('message', (payload) => {
      seen.push(payload)
      void client.close()
    })
    await connect()
    const { link } = platform
    link.deliver('a')
    link.deliver('b')
    await platform.settle()

    expect(seen).toEqual(['a'])
    expect(leftovers()).toEqual(NOTHING)
    expect(client.getState().status).toBe('closed')
  })

  test.each(['connecting', 'connected', 'waiting'])('may close when it is %s', async (when) => {
    const { client, platform, leftovers } = setUp()
    client.lifecycle.on('state', ({ status }) => {
      if (status === when) void client.close()
    })
    client.connect()
    await platform.settle()
    if (when !== 'connecting') platform.link.accept()
    if (when === 'waiting') platform.link.close()
    await platform.advance(60_000)

    expect(client.getState().status).toBe('closed')
    expect(leftovers()).toEqual(NOTHING)
  })

  test('may reconnect when a connection was lost', async () => {
    const { client, platform, connect } = setUp()
    client.lifecycle.on('state', ({ status }) => {
      if (status === 'waiting') client.reconnect()
    })
    await connect()
    platform.link.close()
    await platform.settle()

    expect(platform.links).toHaveLength(2)
    expect(client.getState().status).toBe('connecting')
  })

  test('may reconnect from a message', async () => {
    const { client, platform, connect } = setUp()
    client.on('message', () => client.reconnect())
    await connect()
    platform.link.deliver('a')
    await platform.settle()

    expect(platform.links.map(({ status }) => status)).toEqual(['dropped', 'connecting'])
  })

  test('may reconnect when the cut delivers what had left, without losing an attempt', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    client.lifecycle.once('delivered', () => client.reconnect())
    send('a')
    platform.link.close()
    await platform.settle()

    expect(client.getState()).toMatchObject({ status: 'connecting', attempt: 1 })
    expect(platform.liveLinks).toHaveLength(1)
    platform.link.accept()
    expect(client.getState().status).toBe('connected')
  })

  test('may close when the cut delivers what had left, and nothing is sent again', async () => {
    const store = createFakeStore()
    const { client, platform, connect, send } = setUp({ outbox: store })
    await connect()
    client.lifecycle.once('delivered', () => client.close())
    send('a')
    send('b')
    platform.link.close()
    await platform.settle()

    expect(store.kept).toEqual([])
  })

  test('may connect again when the client was refused', async () => {
    const { client, platform, connect } = setUp()
    client.lifecycle.on('state', ({ status }) => {
      if (status === 'closed') client.connect()
    })
    await connect()
    platform.link.close(4403)
    await platform.settle()

    expect(client.getState()).toMatchObject({ status: 'connecting', attempt: 1 })
  })
})

test('two clients on two platforms know nothing of each other', async () => {
  const first = setUp()
  const second = setUp()
  await first.connect()
  first.send('a')

  expect(second.platform.links).toEqual([])
  expect(second.client.getState().status).toBe('idle')
})

test('without a contract any event and payload will do', () => {
  const client = createClient({ url: 'ws://server/', platform: createFakePlatform() })

  expect(client.send('anything', { at: 'all' }).status).toBe('stored')
})
