import type * as Msgpack from '../../src/msgpack.js'
import { createFaultProxy } from '../../test/support/fault-proxy.js'
import { startEchoProcess } from '../support/echo-process.js'
import { expect, test as base } from '../support/test.js'

const test = base.extend<{ url: string }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  url: async ({}, use) => {
    const { port, kill } = await startEchoProcess()
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
    await use(proxy.url)
    await proxy.close()
    await kill()
  },
})

const PAGES = ['/esm.html', '/script-tag.html', '/script-tag-min.html', '/module.html', '/import-map.html']

for (const path of [...PAGES, '/esm-production.html', '/script-tag-plain.html']) {
  test(`${path}: JSON comes back as it was sent`, async ({ page, origin, url }) => {
    await page.goto(origin + path)
    const payloads = [
      { text: 'grüße 🌊', list: [1, 2.5, null, true], nested: { '': 'empty key' } },
      'text',
      0,
      null,
      [],
    ]

    await page.evaluate((target) => harness.start(target), url)
    await page.evaluate((all) => all.forEach((payload) => harness.client.send('message', payload)), payloads)

    await page.evaluate((count) => harness.until(({ received }) => received.length === count), payloads.length)
    expect(await page.evaluate(() => harness.received)).toEqual(payloads)
  })
}

for (const path of PAGES) {
  test(`${path}: text comes back as it was sent`, async ({ page, origin, url }) => {
    await page.goto(origin + path)
    const texts = ['', 'plain', '{"not": "an envelope"}', 'zero \0 byte', '🌊'.repeat(1000), 'x'.repeat(300_000)]

    await page.evaluate((target) => harness.start(target, { codec: Holdfast.text() }), url)
    await page.evaluate((all) => all.forEach((text) => harness.client.send('message', text)), texts)

    await page.evaluate((count) => harness.until(({ received }) => received.length === count), texts.length)
    expect(await page.evaluate(() => harness.received)).toEqual(texts)
  })

  test(`${path}: bytes come back as they were sent`, async ({ page, origin, url }) => {
    await page.goto(origin + path)

    const received = await page.evaluate(async (target) => {
      harness.start(target, { codec: Holdfast.text() })
      const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 256)
      harness.client.send('message', bytes)
      harness.client.send('message', bytes.buffer.slice(10, 20))
      harness.client.send('message', new Uint16Array([1, 2, 65535]))
      bytes.fill(7) // Too late to change what was sent.
      await harness.until((log) => log.received.length === 3)
      return harness.received.map((data) => (data instanceof ArrayBuffer ? [...new Uint8Array(data)] : typeof data))
    }, url)

    const bytes = Array.from({ length: 1000 }, (_, index) => index % 256)
    expect(received).toEqual([bytes, bytes.slice(10, 20), [1, 0, 2, 0, 255, 255]])
  })

  test(`${path}: the package has its public names`, async ({ page, origin }) => {
    await page.goto(origin + path)

    const kinds = await page.evaluate(() => ({
      createClient: typeof Holdfast.createClient,
      indexedDbStore: typeof Holdfast.indexedDbStore,
      codes: new Holdfast.HoldfastError('EXPIRED', '').code,
      globals: Object.keys(globalThis).filter((name) => /holdfast|partysocket|nanoevents/i.test(name)),
    }))

    expect(kinds).toEqual({
      createClient: 'function',
      indexedDbStore: 'function',
      codes: 'EXPIRED',
      globals: ['Holdfast'],
    })
  })
}

test('a message counts as delivered, vouched for by the browser, when it has left', async ({ page, url }) => {
  const receipt = await page.evaluate(async (target) => {
    harness.start(target)
    return harness.send(1).delivered
  }, url)

  expect(receipt).toEqual({ confirmedBy: 'browser' })
  expect(await page.evaluate(() => harness.client.getState())).toMatchObject({ status: 'connected', pending: 0 })
})

test('nothing is opened before connect', async ({ page, server }) => {
  await page.evaluate(async (target) => {
    const client = Holdfast.createClient({ url: target, outbox: Holdfast.indexedDbStore({ name: 'early' }) })
    const databases = await indexedDB.databases()
    if (databases.length > 0) throw new Error(`There is a database: ${JSON.stringify(databases)}`)
    client.connect()
    await new Promise<void>((resolve) =>
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve()),
    )
  }, server.url)

  expect(server.acceptedConnections).toBe(1)
})

const MESSAGES = {
  '/esm.html': /^Cannot encode the payload of "chat": .*BigInt/,
  '/script-tag.html': /^Cannot encode the payload of "chat": .*BigInt/,
  '/import-map.html': /^Cannot encode the payload of "chat": .*BigInt/,
  '/esm-production.html': /^NOT_ENCODABLE chat .*BigInt/,
  '/script-tag-min.html': /^NOT_ENCODABLE chat .*BigInt/,
  '/module.html': /^NOT_ENCODABLE chat .*BigInt/,
}

for (const [path, message] of Object.entries(MESSAGES)) {
  test(`${path}: an error says ${message.source}`, async ({ page, origin, url }) => {
    await page.goto(origin + path)

    const said = await page.evaluate((target) => {
      harness.start(target)
      try {
        return harness.client.send('chat', 1n)
      } catch (error) {
        return (error as Error).message
      }
    }, url)

    expect(said).toMatch(message)
  })
}

test('bytes, dates and BigInts come back in MessagePack, and after a reload', async ({ page, origin, url }) => {
  /** In the page: its import map knows the door's name. */
  const start = async ([door, target]: readonly [string, string]): Promise<void> => {
    const { msgpack } = (await import(door)) as typeof Msgpack
    harness.start(target, { codec: msgpack(), store: 'msgpack' })
  }
  await page.goto(`${origin}/esm.html`)
  await page.evaluate(start, ['holdfast/msgpack', 'ws://127.0.0.1:1'] as const)
  await page.evaluate(async () => {
    const data = { bytes: new Uint8Array([0, 255]), at: new Date(1_700_000_000_123), large: 2n ** 63n, none: NaN }
    await harness.client.send('message', data).stored
  })

  await page.reload()
  await page.evaluate(start, ['holdfast/msgpack', url] as const)

  await page.evaluate(() => harness.until(({ received }) => received.length === 1))
  const shown = await page.evaluate(() => {
    const { bytes, at, large, none } = harness.received[0] as Record<string, unknown>
    return [bytes instanceof Uint8Array && [...bytes], at instanceof Date && at.getTime(), String(large), String(none)]
  })
  expect(shown).toEqual([[0, 255], 1_700_000_000_123, '9223372036854775808', 'NaN'])
})
