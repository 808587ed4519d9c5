import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { StartOptions } from '../fixtures/harness.js'
import { expect, test as base } from '../support/test.js'

/** A server on `ws` that knows nothing of Holdfast, in a process of its own. */
interface PlainServer {
  readonly port: number
  readonly url: string
  signal(signal: NodeJS.Signals): void
  /** Ends it without a word to anybody. */
  kill(): Promise<void>
}

interface Running {
  /** Runs the server. It says `Ping: …` so often, and does not answer `ignored`. */
  serve: (options?: { port?: number; pingMs?: number; ignored?: string }) => Promise<PlainServer>
}

const file = join(import.meta.dirname, '../fixtures/plain-ws-server.mjs')

const test = base.extend<Running>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  serve: async ({}, use) => {
    const children: ChildProcess[] = []
    const kill = async (child: ChildProcess): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    await use(async ({ port: wanted = 0, pingMs = 40, ignored } = {}) => {
      const child = spawn(
        process.execPath,
        [file, String(wanted), String(pingMs), ...(ignored === undefined ? [] : [ignored])],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      children.push(child)
      const [line]: unknown[] = await once(child.stdout, 'data')
      const port = Number(/\d+/.exec(String(line))?.[0])
      return {
        port,
        url: `ws://127.0.0.1:${port}`,
        signal: (signal) => void child.kill(signal),
        kill: () => kill(child),
      }
    })
    for (const child of children) await kill(child)
  },
})

/** What came from the server as an answer, and how often it pinged. */
const heard = (received: readonly unknown[]): { echoes: unknown[]; pings: number } => {
  const isPing = (line: unknown): boolean => /^Ping: \d+$/.test(String(line))
  return { echoes: received.filter((line) => !isPing(line)), pings: received.filter(isPing).length }
}

/** The modules and the script tag's smaller file; `echo.spec.ts` tries the larger one too. */
for (const path of ['/esm.html', '/script-tag-min.html']) {
  test(`${path}: exchanges text with a server from a tutorial`, async ({ page, origin, serve }) => {
    const { url } = await serve()
    await page.goto(origin + path)

    await page.evaluate(async (target) => {
      harness.start(target, { codec: Holdfast.text() })
      for (const line of ['hello', 'grüße 🌊', '{"not": "an envelope"}', '']) harness.client.send('message', line)
      await harness.until(({ received }) => received.includes('Echo: '))
      await harness.until(({ received }) => received.filter((line) => String(line).startsWith('Ping: ')).length >= 3)
    }, url)

    const { echoes, pings } = heard(await page.evaluate(() => harness.received))
    expect(echoes).toEqual(['Echo: hello', 'Echo: grüße 🌊', 'Echo: {"not": "an envelope"}', 'Echo: '])
    expect(pings).toBeGreaterThanOrEqual(3)
    expect(await page.evaluate(() => harness.errors)).toEqual([])
  })

  test(`${path}: what was sent while that server was gone arrives, in order`, async ({ page, origin, serve }) => {
    const first = await serve()
    await page.goto(origin + path)
    await page.evaluate(async (target) => {
      harness.start(target, { codec: Holdfast.text() })
      harness.client.send('message', 'before')
      await harness.until(({ received }) => received.includes('Echo: before'))
    }, first.url)

    await first.kill()
    await page.evaluate(async () => {
      await harness.untilStatus('waiting')
      for (let number = 0; number < 50; number++) harness.client.send('message', `meanwhile ${number}`)
      // Refused at least once while there is no server.
      await harness.until(({ states }) => states.some(({ code }) => code === 'UNREACHABLE'))
    })
    await serve({ port: first.port })
    await page.evaluate(async () => {
      await harness.until(({ received }) => received.includes('Echo: meanwhile 49'))
      harness.client.send('message', 'after')
      await harness.until(({ received }) => received.includes('Echo: after'))
    })

    const { echoes } = heard(await page.evaluate(() => harness.received))
    const meanwhile = Array.from({ length: 50 }, (_, number) => `Echo: meanwhile ${number}`)
    expect(echoes).toEqual(['Echo: before', ...meanwhile, 'Echo: after'])
    expect(await page.evaluate(() => harness.client.getState().pending)).toBe(0)
  })
}

/** Timers are late on busy machines. */
const MARGIN_MS = 2_000
const HEARTBEAT = { interval: 300, timeout: 300 }

/** A client that asks for life, on a page whose frames are counted. */
const listening = (ping: string, pong?: string): Omit<StartOptions, 'codec'> => ({
  ping,
  ...(pong !== undefined && { pong }),
  heartbeatMs: HEARTBEAT,
})

test('a server that pings by itself and never answers ours is alive', async ({ page, serve }) => {
  const { url } = await serve({ pingMs: 50, ignored: 'are you there' })
  const sent: unknown[] = []
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(payload)))

  await page.evaluate(
    async ([target, options]) => {
      harness.start(target, { codec: Holdfast.text(), ...options })
      // Three times as long as it takes to give up a dead link.
      await harness.until(({ received }) => received.length >= 40)
    },
    [url, listening('are you there')] as const,
  )

  expect(sent.length).toBeGreaterThanOrEqual(3)
  expect(sent).toEqual(sent.map(() => 'are you there'))
  expect(await page.evaluate(() => harness.states.map(({ status }) => status))).toEqual(['connecting', 'connected'])
  expect(heard(await page.evaluate(() => harness.received)).echoes).toEqual([])
})

test('the silence of such a server is found, and its return too', async ({ page, serve }) => {
  const server = await serve({ pingMs: 50, ignored: 'are you there' })
  await page.evaluate(
    async ([target, options]) => {
      harness.start(target, { codec: Holdfast.text(), ...options })
      await harness.until(({ received }) => received.length >= 5)
    },
    [server.url, listening('are you there')] as const,
  )

  // It hangs: the system keeps its connections open, and nothing comes any more.
  server.signal('SIGSTOP')
  const stoppedAt = Date.now()
  await page.evaluate(() => harness.until(({ states }) => states.some(({ status }) => status === 'waiting')))
  await page.evaluate(() => harness.client.send('message', 'meanwhile'))
  server.signal('SIGCONT')
  await page.evaluate(() => harness.until(({ received }) => received.includes('Echo: meanwhile')))

  const [lost] = await page.evaluate(() => harness.states.filter(({ status }) => status === 'waiting'))
  expect(lost).toMatchObject({ code: 'HEARTBEAT_TIMEOUT' })
  expect(lost!.at - stoppedAt).toBeLessThan(HEARTBEAT.interval + HEARTBEAT.timeout + MARGIN_MS)
})

test('its answer to our ping can be told from its messages, and gives the round trip', async ({ page, serve }) => {
  const { url } = await serve()

  await page.evaluate(
    async ([target, options]) => {
      harness.start(target, { codec: Holdfast.text(), ...options })
      await harness.until(({ roundTrips }) => roundTrips.length >= 2)
    },
    [url, listening('are you there', 'Echo: are you there')] as const,
  )

  const { received, roundTrips } = await page.evaluate(() => ({
    received: harness.received,
    roundTrips: harness.roundTrips,
  }))
  expect(heard(received).echoes).toEqual([])
  expect(Math.min(...roundTrips)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...roundTrips)).toBeLessThan(HEARTBEAT.timeout)
})
