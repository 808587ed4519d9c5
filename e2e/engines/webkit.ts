import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { Builder, Capabilities, type WebDriver } from 'selenium-webdriver'
import { findWebKit } from '../../scripts/system-packages.mjs'
import type { EngineDriver, Tab } from './engine.js'
import { whyNot } from './missing.js'

/** How long a journey may wait for something in a page, in milliseconds. */
const SCRIPT_TIMEOUT_MS = 60_000
const START_TRIES = 100

/** WebKitGTK's MiniBrowser, over WebDriver, on a screen of its own that nobody sees. */
export const webkit: EngineDriver = {
  missing: () => whyNot(findWebKit),
  async launch() {
    const { miniBrowser, webDriver, xvfb } = await findWebKit()
    const screen = spawn(xvfb, ['-displayfd', '1', '-nolisten', 'tcp'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [display] = (await once(createInterface(screen.stdout), 'line')) as [string]
    const port = await freePort()
    const env = {
      ...process.env,
      DISPLAY: `:${display}`,
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      WEBKIT_FORCE_SANDBOX: '0',
    }
    const service = spawn(webDriver, [`--port=${port}`, '--host=127.0.0.1'], { stdio: 'ignore', env })
    await untilReady(`http://127.0.0.1:${port}/status`)
    const capabilities = new Capabilities()
      .set('browserName', 'MiniBrowser')
      .set('webkitgtk:browserOptions', { binary: miniBrowser, args: ['--automation'] })
    const driver = await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities(capabilities).build()
    await driver.manage().setTimeouts({ script: SCRIPT_TIMEOUT_MS })
    const version = String((await driver.getCapabilities()).get('browserVersion'))
    return {
      version: `WebKitGTK ${version}`,
      async open(url) {
        await driver.switchTo().newWindow('tab')
        const handle = await driver.getWindowHandle()
        await load(driver, () => driver.get(url))
        return tabOf(driver, handle)
      },
      async close() {
        await driver.quit()
        await Promise.all([end(service), end(screen)])
      },
    }
  },
}

/** What a page has done, or why not. */
type Outcome<Result> = { readonly result: Result } | { readonly error: string }

/** The driver speaks to one window at a time: each step looks for its own first. */
function tabOf(driver: WebDriver, handle: string): Tab {
  const here = (): Promise<void> => driver.switchTo().window(handle)
  return {
    async goto(url) {
      await here()
      await load(driver, () => driver.get(url))
    },
    async run<Argument, Result>(act: (argument: Argument) => Result | Promise<Result>, argument?: Argument) {
      await here()
      const outcome = await driver.executeAsyncScript<Outcome<Result>>(
        `const [argument, done] = arguments
        Promise.resolve(argument).then(${String(act)}).then((result) => done({ result }), (error) => done({ error: String(error) }))`,
        argument ?? null,
      )
      if ('error' in outcome) throw new Error(outcome.error)
      return outcome.result
    },
    async reload() {
      await here()
      await load(driver, () => driver.navigate().refresh())
    },
    async back() {
      await here()
      await load(driver, () => driver.navigate().back())
    },
    async close() {
      await here()
      await driver.close()
      const [first = ''] = await driver.getAllWindowHandles()
      await driver.switchTo().window(first)
    },
  }
}

/** Goes elsewhere, and waits for the modules of the page: this driver may answer before they have run. */
async function load(driver: WebDriver, go: () => Promise<void>): Promise<void> {
  await go()
  await driver.wait(async () => (await driver.executeScript('return document.readyState')) === 'complete')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new TypeError(`No TCP address: ${address}`)
  return address.port
}

async function untilReady(url: string): Promise<void> {
  for (let left = START_TRIES; left > 0; left--) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isReady) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Nobody answers at ${url}`)
}

async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return
  const ended = once(program, 'exit')
  program.kill()
  await ended
}
