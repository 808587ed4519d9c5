import { once } from 'node:events'
import { WebSocket } from 'ws'
import { pythonFixtures, type PythonFixtures } from './fixtures.js'
import { createScriptedServer, textOf } from '../support/scripted-server.js'
import { expect, test as base } from '../support/test.js'

interface UpFrame {
  readonly t: string
  readonly w?: string
  readonly s?: number
}

interface GreetingServer {
  readonly url: string
  /** What the client has sent. */
  readonly heard: UpFrame[]
  /** Sends to the client, which has come by then. */
  say(frame: object): void
}

const test = base.extend<PythonFixtures & { greet: (window: object) => Promise<GreetingServer> }>({
  ...pythonFixtures,
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  greet: async ({}, use) => {
    const closers: (() => Promise<void>)[] = []
    await use(async (window) => {
      const heard: UpFrame[] = []
      let say: GreetingServer['say'] = () => {}
      const server = await createScriptedServer((socket) => {
        say = (frame) => socket.send(JSON.stringify(frame))
        socket.on('message', (data) => heard.push(JSON.parse(textOf(data)) as UpFrame))
        say({ t: 'greeting', v: 1, frame: 1_000, window, heartbeat: { interval: 25_000, timeout: 15_000 } })
      })
      closers.push(server.close)
      return { url: server.url, heard, say: (frame) => say(frame) }
    })
    for (const close of closers) await close()
  },
})

test('the Python client reads every frame of the vectors as they say', async ({ run }) => {
  const check = await run('test_frames.py')

  const { passed, failed } = await check.line((line) => 'passed' in line)

  expect(failed).toEqual({})
  expect(passed).toBeGreaterThan(150)
})

test('the Python client leaves a server that does not greet, for good', async ({ run }) => {
  const server = await createScriptedServer((socket) => socket.send('{"event":"welcome"}'))

  const client = await run('holdfast_program.py', server.url, 'secret')

  expect(await client.line((line) => 'ended' in line)).toEqual({ ended: 4406 })
  await server.ended(1)
  expect(server.closeCodes).toEqual([4406])
  await server.close()
})

test('the Python client answers a ping at once, before the welcome too', async ({ run, greet }) => {
  const { url, heard, say } = await greet({ messages: 1, bytes: 1 })
  await run('holdfast_program.py', url, 'secret')
  await expect.poll(() => heard.map(({ t }) => t)).toEqual(['hello'])

  say({ t: 'p' })

  await expect.poll(() => heard.map(({ t }) => t)).toEqual(['hello', 'o'])
})

for (const { window, next } of [
  { window: { messages: 3, bytes: 10_000 }, next: [4] },
  // The first of them names the writer, and takes as much as two others.
  { window: { messages: 100, bytes: 183 }, next: [4, 5] },
]) {
  test(`the Python client keeps within a window of ${JSON.stringify(window)}`, async ({ run, greet }) => {
    const { url, heard, say } = await greet(window)
    const sequences = (): unknown[] => heard.filter(({ t }) => t === 'm').map(({ s }) => s)
    const client = await run('holdfast_program.py', url, 'secret')
    client.tell({ send: [1, 2, 3, 4, 5, 6] })
    await expect.poll(sequences).toEqual([1, 2, 3])

    say({ t: 'welcome', session: 'S', resumed: false, cursors: {} })
    say({ t: 'p' })
    await expect.poll(() => heard.at(-1)?.t).toBe('o')
    expect(sequences()).toEqual([1, 2, 3])
    say({ t: 'a', w: { [String(heard.find(({ t }) => t === 'm')?.w)]: 1 } })

    await expect.poll(sequences).toEqual([1, 2, 3, ...next])
  })
}

test('a frame that is too long is refused with 1009, by the WebSocket library and without a word', async ({ open }) => {
  const { link } = await open({ limits: { frameBytesMax: 1_000 } })
  const heard: unknown[] = []
  const socket = new WebSocket(link.url, 'holdfast.1')
  socket.on('message', (data: Buffer) => heard.push((JSON.parse(data.toString()) as { t: string }).t))
  await once(socket, 'message')

  socket.send(JSON.stringify({ t: 'hello', writers: {}, auth: 'x'.repeat(1_000) }))

  const [code]: unknown[] = await once(socket, 'close')
  expect(code).toBe(1009)
  expect(heard).toEqual(['greeting'])
})
