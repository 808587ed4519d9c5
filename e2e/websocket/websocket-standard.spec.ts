import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { cases, CLASSES } from '../fixtures/websocket-standard.js'
import type { Seen } from '../fixtures/websocket-kit.js'
import { expect, test as base } from '../support/test.js'

interface Standard {
  /** The server's URL, without a slash at the end. */
  readonly url: string
  readonly seen: ReadonlyMap<string, Seen>
}

/** What the server does with a connection, by its path. */
const SCRIPTS: Record<string, (socket: WebSocket, query: URLSearchParams, request: IncomingMessage) => void> = {
  '/echo': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  '/close': (socket, query) =>
    query.has('code') ? socket.close(Number(query.get('code')), query.get('reason') ?? '') : socket.close(),
  '/terminate': (socket) => socket.terminate(),
  // RFC 6455 section 5.2: 3 is no opcode.
  '/badframe': (_socket, _query, request) => request.socket.write(Uint8Array.of(0x83, 0)),
  '/greet'(socket) {
    socket.send('text')
    socket.send(Uint8Array.of(1))
  },
  '/chatty'(socket) {
    const timer = setInterval(() => socket.send('chat'), 1)
    socket.on('close', () => clearInterval(timer))
  },
  '/ping': (socket) => socket.ping(),
  '/none'() {},
}

/** Answers with 404 to what has no script, so that the handshake fails; and says in JSON what it has seen. */
async function createStandardServer(): Promise<Standard & { close(): Promise<void> }> {
  const seen = new Map<string, Seen>()
  const http = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    response.setHeader('access-control-allow-origin', '*')
    response.end(JSON.stringify(seen.get(searchParams.get('mark') ?? '') ?? { texts: [], pongs: 0, code: null }))
  })
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    handleProtocols: (offered, request) => (request.url?.startsWith('/none') ? false : ([...offered][0] ?? false)),
  })
  http.on('connection', (tcp) => tcp.on('error', () => {})) // 'close' follows.
  http.on('upgrade', (request, tcp, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    const script = SCRIPTS[pathname]
    if (!script) return void tcp.end('HTTP/1.1 404 Not Found\r\n\r\n')
    sockets.handleUpgrade(request, tcp, head, (socket) => {
      const { 'sec-websocket-protocol': protocols = '' } = request.headers
      const log = { texts: [] as string[], protocols, pongs: 0, code: null as number | null, reason: '' }
      seen.set(searchParams.get('mark') ?? '', log)
      socket.on('message', (data) => log.texts.push(Buffer.isBuffer(data) ? data.toString() : ''))
      socket.on('pong', () => log.pongs++)
      socket.on('error', () => {})
      socket.on('close', (code, reason) => Object.assign(log, { code, reason: reason.toString() }))
      script(socket, searchParams, request)
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    seen,
    async close() {
      for (const client of sockets.clients) client.terminate()
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
    },
  }
}

const test = base.extend<{ standard: Standard }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  standard: async ({}, use) => {
    const standard = await createStandardServer()
    await use(standard)
    await standard.close()
  },
})

const sections = [...new Set(cases.map(({ section }) => section))]

for (const which of CLASSES) {
  for (const section of sections) {
    test(`${section}: ${which}`, async ({ page, origin, standard }) => {
      await page.goto(`${origin}/websocket.html`)

      for (const { name, expected, ours = expected, reconnecting = ours } of cases.filter(
        (one) => one.section === section,
      )) {
        const found = await page.evaluate(([one, Class, url]) => runCase(one, Class, url), [
          name,
          which,
          standard.url,
        ] as const)

        const wanted = { native: expected, 'reconnect: false': ours, default: reconnecting }[which]
        expect.soft(found, name).toEqual(wanted)
      }
    })
  }
}

test('every deliberate difference that a case shows is documented with its name', () => {
  const documentation = readFileSync(new URL('../../docs/websocket.md', import.meta.url), 'utf8')
  const differing = cases.filter((one) => 'ours' in one || 'reconnecting' in one)

  expect(differing.length).toBeGreaterThan(3)
  expect(differing.filter(({ name }) => !documentation.includes(name)).map(({ name }) => name)).toEqual([])
})
