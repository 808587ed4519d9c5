import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { createEchoServer } from '../../../src/server/echo/echo-server.js'
import type { AttachableServer } from '../../../src/server/http/listen-options.js'
import { createServer } from '../../../src/server/http/server.js'
import { CERTIFICATE } from '../../support/certificate.js'
import { nextMessage } from '../../support/clients.js'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
  vi.restoreAllMocks()
})

/** What a client reads first at a companion that is attached to this server, which listens already or is about to. */
async function greetingAt(server: AttachableServer): Promise<{ url: string; port: number; greeting: string }> {
  const companion = createServer({ server, path: '/live' })
  cleanups.unshift(() => companion.close())
  const { url, port } = await companion.listening
  const client = new WebSocket(url, 'holdfast.1', { rejectUnauthorized: false })
  cleanups.unshift(() => client.terminate())
  return { url, port, greeting: String(await nextMessage(client)) }
}

function listening<Listener extends AttachableServer>(http: Listener, where: number | string = 0): Listener {
  if (typeof where === 'string') http.listen(where)
  else http.listen(where, '127.0.0.1')
  cleanups.unshift(() => http.close())
  return http
}

/** The http server of another runtime, as far as a listener for upgrades can tell: it is no `http.Server`. */
class ForeignServer extends EventEmitter {
  readonly #http = createHttpServer()

  constructor() {
    super()
    for (const name of ['listening', 'upgrade', 'request']) {
      this.#http.on(name, (...values: unknown[]) => this.emit(name, ...values))
    }
  }

  get listening(): boolean {
    return this.#http.listening
  }

  listen(port: number, host: string): void {
    this.#http.listen(port, host)
  }

  address(): ReturnType<HttpServer['address']> {
    return this.#http.address()
  }

  close(): void {
    this.#http.close()
  }
}

describe('a companion works', () => {
  test('on a unix socket, and its URL is the one that ws dials', async () => {
    const path = join(tmpdir(), `holdfast-${process.pid}.sock`)

    const { url, port, greeting } = await greetingAt(listening(createHttpServer(), path))

    expect([url, port]).toEqual([`ws+unix:${path}:/live`, 0])
    expect(greeting).toContain('greeting')
  })

  test('on https', async () => {
    const { url, port, greeting } = await greetingAt(listening(createHttpsServer(CERTIFICATE)))

    expect(url).toBe(`wss://127.0.0.1:${port}/live`)
    expect(greeting).toContain('greeting')
  })

  test('on http2, for clients that speak HTTP/1.1', async () => {
    const { url, port, greeting } = await greetingAt(
      listening(createSecureServer({ ...CERTIFICATE, allowHTTP1: true })),
    )

    expect(url).toBe(`wss://127.0.0.1:${port}/live`)
    expect(greeting).toContain('greeting')
  })

  test('on an http server that is none of Node’s', async () => {
    // It has what is used of an http.Server.
    const foreign = new ForeignServer() as unknown as HttpServer

    const { url, port, greeting } = await greetingAt(listening(foreign))

    expect(url).toBe(`ws://127.0.0.1:${port}/live`)
    expect(greeting).toContain('greeting')
  })
})

describe('a server that does not listen, and whose `listening` nobody reads,', () => {
  async function takenPort(): Promise<number> {
    const taken: TcpServer = createTcpServer().listen(0, '127.0.0.1')
    cleanups.unshift(() => taken.close())
    await once(taken, 'listening')
    return (taken.address() as AddressInfo).port
  }

  test('tells its error listeners', async () => {
    const server = createServer({ port: await takenPort() })

    const error = await new Promise<HoldfastError>((resolve) => server.on('error', resolve))

    expect(error).toMatchObject({ code: 'NOT_LISTENING', cause: { code: 'EADDRINUSE' } })
    expect(process.exitCode).toBeUndefined()
  })

  test.each<[name: string, start: (port: number) => unknown]>([
    ['a companion', (port) => createServer({ port })],
    ['an echo server', (port) => createEchoServer({ port })],
  ])('is printed where nobody listens for errors: %s', async (_name, start) => {
    const { exitCode } = process
    cleanups.unshift(() => (process.exitCode = exitCode))
    const printed = new Promise<unknown[]>((resolve) => {
      vi.spyOn(console, 'error').mockImplementation((...values: unknown[]) => resolve(values))
    })

    start(await takenPort())

    expect(await printed).toEqual([expect.any(String), expect.objectContaining({ code: 'NOT_LISTENING' })])
    expect(process.exitCode).toBe(1)
  })

  test('tells an echo server’s onError', async () => {
    const port = await takenPort()

    const error = await new Promise((resolve) => createEchoServer({ port, onError: resolve }))

    expect(error).toMatchObject({ code: 'NOT_LISTENING', cause: { code: 'EADDRINUSE' } })
  })

  test('says nothing when it is closed before its http server listens', async () => {
    const errors: unknown[] = []
    const server = createServer({ server: createHttpServer() })
    server.on('error', (error) => errors.push(error))

    await server.close()
    await expect(server.listening).rejects.toMatchObject({ name: 'AbortError' })

    expect(errors).toEqual([])
  })
})
