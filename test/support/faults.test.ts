import { expect, test } from 'vitest'
import { createClient, plain, text, type ClientOptions, type Codec, type Delivery } from '../../src/index.js'
import { createFakePlatform } from './fake-platform.js'

/** Each test here names a fault that the library once had, and what it did wrong then. */
function setUp(options: Partial<ClientOptions> = {}) {
  const platform = createFakePlatform()
  platform.chance = 0.5
  const client = createClient({
    url: 'ws://server/',
    dialect: plain({ codec: text() }),
    platform,
    ...options,
  })
  async function connect(): Promise<void> {
    client.connect()
    await platform.settle()
    platform.link.accept()
    await platform.settle()
  }
  const send = (body: string, rest = {}): Delivery => client.send('message', body, rest)
  const wire = (): unknown[] => platform.links.flatMap((link) => link.received)
  return { platform, client, connect, send, wire }
}

test('does not send again what was answered, when the answer makes it close', async () => {
  const { platform, client, connect, send, wire } = setUp()
  await connect()
  client.once('message', () => void client.close())
  send('a')

  platform.link.deliver('answer')
  await platform.settle()
  await connect()
  await platform.advance(1_000)

  expect(wire()).toEqual(['a'])
})

test('sends nothing into a link that a listener has just given up', async () => {
  const { platform, client, connect, send, wire } = setUp()
  await connect()
  platform.link.hold()
  send('x'.repeat(200_000))
  const late = send('late', { ttlMs: 500 })
  const last = send('last')
  client.lifecycle.once('failed', () => client.reconnect())

  await platform.advance(600)
  platform.link.accept()
  await platform.advance(1_000)

  expect(late.error?.code).toBe('EXPIRED')
  expect(last.status).toBe('delivered')
  expect(wire()).toContain('last')
})

test('goes on after a ping that no socket takes', async () => {
  const ping = (() => Symbol('ping')) as unknown as () => string
  const { platform, client, connect } = setUp({ dialect: plain({ codec: text(), ping }) })
  await connect()
  Object.assign(platform.link, {
    write() {
      throw new TypeError('cannot convert a Symbol')
    },
  })

  await platform.advance(25_000)
  client.reconnect()
  await platform.settle()

  expect(client.getState().errorCount).toBe(1)
  expect(platform.links.length).toBe(2)
})

test('refuses what a codec makes that is neither text nor bytes', async () => {
  const slow = { ...text(), encode: async () => 'later' } as unknown as Codec
  const { connect, send, client } = setUp({ dialect: plain({ codec: slow }) })
  await connect()

  expect(() => send('a')).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
  expect(client.getState().pending).toBe(0)
})

test('gives up a message that the server twice calls too big, and sends the rest', async () => {
  const { platform, client, send, wire } = setUp()
  let dials = 0
  platform.onDial = (link) =>
    queueMicrotask(() => {
      dials++
      if (dials <= 2) link.hold()
      link.accept()
      if (dials <= 2) queueMicrotask(() => link.close(1009))
    })
  client.connect()
  const big = send('x'.repeat(200_000))
  const small = send('small')

  await platform.advance(60_000)

  expect(big.error?.code).toBe('TOO_LARGE')
  expect(small.status).toBe('delivered')
  expect(wire()).toEqual(['small'])
})

test('does not fail a message for one complaint that may have been about another', async () => {
  const { platform, connect, send } = setUp()
  await connect()
  platform.link.hold()
  const innocent = send('innocent')

  platform.link.close(1009)
  await platform.advance(1_000)
  platform.link.accept()
  await platform.advance(1_000)

  expect(innocent.status).toBe('delivered')
})

test('does not wait for a drain that cannot come', async () => {
  const { platform, client, connect, send } = setUp()
  await connect()
  platform.link.close(4403)
  await platform.settle()
  send('a')
  let isClosed = false

  void client.close({ drainMs: 60_000 }).then(() => (isClosed = true))
  await platform.advance(1_000)

  expect(isClosed).toBe(true)
})

test('gives an attempt its time again when the timer that ends it rings a minute late', async () => {
  const { platform, client } = setUp()
  client.connect()
  await platform.settle()

  // Time passes in one step: everything that was due rings together, as on a throttled page.
  platform.clock.sleep(60_000)
  await platform.advance(1)
  const afterSleep = client.getState().status
  platform.link.accept()
  await platform.settle()

  expect(afterSleep).toBe('connecting')
  expect(client.getState().status).toBe('connected')
})

test('has no error on a volatile message that went out, and tells of one that did not', async () => {
  const { client, connect, send } = setUp()
  const failed: string[] = []
  client.lifecycle.on('failed', ({ error }) => failed.push(error?.code ?? ''))
  send('too soon', { volatile: true })
  await connect()
  const sent = send('now', { volatile: true })

  expect([sent.status, sent.error]).toEqual(['sent', undefined])
  await expect(sent.stored).rejects.toMatchObject({ code: 'NOT_STORED' })
  expect(failed).toEqual(['NOT_CONNECTED'])
  expect(() => send('x', { volatile: 'yes' })).toThrow('volatile must be a boolean, got "yes"')
})

test('keeps a ticket out of its errors', async () => {
  const { platform, client } = setUp({ url: () => 'htp://server/?ticket=SECRET' })
  client.connect()
  await platform.settle()

  const state = client.getState()

  expect(state.status === 'closed' && state.error?.message).toContain('htp://server/?…')
  expect(JSON.stringify(state, Object.getOwnPropertyNames(Error.prototype))).not.toContain('SECRET')
})

test('measures a round trip from the ping that was answered', async () => {
  const { platform, client, connect } = setUp({
    dialect: plain({ codec: text(), ping: 'ping' }),
    heartbeatMs: { interval: 1_000, timeout: 1_000 },
  })
  await connect()
  const roundTrips: number[] = []
  client.lifecycle.on('rtt', (rttMs) => roundTrips.push(rttMs))

  await platform.advance(1_000)
  platform.link.deliver('data')
  await platform.advance(1_010)
  platform.link.deliver('pong')

  expect(roundTrips).toEqual([10])
})
