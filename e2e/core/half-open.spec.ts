import { createFaultProxy } from '../../test/support/fault-proxy.js'
import { expect, test } from '../support/test.js'

const heartbeatMs = { interval: 500, timeout: 800 }
const foundWithinMs = heartbeatMs.interval + heartbeatMs.timeout
/** Timers are late on busy machines. Chromium gives the closing handshake of a dead link far longer. */
const MARGIN_MS = 2_000

for (const direction of ['both', 'up', 'down'] as const) {
  test(`a link that went silent (${direction}) is found in time and replaced at once`, async ({
    page,
    server,
    link,
  }) => {
    server.isEchoing = true
    const detour = await createFaultProxy({ target: { host: '127.0.0.1', port: server.port } })
    await page.evaluate(({ urls, heartbeat }) => harness.start(urls, { ping: 'ping', heartbeatMs: heartbeat }), {
      urls: [link.url, detour.url],
      heartbeat: heartbeatMs,
    })
    await page.evaluate(() => harness.until(({ roundTrips }) => roundTrips.length > 0))

    const silentAt = Date.now()
    link.blackhole(direction)
    await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 2))

    const [lost, , again] = (await page.evaluate(() => harness.states)).slice(-3)
    console.log(
      `silent ${direction}: found after ${lost!.at - silentAt} ms, replaced after ${again!.at - lost!.at} ms more`,
    )
    expect(lost).toMatchObject({ status: 'waiting', code: 'HEARTBEAT_TIMEOUT', closeCode: 4000 })
    expect(lost!.at - silentAt).toBeLessThan(foundWithinMs + MARGIN_MS)
    // Chromium would tell of the old socket's end only after its closing handshake had timed out.
    expect(again).toMatchObject({ status: 'connected' })
    expect(again!.at - lost!.at).toBeLessThan(MARGIN_MS)
    expect(link.connections).toBe(1)
    await detour.close()
  })
}

test('a server that hangs is found, though its host acknowledges every byte', async ({ page, server }) => {
  server.isEchoing = true
  await page.evaluate(({ url, heartbeat }) => harness.start(url, { ping: 'ping', heartbeatMs: heartbeat }), {
    url: server.url,
    heartbeat: heartbeatMs,
  })
  await page.evaluate(() => harness.until(({ roundTrips }) => roundTrips.length > 0))

  const hungAt = Date.now()
  server.pause()
  await page.evaluate(() => harness.until(({ states }) => states.some(({ status }) => status === 'waiting')))

  const lost = await page.evaluate(() => harness.states.find(({ status }) => status === 'waiting'))
  expect(lost).toMatchObject({ code: 'HEARTBEAT_TIMEOUT' })
  expect(lost!.at - hungAt).toBeLessThan(foundWithinMs + MARGIN_MS)
})

test('any frame counts as life, and its absence as death', async ({ page, server, link }) => {
  // A busy machine may keep the ticks waiting.
  const patience = { interval: 1_000, timeout: 1_000 }
  await page.evaluate(
    ({ url, heartbeat }) => harness.start(url, { ping: 'ping', pong: 'pong', heartbeatMs: heartbeat }),
    { url: link.url, heartbeat: patience },
  )
  const ticking = setInterval(() => server.send('{"event":"message","data":"tick"}'), 50)

  const ticks = (2 * (patience.interval + patience.timeout)) / 50
  await page.evaluate((count) => harness.until(({ received }) => received.length >= count), ticks)
  clearInterval(ticking)
  const lastTickAt = Date.now()

  expect(await page.evaluate(() => harness.states.map(({ status }) => status))).toEqual(['connecting', 'connected'])
  expect(await page.evaluate(() => harness.roundTrips)).toEqual([])
  expect(server.messages.filter(({ text }) => text === 'ping').length).toBeGreaterThan(1)

  await page.evaluate(() => harness.until(({ states }) => states.some(({ status }) => status === 'waiting')))
  const lost = await page.evaluate(() => harness.states.find(({ status }) => status === 'waiting'))
  expect(lost).toMatchObject({ code: 'HEARTBEAT_TIMEOUT' })
  expect(lost!.at - lastTickAt).toBeLessThan(patience.interval + patience.timeout + MARGIN_MS)
})

test('a server that answers no ping keeps its silent link, and is reported once', async ({ page, server, link }) => {
  await page.clock.install()
  await page.evaluate(({ url, heartbeat }) => harness.start(url, { heartbeatMs: heartbeat }), {
    url: link.url,
    heartbeat: { interval: 20, timeout: 20 },
  })
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.clock.runFor(60_000)
  await page.evaluate(() => harness.send(1))
  await server.when(({ messages }) => messages.length > 1)

  expect(server.messages.map(({ text }) => text)).toEqual(['{"event":"ping"}', expect.stringContaining('1')])
  expect(await page.evaluate(() => harness.errors.map(({ code }) => code))).toEqual(['NO_PONG'])
  expect(await page.evaluate(() => harness.states.map(({ status }) => status))).toEqual(['connecting', 'connected'])
})

test('the round trip is measured', async ({ page, server, link }) => {
  server.isEchoing = true
  link.delay(80)
  await page.evaluate(
    (url) => harness.start(url, { ping: 'ping', heartbeatMs: { interval: 1_000, timeout: 900 } }),
    link.url,
  )

  await page.evaluate(() => harness.until(({ roundTrips }) => roundTrips.length >= 2))

  const { roundTrips, shown } = await page.evaluate(() => ({
    roundTrips: harness.roundTrips,
    shown: harness.client.getState().rttMs,
  }))
  expect(Math.min(...roundTrips)).toBeGreaterThanOrEqual(159)
  expect(Math.min(...roundTrips)).toBeLessThan(160 + MARGIN_MS)
  expect(roundTrips).toContain(shown)
  expect(await page.evaluate(() => harness.received)).toEqual([])
})
