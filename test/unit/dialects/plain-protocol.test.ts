import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { createFakePlatform } from '../../support/fake-platform.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const KIB = 1024
/** How much is handed to the browser ahead of the network. */
const AHEAD = 128 * KIB

/** A client that is connected over a link whose buffer keeps what it is given. */
async function setUp() {
  const platform = createFakePlatform()
  platform.chance = 0.5
  const client = createClient({
    url: 'ws://server/',
    platform,
    dialect: plain({ codec: text() }),
    retryDelayMs: { min: 1_000, max: 1_000 },
  })
  const delivered: string[] = []
  client.lifecycle.on('delivered', ({ id }) => delivered.push(id.split(':')[1] ?? ''))
  client.connect()
  await platform.settle()
  platform.link.accept()
  platform.link.hold()
  return {
    client,
    platform,
    delivered,
    send: (body: string) => client.send('message', body),
    async cut(): Promise<void> {
      platform.link.close(1006)
      await platform.advance(500)
      platform.link.accept()
    },
  }
}

test('goes on when a large volatile message has left the buffer', async () => {
  const { client, platform, send } = await setUp()
  client.send('message', 'x'.repeat(200_000), { volatile: true })
  send('after')
  await platform.settle()
  platform.link.flush()
  await platform.advance(1_000)

  expect(platform.link.written.at(-1)).toBe('after')
})

describe('a link that is cut', () => {
  test('sends again, in order, what was left in the buffer, and settles exactly what had left it', async () => {
    const { send, platform, cut, delivered, client } = await setUp()
    const deliveries = ['one', 'two', 'three', 'four'].map((body) => send(body))
    platform.link.flush(3 + 3)
    await cut()

    expect(delivered).toEqual(['1', '2'])
    expect(deliveries.map(({ status }) => status).slice(0, 2)).toEqual(['delivered', 'delivered'])
    expect(platform.link.written).toEqual(['three', 'four'])
    expect(client.getState().pending).toBe(2)
  })

  test('sends a message whole again when only a part of it had left', async () => {
    const { send, platform, cut, delivered } = await setUp()
    send('one')
    send('two')
    platform.link.flush(5)
    await cut()

    expect(delivered).toEqual(['1'])
    expect(platform.link.written).toEqual(['two'])
  })

  test('sends nothing again when all had left', async () => {
    const { send, platform, cut, delivered, client } = await setUp()
    send('one')
    send('two')
    platform.link.flush(6)
    await cut()

    expect(delivered).toEqual(['1', '2'])
    expect(platform.link.written).toEqual([])
    expect(client.getState().pending).toBe(0)
  })

  test('keeps the order with what is sent afterwards, over several cuts', async () => {
    const { send, platform, cut } = await setUp()
    send('one')
    await cut()
    platform.link.hold()
    send('two')
    await cut()
    send('three')

    expect(platform.links.map(({ received }) => received)).toEqual([[], ['one'], ['two', 'three']])
  })

  test('loses nothing and repeats nothing, wherever and however often it is cut', async () => {
    const step = fc.oneof(
      fc.record({ send: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ flush: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ cut: fc.constant(true) }),
      fc.record({ wait: fc.integer({ min: 1, max: 300 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { send, platform, cut, client } = await setUp()
        const bodies: string[] = []
        for (const each of steps) {
          if ('send' in each) {
            bodies.push(`${bodies.length}:${'x'.repeat(each.send)}`)
            send(bodies.at(-1)!)
          } else if ('flush' in each) {
            platform.link.flush(each.flush)
          } else if ('wait' in each) {
            await platform.advance(each.wait)
          } else {
            await cut()
            platform.link.hold()
          }
        }
        platform.link.flush()
        await platform.advance(2_000)

        expect(platform.links.flatMap(({ received }) => received)).toEqual(bodies)
        expect(client.getState().pending).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('counts bytes, not characters', async () => {
    const { send, platform, cut, delivered } = await setUp()
    send('äöü')
    send('€😀')
    platform.link.flush(6 + 6)
    await cut()

    expect(delivered).toEqual(['1'])
    expect(platform.link.written).toEqual(['€😀'])
  })
})

describe('the buffer', () => {
  test('is filled only so far ahead of the network', async () => {
    const { send, platform } = await setUp()
    for (let count = 0; count < 64; count++) send('x'.repeat(16 * KIB))

    expect(platform.link.buffered).toBe(AHEAD)
    expect(platform.link.written).toHaveLength(8)
  })

  test('takes one message that is larger than that', async () => {
    const { send, platform } = await setUp()
    send('x'.repeat(300 * KIB))
    send('y')

    expect(platform.link.written).toHaveLength(1)
  })

  test('is filled up again as it empties, in order, without another call', async () => {
    const { send, platform, delivered } = await setUp()
    const bodies = Array.from({ length: 64 }, (_, index) => `${index}`.padEnd(16 * KIB))
    for (const body of bodies) send(body)
    for (let round = 0; round < 64; round++) {
      platform.link.flush(16 * KIB)
      await platform.advance(300)
    }

    expect(platform.link.received).toEqual(bodies)
    expect(delivered).toEqual(bodies.map((_, index) => `${index + 1}`))
  })

  test('is looked after seldom while it does not move, and at once when the server answers', async () => {
    const { send, platform, delivered } = await setUp()
    send('x')
    await platform.advance(60_000)
    platform.link.flush()
    platform.link.deliver('an answer')

    expect(delivered).toEqual(['1'])
  })

  test('needs no timer once it is empty and nothing waits', async () => {
    const { send, platform } = await setUp()
    send('x')
    platform.link.flush()
    await platform.advance(10_000)

    expect(platform.clock.timers).toBe(0)
  })

  test('delivers within a blink of leaving', async () => {
    const { send, platform, delivered } = await setUp()
    send('x')
    platform.link.flush()
    await platform.advance(50)

    expect(delivered).toEqual(['1'])
  })
})
