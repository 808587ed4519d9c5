import { numberIn, numbers } from '../support/numbers.js'
import { createScriptedServer, textOf } from '../support/scripted-server.js'
import { expect, test } from '../support/test.js'

const BAD: [what: string, frame: string | Buffer, complaint: string][] = [
  ['invalid JSON', '{"event":', 'invalid JSON'],
  ['an empty frame', '', 'invalid JSON'],
  ['JSON that is no object', '17', 'no {"event"'],
  ['null', 'null', 'no {"event"'],
  ['an array', '[]', 'no {"event"'],
  ['no event', '{"data":1}', 'no {"event"'],
  ['an event that is no string', '{"event":7,"data":1}', 'no {"event"'],
  ['a binary frame', Buffer.from('{"event":"message"}'), 'a binary frame where text was expected'],
]

test('each kind of bad frame is a typed error that is counted, and the connection goes on', async ({
  page,
  server,
}) => {
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  for (const [, frame] of BAD) {
    server.send(frame)
    server.send('{"event":"message","data":"good"}')
  }
  await page.evaluate((count) => harness.until(({ received }) => received.length === count), BAD.length)

  expect(await page.evaluate(() => harness.errors)).toEqual(
    BAD.map(([, , complaint]) => ({
      name: 'RemoteProtocolError',
      code: 'BAD_FRAME',
      message: expect.stringContaining(complaint),
    })),
  )
  expect(await page.evaluate(() => harness.client.getState())).toMatchObject({ status: 'connected', errorCount: 8 })
  expect(server.acceptedConnections).toBe(1)
})

test('names that every object has are events like any other', async ({ page, server }) => {
  await page.evaluate((url) => {
    harness.start(url)
    for (const event of ['constructor', '__proto__', 'toString']) {
      harness.client.on(event, (data) => harness.received.push([event, data]))
    }
  }, server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  for (const event of ['hasOwnProperty', 'constructor', '__proto__', 'toString', 'message']) {
    server.send(`{"event":"${event}","data":1}`)
  }
  await page.evaluate(() => harness.until(({ received }) => received.length === 4))

  expect(await page.evaluate(() => harness.received)).toEqual([
    ['constructor', 1],
    ['__proto__', 1],
    ['toString', 1],
    1,
  ])
  expect(await page.evaluate(() => harness.errors)).toEqual([])
})

test('eight bad frames in a row end the link with 4400, and the queue drains over the next', async ({ page }) => {
  const texts: string[] = []
  const server = await createScriptedServer((socket, connection) => {
    socket.on('message', (data) => {
      texts.push(textOf(data))
      if (connection > 1) socket.send(textOf(data))
    })
    if (connection === 1) for (let count = 0; count < 8; count++) socket.send('rubbish')
  })

  await page.evaluate((url) => {
    harness.start(url)
    harness.client.lifecycle.on('state', ({ status }) => {
      if (status === 'waiting') harness.sendNumbers(0, 20)
    })
  }, server.url)
  await page.evaluate(() => harness.until(({ received }) => received.length === 20))

  const states = await page.evaluate(() => harness.states)
  expect(states.find(({ status }) => status === 'waiting')).toMatchObject({ code: 'BAD_FRAME' })
  expect(texts.map(numberIn)).toEqual(numbers(20))
  expect(await page.evaluate(() => harness.errors.length)).toBe(8)
  await server.ended(1)
  expect(server.closeCodes).toEqual([4400])
  await server.close()
})

test('seven bad frames, a good one and seven more do not', async ({ page, server }) => {
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  for (let frame = 1; frame <= 16; frame++) server.send(frame % 8 === 0 ? '{"event":"message"}' : 'rubbish')
  await page.evaluate(() => harness.until(({ received }) => received.length === 2))

  expect(await page.evaluate(() => harness.errors.length)).toBe(14)
  expect(server.acceptedConnections).toBe(1)
})

test('a server that never speaks the dialect is dialled ever more slowly', async ({ page }) => {
  const server = await createScriptedServer((socket) => {
    for (let count = 0; count < 8; count++) socket.send('rubbish')
  })

  await page.evaluate((url) => harness.start(url, { retryDelayMs: { min: 2, max: 1e6 } }), server.url)
  await server.ended(6)

  const attempts = await page.evaluate(() => harness.states.filter(({ status }) => status === 'waiting').length)
  expect(attempts).toBeGreaterThanOrEqual(6)
  expect(server.closeCodes.slice(0, 6)).toEqual(Array(6).fill(4400))
  await page.evaluate(() => harness.client.close())
  await server.close()
})
