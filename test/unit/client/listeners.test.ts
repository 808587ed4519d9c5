import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { text } from '../../../src/protocol/codec.js'
import { NOTHING, setUp } from '../../support/client-stage.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore } from '../../support/fake-store.js'

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
    const { client, platform, connect, send } = setUp({ outbox: persistent(store) })
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
