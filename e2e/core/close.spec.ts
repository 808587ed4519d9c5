import { numberIn, numbers } from '../support/numbers.js'
import { passTime } from '../support/pass-time.js'
import { createScriptedServer } from '../support/scripted-server.js'
import { expect, test } from '../support/test.js'

test('close() during a wait leaves nothing that dials', async ({ page, link }) => {
  link.refuse()
  await page.clock.install()
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 100, max: 100 } }), link.url)
  await page.evaluate(() => harness.until(({ states }) => states.filter(({ code }) => code).length >= 2))

  const dials = await page.evaluate(async () => {
    await harness.client.close()
    return harness.dials.length
  })
  await link.heal()
  const { acceptedConnections } = link.stats
  // Each event that wakes a waiting client.
  await page.evaluate(() => {
    dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('resume'))
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await passTime(page, link.url)

  expect(await page.evaluate(() => harness.dials.length)).toBe(dials)
  expect(link.stats.acceptedConnections).toBe(acceptedConnections + 1)
  expect(await page.evaluate(() => harness.states.at(-1))).toMatchObject({ status: 'closed', code: undefined })
})

test('close() while the url provider thinks leaves nothing that dials', async ({ page, server }) => {
  await page.clock.install()
  const isAborted = await page.evaluate(async (url) => {
    let answer: (target: string) => void = () => {}
    let isStopped = false
    let ask = (): void => {}
    const asked = new Promise<void>((resolve) => (ask = resolve))
    const client = Holdfast.createClient({
      url: ({ signal }) => {
        ask()
        signal.addEventListener('abort', () => (isStopped = true))
        return new Promise<string>((resolve) => (answer = resolve))
      },
    })
    client.connect()
    await asked
    await client.close()
    answer(url)
    return isStopped
  }, server.url)
  await passTime(page, server.url)

  expect(isAborted).toBe(true)
  expect(server.acceptedConnections).toBe(1)
})

test('close() of a connection says 1000 to the server, and send() then waits for connect()', async ({ page }) => {
  const server = await createScriptedServer(() => {})
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.evaluate(() => harness.client.close())
  await server.ended(1)
  const receipt = await page.evaluate(() => {
    const { delivered } = harness.send(1)
    harness.client.connect()
    return delivered
  })

  expect(receipt).toEqual({ confirmedBy: 'browser' })
  expect(server.closeCodes).toEqual([1000])
  await server.close()
})

test('close() while connecting reaches no server, or leaves it', async ({ page, server }) => {
  await page.evaluate(async (url) => {
    for (let round = 0; round < 20; round++) {
      harness.start(url)
      await harness.client.close()
    }
  }, server.url)
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await server.when(({ liveConnections }) => liveConnections === 1)
  expect(await page.evaluate(() => harness.client.getState().status)).toBe('connected')
})

test('close({ drainMs }) delivers what is pending first', async ({ page, server, link }) => {
  link.throttle(20_000)
  await page.evaluate((url) => harness.start(url), link.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  const pending = await page.evaluate(async () => {
    harness.sendNumbers(0, 200)
    await harness.client.close({ drainMs: 10_000 })
    return harness.client.getState().pending
  })
  await server.when(({ liveConnections }) => liveConnections === 0)

  expect(pending).toBe(0)
  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(200))
})

test('close() leaves what is pending in the store, for the next client of this page', async ({
  page,
  server,
  link,
}) => {
  link.refuse()
  await page.evaluate((url) => harness.start(url, { store: 'left' }), link.url)
  const code = await page.evaluate(async () => {
    harness.sendNumbers(0, 20)
    const last = harness.send(20)
    await last.stored
    const failure = last.delivered.catch((error: unknown) =>
      error instanceof Holdfast.HoldfastError ? error.code : String(error),
    )
    await harness.client.close()
    return failure
  })
  expect(code).toBe('CLIENT_CLOSED')

  await link.heal()
  await page.evaluate((url) => harness.start(url, { store: 'left' }), link.url)
  await server.when(({ messages }) => messages.length === 21)

  expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(21))
})

test('reconnect() cuts the wait', async ({ page, link }) => {
  link.refuse()
  // A wait shorter than a second would be drawn once in two thousand times.
  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 2e6, max: 2e6 } }), link.url)
  await page.evaluate(() => harness.untilStatus('waiting'))
  await link.heal()

  await page.evaluate(() => {
    harness.client.reconnect()
    return harness.untilStatus('connected')
  })

  expect(await page.evaluate(() => harness.dials.length)).toBe(2)
})

test('reconnect() replaces a live connection by one, however often it is called', async ({ page, server }) => {
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.evaluate(() => {
    for (let call = 0; call < 5; call++) harness.client.reconnect()
    return harness.untilStatus('connected')
  })
  await page.evaluate(() => harness.send(1).delivered)
  await server.when(({ messages, liveConnections }) => messages.length === 1 && liveConnections === 1)

  expect(server.messages).toHaveLength(1)
})
