import { chromium as playwright } from '@playwright/test'
import { launchOptions } from '../support/browser.js'
import type { EngineDriver } from './engine.js'
import { tabOf } from './page-tab.js'

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
        // A page that comes from the back/forward cache does not load.
        return tabOf(page, () => page.goBack({ waitUntil: 'commit' }))
      },
      close: () => browser.close(),
    }
  },
}
