import type { BrowserContext, Page } from '@playwright/test'
import { createServer, type Session } from '../../src/server.js'
import { numbers } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

interface News {
  fromServer: { message: number }
  toServer: { message: number }
  requests: { ask: { params: number; result: number } }
}

/** A companion server that sends numbers to its sessions, oldest first. */
interface Companion {
  readonly url: string
  readonly sessions: readonly Session<News>[]
  /** Sends so many to the first session, each the next number. */
  push(count: number): void
}

const test = base.extend<{ companion: Companion }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  companion: async ({}, use) => {
    const sessions: Session<News>[] = []
    const server = createServer<News>({ port: 0 })
    server.on('session', (session) => void sessions.push(session))
    server.on('error', () => {})
    const { url } = await server.listening
    let next = 0
    await use({
      url,
      sessions,
      push(count) {
        for (let sent = 0; sent < count; sent++) sessions[0]?.send('message', next++)
      },
    })
    await server.close()
  },
})

const start = (page: Page, url: string): Promise<void> =>
  page.evaluate(async (target) => {
    const gaps: string[] = []
    Object.assign(globalThis, { gaps })
    harness.start(target, { reliable: { resumeKey: 'place' } })
    harness.client.lifecycle.on('gap', ({ reason }) => gaps.push(reason))
    await harness.untilStatus('connected')
  }, url)

const received = (page: Page): Promise<unknown[]> => page.evaluate(() => harness.received)
const gaps = (page: Page): Promise<string[]> => page.evaluate(() => (globalThis as { gaps?: string[] }).gaps ?? [])

/** A link of the page, so that it goes into the back/forward cache. */
async function follow(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => {
    const link = document.createElement('a')
    link.href = href
    document.body.append(link)
    setTimeout(() => link.click())
  }, path)
  await page.waitForURL(`**${path}`)
}

test('the next page of a site goes on where the last one was, which rests in the back/forward cache', async ({
  page,
  companion,
}) => {
  await start(page, companion.url)
  companion.push(3)
  await expect.poll(() => received(page)).toEqual(numbers(3))

  await follow(page, '/esm.html?next')
  companion.push(4)
  await start(page, companion.url)
  await expect.poll(() => received(page)).toEqual(numbers(4, 3))

  expect(await gaps(page)).toEqual([])
  expect(companion.sessions).toHaveLength(1)
})

test('a page that comes back from the back/forward cache to a session that the next one has taken is told of the gap', async ({
  page,
  companion,
}) => {
  await start(page, companion.url)
  await follow(page, '/esm.html?next')
  await start(page, companion.url)
  companion.push(2)
  await expect.poll(() => received(page)).toEqual(numbers(2))

  await page.goBack({ waitUntil: 'commit' })
  await expect.poll(() => gaps(page)).toEqual(['superseded'])
  await expect.poll(() => companion.sessions.length).toBe(2)
  expect(await received(page)).toEqual([])
})

async function copyOf(page: Page, context: BrowserContext): Promise<Page> {
  const [copy] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => void window.open(location.href))])
  await copy.waitForLoadState()
  return copy
}

test('a copy of a tab in view has a session of its own, and neither is told of a gap', async ({
  page,
  context,
  companion,
}) => {
  await start(page, companion.url)
  companion.push(1)
  await expect.poll(() => received(page)).toEqual([0])
  const copy = await copyOf(page, context)
  await start(copy, companion.url)
  companion.push(1)
  await expect.poll(() => received(page)).toEqual([0, 1])

  expect([await received(copy), await gaps(copy), await gaps(page)]).toEqual([[], [], []])
  expect(companion.sessions).toHaveLength(2)
})

test('of a tab out of view and its copy one goes on, and the other is told of the gap', async ({
  page,
  context,
  companion,
}) => {
  await start(page, companion.url)
  // Under Playwright each page believes that it is seen.
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  const copy = await copyOf(page, context)
  await start(copy, companion.url)
  await expect.poll(() => gaps(page)).toEqual(['superseded'])
  companion.push(1)
  await expect.poll(() => received(copy)).toEqual([0])

  expect([await gaps(copy), await received(page)]).toEqual([[], []])
})

test('a page that ends out of view without another word is followed by one that goes on where it was', async ({
  page,
  companion,
}) => {
  // As one that the browser discards, or that crashes: a crashed page of Playwright cannot be loaded again.
  await page.evaluate(() => addEventListener('pagehide', (event) => event.stopImmediatePropagation(), true))
  await start(page, companion.url)
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  companion.push(2)
  await expect.poll(() => received(page)).toEqual(numbers(2))
  await page.reload()
  companion.push(2)
  await start(page, companion.url)
  await expect.poll(() => received(page)).toEqual(numbers(2, 2))

  expect(await gaps(page)).toEqual([])
})
