import { passTime } from '../support/pass-time.js'
import { createScriptedServer } from '../support/scripted-server.js'
import { expect, test } from '../support/test.js'

test('a connection that the page begins later is counted before the time has passed', async ({ page }) => {
  const server = await createScriptedServer(() => {})
  await page.clock.install()
  await page.evaluate((url) => void setTimeout(() => new WebSocket(`${url}/ghost`), 50_000), server.url)

  await passTime(page, `${server.url}/later`)

  expect(server.paths).toEqual(['/ghost', '/later'])
  await server.close()
})
