import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { findBrowser } from '../scripts/find-browser.mjs'

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Each contestant keeps its page; none may be slowed down for being behind another.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--remote-debugging-port=0',
  'about:blank',
]
const START_TIMEOUT_MS = 30_000
const CALL_TIMEOUT_MS = 60_000
const EXIT_TIMEOUT_MS = 5_000

/**
 * A Chromium with a profile on disk (in an incognito context IndexedDB is in memory), spoken to in bare CDP: no
 * library that would turn on the Network domain, which reports every frame and makes all contestants alike.
 */
export async function launchBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const child = spawn(await findBrowser(), [`--user-data-dir=${profile}`, ...FLAGS], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exit = once(child, 'exit')

  let connection
  const close = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS)
    // Asked, it waits for its processes, which write to the profile until they end.
    if (connection) await connection.call('Browser.close').catch(() => child.kill())
    else child.kill()
    await exit
    clearTimeout(timer)
    await remove(profile)
  }

  try {
    connection = await connect(await debuggerOf(child))
    return { close, open: (url) => open(connection, url), version: await connection.call('Browser.getVersion') }
  } catch (error) {
    await close()
    throw error
  }
}

/** A process that lingers may write while we delete. */
async function remove(folder) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rm(folder, { recursive: true, force: true })
    } catch (error) {
      if (attempt === 20) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

function debuggerOf(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The browser does not start')), START_TIMEOUT_MS)
    let output = ''
    child.stderr.on('data', (chunk) => {
      output += chunk
      const found = /DevTools listening on (ws:\S+)/.exec(output)
      if (!found) return
      clearTimeout(timer)
      output = ''
      resolve(found[1])
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`The browser ended with code ${code}: ${output.slice(-500)}`)))
  })
}

async function connect(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 2 ** 28 })
  const calls = new Map()
  let lastId = 0
  socket.on('message', (text) => {
    const { id, result, error } = JSON.parse(text)
    const settle = calls.get(id)
    calls.delete(id)
    settle?.(result, error)
  })
  socket.on('close', () => {
    for (const settle of calls.values()) settle(undefined, { message: 'the browser has gone' })
  })
  await once(socket, 'open')

  const call = (method, params, sessionId) =>
    new Promise((resolve, reject) => {
      const id = ++lastId
      const timer = setTimeout(() => calls.get(id)?.(undefined, { message: 'no answer' }), CALL_TIMEOUT_MS)
      calls.set(id, (result, error) => {
        calls.delete(id)
        clearTimeout(timer)
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(result)
      })
      socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }))
    })
  return { call }
}

/** A page in a window, and so in a renderer process, of its own. */
async function open({ call }, url) {
  const { targetId } = await call('Target.createTarget', { url, newWindow: true })
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true })
  const page = {
    call: (method, params) => call(method, params, sessionId),

    async evaluate(expression) {
      const { result, exceptionDetails } = await page.call('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      })
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
      return result.value
    },

    /** What `work` answers, and the CPU time of the page's main thread meanwhile, in microseconds. */
    async withCpuTime(work) {
      const before = await mainThreadSeconds()
      const result = await work()
      return { result, microseconds: ((await mainThreadSeconds()) - before) * 1e6 }
    },

    async heapBytes() {
      for (let pass = 0; pass < 3; pass++) await page.call('HeapProfiler.collectGarbage')
      return (await page.call('Runtime.getHeapUsage')).usedSize
    },

    close: () => call('Target.closeTarget', { targetId }),
  }
  const mainThreadSeconds = async () => {
    const { metrics } = await page.call('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration').value
  }

  await page.call('Performance.enable', { timeDomain: 'threadTicks' })
  const until = Date.now() + START_TIMEOUT_MS
  // Before the page is there, there is nothing to evaluate in.
  while (!(await page.evaluate('Boolean(globalThis.bench)').catch(() => false))) {
    if (Date.now() > until) throw new Error(`The page ${url} does not load`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const isFit = await page.evaluate('crossOriginIsolated && document.visibilityState === "visible"')
  if (!isFit) throw new Error(`The page ${url} is hidden, or not cross-origin isolated`)
  return page
}
