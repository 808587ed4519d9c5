import type { Page } from '@playwright/test'
import type * as Package from '../../src/browser.js'
import { ascending, unique } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

/** What a page does in these tests: it has one socket, and notes its events with the milliseconds since it began. */
interface Socket {
  socket: WebSocket
  log: string[]
  since: number
}

const test = base.extend({
  page: async ({ page, origin }, use) => {
    await page.goto(`${origin}/websocket.html`)
    await use(page)
  },
})

/** Opens a socket of ours in the page, or a native one where there are no options. */
const open = (page: Page, url: string, options?: Package.HoldfastWebSocketOptions): Promise<void> =>
  page.evaluate(
    ([target, given]) => {
      const { HoldfastWebSocket } = (globalThis as unknown as { Holdfast: typeof Package }).Holdfast
      const socket = given ? new HoldfastWebSocket(target, [], given) : new WebSocket(target)
      const log: string[] = []
      for (const type of ['open', 'error', 'close'] as const) {
        socket.addEventListener(type, (event) =>
          log.push(type + (type === 'close' ? ` ${(event as CloseEvent).code}` : '')),
        )
      }
      Object.assign(globalThis, { socket, log, since: performance.now() })
    },
    [url, options] as const,
  )

const heard = (page: Page, count: number) =>
  page.waitForFunction((least) => (globalThis as unknown as Socket).log.length >= least, count)

const logOf = (page: Page): Promise<string[]> => page.evaluate(() => (globalThis as unknown as Socket).log)

test('what had not left the browser when the link died is sent again, in its order', async ({ page, server, link }) => {
  const count = 2_000
  await open(page, link.url, { retryDelayMs: { min: 10, max: 50 } })
  await heard(page, 1)
  link.blackhole('up')

  const left = await page.evaluate((messages) => {
    const { socket } = globalThis as unknown as Socket
    for (let number = 0; number < messages; number++) socket.send(`${number} ${'x'.repeat(10_000)}`)
    return new Promise<number>((resolve) => setTimeout(() => resolve(socket.bufferedAmount), 1_000))
  }, count)
  link.cut()
  await heard(page, 2)
  const waiting = await page.evaluate(() => (globalThis as unknown as Socket).socket.bufferedAmount)
  await link.heal()
  await server.when(({ messages }) => messages.at(-1)?.text.startsWith(`${count - 1} `) === true)

  const numbers = server.messages.map(({ text }) => parseInt(text))
  const sentAgain = server.messages.filter(({ connection }) => connection === 2).length
  expect(numbers).toEqual(unique(ascending(numbers)))
  // Most of it was still ours; what the machine's buffers had taken was not.
  expect(left).toBeGreaterThan(10_000_000)
  expect(waiting).toBeGreaterThanOrEqual(left)
  expect(waiting).toBeLessThan(left + 20_000)
  expect(sentAgain).toBeGreaterThanOrEqual(Math.floor(left / 10_010))
  await expect.poll(() => page.evaluate(() => (globalThis as unknown as Socket).socket.bufferedAmount)).toBe(0)
})

test('a link that has died in silence is found, and told of as a failure', async ({ page, server, link }) => {
  server.isEchoing = true
  const heartbeatMs = { interval: 100, timeout: 200 }
  await open(page, link.url, { ping: 'ping', heartbeatMs, retryDelayMs: { min: 10, max: 50 } })
  await server.when(({ messages }) => messages.length > 1)

  link.blackhole()
  await heard(page, 3)
  await link.heal()
  await page.waitForFunction(() => (globalThis as unknown as Socket).log.at(-1) === 'open')

  expect((await logOf(page)).slice(0, 3)).toEqual(['open', 'error', 'close 1006'])
})

test('close() on a dead link ends after closeTimeoutMs, and does not wait a minute', async ({ page, link }) => {
  await open(page, link.url, { closeTimeoutMs: 300 })
  await heard(page, 1)
  link.blackhole()

  await page.evaluate(() => (globalThis as unknown as Socket).socket.close(1000))
  await heard(page, 3)

  expect(await logOf(page)).toEqual(['open', 'error', 'close 1006'])
})

test('close() waits for more than that while bytes are leaving', async ({ page, server, link }) => {
  // Some seconds longer than what the browser has handed over rests in the buffers between, which it cannot see.
  await open(page, link.url, { closeTimeoutMs: 3_000 })
  await heard(page, 1)
  link.throttle(6_000_000)

  await page.evaluate(() => {
    const { socket } = globalThis as unknown as Socket
    for (let number = 0; number < 120; number++) socket.send(`${number} ${'x'.repeat(200_000)}`)
    socket.close(4000, 'done')
  })
  await heard(page, 2)

  expect(await logOf(page)).toEqual(['open', 'close 4000'])
  expect(server.messages.map(({ text }) => parseInt(text))).toEqual(Array.from({ length: 120 }, (_, index) => index))
})

test('a page in the back/forward cache has no connection, and one again when it is back', async ({
  page,
  origin,
  server,
}) => {
  await open(page, server.url, { retryDelayMs: { min: 10, max: 50 } })
  await heard(page, 1)

  await page.goto(`${origin}/away.html`)
  await server.when(({ liveConnections }) => liveConnections === 0)
  await page.goBack({ waitUntil: 'commit' })
  await heard(page, 4)

  expect(await logOf(page)).toEqual(['open', 'error', 'close 1006', 'open'])
  expect(server.acceptedConnections).toBe(2)
})

test('what the page may not connect to fails with 1006, where the native socket says nothing more', async ({
  page,
}) => {
  await page.evaluate(() => {
    const policy = document.createElement('meta')
    policy.httpEquiv = 'Content-Security-Policy'
    policy.content = "connect-src 'none'"
    document.head.append(policy)
  })

  await open(page, 'ws://127.0.0.1:9', { reconnect: false })
  await heard(page, 2)

  expect(await logOf(page)).toEqual(['error', 'close 1006'])
  expect(await page.evaluate(() => (globalThis as unknown as Socket).socket.readyState)).toBe(3)
})
