import type { Page } from '@playwright/test'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import type { TabLog } from '../fixtures/reliable.js'
import { startCompanion, type Companion } from '../support/companion.js'
import { ascending, numbers, unique } from '../support/numbers.js'
import { createRandom } from '../../test/support/random.js'
import { announceSeed } from '../support/seed.js'
import { expect, test as base } from '../support/test.js'

const FAULTS = 40
/** Each way and for each tab: … */
const MESSAGES = 2_000
/** … so many between one fault and the next, and at the end what a reload or a restart kept from being sent. */
const PER_FAULT = MESSAGES / FAULTS

const test = base.extend<{ companion: Companion; way: FaultProxy }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  companion: async ({}, use) => {
    const companion = await startCompanion()
    await use(companion)
    await companion.stop()
  },
  way: async ({ companion }, use) => {
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: companion.port } })
    await use(proxy)
    await proxy.close()
  },
})

/** One tab of the test. */
interface Tab {
  readonly name: string
  readonly page: Page
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('2,000 messages each way over 40 faults: none lost, none twice, in order', async ({
  page,
  origin,
  companion,
  way,
}) => {
  test.setTimeout(120_000)
  const tab = { name: 'ann', page }
  await open(tab, origin, way)

  await suffer([tab], companion, way)
  await rest([tab], companion, way)

  const log = await logOf(tab)
  const handled = companion.handled.map(({ number }) => number)
  expect(handled, 'handled in the order in which they were sent').toEqual(ascending(unique(handled)))
  judge(tab, log, companion)
})

test('the same from two tabs at once, which share their storage', async ({ page, context, origin, companion, way }) => {
  test.setTimeout(120_000)
  const tabs = [
    { name: 'ann', page },
    { name: 'ben', page: await context.newPage() },
  ]
  for (const tab of tabs) await open(tab, origin, way)

  await suffer(tabs, companion, way)
  await rest(tabs, companion, way)

  for (const tab of tabs) judge(tab, await logOf(tab), companion)
})

async function open({ name, page }: Tab, origin: string, { url }: FaultProxy): Promise<void> {
  await page.goto(`${origin}/reliable.html`)
  await start({ name, page }, url)
  await page.evaluate((tab) => globalThis.tab.client.request('join', tab), name)
}

const start = ({ name, page }: Tab, url: string): Promise<void> =>
  page.evaluate((options) => globalThis.tab.start(options), { url, tab: name, store: 'chaos' })

/** Both sides send all the while, and every now and then something breaks. */
async function suffer(tabs: Tab[], companion: Companion, way: FaultProxy): Promise<void> {
  const random = createRandom(announceSeed())
  const faults = faultsOf(tabs, companion, way, random)
  const names = tabs.map(({ name }) => name)
  for (let count = 0; count < FAULTS; count++) {
    const producing = Promise.all([
      companion.produce(names, PER_FAULT),
      // A page that is reloaded in the midst of this stops producing.
      ...tabs.map(({ page }) => page.evaluate((many) => globalThis.tab.produce(many), PER_FAULT).catch(() => {})),
    ])
    await sleep(random() * 100)
    await faults[count % faults.length]!()
    await producing
    await way.heal()
  }
  for (const tab of tabs) {
    const { stored } = await logOf(tab)
    await Promise.all([
      companion.produce([tab.name], Math.max(0, MESSAGES - companion.sentTo(tab.name))),
      tab.page.evaluate((many) => globalThis.tab.produce(many), Math.max(0, MESSAGES - stored.length)),
    ])
  }
}

const logOf = ({ page }: Tab): Promise<TabLog> => page.evaluate(() => globalThis.tab.log())

function faultsOf(
  tabs: Tab[],
  companion: Companion,
  way: FaultProxy,
  random: () => number,
): (() => Promise<void> | void)[] {
  const some = (ms: number): Promise<void> => sleep(random() * ms)
  let reloads = 0
  return [
    () => way.cut(),
    () => way.reset(),
    () => way.cutAfter(Math.ceil(random() * 3_000), 'up'),
    () => way.cutAfter(Math.ceil(random() * 3_000), 'down'),
    () => (way.blackhole(), some(900)),
    () => way.halfClose('up'),
    () => (way.blackhole('down'), some(900)),
    () => way.halfClose('down'),
    async () => {
      const tab = tabs[reloads++ % tabs.length]!
      await tab.page.reload()
      await start(tab, way.url)
    },
    () => (way.blackhole('up'), some(900)),
    async () => {
      way.refuse()
      way.cut()
      await some(300)
    },
    () => (way.delay(50, 50), some(300)),
    () => (way.throttle(20_000), some(500)),
    () => (way.slice(7), some(300)),
    () => companion.restart(random() * 200),
    () => tabs.forEach(({ page }) => void page.evaluate(() => globalThis.tab.client.reconnect())),
  ]
}

async function rest(tabs: Tab[], companion: Companion, way: FaultProxy): Promise<void> {
  await way.heal()
  for (const { name, page } of tabs) {
    await page.evaluate(() => globalThis.tab.until((client) => client.getState().pending === 0))
    await expect
      .poll(() => page.evaluate(() => globalThis.tab.log().received.length), { timeout: 20_000 })
      .toBeGreaterThanOrEqual(companion.sentTo(name))
  }
}

function judge({ name }: Tab, log: TabLog, companion: Companion): void {
  const mine = companion.handled.filter(({ tab, number }) => tab === name && log.stored.includes(number))
  const ids = companion.handled.map(({ id }) => id)
  const handled = unique(mine.map(({ number }) => number))
  console.log(
    `${name}: ${log.stored.length} stored, ${handled.length} handled, ${log.received.length} received of ` +
      `${companion.sentTo(name)}, ${log.gaps.length} gaps`,
  )
  expect(log.stored.length).toBeGreaterThanOrEqual(MESSAGES)
  expect(log.received.length).toBeGreaterThanOrEqual(MESSAGES)
  expect(unique(ids), 'no message is handled twice').toEqual(ids)
  expect(ascending(handled), 'what was stored is handled').toEqual(log.stored)
  expect(log.received, 'what the server sent has come once and in order').toEqual(numbers(companion.sentTo(name)))
  expect(log.failed).toEqual([])
  expect(log.gaps).toEqual([])
}
