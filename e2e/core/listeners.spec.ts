import { expect, test } from '../support/test.js'

for (const kind of ['subscribe', 'error', 'state', 'message'] as const) {
  for (const how of ['throws', 'rejects'] as const) {
    test(`a ${kind} listener that always ${how} stops neither the page nor the client`, async ({ page, server }) => {
      server.isEchoing = true
      page.context().removeAllListeners('weberror') // It may be reported as uncaught.

      await page.evaluate(
        ({ url, listensTo, isAsync }) => {
          const fail = (): unknown => {
            const error = new Error('a bug of the application')
            if (isAsync) return Promise.reject(error)
            throw error
          }
          harness.start(url)
          const { client } = harness
          // An error that is reported anyway.
          client.lifecycle.once('delivered', () => {
            throw new Error('another bug')
          })
          if (listensTo === 'subscribe') client.subscribe(fail)
          else if (listensTo === 'message') client.on('message', fail)
          else client.lifecycle.on(listensTo, fail)
          harness.send(1)
        },
        { url: server.url, listensTo: kind, isAsync: how === 'rejects' },
      )

      await page.evaluate(() => harness.until(({ received }) => received.length === 1))
      expect(await page.evaluate(() => harness.client.getState().errorCount)).toBeLessThan(50)
    })
  }
}
