import type { Page } from '@playwright/test'
import { numberIn, numbers } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

/** Timers are late on busy machines. */
const MARGIN_MS = 4_000

const statuses = (page: Page): Promise<string[]> => page.evaluate(() => harness.states.map(({ status }) => status))

/** A restored page fires no load event. */
const goBack = async (page: Page): Promise<void> => void (await page.goBack({ waitUntil: 'commit' }))

/**
 * What a page hears when Chromium freezes and thaws it. The event is ours: Chromium freezes only hidden pages, and
 * under Playwright each believes that it is seen.
 */
const tell = (page: Page, event: 'freeze' | 'resume'): Promise<void> =>
  page.evaluate((type) => void document.dispatchEvent(new Event(type)), event)

test('a page that comes back from the back/forward cache is connected again at once', async ({
  page,
  origin,
  server,
}) => {
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 60_000, max: 60_000 } }), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.goto(`${origin}/away.html`)
  await server.when(({ liveConnections }) => liveConnections === 0)
  await goBack(page)
  const backAt = Date.now()
  await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 2))

  // The log is that of the page's first life: nothing was loaded anew.
  expect(await statuses(page)).toEqual(['connecting', 'connected', 'suspended', 'connecting', 'connected'])
  expect((await page.evaluate(() => harness.states.at(-1)!.at)) - backAt).toBeLessThan(MARGIN_MS)
})

for (const store of [undefined, 'cached']) {
  test(`nothing queued is lost in the back/forward cache (${store ? 'IndexedDB' : 'memory'})`, async ({
    page,
    origin,
    server,
    link,
  }) => {
    link.refuse()
    await page.evaluate(({ url, options }) => harness.start(url, options), {
      url: link.url,
      options: store ? { store } : {},
    })
    await page.evaluate(() => harness.sendNumbers(0, 100))
    await page.evaluate(() => harness.until(({ stored }) => stored.length === 100))

    await page.goto(`${origin}/away.html`)
    await link.heal()
    await goBack(page)
    await server.when(({ messages }) => messages.length >= 100)
    await page.evaluate(() => harness.send(100).delivered)
    await server.when(({ messages }) => messages.length >= 101)

    expect(await statuses(page)).toContain('suspended')
    expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(101))
  })
}

test('the next page of a site sends what the last one left', async ({ page, origin, server, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'site' }), link.url)
  await page.evaluate(() => harness.sendNumbers(0, 20))
  await page.evaluate(() => harness.until(({ stored }) => stored.length === 20))

  await page.goto(`${origin}/esm.html?next`)
  await link.heal()
  await page.evaluate((url) => harness.start(url, { store: 'site' }), link.url)
  await server.when(({ messages }) => messages.length >= 20)
  await page.evaluate(() => harness.send(20).delivered)
  await server.when(({ messages }) => messages.length >= 21)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(21))
})

test('a page in the back/forward cache keeps its messages for when it comes back', async ({
  page,
  context,
  origin,
  server,
  link,
}) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'tabs' }), link.url)
  await page.evaluate(() => harness.sendNumbers(0, 20))
  await page.evaluate(() => harness.until(({ stored }) => stored.length === 20))
  const other = await context.newPage()
  await other.goto(`${origin}/esm.html`)
  await other.evaluate((url) => harness.start(url, { store: 'tabs' }), link.url)
  await other.evaluate(() => harness.send(20).stored)

  await page.goto(`${origin}/away.html`)
  await link.heal()
  await server.when(({ messages }) => messages.length >= 1)
  await goBack(page)
  await server.when(({ messages }) => messages.length >= 21)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([20, ...numbers(20)])
})

test('a frozen page lets its connection go, and takes a new one when it thaws', async ({ page, server }) => {
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 60_000, max: 60_000 } }), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await tell(page, 'freeze')
  await server.when(({ liveConnections }) => liveConnections === 0)
  await tell(page, 'resume')
  await server.when(({ liveConnections }) => liveConnections === 1)
  await page.evaluate(() => harness.send(1).delivered)
  await server.when(({ messages }) => messages.length === 1)

  expect(await statuses(page)).toEqual(['connecting', 'connected', 'suspended', 'connecting', 'connected'])
})

test('messages that were queued before a freeze arrive after it', async ({ page, server, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'frozen' }), link.url)
  await page.evaluate(() => harness.sendNumbers(0, 50))
  await page.evaluate(() => harness.until(({ stored }) => stored.length === 50))

  await tell(page, 'freeze')
  await link.heal()
  await tell(page, 'resume')
  await server.when(({ messages }) => messages.length >= 50)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(50))
})

test('a machine that says it is offline is asked, not believed', async ({ page, context, server }) => {
  server.isEchoing = true
  await page.evaluate(
    (url) => harness.start(url, { ping: 'ping', heartbeatMs: { interval: 60_000, timeout: 60_000 } }),
    server.url,
  )
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.evaluate(() => dispatchEvent(new Event('offline')))
  await page.evaluate(() => harness.until(({ roundTrips }) => roundTrips.length === 1))

  expect(await page.evaluate(() => harness.client.getState().status)).toBe('connected')
  expect(server.acceptedConnections).toBe(1)
  await context.setOffline(false)
})

test('coming online ends a long wait soon', async ({ page, context, server }) => {
  await page.clock.install()
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 20, max: 1e6 } }), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await context.setOffline(true)
  server.terminate()
  const wait = async (): Promise<number> => {
    await page.clock.runFor(5_000)
    return page.evaluate(() => harness.states.at(-1)?.retryInMs ?? 0)
  }
  await expect.poll(wait, { intervals: [20] }).toBeGreaterThan(60_000)
  await context.setOffline(false)
  const onlineAt = await page.evaluate(() => Date.now())
  await page.evaluate(() => harness.untilStatus('connected'))

  expect((await page.evaluate(() => harness.states.at(-1)!.at)) - onlineAt).toBeLessThan(MARGIN_MS)
})
