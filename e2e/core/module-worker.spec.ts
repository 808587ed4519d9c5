import { createEchoServer } from '../../src/server.js'
import { expect, test } from '../support/test.js'
import { talkToWorker } from '../support/worker-talk.js'

test('a module worker imports the file of one module, keeps, sends and receives', async ({ page }) => {
  const echo = createEchoServer()
  const { url } = await echo.listening

  const told = await page.evaluate(talkToWorker, { url, text: 'grüße 🌊' })

  expect(told).toEqual({ stored: true, receipt: { confirmedBy: 'browser' }, echo: 'grüße 🌊' })
  await echo.close()
})
