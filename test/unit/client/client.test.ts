import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { NOTHING, setUp } from '../../support/client-stage.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore } from '../../support/fake-store.js'

describe('createClient', () => {
  test('touches nothing until it is asked to', async () => {
    const url = vi.fn(() => 'ws://server/')
    const store = createFakeStore()
    const { client, platform, leftovers } = setUp({ url, outbox: persistent(store) })
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
      durable: false,
      storageError: undefined,
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
