import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import {
  addressOf,
  checkListenOptions,
  closeServers,
  deflateOptions,
} from '../../../src/server/http/listening-server.js'

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

test('refuses a server that listens on no port', async () => {
  const http = createServer()
  http.address = () => '/tmp/socket'
  http.listen(0, '127.0.0.1')
  cleanups.push(() => http.close())

  await expect(addressOf(http, new AbortController().signal)).rejects.toThrow('it must listen on a TCP port')
})

test('closes a server of its own, and leaves another’s running', async () => {
  const [own, other] = [listen(), listen()]
  await Promise.all([once(own, 'listening'), once(other, 'listening')])

  await closeServers(new WebSocketServer({ noServer: true }), own, true)
  await closeServers(new WebSocketServer({ noServer: true }), other, false)

  expect([own.listening, other.listening]).toEqual([false, true])
})

test('compresses what is worth it, or nothing', () => {
  expect(deflateOptions()).toMatchObject({ threshold: 1024 })
  expect(deflateOptions(false)).toBe(false)
})

test.each([
  [{ port: -1 }, RangeError, 'port is -1'],
  [{ host: 7 }, TypeError, 'host is 7; it must be a non-empty string'],
  [{ server: {} }, TypeError, 'server is {}; it must be an http.Server'],
  [{ compression: 1 }, TypeError, 'compression is 1; it must be a boolean'],
  [{ server: createServer(), port: 1 }, TypeError, 'port is 1; it must be absent when server is given'],
])('refuses %o', (options, kind, message) => {
  // What a caller without types may pass.
  const act = (): void => checkListenOptions(options as object)

  expect(act).toThrow(kind)
  expect(act).toThrow(message)
})
