import { launch } from 'puppeteer-core'
import { findFirefox } from '../../scripts/system-packages.mjs'
import type { EngineDriver } from './engine.js'
import { whyNot } from './missing.js'
import { tabOf } from './page-tab.js'

/** Firefox, over WebDriver BiDi. */
export const gecko: EngineDriver = {
  missing: () => whyNot(findFirefox),
  async launch() {
    const browser = await launch({ browser: 'firefox', executablePath: await findFirefox(), headless: true })
    return {
      version: await browser.version(),
      async open(url) {
        const page = await browser.newPage()
        await page.goto(url)
        return tabOf(page, () => page.goBack())
      },
      close: () => browser.close(),
    }
  },
}
