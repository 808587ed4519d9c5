import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '../support/test.js'

/** Timers are late on busy machines. */
const MARGIN_MS = 2_000

test('a refused connection is UNREACHABLE, and the waits have full jitter', async ({ page, link }) => {
  const [min, max, attempts] = [200, 800, 7]
  link.refuse()

  await page.evaluate(({ url, retryDelayMs }) => harness.start(url, { retryDelayMs }), {
    url: link.url,
    retryDelayMs: { min, max },
  })
  await page.evaluate((count) => harness.until(({ dials }) => dials.length > count), attempts)

  const { states, dials } = await page.evaluate(() => ({ states: harness.states, dials: harness.dials }))
  const waits = states.filter(({ status }) => status === 'waiting').slice(0, attempts)
  for (const [index, { code, at, retryInMs = NaN }] of waits.entries()) {
    expect(code).toBe('UNREACHABLE')
    expect(retryInMs).toBeGreaterThanOrEqual(-2) // Rounded, and a moment later.
    expect(retryInMs).toBeLessThanOrEqual(Math.min(max, min * 2 ** index) + 1)
    // It does as it says.
    expect(dials[index + 1]! - at).toBeGreaterThanOrEqual(retryInMs - 2)
    expect(dials[index + 1]! - at).toBeLessThan(retryInMs + MARGIN_MS)
  }
  expect(new Set(waits.map(({ retryInMs }) => retryInMs)).size).toBeGreaterThan(attempts / 2)
})

test('it connects by itself once the server can be reached', async ({ page, server, link }) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url), link.url)
  await page.evaluate(() => harness.until(({ states }) => states.filter(({ code }) => code).length >= 3))

  await link.heal()
  await page.evaluate(() => harness.untilStatus('connected'))

  expect(server.acceptedConnections).toBe(1)
})

test('a server that takes the connection and never answers is given up in time', async ({ page, link }) => {
  const connectTimeoutMs = 400
  link.blackhole()

  const startedAt = await page.evaluate(
    ({ url, timeout }) => {
      const before = Date.now()
      harness.start(url, { connectTimeoutMs: timeout })
      return before
    },
    { url: link.url, timeout: connectTimeoutMs },
  )
  await page.evaluate(() => harness.untilStatus('waiting'))

  const waiting = await page.evaluate(() => harness.states[1])
  expect(waiting).toMatchObject({ status: 'waiting', code: 'CONNECT_TIMEOUT' })
  expect(waiting!.at - startedAt).toBeGreaterThanOrEqual(connectTimeoutMs - 2)
  expect(waiting!.at - startedAt).toBeLessThan(connectTimeoutMs + MARGIN_MS)
  await link.heal()
  await page.evaluate(() => harness.untilStatus('connected'))
})

test('after two time-outs it is twice as patient', async ({ page, link }) => {
  const connectTimeoutMs = 200
  link.blackhole()

  await page.evaluate(({ url, timeout }) => harness.start(url, { connectTimeoutMs: timeout }), {
    url: link.url,
    timeout: connectTimeoutMs,
  })
  await page.evaluate(() => harness.until(({ states }) => states.filter(({ code }) => code).length === 3))

  const states = await page.evaluate(() => harness.states)
  const tookMs = states
    .map(({ status, at }, index) => (status === 'waiting' ? at - states[index - 1]!.at : 0))
    .filter(Boolean)
  expect(tookMs).toHaveLength(3)
  // The page notes the attempt a moment after it began.
  expect(tookMs[2]).toBeGreaterThan(1.5 * connectTimeoutMs)
})

test('a url provider that never answers runs into the same deadline, and is told to stop', async ({ page, server }) => {
  const { codes, aborted } = await page.evaluate(async (url) => {
    const signals: AbortSignal[] = []
    const seen: string[] = []
    const client = Holdfast.createClient({
      url({ signal }) {
        signals.push(signal)
        return signals.length === 1 ? new Promise<string>(() => {}) : url
      },
      connectTimeoutMs: 1_000,
      retryDelayMs: { min: 10, max: 20 },
    })
    client.lifecycle.on('state', (state) => void (state.status === 'waiting' && seen.push(state.error.code)))
    client.connect()
    await new Promise<void>((resolve) =>
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve()),
    )
    return { codes: seen, aborted: signals.map((signal) => signal.aborted) }
  }, server.url)

  expect(codes).toEqual(['CONNECT_TIMEOUT'])
  expect(aborted).toEqual([true, false])
})

test('maxAttempts ends in ATTEMPTS_EXHAUSTED', async ({ page, link }) => {
  link.refuse()

  await page.evaluate((url) => harness.start(url, { maxAttempts: 3 }), link.url)
  await page.evaluate(() => harness.untilStatus('closed'))

  expect(await page.evaluate(() => harness.states.at(-1)?.code)).toBe('ATTEMPTS_EXHAUSTED')
  expect(await page.evaluate(() => harness.dials.length)).toBe(3)
})

test('a server that the content security policy forbids ends the client, with the reason', async ({ page, server }) => {
  await page.evaluate(() => {
    const policy = document.createElement('meta')
    policy.httpEquiv = 'Content-Security-Policy'
    policy.content = "connect-src 'none'"
    document.head.append(policy)
  })

  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.until(({ states }) => states.length >= 2))

  const [connecting, next] = await page.evaluate(() => harness.states)
  expect(next).toMatchObject({ status: 'closed', code: 'BLOCKED_BY_BROWSER' })
  expect(next!.at - connecting!.at).toBeLessThan(MARGIN_MS)
  expect(server.acceptedConnections).toBe(0)
})

test('a policy that only reports lets the client connect', async ({ page, server }) => {
  // A page that Playwright answers for counts as public, and may reach no server on this machine.
  const policy = { 'content-type': 'text/html', 'content-security-policy-report-only': "connect-src 'none'" }
  const pages = createServer((_request, response) => response.writeHead(200, policy).end('<p></p>'))
  pages.listen(0, '127.0.0.1')
  await once(pages, 'listening')
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)
  await page.addScriptTag({ content: readFileSync('dist/holdfast.global.js', 'utf8') })

  const reported = await page.evaluate(async (url) => {
    const violated = new Promise<string>((resolve) =>
      addEventListener('securitypolicyviolation', ({ disposition }) => resolve(disposition)),
    )
    const client = Holdfast.createClient({ url })
    client.connect()
    await new Promise<void>((resolve) =>
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve()),
    )
    return violated
  }, server.url)

  expect(reported).toBe('report')
  pages.close()
})

test('ws: on an https: page ends the client, with the reason', async ({ page }) => {
  const script = readFileSync('dist/holdfast.global.js', 'utf8')
  await page.route('https://secure.test/', (route) => route.fulfill({ contentType: 'text/html', body: '<p></p>' }))
  await page.goto('https://secure.test/')
  await page.addScriptTag({ content: script })

  const end = await page.evaluate(async () => {
    const client = Holdfast.createClient({ url: 'ws://example.test/' })
    client.connect()
    await new Promise<void>((resolve) => client.lifecycle.on('state', ({ status }) => status === 'closed' && resolve()))
    const state = client.getState()
    return state.status === 'closed' && state.error?.code
  })

  expect(end).toBe('BLOCKED_BY_BROWSER')
})
