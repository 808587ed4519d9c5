import { chromium, type BrowserContext, type Page } from '@playwright/test'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchOptions } from '../support/browser.js'
import { numberIn } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

interface Profile {
  /** Starts the browser, each time on the same profile. */
  launch(): Promise<Page>
  /** Overwrites what the browser needs to read its databases. */
  damage(): Promise<void>
}

const test = base.extend<{ profile: Profile }>({
  profile: async ({ origin }, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-profile-'))
    const contexts: BrowserContext[] = []
    await use({
      async launch() {
        const context = await chromium.launchPersistentContext(folder, launchOptions)
        contexts.push(context)
        const page = await context.newPage()
        await page.goto(`${origin}/esm.html`)
        return page
      },
      async damage() {
        const databases = join(folder, 'Default', 'IndexedDB')
        const files = await readdir(databases, { recursive: true })
        const manifests = files.filter((file) => /MANIFEST-\d+$|CURRENT$/.test(file))
        expect(manifests.length).toBeGreaterThan(0)
        for (const file of manifests) await writeFile(join(databases, file), 'damaged')
      },
    })
    for (const context of contexts) await context.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  },
})

const start = (page: Page, url: string): Promise<void> =>
  page.evaluate((to) => {
    harness.start(to, { store: 'damaged' })
    return harness.send(Date.now() % 1_000).stored
  }, url)

test('what a damaged database held is gone, and the next page is told so once', async ({ profile, server, link }) => {
  link.refuse()
  const first = await profile.launch()
  await start(first, link.url)
  await first.context().close()
  await profile.damage()

  const second = await profile.launch()
  await start(second, link.url)
  const told = await second.evaluate(() => harness.errors.map(({ code }) => code))
  const pending = await second.evaluate(() => harness.client.getState().pending)
  await second.reload()
  await start(second, link.url)
  const toldLater = await second.evaluate(() => harness.errors.map(({ code }) => code))
  await link.heal()
  await server.when(({ messages }) => messages.length >= 2)

  expect(told).toEqual(['STORAGE_RESET'])
  expect(pending).toBe(1)
  expect(toldLater).toEqual([])
  expect(server.messages.map(({ text }) => numberIn(text))).toHaveLength(2)
})
