import { describe, expect, test } from 'vitest'
import { createListenerWaits } from '../../../src/dialects/listener-waits.js'
import { createPlainProtocol } from '../../../src/dialects/plain/plain-protocol.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { json } from '../../../src/protocol/codec.js'
import { NOTHING, setUp } from '../../support/client-stage.js'

/** A connected client of a plain server, without a listener for what that sends. */
async function setDeaf(options: Parameters<typeof plain>[0] = {}) {
  const stage = setUp({ dialect: plain({ codec: json(), ...options }) })
  await stage.connect()
  const got: unknown[] = []
  return {
    ...stage,
    got,
    say: (event: string, data: unknown) => stage.platform.link.deliver(JSON.stringify({ event, data })),
    listen: (event: string) => stage.client.on(event, (data) => void got.push(`${event} ${String(data).slice(0, 5)}`)),
  }
}

describe('a message of a plain server whose event never had a listener', () => {
  test('costs those that pass it nothing, however many are kept', () => {
    let looks = 0
    const protocol = createPlainProtocol({
      read: (frame) => ({
        type: 'message',
        message: {
          get event() {
            looks++
            return typeof frame === 'string' ? frame : ''
          },
          data: null,
        },
      }),
      makePing: undefined,
      pongWithinMs: undefined,
      isWelcome: undefined,
      waits: createListenerWaits({ isKnown: (event) => event === 'known', forgo() {} }, 10_000),
    })
    protocol.opened(undefined)
    for (let count = 0; count < 100; count++) protocol.receive('unknown', 0)
    looks = 0

    expect(protocol.receive('known', 0)).toHaveLength(1)
    expect(looks).toBe(1)
  })

  test('is kept for the first one, and others pass it', async () => {
    const { say, listen, got, platform } = await setDeaf()
    listen('known')
    say('snapshot', 1)
    say('known', 2)
    say('snapshot', 3)
    await platform.advance(9_000)
    listen('snapshot')
    await platform.settle()
    say('snapshot', 4)

    expect(got).toEqual(['known 2', 'snapshot 1', 'snapshot 3', 'snapshot 4'])
  })

  test('keeps its order with what comes before the listener was told of it', async () => {
    const { say, listen, got, platform } = await setDeaf()
    say('snapshot', 1)
    listen('snapshot')
    say('snapshot', 2)
    await platform.settle()

    expect(got).toEqual(['snapshot 1', 'snapshot 2'])
  })

  test('is dropped without a word after 10 seconds, and its event is not waited for again', async () => {
    const { say, listen, got, platform, errors, leftovers } = await setDeaf()
    say('presence', 1)
    await platform.advance(10_000)
    say('presence', 2)
    const { timers } = leftovers()
    listen('presence')
    await platform.settle()

    expect(got).toEqual([])
    expect(errors).toEqual([])
    expect(timers).toBe(0)
  })

  test('is dropped where 1 MiB is kept already, and what is heard makes room', async () => {
    const { say, listen, got, platform } = await setDeaf()
    const long = 'x'.repeat(600_000)
    say('a', long)
    say('b', long)
    say('b', 'short')
    listen('b')
    listen('a')
    await platform.settle()
    say('c', long)
    listen('c')
    await platform.settle()

    expect(got).toEqual(['a xxxxx', 'b short', 'c xxxxx'].sort())
  })

  test('is dropped when the connection ends, and no timer is left', async () => {
    const { client, say, listen, got, platform, leftovers } = await setDeaf()
    say('a', 1)
    await client.close()
    listen('a')
    await platform.settle()

    expect(got).toEqual([])
    expect(leftovers()).toEqual(NOTHING)
  })

  test('waits as long as is said', async () => {
    const { say, listen, got, platform } = await setDeaf({ listenWaitMs: 50 })
    say('a', 1)
    await platform.advance(50)
    listen('a')
    await platform.settle()

    expect(got).toEqual([])
  })
})
