import type { Page } from '@playwright/test'
import { numberIn } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

/** Queues numbers in a page with the outbox, and waits until they are stored. */
async function queueIn(page: Page, origin: string, url: string, from: number): Promise<void> {
  await page.goto(`${origin}/esm.html`)
  await page.evaluate(
    async ([target, first]) => {
      harness.start(target, { store: 'shared' })
      harness.sendNumbers(first, first + 50)
      await harness.until(({ stored }) => stored.length === 50)
    },
    [url, from] as const,
  )
}

test('one call in any tab deletes what every tab has stored', async ({ context, origin, server, link }) => {
  link.refuse()
  const [one, other, caller] = [await context.newPage(), await context.newPage(), await context.newPage()]
  await queueIn(one, origin, link.url, 0)
  await queueIn(other, origin, link.url, 100)
  await caller.goto(`${origin}/esm.html`)
  await one.evaluate(() => harness.client.outbox.remove(harness.client.outbox.list()[0]!.id))

  await caller.evaluate(() => Holdfast.deleteOutbox('shared'))

  for (const page of [one, other]) {
    await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
    expect(await page.evaluate(() => harness.failed.map(({ code }) => code))).toEqual(Array(50).fill('REMOVED'))
    expect(await page.evaluate(() => harness.client.outbox.failed().length)).toBe(0)
  }
  await other.close()
  await one.reload()
  await one.evaluate((url) => harness.start(url, { store: 'shared' }), link.url)
  await link.heal()
  await one.evaluate(() => harness.send(900).delivered)
  await server.when(({ messages }) => messages.length > 0)
  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([900])
})

test('a page that rested in the back/forward cache meanwhile sends nothing of it', async ({
  context,
  origin,
  server,
  link,
}) => {
  link.refuse()
  const [resting, caller] = [await context.newPage(), await context.newPage()]
  await queueIn(resting, origin, link.url, 0)
  await caller.goto(`${origin}/esm.html`)
  await resting.goto(`${origin}/away.html`)

  await caller.evaluate(() => Holdfast.deleteOutbox('shared'))
  await link.heal()
  await resting.goBack({ waitUntil: 'commit' })
  // The browser may have given the page up: then it is loaded anew.
  await resting.waitForFunction(() => 'harness' in globalThis)
  await resting.evaluate((url) => void (harness.client ?? harness.start(url, { store: 'shared' })), link.url)
  await resting.evaluate(() => harness.send(900).delivered)
  await server.when(({ messages }) => messages.length > 0)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual([900])
})
