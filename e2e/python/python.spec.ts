import type { Program, startProgram } from './program.js'
import { pythonFixtures, type PythonFixtures } from './fixtures.js'
import { startEchoProcess } from '../support/echo-process.js'
import { numbers } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

const test = base.extend<PythonFixtures>(pythonFixtures)

/** Python's echo server, and its port once it listens. */
async function serve(run: typeof startProgram, wanted = 0): Promise<{ server: Program; port: number; url: string }> {
  const server = await run('echo_server.py', wanted)
  const port = Number((await server.line((line) => 'port' in line))['port'])
  return { server, port, url: `ws://127.0.0.1:${port}` }
}

test("Python's websockets gets its echo from our server", async ({ run }) => {
  const echo = await startEchoProcess(0, '--compression')

  const client = await run('echo_client.py', `ws://127.0.0.1:${echo.port}`)

  expect(await client.line((line) => 'text' in line)).toEqual({
    text: 'grüße 🌊',
    bytesAreSame: true,
    longLength: 300_000,
    extensions: ['permessage-deflate'],
    ponged: true,
    closeCode: 4001,
    closeReason: 'that will do',
  })
  expect(await client.ended).toBe(0)
  await echo.kill()
})

test('a page exchanges text and bytes with a Python server', async ({ page, run }) => {
  const { url } = await serve(run)

  const received = await page.evaluate(async (target) => {
    harness.start(target, { codec: Holdfast.text() })
    harness.client.send('message', 'grüße 🌊')
    harness.client.send('message', 'x'.repeat(300_000))
    harness.client.send(
      'message',
      Uint8Array.from({ length: 256 }, (_, index) => index),
    )
    await harness.until((log) => log.received.length === 3)
    return harness.received.map((data) => (data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data))
  }, url)

  expect(received).toEqual(['grüße 🌊', 'x'.repeat(300_000), numbers(256)])
})

test('a queue outlives the kill and restart of a Python server, in order', async ({ page, run }) => {
  const { server, port, url } = await serve(run)
  await page.evaluate(async (target) => {
    harness.start(target, { codec: Holdfast.text() })
    harness.client.send('message', 'before')
    await harness.until((log) => log.received.length === 1)
  }, url)

  await server.stop()
  await page.evaluate(() => harness.untilStatus('waiting'))
  await page.evaluate(() => {
    for (let number = 0; number < 100; number++) harness.client.send('message', String(number))
  })
  await page.evaluate(() => harness.until(({ states }) => states.some(({ code }) => code === 'UNREACHABLE')))
  expect(await page.evaluate(() => harness.client.getState().pending)).toBe(100)
  await serve(run, port)
  await page.evaluate(() => harness.until(({ received }) => received.length === 101))

  expect(await page.evaluate(() => harness.received)).toEqual(['before', ...numbers(100).map(String)])
})

test('1011 of a Python handler that failed is told, and the page comes back', async ({ page, run }) => {
  const { url } = await serve(run)
  await page.evaluate((target) => harness.start(target, { codec: Holdfast.text() }), url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.evaluate(() => harness.client.send('message', 'fail'))
  await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 2))

  const waits = await page.evaluate(() => harness.states.filter(({ status }) => status === 'waiting'))
  expect(waits).toMatchObject([{ code: 'CONNECTION_CLOSED', closeCode: 1011, closeReason: '' }])
})

test('1001 of a Python server that stops is told, and the page waits for the next one', async ({ page, run }) => {
  const { server, port, url } = await serve(run)
  await page.evaluate((target) => harness.start(target, { codec: Holdfast.text() }), url)
  await page.evaluate(() => harness.untilStatus('connected'))

  server.signal('SIGTERM')
  await page.evaluate(() => harness.untilStatus('waiting'))
  expect(await server.ended).toBe(0)
  await serve(run, port)
  await page.evaluate(() => harness.until(({ states }) => states.at(-1)?.connection === 2))

  const waits = await page.evaluate(() => harness.states.filter(({ status }) => status === 'waiting'))
  expect(waits[0]).toMatchObject({ code: 'CONNECTION_CLOSED', closeCode: 1001 })
})

test('a Python server selects one of the subprotocols that a page offers', async ({ page, run }) => {
  const { server, url } = await serve(run)

  await page.evaluate((target) => {
    const dialect = Holdfast.plain({ codec: Holdfast.text(), subprotocols: ['chat.v3', 'chat.v1'] })
    Holdfast.createClient({ url: target, dialect }).connect()
  }, url)

  expect(await server.line((line) => 'connected' in line)).toEqual({ connected: 'chat.v1' })
})
