import type { BrowserContext, Page } from '@playwright/test'
import type { RecordingServer } from '../../test/support/servers.js'
import { numberIn, numbers } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

/** Opens another tab on the outbox that both share. */
async function openTab(context: BrowserContext, origin: string, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/esm.html`)
  await page.evaluate((target) => harness.start(target, { store: 'shared' }), url)
  return page
}

/** Queues numbers, and waits until they are stored. */
const queue = (page: Page, from: number, to: number): Promise<void> =>
  page.evaluate(
    async (range) => {
      harness.sendNumbers(range.from, range.to)
      await harness.until(({ stored }) => stored.length === range.to - range.from)
    },
    { from, to },
  )

const untilPending = (page: Page, count: number): Promise<void> =>
  page.evaluate((wanted) => harness.until(({ client }) => client.getState().pending === wanted), count)

const arrivals = ({ messages }: RecordingServer, from: number, to: number): number[] =>
  messages.map(({ text }) => numberIn(text)).filter((number) => number >= from && number < to)

test('two tabs with one outbox send each message once, each its own', async ({ context, origin, server, link }) => {
  link.refuse()
  const one = await openTab(context, origin, link.url)
  const other = await openTab(context, origin, link.url)
  await Promise.all([queue(one, 0, 100), queue(other, 100, 200)])
  expect(await one.evaluate(() => harness.client.getState().pending)).toBe(100)
  expect(await other.evaluate(() => harness.client.getState().pending)).toBe(100)

  await link.heal()
  await Promise.all([untilPending(one, 0), untilPending(other, 0)])
  // Whatever would still be sent twice would come before these.
  await Promise.all([
    one.evaluate(() => harness.send(900).delivered),
    other.evaluate(() => harness.send(901).delivered),
  ])
  await server.when(({ messages }) => messages.filter(({ text }) => numberIn(text) >= 900).length === 2)

  expect(arrivals(server, 0, 100)).toEqual(numbers(100))
  expect(arrivals(server, 100, 200)).toEqual(numbers(100, 100))
  expect(server.messages).toHaveLength(202)
})

for (const ending of ['is closed', 'crashes', 'closes its client'] as const) {
  test(`when a tab ${ending} the other adopts its messages`, async ({ context, origin, server, link }) => {
    link.refuse()
    const one = await openTab(context, origin, link.url)
    const other = await openTab(context, origin, link.url)
    await queue(other, 100, 150)
    await queue(one, 0, 50)

    if (ending === 'is closed') await one.close()
    else if (ending === 'crashes') await crash(one)
    else await one.evaluate(() => harness.client.close())
    await untilPending(other, 100)
    await link.heal()
    await other.evaluate(() => harness.send(900).delivered)
    await server.when(({ messages }) => messages.length >= 101)

    // Its own first: those of the dead came later, behind what already waited.
    expect(server.messages.map(({ text }) => numberIn(text))).toEqual([...numbers(50, 100), ...numbers(50), 900])
  })
}

test('a third tab takes over nothing while both writers live', async ({ context, origin, server, link }) => {
  link.refuse()
  const one = await openTab(context, origin, link.url)
  const other = await openTab(context, origin, link.url)
  await Promise.all([queue(one, 0, 20), queue(other, 100, 120)])

  const third = await openTab(context, origin, link.url)
  await queue(third, 200, 220)
  expect(await third.evaluate(() => harness.client.getState().pending)).toBe(20)

  await link.heal()
  await Promise.all([one, other, third].map((page) => untilPending(page, 0)))
  await server.when(({ messages }) => messages.length >= 60)
  expect(server.messages).toHaveLength(60)
})

test('of two waiting tabs exactly one adopts the messages of a third', async ({ context, origin, server, link }) => {
  link.refuse()
  const [one, other, third] = [
    await openTab(context, origin, link.url),
    await openTab(context, origin, link.url),
    await openTab(context, origin, link.url),
  ]
  await queue(one, 0, 20)
  await queue(other, 100, 120)
  await queue(third, 200, 220)

  await third.close()
  await Promise.race([untilPending(one, 40), untilPending(other, 40)])
  await link.heal()
  await Promise.all([untilPending(one, 0), untilPending(other, 0)])
  await Promise.all([
    one.evaluate(() => harness.send(900).delivered),
    other.evaluate(() => harness.send(901).delivered),
  ])
  await server.when(({ messages }) => messages.filter(({ text }) => numberIn(text) >= 900).length === 2)

  expect(arrivals(server, 200, 220)).toEqual(numbers(20, 200))
  expect(server.messages).toHaveLength(62)
})

async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  session.send('Page.crash').catch(() => {}) // Nobody is left to answer.
  await crashed
}
