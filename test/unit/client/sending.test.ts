import { describe, expect, test } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { json } from '../../../src/protocol/codec.js'
import { LocalProtocolError } from '../../../src/shared/errors.js'
import { NOTHING, setUp } from '../../support/client-stage.js'
import { createFakeStore, stored } from '../../support/fake-store.js'

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
    const { platform, connect, send } = setUp({ outbox: persistent(store) })
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
    const { platform, connect, send, errors } = setUp({ outbox: persistent(store) })
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
    const { client, platform, connect, send, leftovers } = setUp({ outbox: persistent(store) })
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
    const { platform, connect, send } = setUp({ outbox: persistent(store) })
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
    const { client, platform, connect, send } = setUp({ outbox: persistent(store) })
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

  test('with a key waits for room, and only the newest of each key goes, before the queue', async () => {
    const { client, platform, connect, send, log } = setUp()
    await connect()
    platform.link.hold()
    send('x'.repeat(200_000))
    send('queued')
    const deliveries = ['a1', 'b1', 'a2', 'a3'].map((body) => send(body, { volatile: true, key: body[0] }))
    const early = platform.link.written.length
    const statuses = deliveries.map(({ status }) => status)
    platform.link.flush()
    await platform.advance(300)

    expect(early).toBe(1)
    expect(statuses).toEqual(['failed', 'queued', 'failed', 'queued'])
    expect(platform.link.written.slice(1)).toEqual(['a3', 'b1', 'queued'])
    expect(deliveries.map(({ error, status }) => error?.code ?? status)).toEqual([
      'SUPERSEDED',
      'sent',
      'SUPERSEDED',
      'sent',
    ])
    expect(log.filter((line) => line.startsWith('failed'))).toHaveLength(2)
    expect(client.outbox.failed()).toEqual([])
  })

  test('with a key goes at once where there is room', async () => {
    const { platform, connect, send } = setUp()
    await connect()
    const bodies = ['a1', 'a2']

    expect(bodies.map((body) => send(body, { volatile: true, key: 'a' }).status)).toEqual(['sent', 'sent'])
    expect(platform.link.written).toEqual(bodies)
  })

  test('with a key fails with the link for whose room it waits', async () => {
    const { platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('x'.repeat(200_000))
    const delivery = send('a', { volatile: true, key: 'a' })
    platform.link.close(1006)
    await platform.advance(1_000)
    platform.link.accept()
    await platform.settle()

    expect(delivery.error?.code).toBe('NOT_CONNECTED')
    expect(platform.link.written).not.toContain('a')
  })

  test('fails where more keys wait than anybody needs', async () => {
    const { platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    send('x'.repeat(200_000))
    const deliveries = Array.from({ length: 1_001 }, (_, key) => send('a', { volatile: true, key: String(key) }))
    const newer = send('b', { volatile: true, key: '0' })

    expect(deliveries.slice(1).map(({ status }) => status)).toEqual([...Array(999).fill('queued'), 'failed'])
    expect(newer.status).toBe('queued')
  })

  test('is refused at the call like any other when it is too large', () => {
    const { send } = setUp({ frameBytesMax: 2 })

    expect(() => send('abc', { volatile: true })).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
  })
})
