import type { CDPSession, Page } from '@playwright/test'
import type { RecordingServer } from '../../test/support/servers.js'
import { ascending, numberIn, numbers } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

const devtools = (page: Page): Promise<CDPSession> => page.context().newCDPSession(page)

/** As the user does, or a server with `Clear-Site-Data: "storage"`. */
async function clearData(page: Page, origin: string): Promise<void> {
  const session = await devtools(page)
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
}

/** Sends a number and says what became of it. */
const outcomeOf = (page: Page, number: number, bytes = 0): Promise<string> =>
  page.evaluate(
    async (message) => {
      try {
        await harness.send(message.number, message.bytes).stored
        return 'stored'
      } catch (error) {
        return error instanceof Holdfast.HoldfastError ? `${error.name} ${error.code}` : String(error)
      }
    },
    { number, bytes },
  )

for (const isOnline of [true, false]) {
  test(`clearing the site's data while ${isOnline ? 'connected' : 'offline'} loses nothing, and the state says so`, async ({
    page,
    origin,
    server,
    link,
  }) => {
    if (!isOnline) link.refuse()
    await page.evaluate((url) => harness.start(url, { store: 'cleared' }), link.url)
    expect(await outcomeOf(page, 0)).toBe('stored')
    if (isOnline) await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))

    await clearData(page, origin)
    const outcomes = [await outcomeOf(page, 1), await outcomeOf(page, 2)]
    const { durable, storageError } = await page.evaluate(() => {
      const state = harness.client.getState()
      return { durable: state.durable, storageError: state.storageError?.message }
    })
    await link.heal()
    await server.when(({ messages }) => messages.length >= 3)

    expect(outcomes).toEqual(Array(2).fill('StorageError STORAGE_UNAVAILABLE'))
    expect(durable).toBe(false)
    expect(storageError).toMatch(/site's data was deleted: reload the page/)
    expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(3))
    await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
  })
}

/** The numbers that have arrived by the time of a last one of each page: what is sent twice comes before these. */
async function arrivals(page: Page, later: Page, server: RecordingServer): Promise<number[]> {
  await page.evaluate(() => harness.send(900).delivered)
  await later.evaluate(() => harness.send(901).delivered)
  await server.when(({ messages }) => messages.filter(({ text }) => numberIn(text) >= 900).length === 2)
  return ascending(server.messages.map(({ text }) => numberIn(text)))
}

test("a page from before and a page from after the site's data was cleared send each message once", async ({
  page,
  context,
  origin,
  server,
  link,
}) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'divided' }), link.url)
  expect(await outcomeOf(page, 0)).toBe('stored')
  await clearData(page, origin)
  await outcomeOf(page, 1)
  const later = await context.newPage()
  await later.goto(`${origin}/esm.html`)
  await later.evaluate((url) => harness.start(url, { store: 'divided' }), link.url)
  expect(await outcomeOf(later, 100)).toBe('stored')
  await outcomeOf(page, 2)

  await link.heal()
  expect(await arrivals(page, later, server)).toEqual([0, 1, 2, 100, 900, 901])
})

test("a client that connects anew after the site's data was cleared keeps its hands off what others store", async ({
  page,
  context,
  origin,
  server,
  link,
}) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'anew' }), link.url)
  expect(await outcomeOf(page, 0)).toBe('stored')
  await page.evaluate(() => harness.client.close())
  await clearData(page, origin)
  const later = await context.newPage()
  await later.goto(`${origin}/esm.html`)
  await later.evaluate((url) => harness.start(url, { store: 'anew' }), link.url)
  expect(await outcomeOf(later, 100)).toBe('stored')

  await page.evaluate(() => harness.client.connect())
  expect(await outcomeOf(page, 1)).toBe('StorageError STORAGE_UNAVAILABLE')
  await link.heal()
  expect(await arrivals(page, later, server)).toEqual([1, 100, 900, 901])
})

test("the next page after the site's data was cleared stores again", async ({ page, origin, server, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'rebuilt' }), link.url)
  expect(await outcomeOf(page, 0)).toBe('stored')
  await clearData(page, origin)
  await outcomeOf(page, 1)

  for (const number of [2, 3]) {
    await page.reload()
    await page.evaluate((url) => harness.start(url, { store: 'rebuilt' }), link.url)
    expect(await outcomeOf(page, number)).toBe('stored')
  }
  await link.heal()
  await page.evaluate(() => harness.send(4).delivered)
  await server.when(({ messages }) => messages.some(({ text }) => numberIn(text) === 4))

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([2, 3, 4])
})

test("with `whenUnavailable: 'fail'` a full disk is STORAGE_FULL for the message that did not fit, and for no other", async ({
  page,
  origin,
  server,
  link,
}) => {
  link.refuse()
  // Before the database is opened: Chromium asks for the quota rarely.
  const session = await devtools(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 500_000 })
  await page.evaluate((url) => harness.start(url, { store: 'full', whenUnavailable: 'fail' }), link.url)
  for (const number of numbers(20)) expect(await outcomeOf(page, number)).toBe('stored')

  expect(await outcomeOf(page, 20, 900_000)).toBe('StorageError STORAGE_FULL')
  expect(await page.evaluate(() => harness.failed)).toEqual([{ number: 20, code: 'STORAGE_FULL' }])
  expect(await page.evaluate(() => harness.client.getState().pending)).toBe(20)
  expect(await outcomeOf(page, 21)).toBe('stored')

  await page.reload()
  await page.evaluate((url) => harness.start(url, { store: 'full' }), link.url)
  await link.heal()
  await server.when(({ messages }) => messages.length >= 21)
  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([...numbers(20), 21])
})

test('with a full disk messages are sent from memory, and none is lost', async ({ page, origin, server, link }) => {
  link.refuse()
  const session = await devtools(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 500_000 })
  await page.evaluate((url) => harness.start(url, { store: 'overfull' }), link.url)
  for (const number of numbers(20)) expect(await outcomeOf(page, number)).toBe('stored')

  expect(await outcomeOf(page, 20, 900_000)).toBe('StorageError STORAGE_FULL')
  expect(await outcomeOf(page, 21)).toBe('StorageError STORAGE_FULL')
  const { durable, storageError, pending } = await page.evaluate(() => {
    const state = harness.client.getState()
    return { ...state, storageError: state.storageError?.code }
  })
  await link.heal()
  await server.when(({ messages }) => messages.length >= 22)

  expect({ durable, storageError, pending }).toEqual({ durable: false, storageError: 'STORAGE_FULL', pending: 22 })
  expect(await page.evaluate(() => harness.errors.map(({ code }) => code))).toEqual(['STORAGE_FULL'])
  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(22))
})

const MISSING: [what: string, take: () => void, why: RegExp][] = [
  [
    'IndexedDB is denied',
    () => {
      indexedDB.open = () => {
        throw new DOMException('The user denied permission to access the database.', 'InvalidStateError')
      }
    },
    /denied permission/,
  ],
  [
    'there are no Web Locks, as on a page of plain http',
    () => Object.defineProperty(navigator, 'locks', { value: undefined }),
    /need https or localhost/,
  ],
  ['there is no IndexedDB', () => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }), /no IndexedDB/],
]
for (const [what, take, why] of MISSING) {
  test(`where ${what} messages are sent from memory, and the state says why`, async ({ page, server }) => {
    await page.evaluate(take)
    await page.evaluate((url) => harness.start(url, { store: 'denied' }), server.url)
    const outcome = await outcomeOf(page, 0)
    await server.when(({ messages }) => messages.length >= 1)
    const storageError = await page.evaluate(() => harness.client.getState().storageError?.cause)

    expect(outcome).toBe('StorageError STORAGE_UNAVAILABLE')
    expect(String(storageError)).toMatch(why)
    expect(await page.evaluate(() => harness.errors.map(({ code }) => code))).toEqual(['STORAGE_UNAVAILABLE'])
  })
}

test("with `whenUnavailable: 'fail'` nothing is sent that cannot be stored", async ({ page, server }) => {
  await page.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }))
  await page.evaluate((url) => harness.start(url, { store: 'denied', whenUnavailable: 'fail' }), server.url)
  const outcome = await outcomeOf(page, 0)
  await page.evaluate(() => harness.untilStatus('connected'))

  expect(outcome).toBe('StorageError STORAGE_UNAVAILABLE')
  expect(await page.evaluate(() => harness.errors.map(({ code }) => code))).toContain('STORAGE_UNAVAILABLE')
  expect(server.messages).toEqual([])
})

test('deleting the database in another tab stops nothing', async ({ page, context, origin, server, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'deleted' }), link.url)
  expect(await outcomeOf(page, 0)).toBe('stored')

  const other = await context.newPage()
  await other.goto(`${origin}/away.html`)
  await other.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) {
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name!)
        request.addEventListener('success', resolve)
        request.addEventListener('error', reject)
      })
    }
  })
  expect(await outcomeOf(page, 1)).toBe('stored')
  await link.heal()
  await server.when(({ messages }) => messages.length >= 2)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([0, 1])
})

test('a newer version of the database in another tab: the old page says so, once, and goes on from memory', async ({
  page,
  context,
  origin,
  server,
}) => {
  await page.evaluate((url) => harness.start(url, { store: 'newer' }), server.url)
  expect(await outcomeOf(page, 0)).toBe('stored')
  const other = await context.newPage()
  await other.goto(`${origin}/away.html`)
  await other.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('holdfast:newer', 2)
        request.addEventListener('success', resolve)
        request.addEventListener('error', reject)
      }),
  )

  const outcomes = [await outcomeOf(page, 1), await outcomeOf(page, 2)]
  await server.when(({ messages }) => messages.length >= 3)
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
  const { durable, why, errors } = await page.evaluate(() => {
    const state = harness.client.getState()
    const codes = harness.errors.map(({ code }) => code)
    return { durable: state.durable, why: state.storageError?.message, errors: codes }
  })

  expect(outcomes).toEqual(Array(2).fill('StorageError STORAGE_UNAVAILABLE'))
  expect(durable).toBe(false)
  expect(why).toMatch(/a newer version of this page has changed it: reload the page/)
  expect(errors).toEqual(['STORAGE_UNAVAILABLE'])
  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([0, 1, 2])
})

test('the page is told how much the site holds, and whether it is kept', async ({ page }) => {
  const { usageBytes = -1, quotaBytes = -1, isPersistent } = await page.evaluate(() => Holdfast.estimateStorage())

  expect(usageBytes).toBeGreaterThanOrEqual(0)
  expect(quotaBytes).toBeGreaterThan(usageBytes)
  expect(isPersistent).toBe(false)
  expect(typeof (await page.evaluate(() => Holdfast.persistStorage()))).toBe('boolean')
})
