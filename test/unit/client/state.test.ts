import { describe, expect, test } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { setUp } from '../../support/client-stage.js'

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
