import { describe, expect, test } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { NOTHING, setUp } from '../../support/client-stage.js'

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

  test('waits longer each time for a server that closes at once with 1000', async () => {
    const { client, platform } = setUp()
    platform.onDial = (link) =>
      queueMicrotask(() => {
        link.accept()
        link.close(1000)
      })
    client.connect()
    await platform.advance(3_600_000)
    const waits = platform.links.map(({ dialledAt }, index) => dialledAt - (platform.links[index - 1]?.dialledAt ?? 0))

    expect(waits.slice(1, 8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
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

test('shouldReconnect may call reconnect() itself, and the dial is kept', async () => {
  const { client, platform, connect, status } = setUp({
    shouldReconnect: () => {
      client.reconnect()
      return true
    },
  })
  await connect()
  platform.link.close(1006)
  await platform.settle()

  expect(status()).toBe('connecting')
  expect(platform.links).toHaveLength(2)
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

  test.each([
    ['maxAttempts have failed', 1006, 'ATTEMPTS_EXHAUSTED'],
    ['the server has refused', 4403, 'REFUSED_BY_SERVER'],
  ])('starts afresh when %s, where what wakes a waiting client does not', async (_, closeCode, code) => {
    const { client, platform, connect, error, send, status } = setUp({ maxAttempts: 1 })
    await connect()
    platform.link.close(closeCode)
    send('a')
    const stopped = error().code
    platform.signal('wake')
    platform.signal('doubt')
    await platform.advance(600_000)
    const asleep = [status(), platform.links.length]

    client.reconnect()
    await platform.settle()
    platform.link.accept()

    expect(stopped).toBe(code)
    expect(asleep).toEqual(['closed', 1])
    expect(client.getState()).toMatchObject({ status: 'connected' })
    expect(platform.link.received).toEqual(['a'])
  })

  test('does nothing after close, not even where the client had stopped by itself', async () => {
    const { client, platform, connect, leftovers } = setUp({ maxAttempts: 1 })
    await connect()
    platform.link.close()
    await client.close()
    client.reconnect()
    await platform.advance(600_000)

    expect(platform.links).toHaveLength(1)
    expect(leftovers()).toEqual(NOTHING)
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
