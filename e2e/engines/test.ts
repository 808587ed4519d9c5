import { expect, test as base } from '@playwright/test'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { createRecordingServer, type RecordingServer } from '../../test/support/servers.js'
import { startCompanion, type Companion } from '../support/companion.js'
import { createPageServer } from '../support/page-server.js'
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
  /** A plain server of this test. */
  server: RecordingServer
  /** The way to it. */
  link: FaultProxy
  /** A companion server of this test. */
  companion: Companion
  /** The way to it. */
  way: FaultProxy
}

interface Shared {
  /** The browser of the project; undefined where this machine has none. */
  engine: Engine | undefined
  /** Where the pages of the fixtures are. */
  origin: string
}

/** A way to a server that listens on the port, until the test is over. */
async function useProxy(port: number, use: (proxy: FaultProxy) => Promise<void>): Promise<void> {
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
  await use(proxy)
  await proxy.close()
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
  origin: [
    async ({}, use) => {
      const pages = await createPageServer()
      await use(pages.origin)
      await pages.close()
    },
    { scope: 'worker' },
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
  server: async ({}, use) => {
    const server = await createRecordingServer()
    await use(server)
    await server.stop()
  },
  link: async ({ server }, use) => useProxy(server.port, use),
  companion: async ({}, use) => {
    const companion = await startCompanion()
    await use(companion)
    await companion.stop()
  },
  way: async ({ companion }, use) => useProxy(companion.port, use),
})
