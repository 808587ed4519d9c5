import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { diagramOf, withDiagram } from '../scripts/state-diagram.mjs'
import { TRANSITIONS } from '../src/connection/state.js'
import { createClient, reliable, type WebSocketClass } from '../src/index.js'
import { createEngine } from '../src/server/engine/engine.js'
import { createFakeClock, createFakePlatform } from './support/fake-platform.js'
import { lines } from './support/lines-dialect.js'

const PAGE = readFileSync('ARCHITECTURE.md', 'utf8')

/** More calls than this from the application to the socket, both ends counted, are too many to follow. */
const CALLS_UP_MAX = 8

const GREETING = {
  t: 'greeting',
  v: 1,
  frame: 2 ** 20,
  window: { messages: 512, bytes: 2 ** 20 },
  heartbeat: { interval: 25_000, timeout: 15_000 },
}

test('names every room, in the order that the rule of imports has', () => {
  const [, rooms = ''] = /const ROOMS = \[(.*?)\]/s.exec(readFileSync('test/tidy.test.ts', 'utf8')) ?? []
  const inTest = [...rooms.matchAll(/'(.*?)\/'/g)].map(([, room]) => room)
  const onPage = [...PAGE.matchAll(/^\| `src\/([\w/]+)` +\|/gm)].map(([, room]) => room)

  expect(inTest.length).toBeGreaterThan(10)
  expect(onPage).toEqual(inTest)
})

test('shows the transitions that the table has', () => {
  expect(PAGE).toBe(withDiagram(PAGE, diagramOf(TRANSITIONS)))
})

test('draws one arrow for the triggers that lead to the same state', () => {
  const diagram = diagramOf({ off: { on: 'lit', flash: 'lit' }, lit: { off: 'off' } })

  expect(diagram.split('\n').slice(2, -2)).toEqual(['  [*] --> off', '  off --> lit: on, flash', '  lit --> off: off'])
})

test('refuses a page without markers', () => {
  expect(() => withDiagram('# Nothing', 'diagram')).toThrow(/no markers/)
})

test('shows a dialect that compiles and is tested', () => {
  const [, sample = ''] = /^```ts\n(.*?)^```$/ms.exec(PAGE) ?? []
  const code = readFileSync('test/support/lines-dialect.ts', 'utf8').replaceAll('../../src/index.js', 'holdfast')

  expect(sample).toBe(code)
})

test('the dialect on the page delivers, rejects, and sends again what was not answered', async () => {
  const platform = createFakePlatform()
  const client = createClient({ url: 'ws://server/', dialect: lines(), platform })
  const heard: unknown[] = []
  client.on('news', (data) => heard.push(data))
  client.connect()
  await platform.settle()
  platform.link.accept()
  const [good, bad, late] = ['ann', 'bob', 'eve'].map((name) => client.send('greet', name))
  platform.link.deliver('ok')
  platform.link.deliver('no')
  platform.link.deliver('news snow')
  platform.link.close()
  await platform.advance(60_000)
  platform.link.accept()

  expect(platform.links[0]?.written).toEqual(['greet ann', 'greet bob', 'greet eve'])
  expect(platform.link.written).toEqual(['greet eve'])
  expect([good?.status, bad?.status, late?.status]).toEqual(['delivered', 'failed', 'sent'])
  expect(bad?.error?.code).toBe('REJECTED')
  expect(heard).toEqual(['snow'])
  await client.close()
})

test('shows the way of a message through the client', async () => {
  const { send, receive } = await walkClient()

  expect(wayOnPage('client.send → socket')).toEqual(send)
  expect(wayOnPage('socket → listener')).toEqual(receive)
  expect([...send, 'socket.send'].length).toBeLessThanOrEqual(CALLS_UP_MAX)
})

test('shows the way of a message through the server', () => {
  const { receive, send } = walkServer()

  expect(wayOnPage('socket → handler')).toEqual(receive)
  expect(wayOnPage('session.send → socket')).toEqual(send)
})

/** The functions that are under way, outermost first: those of the sources, each with its file. */
function callsNow(): string[] {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 100
  const { stack = '' } = new Error('here')
  Error.stackTraceLimit = limit
  const calls: string[] = []
  for (const line of stack.split('\n')) {
    const [, name, path] = /at (?:(.*) \()?.*\/(src\/[\w/-]+\.ts|nanoevents)[:/]/.exec(line) ?? []
    if (path) calls.unshift(`${plainName(name)} ${path}`)
  }
  return calls
}

/** Without the class of a plain object, and without the name that a method was called by. */
function plainName(name = '(anonymous)'): string {
  return name
    .replace(/^(Object|Array|FakeSocket)\./, '')
    .replace(/ \[as .*\]$/, '')
    .replace('<anonymous>', '(anonymous)')
}

/** The calls in a block of the page, which stands under this title. */
function wayOnPage(title: string): string[] {
  const block = PAGE.split('```text\n').find((text) => text.startsWith(`${title}\n`)) ?? ''
  const [, ...calls] = block.replace(/```.*/s, '').trimEnd().split('\n')
  return calls.map((call) => call.trim().replace(/ +/g, ' '))
}

async function walkClient(): Promise<{ send: string[]; receive: string[] }> {
  const ways = { send: [] as string[], receive: [] as string[] }
  const sockets: FakeSocket[] = []
  class FakeSocket extends EventTarget {
    readyState = 0
    bufferedAmount = 0
    binaryType = 'blob'
    constructor(readonly url: string) {
      super()
      sockets.push(this)
    }
    send(frame: string): void {
      if (frame.includes('"up"')) ways.send = callsNow()
    }
    close(): void {}
    say(frame: object): void {
      this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(frame) }))
    }
  }
  // It has the part of the class that the transport uses.
  const WebSocket = FakeSocket as unknown as WebSocketClass
  const client = createClient({ url: 'ws://server/', WebSocket, dialect: reliable() })
  client.on('message', () => void (ways.receive = callsNow()))
  client.connect()
  await vi.waitFor(() => expect(sockets).toHaveLength(1))
  const [socket] = sockets
  if (!socket) throw new Error('There is no socket')
  socket.readyState = 1
  socket.dispatchEvent(new Event('open'))
  socket.say(GREETING)
  socket.say({ t: 'welcome', session: 'S', resumed: false, cursors: {} })
  client.send('message', 'up')
  socket.say({ t: 'm', s: 1, g: 'g', e: 'message', d: 'down' })
  void client.close()
  return ways
}

function walkServer(): { receive: string[]; send: string[] } {
  const ways = { receive: [] as string[], send: [] as string[] }
  const clock = createFakeClock()
  let ids = 0
  const engine = createEngine({}, { ...clock, now: () => clock.now, random: () => 0.5, createId: () => `id${++ids}` })
  engine.on('session', (session) => {
    session.on('message', () => {
      ways.receive = callsNow()
    })
    session.on('ask', () => session.send('message', 'down'))
  })
  const socket = {
    bufferedAmount: 0,
    bytesRead: 0,
    bytesWritten: 0,
    bytesLeft: 0,
    send(frame: unknown) {
      if (String(frame).includes('"down"')) ways.send = callsNow()
    },
    close() {},
    terminate() {},
  }
  const connection = engine.accept(socket, { url: '/', headers: {} })
  const say = (frame: object): void => connection.receive(JSON.stringify(frame))
  say({ t: 'hello', writers: { W: 1 } })
  say({ t: 'm', w: 'W', s: 1, e: 'message', d: 'up' })
  say({ t: 'm', s: 2, e: 'ask' })
  ways.send = ways.send.slice(ways.send.findIndex((call) => call.includes('public-session')))
  engine.close()
  return ways
}
