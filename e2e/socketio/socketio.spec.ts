import { createAdapter } from '@socket.io/redis-adapter'
import type { Page } from '@playwright/test'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient as createRedis } from 'redis'
import type { Server } from 'socket.io'
import { findRedisServer } from '../../scripts/system-packages.mjs'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { createSocketIoServer, type SocketIoServer } from '../../test/support/socketio-server.js'
import type { SocketIoStart } from '../fixtures/socketio.js'
import { passTime } from '../support/pass-time.js'
import { expect, test as base } from '../support/test.js'

interface Fixtures {
  /** Starts a Socket.IO server of this test. */
  serve(options?: Parameters<typeof createSocketIoServer>[0]): Promise<SocketIoServer>
  /** A faulty way to it. */
  linkTo(server: SocketIoServer): Promise<FaultProxy>
  /** Another page of the same browser. */
  open(): Promise<Page>
}

const test = base.extend<Fixtures>({
  page: async ({ page, origin }, use) => {
    await page.goto(`${origin}/socketio.html`)
    await use(page)
  },
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  serve: async ({}, use) => {
    const servers: SocketIoServer[] = []
    await use(async (options) => {
      const server = await createSocketIoServer(options)
      servers.push(server)
      return server
    })
    await Promise.all(servers.map((server) => server.close()))
  },
  // oxlint-disable-next-line no-empty-pattern -- as above
  linkTo: async ({}, use) => {
    const proxies: FaultProxy[] = []
    await use(async ({ port }) => {
      const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
      proxies.push(proxy)
      return proxy
    })
    await Promise.all(proxies.map((proxy) => proxy.close()))
  },
  open: async ({ context, origin }, use) =>
    use(async () => {
      const page = await context.newPage()
      await page.goto(`${origin}/socketio.html`)
      return page
    }),
})

/** As the tutorials have it: everybody hears a message, and those in a room hear who joins. */
function chat(io: Server): void {
  io.on('connection', (socket) => {
    socket.on('message', (text: string) => io.emit('message', { from: socket.id, text }))
    socket.on('join', (room: string, done: () => void) => {
      void socket.join(room)
      socket.to(room).emit('user-joined', { user: socket.id, room })
      done()
    })
  })
}

const start = (page: Page, options: SocketIoStart): Promise<void> =>
  page.evaluate((given) => socketIoPage.start(given), options)

/** Starts the page's client, and says by which id the server knows it. */
async function connect(page: Page, options: SocketIoStart): Promise<string> {
  await start(page, options)
  await page.evaluate(() => socketIoPage.until((_, { status }) => status === 'connected'))
  return page.evaluate(() => {
    const state = socketIoPage.client.getState()
    return state.status === 'connected' ? (state.sessionId ?? '') : ''
  })
}

const received = (page: Page, count: number): Promise<[string, unknown][]> =>
  page.evaluate(async (wanted) => {
    await socketIoPage.until(({ received: got }) => got.length >= wanted)
    return socketIoPage.received
  }, count)

test('two pages talk in a room of an unmodified server', async ({ page, open, serve }) => {
  const server = await serve()
  chat(server.io)
  const other = await open()
  const listen = ['message', 'user-joined']
  const mine = await connect(page, { url: server.url, listen })
  const theirs = await connect(other, { url: server.url, listen })

  await page.evaluate(() => socketIoPage.client.request('join', 'lobby'))
  await other.evaluate(() => socketIoPage.client.request('join', 'lobby'))
  await other.evaluate(() => void socketIoPage.client.send('message', 'hello'))

  expect([...server.io.sockets.sockets.keys()].sort()).toEqual([mine, theirs].sort())
  expect(await received(page, 2)).toEqual([
    ['user-joined', { user: theirs, room: 'lobby' }],
    ['message', { from: theirs, text: 'hello' }],
  ])
  expect(await received(other, 1)).toEqual([['message', { from: theirs, text: 'hello' }]])
})

test('bytes go both ways, and acknowledgements too', async ({ page, serve }) => {
  const server = await serve()
  server.io.on('connection', (socket) => {
    socket.on('sum', (bytes: Buffer, done: (sum: number) => void) => done(bytes.reduce((sum, byte) => sum + byte, 0)))
    socket.on('ask me', async (_: unknown, done: (answer: unknown) => void) => {
      done([...((await socket.timeout(5_000).emitWithAck('double', Buffer.from([1, 2]))) as Buffer)])
    })
  })
  await connect(page, { url: server.url })

  const results = await page.evaluate(async () => {
    const { client } = socketIoPage
    client.on('double', (bytes) => new Uint8Array(bytes as ArrayBuffer).map((byte) => byte * 2))
    return [await client.request('sum', new Uint8Array([1, 2, 4])), await client.request('ask me', 1)]
  })

  expect(results).toEqual([7, [2, 4]])
})

test('either side ends it, and the other hears the true reason', async ({ page, open, serve }) => {
  const server = await serve()
  const reasons: string[] = []
  server.io.on('connection', (socket) => socket.on('disconnect', (reason) => void reasons.push(reason)))
  const other = await open()
  await connect(page, { url: server.url })
  const theirs = await connect(other, { url: server.url })

  await page.evaluate(() => socketIoPage.client.close())
  await expect.poll(() => reasons).toEqual(['client namespace disconnect'])
  server.io.sockets.sockets.get(theirs)?.disconnect(true)
  const state = await other.evaluate(async () => {
    await socketIoPage.until((_, { status }) => status === 'closed')
    const { error } = socketIoPage.client.getState() as { error: { code: string; message: string } }
    return { code: error.code, message: error.message }
  })

  expect(state).toEqual({
    code: 'REFUSED_BY_SERVER',
    message: 'The Socket.IO server refused us: It disconnected us for good',
  })
  expect(reasons).toEqual(['client namespace disconnect', 'server namespace disconnect'])
})

test('a namespace that is refused ends in a typed error, and is not dialled again', async ({ page, serve }) => {
  const server = await serve()
  let dials = 0
  server.io.engine.on('connection', () => dials++)
  await page.clock.install()
  await start(page, { url: server.url, dialect: { namespace: '/nowhere' } })

  const code = await page.evaluate(async () => {
    await socketIoPage.until((_, { status }) => status === 'closed')
    return (socketIoPage.client.getState() as { error: { code: string } }).error.code
  })

  expect(code).toBe('REFUSED_BY_SERVER')
  const { href } = new URL('/socket.io/?EIO=4&transport=websocket', `ws://127.0.0.1:${server.port}`)
  await passTime(page, href)
  expect(dials).toBe(2) // The second is that of passTime.
})

test('with acknowledgements nothing is lost over 20 cuts, a reload and a restart', async ({ page, serve, linkTo }) => {
  const [cuts, perCut] = [20, 25]
  let server = await serve()
  const link = await linkTo(server)
  const handled: number[] = []
  const attend = ({ io }: SocketIoServer): void =>
    void io.on('connection', (socket) =>
      socket.on('number', (number: number, done: () => void) => {
        handled.push(number)
        done()
      }),
    )
  attend(server)
  const options = { url: link.url, dialect: { acks: ['number'] }, store: 'socketio' }
  await connect(page, options)

  for (let cut = 0; cut < cuts; cut++) {
    const before = handled.length
    await page.evaluate(
      async ({ from, to }) => {
        const stored: Promise<void>[] = []
        for (let number = from; number < to; number++) stored.push(socketIoPage.client.send('number', number).stored)
        await Promise.all(stored)
      },
      { from: cut * perCut, to: (cut + 1) * perCut },
    )
    // In the midst of it: some are handled, and the acknowledgements of some are on their way.
    await expect.poll(() => handled.length, { intervals: [1] }).toBeGreaterThan(before)
    if (cut === 10) {
      await page.reload()
      await start(page, options)
    } else if (cut === 15) {
      await server.close()
      server = await serve({ port: server.port })
      attend(server)
    } else if (cut % 2) link.cut()
    else link.reset()
  }
  await page.evaluate(() => socketIoPage.until((_, { pending, status }) => !pending && status === 'connected'))

  const firsts = [...new Set(handled)]
  console.log(`handled ${handled.length} for ${firsts.length}: ${handled.length - firsts.length} came twice`)
  expect(firsts).toEqual(Array.from({ length: cuts * perCut }, (_, number) => number))
})

test('a server that recovers sessions brings what was missed; another leaves a gap', async ({
  page,
  open,
  serve,
  linkTo,
}) => {
  const recovering = await serve({ connectionStateRecovery: {} })
  const forgetful = await serve()
  const other = await open()
  const links = [await linkTo(recovering), await linkTo(forgetful)]
  await connect(page, { url: links[0]!.url, listen: ['news'] })
  await connect(other, { url: links[1]!.url, listen: ['news'] })

  const outcomes = await Promise.all(
    [page, other].map(async (one, index) => {
      const { io } = [recovering, forgetful][index]!
      const link = links[index]!
      io.emit('news', 'before')
      await received(one, 1)
      link.refuse()
      link.reset()
      await expect.poll(() => io.engine.clientsCount).toBe(0)
      io.emit('news', 'meanwhile')
      await link.heal()
      await expect.poll(() => io.sockets.sockets.size).toBe(1)
      await one.evaluate(() => socketIoPage.until((_, { status }) => status === 'connected'))
      io.emit('news', 'after')
      await one.evaluate(() => socketIoPage.until(({ received: got }) => got.some(([, news]) => news === 'after')))
      return one.evaluate(() => ({
        news: socketIoPage.received.map(([, news]) => news),
        gaps: socketIoPage.gaps.length,
        recovered: (socketIoPage.client.getState() as { recovered: boolean }).recovered,
      }))
    }),
  )

  expect(outcomes).toEqual([
    { news: ['before', 'meanwhile', 'after'], gaps: 0, recovered: true },
    { news: ['before', 'after'], gaps: 1, recovered: false },
  ])
})

test('two servers on the Redis adapter are one to their clients', async ({ page, open, serve, linkTo }) => {
  const redis = await startRedis()
  try {
    const servers = [await serve(), await serve()]
    for (const { io } of servers) {
      const publisher = createRedis({ url: redis.url })
      const subscriber = publisher.duplicate()
      await Promise.all([publisher.connect(), subscriber.connect()])
      redis.whenDone(() => {
        publisher.destroy()
        subscriber.destroy()
      })
      io.adapter(createAdapter(publisher, subscriber))
      chat(io)
    }
    const [first, second] = servers as [SocketIoServer, SocketIoServer]
    const link = await linkTo(second)
    const other = await open()
    const listen = ['message', 'user-joined']
    await connect(page, { url: first.url, listen })
    const theirs = await connect(other, { url: link.url, listen })

    await page.evaluate(() => socketIoPage.client.request('join', 'lobby'))
    await other.evaluate(() => socketIoPage.client.request('join', 'lobby'))
    const joined = await received(page, 1)
    link.reset()
    await other.evaluate(() => socketIoPage.until(({ gaps }) => gaps.length > 0)) // It is back.
    await other.evaluate(() => void socketIoPage.client.send('message', 'across'))
    const [, message] = await received(page, 2)

    expect(joined).toEqual([['user-joined', { user: theirs, room: 'lobby' }]])
    expect(message).toEqual(['message', { from: expect.any(String), text: 'across' }])
    expect(first.io.sockets.sockets.size).toBe(1)
  } finally {
    await redis.stop()
  }
})

/** A Redis server of this test, which keeps nothing on disk. */
async function startRedis(): Promise<{ url: string; whenDone(cleanUp: () => void): void; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const socket = join(folder, 'redis.sock')
  const child = spawn(
    await findRedisServer(),
    ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const cleanUps: (() => void)[] = []
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (/ready to accept connections/i.test(said)) resolve()
    })
    child.once('exit', () => reject(new Error(`redis-server has ended: ${said}`)))
  })
  return {
    url: `unix://${socket}`,
    whenDone: (cleanUp) => void cleanUps.push(cleanUp),
    async stop() {
      for (const cleanUp of cleanUps) cleanUp()
      child.kill()
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}
