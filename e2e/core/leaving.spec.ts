import type { BrowserContext, Page } from '@playwright/test'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { createServer } from '../../src/server.js'
import type { StartOptions } from '../fixtures/harness.js'
import { ascending, numberIn, numbers, unique } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

interface Numbers {
  fromServer: { message: number }
  toServer: { message: number }
  requests: { ask: { params: number; result: number } }
}

/** A server, and the way to it. */
interface Road {
  readonly link: FaultProxy
  readonly options: StartOptions
  /** The numbers that have come, in order. */
  came(): readonly number[]
}

const test = base.extend<{ road: (dialect: 'plain' | 'reliable') => Promise<Road> }>({
  road: async ({ server, link }, use) => {
    const closing: (() => Promise<unknown>)[] = []
    await use(async (dialect) => {
      if (dialect === 'plain')
        return { link, options: {}, came: () => server.messages.map(({ text }) => numberIn(text)) }
      const came: number[] = []
      const companion = createServer<Numbers>({ port: 0 })
      companion.on('session', (session) => void session.on('message', (number) => void came.push(number)))
      const { port } = await companion.listening
      const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
      closing.push(() => proxy.close(), companion.close)
      return { link: proxy, options: { reliable: {} }, came: () => came }
    })
    for (const close of closing) await close()
  },
})

const EVENTS = ['beforeunload', 'pagehide', 'visibilitychange'] as const

const ENDINGS: readonly ((page: Page, origin: string) => Promise<unknown>)[] = [
  (page) => page.reload(),
  (page, origin) => page.goto(`${origin}/away.html`),
  (page) => page.close({ runBeforeUnload: true }),
]

async function open(context: BrowserContext, origin: string, url: string, options: StartOptions): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/esm.html`)
  await page.locator('html').click() // A page that the user never touched may hear no beforeunload.
  await page.evaluate((start) => harness.start(start.url, start.options), { url, options })
  return page
}

/** Pages that end in every way, one after another; each sends two messages in each event of its last moments. Says how many were sent. */
async function sayGoodbyes(
  begin: (number: number) => Promise<Page>,
  origin: string,
  ended: (sent: number) => Promise<void>,
): Promise<number> {
  let sent = 0
  for (const event of EVENTS) {
    for (const end of ENDINGS) {
      const page = await begin(sent++)
      await page.evaluate(
        ({ type, from }) => {
          const target = type === 'visibilitychange' ? document : globalThis
          target.addEventListener(type, () => harness.sendNumbers(from, from + 2), { once: true })
        },
        { type: event, from: sent },
      )
      sent += 2
      await end(page, origin)
      await ended(sent)
    }
  }
  return sent
}

for (const dialect of ['plain', 'reliable'] as const) {
  for (const store of [undefined, 'goodbyes']) {
    // What a plain server has, and a page that ends could not strike off in time, is sent once more.
    const isOnce = dialect === 'reliable' || !store
    test(`with ${dialect}() and ${store ? 'IndexedDB' : 'memory'}, what a page sends in beforeunload, pagehide or visibilitychange as it ends arrives at once${isOnce ? ', and once' : ''}`, async ({
      context,
      origin,
      road,
    }) => {
      const { link, options, came } = await road(dialect)
      const begin = async (number: number): Promise<Page> => {
        const page = await open(context, origin, link.url, { ...options, ...(store && { store }) })
        await page.evaluate((first) => harness.send(first).delivered, number)
        return page
      }
      const arrived = (): readonly number[] => (isOnce ? came() : unique(came()))
      const sent = await sayGoodbyes(begin, origin, (count) => expect.poll(arrived).toEqual(numbers(count)))
      await begin(sent) // It would send again what is left in the store.
      await expect.poll(came).toContain(sent)

      expect(arrived()).toEqual(numbers(sent + 1))
    })
  }

  test(`with ${dialect}(), what a page without a connection sends in beforeunload, pagehide or visibilitychange as it ends is sent by the next page`, async ({
    context,
    origin,
    road,
  }) => {
    const { link, options, came } = await road(dialect)
    link.refuse()
    const begin = async (number: number): Promise<Page> => {
      const page = await open(context, origin, link.url, { ...options, store: 'goodbyes' })
      await page.evaluate((first) => harness.send(first).stored, number)
      return page
    }
    const sent = await sayGoodbyes(begin, origin, async () => {})
    await link.heal()
    await begin(sent)
    const arrived = (): readonly number[] => (dialect === 'reliable' ? came() : unique(came()))
    await expect.poll(() => ascending(arrived())).toEqual(numbers(sent + 1))
  })
}

async function askBeforeUnload(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { client } = harness
    const { warnBeforeUnload } = Holdfast
    warnBeforeUnload(client)
  })
  await page.locator('html').click() // A page that the user never touched may not ask.
}

/** Closes the tab as a user does. Says whether the browser asks first; then the user stays. */
async function isAskedOnClose(page: Page): Promise<boolean> {
  const asked = page.waitForEvent('dialog').then(async (dialog) => {
    await dialog.dismiss()
    return dialog.type() === 'beforeunload'
  })
  const closed = page.waitForEvent('close').then(() => false)
  await page.close({ runBeforeUnload: true })
  const isAsked = await Promise.race([asked, closed])
  await Promise.allSettled(isAsked ? [asked] : [asked, closed])
  return isAsked
}

test('a page whose queue is in memory asks before it is closed, and no more once all is delivered', async ({
  page,
  link,
}) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url), link.url)
  await askBeforeUnload(page)
  await page.evaluate(() => harness.sendNumbers(0, 3))

  expect(await isAskedOnClose(page)).toBe(true)
  await link.heal()
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))

  expect(await isAskedOnClose(page)).toBe(false)
})

test('a page whose queue is stored is closed without a question', async ({ page, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'leaving' }), link.url)
  await askBeforeUnload(page)
  await page.evaluate(() => harness.sendNumbers(0, 3))
  await page.evaluate(() => harness.until(({ stored }) => stored.length === 3))

  expect(await isAskedOnClose(page)).toBe(false)
})
