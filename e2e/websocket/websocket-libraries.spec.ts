import { docs, setupWSConnection } from '@y/websocket-server/utils'
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type ServerOptions } from 'ws'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import type { Which } from '../fixtures/websocket-libraries.js'
import { startEchoProcess } from '../support/echo-process.js'
import { passTime } from '../support/pass-time.js'
import { expect, test as base } from '../support/test.js'

/** Long enough for a forgotten socket to come back, in milliseconds of the page's time: the class waits 50 at most. */
const HAUNTED_MS = 1_000

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function listen(port: number, options: ServerOptions = {}): Promise<WebSocketServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port, ...options })
  await once(server, 'listening')
  return server
}

const portOf = (server: WebSocketServer): number => (server.address() as AddressInfo).port

async function stop(server: WebSocketServer): Promise<void> {
  for (const client of server.clients) client.terminate()
  const closed = once(server, 'close')
  server.close()
  await closed
}

const test = base.extend<{ proxies: (port: number) => Promise<FaultProxy> }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  proxies: async ({}, use) => {
    const made: FaultProxy[] = []
    await use(async (port) => {
      const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
      made.push(proxy)
      return proxy
    })
    await Promise.all(made.map((proxy) => proxy.close()))
  },
  page: async ({ page, origin }, use) => {
    await page.clock.install()
    await page.goto(`${origin}/websocket-libraries.html`)
    await use(page)
  },
})

/** Yields 0, 1, 2 and so on to each subscription, and greets who asks. */
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      hello: {
        type: GraphQLString,
        args: { name: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_source, { name }: { name: string }) => `hello ${name}`,
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: GraphQLInt,
        async *subscribe() {
          for (let count = 0; ; count++) {
            yield { count }
            await sleep(10)
          }
        },
      },
    },
  }),
})

const handleProtocols = (offered: Set<string>): string | false => [...offered][0] ?? false

test.describe('graphql-ws', () => {
  test('with one connection to an instance survives cuts by its own retry, and leaves no ghosts', async ({
    page,
    proxies,
  }) => {
    const server = await listen(0, { handleProtocols })
    useServer({ schema }, server)
    const link = await proxies(portOf(server))
    await page.evaluate((url) => libraries.graphql(url, 'reconnect: false'), link.url)
    const faults = [() => link.cut(), () => link.reset(), () => server.clients.forEach((client) => client.close(1012))]

    for (const [index, fault] of faults.entries()) {
      await page.waitForFunction(
        (times) => libraries.states.filter((state) => state === 'connected').length > times,
        index,
      )
      const count = await page.evaluate(() => libraries.counts.length)
      await page.waitForFunction((before) => libraries.counts.length > before + 5, count)
      fault()
      await page.waitForFunction(
        (times) => libraries.states.filter((state) => state === 'closed').length > times,
        index,
      )
    }
    await page.waitForFunction(() => libraries.states.at(-1) === 'connected')

    expect(await page.evaluate(() => libraries.query('you'))).toEqual({ hello: 'hello you' })
    expect(await page.evaluate(() => libraries.counts.filter((count) => count === 0).length)).toBe(4)
    const { acceptedConnections } = link.stats
    await passTime(page, link.url, HAUNTED_MS)
    expect(link.stats.acceptedConnections).toBe(acceptedConnections + 1)
    await expect.poll(() => server.clients.size).toBe(1)
    expect(await page.evaluate(() => libraries.endings)).toEqual([])

    await page.evaluate(() => libraries.dispose())
    await expect.poll(() => server.clients.size).toBe(0)
    await stop(server)
  })

  test('is haunted by an instance that comes back by itself, which is why it must not', async ({ page, proxies }) => {
    const server = await listen(0, { handleProtocols })
    useServer({ schema }, server)
    const link = await proxies(portOf(server))
    await page.evaluate((url) => libraries.graphql(url, 'default'), link.url)
    await page.waitForFunction(() => libraries.counts.length > 0)

    link.cut()

    await expect.poll(() => server.clients.size).toBeGreaterThan(1)
    await stop(server)
  })
})

test.describe('y-websocket', () => {
  for (const which of ['default', 'reconnect: false'] satisfies Which[]) {
    test(`with ${which}: two documents converge over cuts and a restart of the server`, async ({ page, proxies }) => {
      docs.clear()
      const serve = async (port: number): Promise<WebSocketServer> => {
        const opened = await listen(port)
        opened.on('connection', (client, request) => setupWSConnection(client, request))
        return opened
      }
      let server = await serve(0)
      const port = portOf(server)
      const link = await proxies(port)
      const converged = (word: string) =>
        page.waitForFunction(
          (last) => libraries.text(0) === libraries.text(1) && libraries.text(0).includes(last),
          word,
        )
      await page.evaluate(([url, one]) => libraries.documents(url, 2, one), [link.url, which] as const)

      await page.evaluate(() => libraries.write(0, 'first'))
      await converged('first')
      for (const fault of [() => link.cut(), () => link.reset()]) {
        fault()
        await page.evaluate(() => {
          libraries.write(0, 'left')
          libraries.write(1, 'right')
        })
        await converged('right')
      }
      await stop(server)
      docs.clear() // It kept nothing on disk: all that it knows it learns from its clients.
      await page.evaluate(() => libraries.write(1, 'alone'))
      server = await serve(port)
      await converged('alone')

      const words = await page.evaluate(() => libraries.text(0).trim().split(' ').sort())
      expect(words).toEqual(['alone', 'first', 'left', 'left', 'right', 'right'])
      const { acceptedConnections } = link.stats
      await passTime(page, link.url, HAUNTED_MS)
      expect(link.stats.acceptedConnections).toBe(acceptedConnections + 1)
      await expect.poll(() => server.clients.size).toBe(2)
      await page.evaluate(() => libraries.destroy())
      await expect.poll(() => server.clients.size).toBe(0)
      await passTime(page, link.url, HAUNTED_MS)
      expect(link.stats.acceptedConnections).toBe(acceptedConnections + 2)
      await stop(server)
    })
  }
})

test.describe('rxjs', () => {
  test('with one connection to an instance takes up again what retry() subscribes to', async ({ page, proxies }) => {
    const echo = await startEchoProcess()
    const link = await proxies(echo.port)
    const push = (value: unknown) => page.evaluate((one) => libraries.push(one), value)
    const came = (count: number) => page.waitForFunction((least) => libraries.values.length >= least, count)
    await page.evaluate((url) => libraries.rxjs(url, 'reconnect: false'), link.url)

    await push({ number: 1 })
    await came(1)
    link.cut()
    await expect.poll(() => link.stats.acceptedConnections).toBe(2)
    await push([2])
    await came(2)
    link.reset()
    await expect.poll(() => link.stats.acceptedConnections).toBe(3)
    await push('grüße')
    await came(3)

    expect(await page.evaluate(() => libraries.values)).toEqual([{ number: 1 }, [2], 'grüße'])
    const { acceptedConnections } = link.stats
    await passTime(page, link.url, HAUNTED_MS)
    expect(link.stats.acceptedConnections).toBe(acceptedConnections + 1)
    await expect.poll(() => link.connections).toBe(1)
    await page.evaluate(() => libraries.unsubscribe())
    await expect.poll(() => link.connections).toBe(0)
    await echo.kill()
  })
})
