import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { createFakePlatform } from '../../support/fake-platform.js'

async function setUp() {
  const platform = createFakePlatform()
  const page = { isHidden: false }
  Object.defineProperty(platform, 'isHidden', { get: () => page.isHidden })
  const client = createClient({ url: 'ws://server', dialect: plain({ codec: text(), ping: 'ping' }), platform })
  client.connect()
  await platform.settle()
  platform.link.accept()
  return { client, platform, page }
}

const LONG = 'x'.repeat(100_000)

describe('a hidden page', () => {
  test('hands all that waits to the browser, since its next timer may be a minute away', async () => {
    const { client, platform, page } = await setUp()
    page.isHidden = true
    platform.link.hold()
    for (let count = 0; count < 20; count++) client.send('message', LONG)

    expect(platform.link.written).toHaveLength(20)
  })

  test('does so with what waits already when it goes out of view', async () => {
    const { client, platform, page } = await setUp()
    platform.link.hold()
    for (let count = 0; count < 20; count++) client.send('message', LONG)
    const seen = platform.link.written.length
    page.isHidden = true
    platform.signal('hide')

    expect(seen).toBe(2)
    expect(platform.link.written).toHaveLength(20)
  })
})

describe('a machine that has slept while its monotonic clock stood still', () => {
  test('leaves a link that died meanwhile soon after it wakes, without being told', async () => {
    const { client, platform } = await setUp()
    await platform.advance(6_000)
    platform.clock.stepWall(8 * 3_600_000)
    await platform.advance(10_000)
    const [link] = platform.links

    expect(link?.dropped?.reason).toBe('HEARTBEAT_TIMEOUT')
    await client.close()
  })

  test('keeps a link that answers', async () => {
    const { platform } = await setUp()
    await platform.advance(6_000)
    platform.clock.stepWall(8 * 3_600_000)
    await platform.advance(5_000)
    const { written } = platform.link
    platform.link.deliver('pong')
    await platform.advance(20_000)

    expect(written).toEqual(['ping'])
    expect(platform.links).toHaveLength(1)
  })

  test('sends nothing whose time to live is over, and says so', async () => {
    const { client, platform } = await setUp()
    platform.link.close()
    const delivery = client.send('message', 'late', { ttlMs: 60_000 })
    platform.clock.stepWall(8 * 3_600_000)
    await platform.advance(1_000)
    platform.link.accept()

    expect(delivery.error?.code).toBe('EXPIRED')
    expect(platform.link.written).not.toContain('late')
  })
})
