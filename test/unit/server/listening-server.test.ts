import { once } from 'node:events'
import { createServer } from 'node:http'
import { createSecureServer, createServer as createHttp2Server } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { checkListenOptions } from '../../../src/server/http/listen-options.js'
import { addressOf, closeServers } from '../../../src/server/http/listening-server.js'

const SERVER_RULE = 'server must be an http.Server, an https.Server, or an http2 server with allowHTTP1'

const cleanups: (() => unknown)[] = []

afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp()
})

function listen(host = '127.0.0.1'): ReturnType<typeof createServer> {
  const http = createServer()
  cleanups.push(() => http.close())
  return http.listen(0, host)
}

test('tells where a server can be reached, once it listens', async () => {
  const { url, port } = await addressOf(listen(), new AbortController().signal)

  expect(url).toBe(`ws://127.0.0.1:${port}`)
})

test('gives up waiting when it is told to', async () => {
  const controller = new AbortController()
  const address = addressOf(createServer(), controller.signal)

  controller.abort()

  await expect(address).rejects.toMatchObject({ name: 'AbortError' })
})

test('refuses a server that listens and does not say where', async () => {
  const http = listen()
  http.address = () => null

  await expect(addressOf(http, new AbortController().signal)).rejects.toThrow(
    'server must be listening on a port or a socket, got null',
  )
})

test('closes a server of its own', async () => {
  const own = listen()
  await once(own, 'listening')

  await closeServers(new WebSocketServer({ noServer: true }), own)

  expect(own.listening).toBe(false)
})

test.each([
  [{ port: -1 }, RangeError, 'port must be an integer from 0 to 65535, got -1'],
  [{ host: 7 }, TypeError, 'host must be a non-empty string, got 7'],
  [{ server: {} }, TypeError, `${SERVER_RULE}, got [object Object]`],
  [{ server: createTcpServer() }, TypeError, SERVER_RULE],
  [{ server: createHttp2Server() }, TypeError, SERVER_RULE],
  [{ server: createSecureServer() }, TypeError, SERVER_RULE],
  [{ server: createServer(), port: 1 }, TypeError, 'port must be absent when server is given, got 1'],
])('refuses %o', (options, kind, message) => {
  // What a caller without types may pass.
  const act = (): void => checkListenOptions(options as object)

  expect(act).toThrow(kind)
  expect(act).toThrow(message)
})
