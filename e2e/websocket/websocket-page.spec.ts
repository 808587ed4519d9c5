import { readFileSync } from 'node:fs'
import type { Locator, Page } from '@playwright/test'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { startEchoProcess } from '../support/echo-process.js'
import { expect, test as base } from '../support/test.js'

const native = readFileSync(new URL('../fixtures/websocket-page.html', import.meta.url), 'utf8')
const changed = native.replace('new WebSocket(url)', 'new Holdfast.HoldfastWebSocket(url)')

/** What the page writes when it has connected to the echo server. */
const CONNECTED = ['open', 'subscribe', '3 bytes']

const test = base.extend<{ echo: FaultProxy }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  echo: async ({}, use) => {
    const { port, kill } = await startEchoProcess()
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
    await use(proxy)
    await proxy.close()
    await kill()
  },
})

/** Shows a page as the origin's own: Chromium keeps one that a test answers for from reaching this machine. */
async function show(page: Page, origin: string, echo: FaultProxy, html: string): Promise<Locator> {
  await page.goto(`${origin}/away.html?url=${echo.url}`)
  await page.setContent(html)
  const log = page.locator('#log')
  await expect(log).toHaveText(CONNECTED.join('\n'))
  return log
}

test('the two pages differ in one line', () => {
  const differing = native.split('\n').filter((line, index) => line !== changed.split('\n')[index])

  expect(differing).toEqual(['  const socket = new WebSocket(url)'])
})

for (const [which, html] of Object.entries({ native, changed })) {
  test(`the ${which} page speaks with the echo server, and says goodbye`, async ({ page, origin, echo }) => {
    const log = await show(page, origin, echo, html)

    await page.fill('#text', 'grüße 🌊')
    await page.click('#send')
    await expect(log).toContainText('grüße 🌊')
    await page.click('#close')

    await expect(log).toHaveText([...CONNECTED, 'grüße 🌊', 'close 1000 "done" true'].join('\n'))
  })
}

test('the native page is lost with its connection, and the changed one comes back with what was sent meanwhile', async ({
  page,
  origin,
  echo,
}) => {
  const other = await page.context().newPage()
  const logs = [await show(page, origin, echo, native), await show(other, origin, echo, changed)] as const

  echo.refuse()
  echo.cut()
  for (const log of logs) await expect(log).toContainText('close 1006 "" false')
  for (const one of [page, other]) {
    for (const text of ['one', 'two']) {
      await one.fill('#text', text)
      await one.click('#send')
    }
  }
  await echo.heal()

  await expect(logs[1]).toContainText(['open', 'one', 'two', 'subscribe', '3 bytes'].join('\n'))
  expect(await logs[0].textContent()).toBe([...CONNECTED, 'close 1006 "" false', ''].join('\n'))
})
