import type { Page } from '@playwright/test'
import { expect, test } from '../support/test.js'

async function warnBeforeUnload(page: Page): Promise<void> {
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
  await warnBeforeUnload(page)
  await page.evaluate(() => harness.sendNumbers(0, 3))

  expect(await isAskedOnClose(page)).toBe(true)
  await link.heal()
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))

  expect(await isAskedOnClose(page)).toBe(false)
})

test('a page whose queue is stored is closed without a question', async ({ page, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'leaving' }), link.url)
  await warnBeforeUnload(page)
  await page.evaluate(() => harness.sendNumbers(0, 3))
  await page.evaluate(() => harness.until(({ stored }) => stored.length === 3))

  expect(await isAskedOnClose(page)).toBe(false)
})
