import type { FaultProxy } from '../../test/support/fault-proxy.js'
import { numberIn, numbers } from '../support/numbers.js'
import { expect, test } from '../support/test.js'

const faults: Record<string, (link: FaultProxy) => void> = {
  'in slices of 1 byte': (link) => link.slice(1),
  'in slices of 7 bytes': (link) => link.slice(7),
  'in slices of 10 bytes': (link) => link.slice(10),
  'at 20 kB/s': (link) => link.throttle(20_000),
  'with 50 to 150 ms delay each way': (link) => link.delay(50, 100, 7),
  'at 20 kB/s, in slices, with delay': (link) => {
    link.throttle(20_000)
    link.slice(5)
    link.delay(20, 20, 7)
  },
}

for (const [how, disturb] of Object.entries(faults)) {
  test(`200 messages arrive and come back complete ${how}`, async ({ page, server, link }) => {
    server.isEchoing = true
    disturb(link)

    await page.evaluate((url) => harness.start(url), link.url)
    await page.evaluate(() => harness.sendNumbers(0, 200))
    await page.evaluate(() => harness.until(({ received }) => received.length === 200))

    expect(server.messages.map(({ text }) => numberIn(text))).toEqual(numbers(200))
    expect(await page.evaluate(() => harness.received)).toEqual(numbers(200))
    expect(server.acceptedConnections).toBe(1)
    expect(await page.evaluate(() => harness.client.getState())).toMatchObject({ pending: 0, errorCount: 0 })
  })
}

test('1 MB over a slow link does not count as silence while bytes move', async ({ page, server, link }) => {
  link.throttle(500_000)

  await page.evaluate(
    (url) => harness.start(url, { ping: 'ping', heartbeatMs: { interval: 500, timeout: 4_000 } }),
    link.url,
  )
  server.isEchoing = true
  await page.evaluate(() => {
    for (let number = 0; number < 20; number++) harness.send(number, 50_000)
  })
  await page.evaluate(() => harness.until(({ received }) => received.length === 20))

  expect(server.acceptedConnections).toBe(1)
})
