import { describe, expect, test, vi } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { text } from '../../../src/protocol/codec.js'
import { NOTHING, setUp } from '../../support/client-stage.js'
import { createFakeStore } from '../../support/fake-store.js'

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

  test('breaks the deliveries and keeps the messages', async () => {
    const store = createFakeStore()
    const { client, send } = setUp({ outbox: persistent(store) })
    const delivery = send('a')
    const delivered = expect(delivery.delivered).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })

    await client.close()

    await delivered
    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
  })

  test.each([
    ['in memory', undefined],
    ['in a store', () => persistent(createFakeStore())],
  ])('lets what is sent after it wait for connect, as before the first, %s', async (_, outbox) => {
    const { client, platform, connect, send } = setUp(outbox && { outbox: outbox() })
    send('join')
    client.connect()
    send('leave')
    void client.close()
    const late = send('join again')
    await platform.settle()
    const waiting = late.error
    await connect()
    await platform.advance(100)

    expect(waiting).toBeUndefined()
    expect(platform.links).toHaveLength(1)
    expect(platform.link.received).toEqual(['join', 'leave', 'join again'])
    expect(late.status).toBe('delivered')
  })

  test('keeps what is sent after it, and fails it when it is called again', async () => {
    const store = createFakeStore()
    const { client, send, leftovers } = setUp({ outbox: persistent(store) })
    await client.close()
    const delivery = send('a')
    await delivery.stored

    await client.close()

    expect(store.kept.map(({ body }) => body)).toEqual(['a'])
    expect(delivery.error).toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(leftovers()).toEqual(NOTHING)
  })

  test('fails what is volatile and sent after it, without a throw', async () => {
    const { client, send } = setUp()
    await client.close()

    expect(send('a', { volatile: true })).toMatchObject({ status: 'failed', error: { code: 'NOT_CONNECTED' } })
  })

  test('that drains takes what is sent meanwhile', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('a')
    const closing = client.close({ drainMs: 10_000 })
    const late = send('b')
    platform.link.flush()
    await platform.advance(1_000)
    await closing

    expect(platform.link.received).toEqual(['a', 'b'])
    expect(late.status).toBe('delivered')
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
