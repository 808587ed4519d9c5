import { startEchoProcess } from '../support/echo-process.js'
import { numberIn, numbers } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

test('after a server crash the client comes back by itself, and its queue drains in order', async ({
  page,
  server,
}) => {
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.sendNumbers(0, 50))
  await server.when(({ messages }) => messages.length === 50)
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))

  await server.stop()
  await page.evaluate(() => harness.untilStatus('waiting'))
  await page.evaluate(() => harness.sendNumbers(50, 250))
  // Refused at least once more while there is no server.
  await page.evaluate(() => harness.until(({ states }) => states.some(({ code }) => code === 'UNREACHABLE')))
  expect(await page.evaluate(() => harness.client.getState().pending)).toBe(200)
  await server.start()
  await server.when(({ messages }) => messages.length === 250)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(250))
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
})

test('the client outlives three kills of the echo server process', async ({ page }) => {
  let process = await startEchoProcess()
  const { port } = process
  await page.evaluate((url) => harness.start(url), `ws://127.0.0.1:${port}`)

  for (let life = 0; life < 3; life++) {
    await page.evaluate(() => harness.untilStatus('connected'))
    await process.kill()
    await page.evaluate(() => harness.untilStatus('waiting'))
    await page.evaluate((from) => harness.sendNumbers(from, from + 20), life * 20)
    process = await startEchoProcess(port)
    await page.evaluate((count) => harness.until(({ received }) => received.length === count), (life + 1) * 20)
  }

  expect(await page.evaluate(() => harness.received)).toEqual(numbers(60))
  await process.kill()
})

test('while the server is gone the state says since when, why and until when', async ({ page, server }) => {
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 10_000, max: 10_000 } }), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  const stoppedAt = Date.now()
  await server.stop()
  await page.evaluate(() => harness.untilStatus('waiting'))

  const state = await page.evaluate(() => {
    const snapshot = harness.client.getState()
    if (snapshot.status !== 'waiting') throw new Error(snapshot.status)
    const { attempt, retryAt, error } = snapshot
    return { attempt, retryAt, code: error.code, name: error.name, isStable: harness.client.getState() === snapshot }
  })
  expect(state).toMatchObject({ attempt: 2, code: 'CONNECTION_CLOSED', name: 'ConnectionLostError', isStable: true })
  expect(state.retryAt).toBeGreaterThanOrEqual(stoppedAt)
  expect(state.retryAt).toBeLessThan(Date.now() + 10_000)
})
