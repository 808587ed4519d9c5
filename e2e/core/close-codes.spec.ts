import type { Page } from '@playwright/test'
import type { WebSocket } from 'ws'
import { passTime } from '../support/pass-time.js'
import { createScriptedServer, textOf } from '../support/scripted-server.js'
import { expect, test } from '../support/test.js'

/** What the state says of why it is so. */
const reasonOf = (page: Page): Promise<unknown> =>
  page.evaluate(() => {
    const state = harness.client.getState()
    const error = 'error' in state ? state.error : null
    const lost = error?.cause instanceof Holdfast.ConnectionLostError ? error.cause : error
    return {
      status: state.status,
      name: error?.name,
      code: error?.code,
      ...(lost instanceof Holdfast.ConnectionLostError && { closeCode: lost.closeCode, closeReason: lost.closeReason }),
    }
  })

const closeWith =
  (code: number, reason: string, times = Infinity) =>
  (socket: WebSocket, connection: number) => {
    if (connection <= times) socket.close(code, reason)
  }

test('4403 stops the client, and the application learns code and reason', async ({ page }) => {
  const server = await createScriptedServer(closeWith(4403, 'not for yöu'))
  await page.clock.install()

  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('closed'))

  expect(await reasonOf(page)).toEqual({
    status: 'closed',
    name: 'RefusedError',
    code: 'REFUSED_BY_SERVER',
    closeCode: 4403,
    closeReason: 'not for yöu',
  })
  await passTime(page, `${server.url}/later`)
  expect(await page.evaluate(() => harness.dials.length)).toBe(1)
  expect(server.paths).toEqual(['/', '/later'])
  await server.close()
})

test('after a refusal connect() tries anew, and what was queued meanwhile goes out', async ({ page }) => {
  const server = await createScriptedServer((socket, connection) => {
    if (connection === 1) socket.close(4403)
    else socket.on('message', (data) => socket.send(textOf(data)))
  })
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('closed'))

  await page.evaluate(() => {
    harness.send(7)
    harness.client.connect()
  })

  await page.evaluate(() => harness.until(({ received }) => received.length === 1))
  expect(await page.evaluate(() => harness.received)).toEqual([7])
  await server.close()
})

for (const { code, reason } of [
  { code: 1011, reason: 'broken' },
  { code: 1012, reason: 'restart' },
  { code: 1001, reason: '' },
  { code: 4999, reason: 'of our own' },
]) {
  test(`${code} is retried, and code and reason are told while it waits`, async ({ page }) => {
    const server = await createScriptedServer(closeWith(code, reason, 2))

    await page.evaluate((url) => harness.start(url), server.url)
    await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 3))

    const waits = await page.evaluate(() => harness.states.filter(({ status }) => status === 'waiting'))
    const told = { code: 'CONNECTION_CLOSED', closeCode: code, closeReason: reason }
    expect(waits).toMatchObject([told, told])
    await server.close()
  })
}

test('4401 is retried once with a url that was asked for anew, then ends in UNAUTHORIZED', async ({ page }) => {
  const server = await createScriptedServer(closeWith(4401, 'token expired'))
  await page.clock.install()

  await page.evaluate(
    (urls) => harness.start(urls),
    ['one', 'two', 'three'].map((ticket) => `${server.url}/?ticket=${ticket}`),
  )
  await page.evaluate(() => harness.untilStatus('closed'))

  expect(await reasonOf(page)).toMatchObject({ name: 'RefusedError', code: 'UNAUTHORIZED', closeCode: 4401 })
  await passTime(page, `${server.url}/later`)
  expect(server.paths).toEqual(['/?ticket=one', '/?ticket=two', '/later'])
  await server.close()
})

test('after 4401 a fresh ticket is enough', async ({ page }) => {
  const server = await createScriptedServer(closeWith(4401, 'token expired', 1))

  await page.evaluate((urls) => harness.start(urls), [`${server.url}/stale`, `${server.url}/fresh`])
  await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 2))

  expect(server.paths).toEqual(['/stale', '/fresh'])
  expect(await page.evaluate(() => harness.client.getState().status)).toBe('connected')
  await server.close()
})

test('the url provider is asked at every attempt, with its number', async ({ page }) => {
  const server = await createScriptedServer(closeWith(1013, '', 3))

  await page.evaluate((url) => {
    const client = (harness.client = Holdfast.createClient({
      url: async ({ attempt, signal }) => `${url}/attempt-${attempt}-${signal.aborted}`,
      retryDelayMs: { min: 10, max: 20 },
    }))
    client.connect()
  }, server.url)
  await server.ended(3)
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        harness.client.subscribe(() => harness.client.getState().status === 'connected' && resolve())
        if (harness.client.getState().status === 'connected') resolve()
      }),
  )

  expect(server.paths).toEqual([1, 2, 3, 4].map((attempt) => `/attempt-${attempt}-false`))
  await server.close()
})

test('a url provider that fails is asked again, and its error is told', async ({ page, server }) => {
  const codes = await page.evaluate(async (url) => {
    let calls = 0
    const seen: unknown[] = []
    const client = Holdfast.createClient({
      url() {
        calls++
        if (calls === 1) throw new Error('no ticket')
        if (calls === 2) return Promise.reject(undefined)
        return url
      },
      retryDelayMs: { min: 10, max: 20 },
    })
    client.lifecycle.on('state', (state) => {
      if (state.status === 'waiting') seen.push(state.error.code, String(state.error.cause))
    })
    client.connect()
    await new Promise<void>((resolve) =>
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve()),
    )
    return seen
  }, server.url)

  expect(codes).toEqual(['URL_FAILED', 'Error: no ticket', 'URL_FAILED', 'undefined'])
})
