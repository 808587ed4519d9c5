import { expect, test as base, type Page } from '@playwright/test'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { createRecordingServer, type RecordingServer } from '../../test/support/servers.js'
import { createPageServer } from './page-server.js'

export { expect }

export interface Fixtures {
  /** A plain server of this test. */
  server: RecordingServer
  /** The way to it. */
  link: FaultProxy
  /** A page that has loaded the package as ES modules. */
  page: Page
}

/** Tests with a server, a faulty way to it, and a page. What a page leaves uncaught fails the test. */
export const test = base.extend<Fixtures, { origin: string }>({
  origin: [
    // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const pages = await createPageServer()
      await use(pages.origin)
      await pages.close()
    },
    { scope: 'worker' },
  ],
  // oxlint-disable-next-line no-empty-pattern -- as above
  server: async ({}, use) => {
    const server = await createRecordingServer()
    await use(server)
    await server.stop()
  },
  link: async ({ server }, use) => {
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port: server.port } })
    await use(proxy)
    await proxy.close()
  },
  context: async ({ context }, use) => {
    const uncaught: Error[] = []
    context.on('weberror', (error) => uncaught.push(error.error()))
    await use(context)
    expect(uncaught).toEqual([])
  },
  page: async ({ page, origin }, use) => {
    await page.goto(`${origin}/esm.html`)
    await use(page)
  },
})
