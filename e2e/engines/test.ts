import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { startCompanion, type Companion } from '../support/companion.js'
import { expect, test as base } from '../support/test.js'
import { chromium } from './chromium.js'
import type { Engine, EngineDriver, Tab } from './engine.js'
import { gecko } from './gecko.js'
import { webkit } from './webkit.js'

export { expect }

const DRIVERS: Record<string, EngineDriver> = { chromium, gecko, webkit }

interface Fixtures {
  /** Opens a page of the fixtures in a tab, which is closed at the end. */
  open(page: string): Promise<Tab>
  /** A name that no other test gives to its outbox. */
  store: string
  /** A companion server of this test. */
  companion: Companion
  /** The way to it. */
  way: FaultProxy
}

interface Shared {
  /** The browser of the project; undefined where this machine has none. */
  engine: Engine | undefined
}

/** Tests that run in every engine, each in the projects of that name. */
// oxlint-disable no-empty-pattern -- Playwright reads what a fixture needs from this pattern
export const test = base.extend<Fixtures, Shared>({
  engine: [
    async ({}, use, { project }) => {
      const driver = DRIVERS[project.name]
      if (!driver) throw new Error(`There is no engine for the project ${project.name}`)
      const missing = await driver.missing()
      if (missing !== undefined) return use(undefined)
      const engine = await driver.launch()
      await use(engine)
      await engine.close()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  async open({ engine, origin }, use, { project, annotations }) {
    if (!engine) return base.skip(true, `This machine has no ${project.name}`)
    annotations.push({ type: 'engine', description: engine.version })
    const tabs: Tab[] = []
    await use(async (page) => {
      const tab = await engine.open(`${origin}/${page}`)
      tabs.push(tab)
      return tab
    })
    // One that the test has closed is not there any more.
    for (const tab of tabs) await tab.close().catch(() => {})
  },
  store: async ({}, use, { testId }) => use(`store-${testId}`),
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
