import { numbers } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

const test = base.extend({
  page: async ({ page, origin, link }, use) => {
    await page.goto(`${origin}/react.html?url=${encodeURIComponent(link.url)}`)
    await expect(page.locator('#first')).toHaveText('connected 0')
    await use(page)
  },
})

test('StrictMode mounts twice and connects once', async ({ page, server }) => {
  await expect(page.locator('#second')).toHaveText('connected 0')

  expect(server.acceptedConnections).toBe(1)
  await page.evaluate(() => reactLog.unmount())
  await expect(page.locator('#first')).toHaveCount(0)
  expect(server.liveConnections).toBe(1) // The client lives outside React.
})

test('the page shows each state as the connection goes and comes', async ({ page, link }) => {
  link.refuse()
  link.cut()
  await expect(page.locator('#first')).toHaveText(/^(waiting|connecting) 0$/)
  await page.evaluate(() => [1, 2, 3].forEach((number) => void reactLog.client.send('message', number)))
  await expect(page.locator('#pending')).toHaveText('3')
  await expect(page.locator('#second')).toHaveText(/^(waiting|connecting) 3$/)

  await link.heal()
  await expect(page.locator('#first')).toHaveText('connected 0')
  await expect(page.locator('#pending')).toHaveText('0')
})

test('two components never show different states', async ({ page, server, link }) => {
  for (let cut = 1; cut <= 10; cut++) {
    link.cut()
    await page.evaluate((number) => void reactLog.client.send('message', number), cut)
    await server.when(({ acceptedConnections }) => acceptedConnections === cut + 1)
    await expect(page.locator('#first')).toHaveText('connected 0')
  }

  expect(await page.evaluate(() => reactLog.torn)).toEqual([])
})

test('useEvent gets each of a burst of 200 events, in order', async ({ page, server }) => {
  numbers(200).forEach((number) => server.send(JSON.stringify({ event: 'message', data: number })))

  await expect(page.locator('#numbers')).toHaveText(numbers(200).join(' '))
})

test('useEvent calls the listener of the last render', async ({ page, server }) => {
  server.send('{"event":"message","data":1}')
  await expect(page.locator('#numbers')).toHaveText('1')

  await page.getByRole('button').click()
  server.send('{"event":"message","data":2}')

  await expect(page.locator('#numbers')).toHaveText('1 1002')
})

test('an unmounted component hears no more, while the client goes on', async ({ page, server }) => {
  await page.evaluate(() => {
    reactLog.unmount()
    reactLog.client.on('message', (number) => (document.title = `heard ${number}`))
  })

  server.send('{"event":"message","data":1}')

  await expect(page).toHaveTitle('heard 1')
  expect(await page.evaluate(() => reactLog.client.getState().errorCount)).toBe(0)
})
