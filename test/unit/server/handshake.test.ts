import { createServer as createHttpServer } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { createEchoServer } from '../../../src/server/echo/echo-server.js'
import type { ListenOptions } from '../../../src/server/http/listen-options.js'
import { addressOf } from '../../../src/server/http/listening-server.js'
import { createServer, type Server, type ServerOptions } from '../../../src/server/http/server.js'
import {
  handshake,
  openRaw,
  requestText,
  SAMPLE_ACCEPT,
  SAMPLE_KEY,
  type HeaderLines,
  type RawConnection,
} from '../../support/raw-websocket.js'

/**
 * The opening handshake, byte by byte: RFC 6455 section 4.2, RFC 7692 section 5 for compression, and RFC 9110 for what is
 * answered to a request that is refused. All of it holds for both servers.
 */
const SERVERS = [
  { name: 'the echo server', start: createEchoServer, offer: {} },
  { name: 'the companion', start: startCompanion, offer: { 'Sec-WebSocket-Protocol': 'holdfast.1' } },
] as const

/** One whose refusals are not printed. */
function startCompanion(options?: ServerOptions): Server {
  const server = createServer(options)
  server.on('error', () => {})
  return server
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

async function ask(port: number, request: string): Promise<RawConnection> {
  const connection = await openRaw(port, request)
  cleanups.unshift(() => connection.socket.destroy())
  return connection
}

describe.each(SERVERS)('$name', ({ start, offer }) => {
  async function serve(options: ListenOptions = {}): Promise<number> {
    const server = start(options)
    cleanups.unshift(() => server.close())
    return (await server.listening).port
  }

  /** The status of a handshake that differs from a good one in these headers. */
  async function answer(changes: HeaderLines, requestLine?: string, options?: ListenOptions): Promise<RawConnection> {
    return ask(await serve(options), handshake({ ...offer, ...changes }, requestLine))
  }

  describe('lets in', () => {
    test('the handshake of RFC 6455 section 1.3, and answers it to the letter', async () => {
      const { response } = await answer({})

      const protocol = 'Sec-WebSocket-Protocol' in offer ? 'Sec-WebSocket-Protocol: holdfast.1\r\n' : ''
      expect(response.head).toBe(
        'HTTP/1.1 101 Switching Protocols\r\n' +
          'Upgrade: websocket\r\n' +
          'Connection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${SAMPLE_ACCEPT}\r\n` +
          `${protocol}\r\n`,
      )
    })

    test.each<[what: string, changes: HeaderLines, requestLine?: string]>([
      ['names and tokens in any case', { Upgrade: 'WebSocket', Connection: 'upgrade' }],
      ['Upgrade among other connection options, as Firefox sends it', { Connection: 'keep-alive, Upgrade' }],
      ['an empty body that says so', { 'Content-Length': '0' }],
      ['an HTTP version that is higher', {}, 'GET / HTTP/2.0'],
      ['any path and query', {}, 'GET /rooms/7?name=a HTTP/1.1'],
    ])('%s', async (_what, changes, requestLine) => {
      const { response } = await answer(changes, requestLine)

      expect(response.status).toBe(101)
      expect(response.headers['sec-websocket-accept']).toBe(SAMPLE_ACCEPT)
    })
  })

  describe('refuses with 400, as section 4.2.1 suggests,', () => {
    test.each<[what: string, changes: HeaderLines, requestLine?: string]>([
      ['a handshake without Upgrade', { Upgrade: undefined }],
      ['an upgrade to something else with a key', { Upgrade: 'h2c' }],
      ['an upgrade to one of several protocols, as ws does', { Upgrade: 'h2c, websocket' }],
      ['a handshake without Connection', { Connection: undefined }],
      ['a Connection that does not upgrade', { Connection: 'keep-alive' }],
      ['no key', { 'Sec-WebSocket-Key': undefined }],
      ['a key that is too short', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }],
      ['a key that is not base64', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j*Q==' }],
      ['two keys', { 'Sec-WebSocket-Key': [SAMPLE_KEY, SAMPLE_KEY] }],
      ['no Host', { Host: undefined }],
      ['two Hosts', { Host: ['127.0.0.1', 'example.com'] }],
      ['HTTP/1.0', {}, 'GET / HTTP/1.0'],
      ['a body', { 'Content-Length': '5' }],
      ['a chunked body', { 'Transfer-Encoding': 'chunked' }],
      ['a subprotocol that is no token', { 'Sec-WebSocket-Protocol': 'holdfast.1, a b' }],
      ['a list of subprotocols with a gap, as ws does', { 'Sec-WebSocket-Protocol': 'holdfast.1,,b' }],
      ['an empty list of subprotocols', { 'Sec-WebSocket-Protocol': '' }],
      ['the same subprotocol twice', { 'Sec-WebSocket-Protocol': 'holdfast.1, holdfast.1' }],
      ['extensions that are no list', { 'Sec-WebSocket-Extensions': 'permessage-deflate; =' }],
      ['an empty list of extensions', { 'Sec-WebSocket-Extensions': '' }],
    ])('%s', async (_what, changes, requestLine) => {
      const { response, socket } = await answer(changes, requestLine)

      expect(response.status).toBe(400)
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
    })

    test('extensions that are no list, also where some are accepted', async () => {
      const { response } = await answer({ 'Sec-WebSocket-Extensions': ';' }, undefined, { compression: true })

      expect(response.status).toBe(400)
    })

    test('a body that looks like frames, which are not read', async () => {
      const port = await serve()

      const connection = await ask(port, `${handshake({ ...offer, 'Content-Length': '6' })}\x81\x80\0\0\0\0`)

      expect(connection.response.status).toBe(400)
    })
  })

  test.each<[version: string | undefined, what: string]>([
    ['12', 'an older one'],
    ['8', 'one that hides the page’s origin from us'],
    ['013', 'one that is no number of a version'],
    ['13, 13', 'two of them'],
    [undefined, 'none'],
  ])('answers version %s, %s, with 426 and the version that it speaks', async (version) => {
    const { response } = await answer({ 'Sec-WebSocket-Version': version })

    expect(response.status).toBe(426)
    expect(response.headers).toMatchObject({ 'sec-websocket-version': '13', upgrade: 'websocket' })
    expect(response.headers['connection']).toMatch(/\bupgrade\b/i)
  })

  test('answers another method with 405 and the one that it takes', async () => {
    const { response } = await answer({}, 'POST / HTTP/1.1')

    expect(response.status).toBe(405)
    expect(response.headers['allow']).toBe('GET')
  })

  test('answers a page’s POST with 405 too', async () => {
    const port = await serve()

    const { response } = await ask(port, requestText('POST / HTTP/1.1', { Host: 'a', 'Content-Length': '0' }))

    expect(response.status).toBe(405)
    expect(response.headers['allow']).toBe('GET')
  })

  test.each([
    ['a plain GET', 'GET / HTTP/1.1', {}],
    ['a plain HEAD', 'HEAD / HTTP/1.1', {}],
    ['an upgrade to HTTP/2', 'GET / HTTP/1.1', { Connection: 'Upgrade', Upgrade: 'h2c' }],
  ])('answers %s with 426 and the protocol to upgrade to', async (_what, requestLine, headers) => {
    const port = await serve()

    const { response } = await ask(port, requestText(requestLine, { Host: 'a', ...headers }))

    expect(response.status).toBe(426)
    expect(response.headers['upgrade']).toBe('websocket')
    expect(response.headers['connection']).toMatch(/\bupgrade\b/i)
  })

  describe('of extensions', () => {
    const DEFLATE = 'permessage-deflate'
    const NO_CONTEXT = 'server_no_context_takeover; client_no_context_takeover'
    const ALWAYS = `${DEFLATE}; ${NO_CONTEXT}`

    test.each<[offered: string | string[], accepted: string]>([
      [DEFLATE, ALWAYS],
      [`${DEFLATE}; client_max_window_bits`, ALWAYS],
      [`${DEFLATE}; client_max_window_bits=10`, `${DEFLATE}; client_max_window_bits=10; ${NO_CONTEXT}`],
      [`${DEFLATE}; server_max_window_bits=10`, `${DEFLATE}; server_max_window_bits=10; ${NO_CONTEXT}`],
      [`${DEFLATE}; server_max_window_bits="10"`, `${DEFLATE}; server_max_window_bits=10; ${NO_CONTEXT}`],
      [`${DEFLATE}; server_no_context_takeover`, ALWAYS],
      [`${DEFLATE}; client_no_context_takeover`, `${DEFLATE}; client_no_context_takeover; server_no_context_takeover`],
      [`x-webkit-deflate-frame, ${DEFLATE}`, ALWAYS],
      [['x-other', DEFLATE], ALWAYS],
      // RFC 7692 section 5: offers stand in the order of preference, and each is declined or accepted by itself.
      [`${DEFLATE}; x-unknown, ${DEFLATE}`, ALWAYS],
      [
        `${DEFLATE};server_max_window_bits=7,${DEFLATE};server_max_window_bits=9`,
        `${DEFLATE}; server_max_window_bits=9; ${NO_CONTEXT}`,
      ],
    ])('of %s takes %s', async (offered, accepted) => {
      const { response } = await answer({ 'Sec-WebSocket-Extensions': offered }, undefined, { compression: true })

      expect(response.status).toBe(101)
      expect(response.headers['sec-websocket-extensions']).toBe(accepted)
    })

    // RFC 7692 sections 5 and 7: the server declines, and the connection goes on without.
    test.each([
      'x-unknown',
      'x-unknown; a=1; b="2"',
      `${DEFLATE}; x-unknown`,
      `${DEFLATE}; x-unknown="1"`,
      `${DEFLATE}; server_no_context_takeover=1`,
      `${DEFLATE}; client_no_context_takeover=true`,
      `${DEFLATE}; server_no_context_takeover; server_no_context_takeover`,
      `${DEFLATE}; server_max_window_bits`,
      `${DEFLATE}; server_max_window_bits=7`,
      `${DEFLATE}; server_max_window_bits=16`,
      `${DEFLATE}; server_max_window_bits=08`,
      `${DEFLATE}; client_max_window_bits=7`,
      `${DEFLATE}; client_max_window_bits=16`,
      `${DEFLATE}; client_max_window_bits=010`,
    ])('declines %s', async (offered) => {
      const { response } = await answer({ 'Sec-WebSocket-Extensions': offered }, undefined, { compression: true })

      expect(response.status).toBe(101)
      expect(response.headers).not.toHaveProperty('sec-websocket-extensions')
    })

    test('declines all by default', async () => {
      const { response } = await answer({ 'Sec-WebSocket-Extensions': DEFLATE })

      expect(response.status).toBe(101)
      expect(response.headers).not.toHaveProperty('sec-websocket-extensions')
    })
  })

  test('keeps the same rules on a server that it is attached to, and leaves the pages there alone', async () => {
    const http = createHttpServer((_request, response) => response.end('a page'))
    cleanups.unshift(() => http.close())
    http.listen(0, '127.0.0.1')
    const { port } = await addressOf(http, new AbortController().signal)
    await serve({ server: http })

    const refused = await ask(port, handshake({ ...offer, Host: undefined }))
    const taken = await ask(port, handshake(offer))
    const page = await ask(port, requestText('GET / HTTP/1.1', { Host: 'a', Connection: 'close' }))

    expect([refused, taken, page].map(({ response }) => response.status)).toEqual([400, 101, 200])
  })
})

describe('the echo server and subprotocols', () => {
  test.each([
    [undefined, undefined],
    ['chat', 'chat'],
    ['chat.2, chat.1', 'chat.2'],
    ['chat.2, holdfast.1', 'holdfast.1'],
    [['chat.2', 'chat.1'], 'chat.2'],
    ['chat.2\t,\tchat.1', 'chat.2'],
  ])('of %s selects %s', async (offered, selected) => {
    const server = createEchoServer()
    cleanups.unshift(() => server.close())
    const { port } = await server.listening

    const { response } = await ask(port, handshake({ 'Sec-WebSocket-Protocol': offered }))

    expect(response.status).toBe(101)
    expect(response.headers['sec-websocket-protocol']).toBe(selected)
  })
})

describe('the companion', () => {
  async function answer(
    changes: HeaderLines,
    requestLine?: string,
    options: ServerOptions = {},
  ): Promise<RawConnection> {
    const server = startCompanion(options)
    cleanups.unshift(() => server.close())
    return ask((await server.listening).port, handshake(changes, requestLine))
  }

  test.each(['other, holdfast.1', 'holdfast.1,other'])('selects its subprotocol of %s', async (offered) => {
    const { response } = await answer({ 'Sec-WebSocket-Protocol': offered })

    expect(response.headers['sec-websocket-protocol']).toBe('holdfast.1')
  })

  test.each([undefined, 'other', 'holdfast.2', 'Holdfast.1'])(
    'refuses who offers %s with 400, and says what to offer',
    async (offered) => {
      const { response, rest, unread } = await answer({ 'Sec-WebSocket-Protocol': offered })
      await rest()

      expect(response.status).toBe(400)
      expect(unread()).toContain('holdfast.1')
    },
  )

  test('answers a path that it does not serve with 404: RFC 6455 section 4.2.2', async () => {
    const offer = { 'Sec-WebSocket-Protocol': 'holdfast.1' }

    const [other, own] = [
      await answer(offer, 'GET /other HTTP/1.1', { path: '/live' }),
      await answer(offer, 'GET /live?a=1 HTTP/1.1', { path: '/live' }),
    ]

    expect([other.response.status, own.response.status]).toEqual([404, 101])
  })
})
