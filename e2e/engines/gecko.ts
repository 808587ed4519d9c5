import { launch, type Page } from 'puppeteer-core'
import { findFirefox } from '../../scripts/system-packages.mjs'
import type { EngineDriver, Tab } from './engine.js'
import { whyNot } from './missing.js'

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
        return tabOf(page)
      },
      close: () => browser.close(),
    }
  },
}

const tabOf = (page: Page): Tab => ({
  goto: async (url) => void (await page.goto(url)),
  run: <Argument, Result>(act: (argument: Argument) => Result | Promise<Result>, argument?: Argument) =>
    // Puppeteer asks for the type of the whole list of arguments.
    page.evaluate(act as (argument: unknown) => Result, argument),
  reload: async () => void (await page.reload()),
  back: async () => void (await page.goBack()),
  close: () => page.close(),
})
