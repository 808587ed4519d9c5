import { createEchoServer } from '../../src/server.js'
import { expect, test } from '../support/test.js'

test('a module worker imports the file of one module, keeps, sends and receives', async ({ page }) => {
  const echo = createEchoServer()
  const { url } = await echo.listening

  const told = await page.evaluate(
    (options) =>
      new Promise<object>((resolve, reject) => {
        const worker = new Worker(`/module-worker.mjs?${new URLSearchParams(options)}`, { type: 'module' })
        const all = {}
        worker.addEventListener('error', ({ message }) => reject(new Error(`The worker fails: ${message}`)))
        worker.addEventListener('message', ({ data }: MessageEvent<object>) => {
          if (Object.keys(Object.assign(all, data)).length === 3) resolve(all)
        })
      }),
    { url, text: 'grüße 🌊' },
  )

  expect(told).toEqual({ stored: true, receipt: { confirmedBy: 'browser' }, echo: 'grüße 🌊' })
  await echo.close()
})
