import { chromium, type BrowserContext, type Page } from '@playwright/test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchOptions } from '../support/browser.js'
import { numberIn, numbers } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

interface Browser {
  readonly page: Page
  /** Ends every process of the browser at once. */
  kill(): Promise<void>
}

const test = base.extend<{ launch(): Promise<Browser> }>({
  /** Starts a browser, each time on the same profile. */
  launch: async ({ origin }, use) => {
    const profile = await mkdtemp(join(tmpdir(), 'holdfast-profile-'))
    const contexts: BrowserContext[] = []
    await use(async () => {
      const context = await chromium.launchPersistentContext(profile, launchOptions)
      contexts.push(context)
      const page = await context.newPage()
      await page.goto(`${origin}/esm.html`)
      return { page, kill: () => kill(context) }
    })
    for (const context of contexts) await context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  },
})

async function kill(context: BrowserContext): Promise<void> {
  const session = await context.browser()!.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const gone = new Promise((resolve) => context.once('close', resolve))
  // The browser first, so that it sees none of the others die.
  for (const { id } of processInfo.sort(
    (one, other) => Number(other.type === 'browser') - Number(one.type === 'browser'),
  )) {
    try {
      process.kill(id, 'SIGKILL')
    } catch {
      // It went with its parent.
    }
  }
  await gone
}

test('a full queue survives the kill of the browser', async ({ launch, server, link }) => {
  link.refuse()
  const first = await launch()
  const { count, ids } = await first.page.evaluate(async (url) => {
    harness.start(url, { store: 'killed', outboxMax: { messages: 300 } })
    try {
      for (let number = 0; ; number++) harness.send(number)
    } catch (error) {
      if (!(error instanceof Holdfast.DeliveryError) || error.code !== 'OUTBOX_FULL') throw error
    }
    await harness.until(({ stored }) => stored.length === 300)
    const items = harness.client.outbox.list()
    return { count: items.length, ids: items.map(({ id }) => id) }
  }, link.url)
  expect(count).toBe(300)

  await first.kill()
  const { page } = await launch()
  await page.evaluate((url) => harness.start(url, { store: 'killed' }), link.url)
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 300))
  expect(await page.evaluate(() => harness.client.outbox.list().map(({ id }) => id))).toEqual(ids)
  await link.heal()
  await page.evaluate(() => harness.send(300).delivered)
  await server.when(({ messages }) => messages.length >= 301)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(301))
})

test('what was stored in the midst of writing survives the kill of the browser, without holes', async ({
  launch,
  server,
  link,
}) => {
  link.refuse()
  const first = await launch()
  await first.page.evaluate((url) => harness.start(url, { store: 'midst' }), link.url)
  const writing = first.page.evaluate(async () => {
    for (let number = 0; number < 100_000; number++) {
      harness.send(number)
      if (number % 5 === 4) await new Promise((resolve) => setTimeout(resolve))
    }
  })
  writing.catch(() => {}) // The browser is killed before it ends.
  await first.page.evaluate(() => harness.until(({ stored }) => stored.length >= 200))
  const stored = await first.page.evaluate(() => harness.stored.length)

  await first.kill()
  const { page } = await launch()
  await page.evaluate((url) => harness.start(url, { store: 'midst' }), link.url)
  await link.heal()
  await page.evaluate(() => harness.send(100_000).delivered)
  await server.when(({ messages }) => messages.some(({ text }) => numberIn(text) === 100_000))

  const arrived = server.messages.map(({ text }) => numberIn(text)).slice(0, -1)
  console.log(`${stored} known to be stored before the kill, ${arrived.length} arrived`)
  expect(arrived.length).toBeGreaterThanOrEqual(stored)
  expect(arrived).toEqual(numbers(arrived.length))
})
