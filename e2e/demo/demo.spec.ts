import { test as base, chromium, expect, type Locator, type Page } from '@playwright/test'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { launchOptions } from '../support/browser.js'
import { lowContrasts } from '../support/contrast.js'

/** The longest wait before a retry is 30 s, drawn at random, and the demo's server is away for up to 10 s. */
const BACK_WITHIN_MS = 45_000
base.describe.configure({ timeout: 2 * BACK_WITHIN_MS })

/** The demo as `npm start` serves it, one for each worker: `Restart` is felt by every page of a server. */
const test = base.extend<{ problems: string[] }, { demoUrl: string }>({
  demoUrl: [
    // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const demo = spawn(process.execPath, ['demo/server.mjs', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
      try {
        const [line] = (await once(createInterface(demo.stdout), 'line')) as [string]
        await use(line.replace(/^.*(?=http:)/, ''))
      } finally {
        demo.kill()
      }
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ demoUrl }, use) => use(demoUrl),

  /** What pages complain of. That a socket was refused or reset is reported by the browser itself, and is the point. */
  problems: [
    async ({ page }, use) => {
      const problems: string[] = []
      page.on('pageerror', ({ message }) => problems.push(message))
      page.on('console', (message) => {
        const isComplaint = message.type() === 'error' || message.type() === 'warning'
        if (isComplaint && !message.text().startsWith('WebSocket connection to')) problems.push(message.text())
      })
      await use(problems)
      expect(problems).toEqual([])
    },
    { auto: true },
  ],
})

const PAGES = ['/script-tag.html', '/esm.html', '/react.html']
/** One page for each dialect, and for each user interface: `panel.js` with `plain`, React with `reliable`. */
const DIALECTS = ['/script-tag.html', '/react.html']
/** One page for each user interface, both with `reliable`. */
const INTERFACES = ['/esm.html', '/react.html']

const part = (page: Page, name: string): Locator => page.locator(`[data-part="${name}"]`)
const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true })
const count = (page: Page, label: string): Locator =>
  page
    .locator('.counts > div')
    .filter({ has: page.getByText(label, { exact: true }) })
    .locator('dd')

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await expect(part(page, 'status')).toHaveText('Connected')
}

for (const path of PAGES) {
  test(`${path} echoes what is typed over one socket, and measures round trips`, async ({ page }) => {
    let sockets = 0
    page.on('websocket', () => sockets++)
    await open(page, path)

    await page.getByLabel('Message').fill('Ahoy <b>there</b>')
    await page.getByLabel('Message').press('Enter')

    await expect(part(page, 'echoes').getByText('Ahoy <b>there</b>')).toBeVisible()
    await expect(part(page, 'detail')).toContainText('Round trip')
    await expect(count(page, 'Delivered')).toHaveText('1')
    await expect(page.locator('.round-trip-last')).toHaveCount(1)
    expect(sockets).toBe(1)
  })

  test(`${path} counts down after a refusal, keeps the queue over a reload, and drains it`, async ({ page }) => {
    await open(page, path)

    await button(page, 'Refuse for 10 s').click()
    await expect(part(page, 'status')).toHaveText('Waiting')
    await expect(part(page, 'countdown')).toHaveText(/^\d\.\d s$/)
    await button(page, 'Send 100').click()
    await expect(count(page, 'In the queue')).toHaveText('100')
    await expect(part(page, 'queue').getByText('stored').first()).toBeVisible()
    await page.reload()

    await expect(part(page, 'echoes').getByText('100 of 100')).toBeVisible({ timeout: BACK_WITHIN_MS })
    await expect(part(page, 'notes')).toContainText('100 restored')
    await expect(count(page, 'In the queue')).toHaveText('0')
    const echoes = await part(page, 'echoes').locator('.text').allTextContents()
    expect(echoes).toEqual(Array.from({ length: 50 }, (_, index) => `${100 - index} of 100`))
  })
}

for (const path of DIALECTS) {
  test(`${path} comes back after a cut and after a restart`, async ({ page }) => {
    await open(page, path)

    await button(page, 'Cut').click()
    await expect(count(page, 'Outages')).toHaveText('1')
    await expect(part(page, 'status')).toHaveText('Connected', { timeout: BACK_WITHIN_MS })
    await button(page, 'Restart').click()

    await expect(count(page, 'Outages')).toHaveText('2')
    await expect(part(page, 'log')).toContainText('close code 1001')
    await expect(part(page, 'status')).toHaveText('Connected', { timeout: BACK_WITHIN_MS })
  })

  test(`${path} finds out that the link is stalled, and makes another`, async ({ page }) => {
    await open(page, path)

    await button(page, 'Stall').click()
    await expect(button(page, 'Un-stall')).toHaveAttribute('aria-pressed', 'true')

    await expect(part(page, 'log')).toContainText('HEARTBEAT_TIMEOUT')
    await expect(part(page, 'status')).toHaveText('Connected', { timeout: BACK_WITHIN_MS })
    await expect(button(page, 'Stall')).toHaveAttribute('aria-pressed', 'false')
  })
}

for (const path of INTERFACES) {
  test(`${path} removes one message from the queue, and then all`, async ({ page }) => {
    await open(page, path)
    await button(page, 'Refuse for 10 s').click()
    await expect(part(page, 'status')).not.toHaveText('Connected')
    await button(page, 'Send 100').click()

    await button(page, 'Remove “1 of 100”').press('Enter')

    await expect(count(page, 'In the queue')).toHaveText('99')
    await expect(button(page, 'Remove “2 of 100”')).toBeFocused()
    await button(page, 'Clear').click()
    await expect(count(page, 'In the queue')).toHaveText('0')
  })

  test(`${path} survives a short stall without an outage`, async ({ page }) => {
    await open(page, path)

    await button(page, 'Stall').click()
    await button(page, 'Un-stall').click()
    await button(page, 'Send').click()

    await expect(part(page, 'echoes').getByText('Hello')).toBeVisible()
    await expect(count(page, 'Outages')).toHaveText('0')
  })

  test(`${path} stays closed until it is told to connect`, async ({ page }) => {
    await open(page, path)

    await button(page, 'Close').click()
    await expect(part(page, 'status')).toHaveText('Closed')
    await button(page, 'Connect').click()

    await expect(part(page, 'status')).toHaveText('Connected')
  })

  test(`${path} counts what stays when it is closed, and takes what is typed meanwhile`, async ({ page }) => {
    let isServerSilent = true
    await page.routeWebSocket(/\/echo/, (socket) => void (isServerSilent || socket.connectToServer()))
    await page.goto(path)
    await button(page, 'Send 100').click()
    await expect(count(page, 'In the queue')).toHaveText('100')

    await button(page, 'Close').click()
    await expect(part(page, 'status')).toHaveText('Closed')
    await expect(part(page, 'detail')).toHaveText(
      'Closed by you. 100 messages stay in the outbox until you press Connect.',
    )
    await expect(count(page, 'In the queue')).toHaveText('100')
    await expect(part(page, 'more')).toContainText('100 messages')
    await expect(page).toHaveTitle(/^Closed, 100 queued/)
    await page.getByLabel('Message').fill('Typed while closed')
    await page.getByLabel('Message').press('Enter')
    await expect(count(page, 'In the queue')).toHaveText('101')
    isServerSilent = false
    await button(page, 'Connect').click()

    await expect(part(page, 'echoes').getByText('Typed while closed')).toBeVisible({ timeout: BACK_WITHIN_MS })
    await expect(count(page, 'In the queue')).toHaveText('0')
    await expect(part(page, 'notes')).not.toContainText('restored')
  })

  test(`${path} keeps text that the client does not take`, async ({ page }) => {
    await open(page, path)
    await button(page, 'Close').click()
    // The outbox holds 10,000. All in one task, as nobody waits for a page to draw each hundred.
    await button(page, 'Send 100').evaluate((sendHundred: HTMLElement) => {
      for (let hundreds = 0; hundreds < 100; hundreds++) sendHundred.click()
    })

    await page.getByLabel('Message').fill('One too many')
    await page.getByLabel('Message').press('Enter')

    await expect(part(page, 'log')).toContainText('OUTBOX_FULL')
    await expect(page.getByLabel('Message')).toHaveValue('One too many')
  })
}

test('the first page shows a queue that grows and drains, and leads to the others', async ({ page }) => {
  await open(page, '/')

  await button(page, 'Cut').click()
  await expect(part(page, 'chart')).toHaveAttribute('aria-label', /1 outage so far/)
  await expect(part(page, 'status')).toHaveText('Connected', { timeout: BACK_WITHIN_MS })
  await page.getByRole('navigation').getByRole('link', { name: 'React' }).click()

  await expect(page.getByRole('heading', { level: 1 })).toHaveText('React hooks, under StrictMode')
})

for (const path of ['/', ...PAGES]) {
  test(`${path} fits a width of 360 pixels`, async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 740 })
    await open(page, path)
    for (const source of await page.locator('summary').all()) await source.click()

    const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement)

    expect(scrollWidth).toBe(clientWidth)
  })
}

/** What is pressed on each page, and changes the state that stands above it. */
const CONTROLS = ['Reconnect now', 'Close', 'Cut', 'Stall', 'Restart', 'Refuse for 10 s', 'Send', 'Send 100']
const SCREENS = [
  { width: 1280, height: 720 },
  { width: 390, height: 844 },
]

for (const path of ['/', ...PAGES]) {
  test(`${path} shows the state beside all that changes it, on a laptop and on a phone`, async ({ page }) => {
    for (const screen of SCREENS) {
      await page.setViewportSize(screen)
      await open(page, path)

      const controls = path === '/' ? ['Refuse for 10 s', 'Cut', 'Stall'] : CONTROLS
      for (const shown of [part(page, 'status'), part(page, 'detail'), ...controls.map((name) => button(page, name))]) {
        await expect(shown).toBeInViewport({ ratio: 1 })
      }
    }
  })
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`all text has enough contrast, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await open(page, '/')
    expect(await page.evaluate(lowContrasts)).toEqual([])

    await open(page, '/esm.html')
    await button(page, 'Cut').click()
    await expect(count(page, 'Outages')).toHaveText('1')
    await button(page, 'Send 100').click()
    expect(await page.evaluate(lowContrasts)).toEqual([])
    await button(page, 'Close').click()

    await expect(part(page, 'log')).toContainText('Closed')
    expect(await page.evaluate(lowContrasts)).toEqual([])
  })
}

test('works over plain http, and says that the queue is in memory there', async ({ demoUrl }) => {
  // A page at 127.0.0.1 is trusted as one over https is. One at another host is not.
  const rule = '--host-resolver-rules=MAP holdfast.test 127.0.0.1'
  const browser = await chromium.launch({ ...launchOptions, args: [...(launchOptions.args ?? []), rule] })
  try {
    const page = await browser.newPage({ baseURL: demoUrl.replace('127.0.0.1', 'holdfast.test') })
    const problems: string[] = []
    page.on('pageerror', ({ message }) => problems.push(message))
    await open(page, '/')
    expect(await page.evaluate(() => isSecureContext)).toBe(false)

    for (const path of PAGES) {
      await open(page, path)
      await button(page, 'Send').click()

      await expect(part(page, 'echoes').getByText('Hello')).toBeVisible()
      await expect(part(page, 'durability')).toContainText('in memory')
    }
    expect(problems).toEqual([])
  } finally {
    await browser.close()
  }
})

test('serves nothing beside the pages and the packages that they need', async ({ request }) => {
  const paths = [
    '/..%2fpackage.json',
    '/%2e%2e/package.json',
    '/node_modules/ws/package.json',
    '/server.mjs',
    '/nothing',
  ]

  const statuses = await Promise.all(paths.map(async (path) => (await request.get(path)).status()))

  expect(statuses).toEqual(paths.map(() => 404))
  expect((await request.get('/control/cut')).status()).toBe(405)
})

test('says in a line that the port is taken', async ({ demoUrl }) => {
  const second = spawn(process.execPath, ['demo/server.mjs', '--port', new URL(demoUrl).port])
  let complaint = ''
  second.stderr.on('data', (chunk) => (complaint += chunk))

  const [exitCode] = await once(second, 'close')

  expect(exitCode).toBe(1)
  expect(complaint).toMatch(/^Cannot listen on port \d+\. It is taken; .+\n$/)
})
