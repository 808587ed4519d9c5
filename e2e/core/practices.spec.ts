import type { Page } from '@playwright/test'
import { HoldfastError } from '../../src/shared/errors.js'
import { createServer, memoryStreams, type Server, type Session } from '../../src/server.js'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import type { Seen } from '../fixtures/practices.js'
import { numbers, unique } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

/** Timers are late on busy machines. */
const MARGIN_MS = 2_000

interface Tools {
  /** Waits until the server listens, and closes it after the test. */
  started: (server: Server) => Promise<{ port: number; url: string }>
  /** A way to the server that breaks on demand. */
  wayTo: (port: number) => Promise<FaultProxy>
}

const test = base.extend<Tools>({
  page: async ({ page, origin }, use) => {
    await page.goto(`${origin}/practices.html`)
    await use(page)
  },
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  started: async ({}, use) => {
    const servers: Server[] = []
    await use((server) => {
      servers.push(server)
      return server.listening
    })
    for (const server of servers) await server.close()
  },
  // oxlint-disable-next-line no-empty-pattern -- as above
  wayTo: async ({}, use) => {
    const ways: FaultProxy[] = []
    await use(async (port) => {
      const way = await createFaultProxy({ target: { host: '127.0.0.1', port } })
      ways.push(way)
      return way
    })
    for (const way of ways) await way.close()
  },
})

const statesOf = (page: Page): Promise<Seen[]> => page.evaluate(() => practices.states)

/** Resolves when the page has seen a state like this. */
async function seen(page: Page, wanted: Partial<Seen>): Promise<Seen> {
  await expect.poll(() => statesOf(page)).toContainEqual(expect.objectContaining(wanted))
  const found = (await statesOf(page)).find((state) =>
    Object.entries(wanted).every(([key, value]) => state[key as keyof Seen] === value),
  )
  return found!
}

test('heartbeat: both sides find a dead link within interval and timeout', async ({ page, started, wayTo }) => {
  const port = 0
  const server = createServer({
    port,
    heartbeatMs: { interval: 500, timeout: 700 },
  })
  const way = await wayTo((await started(server)).port)
  let goneAt = 0
  server.on('session', ({ lifecycle }) => lifecycle.on('disconnected', () => (goneAt = Date.now())))
  await page.evaluate((url) => practices.heartbeat(url), way.url)
  await expect(page.locator('#status')).toHaveText(/^connected, \d+ ms$/)

  const silentAt = Date.now()
  way.blackhole()
  const lost = await seen(page, { status: 'waiting', code: 'HEARTBEAT_TIMEOUT' })
  await expect.poll(() => goneAt).toBeGreaterThan(0)
  await way.heal()
  await seen(page, { status: 'connected', recovered: true })

  for (const foundAt of [lost.at, goneAt]) expect(foundAt - silentAt).toBeLessThan(500 + 700 + MARGIN_MS)
  expect(lost.closeCode).toBe(4000)
})

test('reconnection: waits with full jitter and a bound, shows the state, and takes the session up', async ({
  page,
  started,
}) => {
  const streams = memoryStreams()
  const server = createServer({ port: 0, streams })
  const { port, url } = await started(server)
  await page.evaluate((target) => practices.reconnection(target), url)
  await expect(page.locator('#status')).toHaveText('connected')

  await server.close()
  await expect(page.locator('#status')).toHaveText(/^offline, attempt \d+ at .*\d/)
  await expect
    .poll(async () => (await statesOf(page)).filter(({ status }) => status === 'waiting').length)
    .toBeGreaterThanOrEqual(8)
  const roomsOf = async (user: string): Promise<string[]> => [`room of "${user}"`]
  const next = createServer({ port, streams })
  next.on('session', async (session) => {
    for (const room of await roomsOf(session.user)) session.join(room)
  })
  const sessions: Session[] = []
  next.on('session', (session) => void sessions.push(session))
  await started(next)
  await expect(page.locator('#status')).toHaveText('connected')
  await expect.poll(() => [...(sessions[0]?.rooms ?? [])]).toEqual(['room of ""'])

  const states = await statesOf(page)
  const waits = states.filter(({ status }) => status === 'waiting').slice(0, 8)
  expect(waits.map(({ attempt }) => attempt)).toEqual(numbers(8, 2))
  // Drawn anew each time, below a bound that doubles from 100 to 400 ms.
  waits.forEach(({ retryInMs }, failures) => expect(retryInMs).toBeLessThanOrEqual(Math.min(400, 100 * 2 ** failures)))
  expect(unique(waits.map(({ retryInMs }) => retryInMs)).length).toBeGreaterThan(4)
  expect(states.at(-1)).toMatchObject({ status: 'connected', recovered: true })
})

test('queueing: what was sent in an outage outlives a reload, and is handled once and in order', async ({
  page,
  started,
}) => {
  const streams = memoryStreams()
  const notes: unknown[] = []
  function serve(port: number): Server {
    const server = createServer({ port, streams })
    server.on('session', (session) => {
      session.on('note', (text) => void notes.push(text))
    })
    return server
  }
  const first = serve(0)
  const { port, url } = await started(first)
  const save = (texts: string[]): Promise<void> =>
    page.evaluate(async (all) => void (await Promise.all(all.map((text) => practices.save(text)))), texts)
  await page.evaluate((target) => practices.queueing(target, 'ann'), url)
  await save(['before'])
  await expect(page.locator('#status')).toHaveText('saved')

  await first.close()
  await seen(page, { status: 'waiting' })
  await save(['one', 'two', 'three'])
  await page.reload()
  await page.evaluate((target) => practices.queueing(target, 'ann'), url)
  await save(['four', 'five'])
  await expect.poll(() => page.evaluate(() => practices.client.getState().pending)).toBe(5)
  await started(serve(port))
  await expect.poll(() => page.evaluate(() => practices.client.getState().pending)).toBe(0)

  expect(notes).toEqual(['before', 'one', 'two', 'three', 'four', 'five'])
})

test('authentication: the ticket goes in the hello, is asked anew after 4401, and 4403 is final', async ({
  page,
  started,
}) => {
  const port = 0
  const server = createServer({
    port,
    authenticate: ({ auth }) => {
      if (auth === 'ticket of bob') throw new HoldfastError('FORBIDDEN', 'bob may not come in')
      return auth === 'fresh ticket of ann' ? { user: 'ann' } : null
    },
  })
  const { url } = await started(server)
  const urls: string[] = []
  page.on('websocket', (socket) => urls.push(socket.url()))

  await page.evaluate((target) => {
    const tickets = ['outdated ticket of ann', 'fresh ticket of ann']
    practices.authentication(target, () => tickets.shift() ?? 'none')
  }, url)
  await seen(page, { status: 'connected' })
  const ann = await statesOf(page)
  await page.evaluate((target) => {
    void practices.client.close()
    practices.states.length = 0
    practices.authentication(target, () => 'ticket of bob')
  }, url)
  const bob = await seen(page, { status: 'closed', code: 'REFUSED_BY_SERVER' })

  expect(ann.filter(({ status }) => status === 'waiting')).toMatchObject([{ closeCode: 4401 }])
  expect(bob).toMatchObject({ status: 'closed', code: 'REFUSED_BY_SERVER' })
  await expect(page.locator('#status')).toContainText('4403')
  expect(urls).toEqual([`${url}/`, `${url}/`, `${url}/`])
})

test('rate limiting: a flood of messages is handled later, and one of other frames is stopped, with none lost', async ({
  page,
  started,
}) => {
  const port = 0
  const server = createServer({
    port,
    limits: { messagesPerSecond: 100, messagesBurst: 50, framesPerSecond: 100, framesBurst: 200 },
  })
  const { url } = await started(server)
  const handled: { number: unknown; at: number }[] = []
  const errors: string[] = []
  server.on('error', ({ code }) => errors.push(code))
  server.on('session', (session) => {
    session.on('number', (number) => void handled.push({ number, at: Date.now() }))
    session.on('cursor', () => {})
  })
  await page.evaluate((target) => practices.rateLimiting(target), url)
  await seen(page, { status: 'connected' })

  // 250 at once: 50 as a burst, the others at 100 per second, on a connection that stays.
  await page.evaluate(() => {
    for (let number = 0; number < 250; number++) practices.client.send('number', number)
  })
  await expect.poll(() => handled.length, { timeout: 15_000 }).toBe(250)
  await expect(page.locator('#status')).toHaveText('0 on their way')
  const statesInFlood = await statesOf(page)
  // Volatile messages have no window that would slow them down.
  await page.evaluate(() => {
    for (let number = 250; number < 260; number++) practices.client.send('number', number)
    for (let at = 0; at < 1_000; at++) practices.client.send('cursor', at, { volatile: true }).delivered.catch(() => {})
  })
  const refused = await seen(page, { status: 'waiting' })
  await expect.poll(() => handled.length, { timeout: 15_000 }).toBe(260)

  expect(handled.map(({ number }) => number)).toEqual(numbers(260))
  expect(handled[249]!.at - handled[0]!.at).toBeGreaterThan(1_900)
  expect(statesInFlood.map(({ status }) => status)).toEqual(['connecting', 'handshaking', 'connected'])
  expect(refused).toMatchObject({ code: 'CONNECTION_CLOSED', closeCode: 4429 })
  expect(errors).toEqual(['RATE_LIMITED'])
  await seen(page, { status: 'connected', recovered: true })
})

test('compression: long messages travel small in both directions, and short ones as they are', async ({
  page,
  started,
  wayTo,
}) => {
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, name: `name ${id}`, active: true }))
  const length = JSON.stringify(rows).length

  /** What crosses the wire for a message up, its echo down, and 1,000 short bytes down. */
  async function measure(compression: boolean): Promise<{ up: number; down: number; short: number }> {
    const port = 0
    const server = createServer({ port, compression })
    server.on('session', (session) => {
      session.on('rows', (all) => session.send('rows', all))
      session.handle('short', () => '='.repeat(900))
    })
    const way = await wayTo((await started(server)).port)
    await page.reload()
    await page.evaluate((url) => practices.rateLimiting(url), way.url)
    await seen(page, { status: 'connected' })
    const before = way.stats
    await page.evaluate(async (data) => {
      const { client } = practices
      const echo = new Promise((resolve) => client.once('rows', resolve))
      await client.send('rows', data).delivered
      const echoed = await echo
      if (JSON.stringify(echoed) !== JSON.stringify(data)) throw new Error('The echo is not what was sent')
    }, rows)
    const between = way.stats
    await page.evaluate(() => practices.client.request('short'))
    const after = way.stats
    return {
      up: between.up.forwardedBytes - before.up.forwardedBytes,
      down: between.down.forwardedBytes - before.down.forwardedBytes,
      short: after.down.forwardedBytes - between.down.forwardedBytes,
    }
  }

  const small = await measure(true)
  const full = await measure(false)
  console.log(
    `${length} bytes of JSON: up ${small.up} and down ${small.down}, uncompressed ${full.up} and ${full.down}`,
  )

  expect(small.up).toBeLessThan(length / 5)
  expect(small.down).toBeLessThan(length / 5)
  expect(full.up).toBeGreaterThan(length)
  expect(full.down).toBeGreaterThan(length)
  expect(small.short).toBeGreaterThan(900)
})
