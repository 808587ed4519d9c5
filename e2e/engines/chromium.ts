import { chromium as playwright, type Page } from '@playwright/test'
import { launchOptions } from '../support/browser.js'
import type { EngineDriver, Tab } from './engine.js'

/** Chromium, as all other tests start it. */
export const chromium: EngineDriver = {
  missing: () => Promise.resolve(undefined),
  async launch() {
    const browser = await playwright.launch(launchOptions)
    const context = await browser.newContext()
    return {
      version: `Chromium ${browser.version()}`,
      async open(url) {
        const page = await context.newPage()
        await page.goto(url)
        return tabOf(page)
      },
      close: () => browser.close(),
    }
  },
}

const tabOf = (page: Page): Tab => ({
  goto: async (url) => void (await page.goto(url)),
  run: <Argument, Result>(act: (argument: Argument) => Result | Promise<Result>, argument?: Argument) =>
    // Playwright's type of what a page takes and gives is wider than ours.
    page.evaluate(act as (argument: unknown) => Result, argument),
  reload: async () => void (await page.reload()),
  // A page that comes from the back/forward cache does not load.
  back: async () => void (await page.goBack({ waitUntil: 'commit' })),
  close: () => page.close(),
})
