import {
  createServer,
  memoryStreams,
  RejectedError,
  type Server,
  type ServerOptions,
  type Session,
} from '../../src/server.js'
import { createFaultProxy } from '../../test/support/fault-proxy.js'
import { createScriptedServer } from '../support/scripted-server.js'
import { expect, test as base } from '../support/test.js'

interface Chat {
  fromServer: { message: string }
  toServer: { message: string }
  requests: { double: { params: number; result: number }; fail: { params: string; result: never } }
  asks: { confirm: { params: string; result: string }; fail: { params: undefined; result: never } }
}

/** What a test needs of its server. */
interface Companion {
  readonly url: string
  readonly server: Server<Chat>
  /** What the handler of `message` has got, in order. */
  readonly handled: { readonly text: string; readonly maybeDuplicate: boolean }[]
  readonly sessions: Session<Chat>[]
}

const test = base.extend<{ serve: (options?: ServerOptions) => Promise<Companion> }>({
  page: async ({ page, origin }, use) => {
    await page.goto(`${origin}/reliable.html`)
    await use(page)
  },
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  serve: async ({}, use) => {
    const servers: Server<Chat>[] = []
    await use(async (options = {}) => {
      const server = createServer<Chat>({ port: 0, ...options })
      servers.push(server)
      const handled: Companion['handled'] = []
      const sessions: Session<Chat>[] = []
      server.on('session', (session) => {
        sessions.push(session)
        session.on('message', (text, { maybeDuplicate }) => {
          if (text === 'bad') throw new RejectedError('bad is not wanted here')
          handled.push({ text, maybeDuplicate })
        })
        session.handle('double', (number) => number * 2)
        session.handle('fail', (why) => {
          throw new RejectedError(why)
        })
      })
      const { url } = await server.listening
      return { url, server, handled, sessions }
    })
    for (const server of servers) await server.close()
  },
})

test('a delivery resolves when the handler has finished, and rejects with its reason', async ({ page, serve }) => {
  const { url, handled } = await serve()

  const outcome = await page.evaluate(async (target) => {
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
    client.connect()
    const good = client.send('message', 'good')
    const bad = client.send('message', 'bad').delivered.catch((error: unknown) => (error as Error).message)
    const unknown = client.send('unknown').delivered.catch((error: unknown) => (error as { code: string }).code)
    return [await good.delivered, await bad, await unknown, good.status, client.outbox.failed().length]
  }, url)

  expect(outcome).toEqual([{ confirmedBy: 'server' }, 'bad is not wanted here', 'NO_HANDLER', 'delivered', 2])
  expect(handled.map(({ text }) => text)).toEqual(['good'])
})

test('requests are answered, fail with the server’s words, time out and abort', async ({ page, serve }) => {
  const { url } = await serve()

  const outcomes = await page.evaluate(async (target) => {
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
    const early = client
      .request('double', 4, { timeoutMs: 10 })
      .catch((error: unknown) => (error as { code: string }).code)
    await early // There is no connection yet.
    client.connect()
    const abort = new AbortController()
    const aborted = client
      .request('double', 5, { signal: abort.signal })
      .catch((error: unknown) => (error as { code: string }).code)
    abort.abort()
    const failed = client
      .request('fail', 'no such room')
      .catch((error: unknown) => [(error as { code: string }).code, (error as Error).message])
    return [await early, await aborted, await failed, await client.request('double', 21), client.getState().pending]
  }, url)

  expect(outcomes).toEqual(['REQUEST_TIMEOUT', 'REQUEST_ABORTED', ['REJECTED', 'no such room'], 42, 0])
})

test('the server asks, and the page answers, past messages that wait for that', async ({ page, serve }) => {
  const { url, sessions } = await serve()
  await page.evaluate((target) => {
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
    client.handle('confirm', async (text) => `${String(text)}: yes`)
    client.handle('fail', () => {
      throw new Error('not now')
    })
    client.lifecycle.on('error', () => {})
    client.connect()
    return new Promise<void>((resolve) => {
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve())
    })
  }, url)
  const [session] = sessions

  expect(await session?.ask('confirm', 'sure?')).toBe('sure?: yes')
  await expect(session?.ask('fail')).rejects.toMatchObject({ code: 'REJECTED', message: 'not now' })
  await expect(session?.ask('confirm', 'sure?', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
})

test('a server that only echoes the subprotocol is told from ours', async ({ page }) => {
  const server = await createScriptedServer((socket) => socket.send('{"event":"welcome"}'))

  const states = await page.evaluate(async (url) => {
    const client = Holdfast.createClient({ url, dialect: Holdfast.reliable() })
    client.connect()
    client.send('message', 'kept')
    return new Promise((resolve) => {
      client.lifecycle.on('state', (state) => {
        if (state.status === 'closed') resolve([state.error?.code, state.pending])
      })
    })
  }, server.url)
  await server.ended(1)

  expect(states).toEqual(['PROTOCOL_MISMATCH', 1])
  expect(server.closeCodes).toEqual([4406])
  await server.close()
})

test('a server that never greets ends in a typed error, again and again', async ({ page }) => {
  const server = await createScriptedServer(() => {})

  const error = await page.evaluate(async (url) => {
    const client = Holdfast.createClient({ url, dialect: Holdfast.reliable(), connectTimeoutMs: 300 })
    client.connect()
    return new Promise((resolve) => {
      client.lifecycle.on('state', (state) => {
        if (state.status === 'waiting') resolve([state.error.code, state.error.message])
      })
    })
  }, server.url)

  expect(error).toEqual(['CONNECT_TIMEOUT', 'The server has not finished the handshake within 300 ms'])
  await server.close()
})

test('the credential is never in the url, and asked anew after a refusal', async ({ page, serve }) => {
  const urls: string[] = []
  const { url, handled } = await serve({
    authenticate({ auth, request }) {
      urls.push(request.url)
      return auth === 'fresh' ? { user: 'ann' } : null
    },
  })

  const asked = await page.evaluate(async (target) => {
    let count = 0
    const client = Holdfast.createClient({
      url: target,
      dialect: Holdfast.reliable(),
      auth: () => (++count === 1 ? 'outdated' : 'fresh'),
      retryDelayMs: { min: 10, max: 10 },
    })
    client.connect()
    await client.send('message', 'hello').delivered
    return count
  }, url)

  expect(asked).toBe(2)
  expect(urls).toEqual(['/', '/'])
  expect(handled).toHaveLength(1)
})

test('a credential that expires is refreshed on the connection that is up', async ({ page, serve }) => {
  const seen: { auth: unknown; expiresAt: number }[] = []
  const { url, server, handled } = await serve({
    authenticate({ auth }) {
      const expiresAt = Date.now() + 2_000
      seen.push({ auth, expiresAt })
      return { user: 'ann', expiresAt }
    },
  })

  await page.evaluate((target) => {
    let count = 0
    const statuses: string[] = []
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable(), auth: () => ++count })
    Object.assign(globalThis, { client, statuses })
    client.lifecycle.on('state', ({ status }) => statuses.push(status))
    client.connect()
  }, url)
  await expect.poll(() => Date.now() > (seen[0]?.expiresAt ?? Infinity) && seen.length).toBeGreaterThan(2)
  const states = await page.evaluate(async () => {
    const { client, statuses } = globalThis as unknown as { client: typeof tab.client; statuses: string[] }
    await client.send('message', 'still here').delivered
    return statuses
  })

  expect(states).toEqual(['connecting', 'handshaking', 'connected'])
  expect(seen.slice(0, 3).map(({ auth }) => auth)).toEqual([1, 2, 3])
  expect(handled).toHaveLength(1)
  expect(server.errorCount).toBe(0)
})

test('a server that has forgotten everything gets what it had not acknowledged, and the client one gap', async ({
  page,
  serve,
}) => {
  const first = await serve()
  const { port } = new URL(first.url)
  await page.evaluate(async (target) => {
    const client = Holdfast.createClient({
      url: target,
      dialect: Holdfast.reliable(),
      retryDelayMs: { min: 10, max: 50 },
    })
    const gaps: unknown[] = []
    client.lifecycle.on('gap', (gap) => gaps.push(gap))
    Object.assign(globalThis, { client, gaps })
    client.connect()
    await client.send('message', 'one').delivered
  }, first.url)
  await first.server.close()
  await page.evaluate(() => void (globalThis as unknown as { client: typeof tab.client }).client.send('message', 'two'))
  const second = await serve({ port: Number(port) })

  const [told, state] = await page.evaluate(async () => {
    const { client, gaps } = globalThis as unknown as { client: typeof tab.client; gaps: unknown[] }
    await client.send('message', 'three').delivered
    return [gaps, client.getState()]
  })

  expect(second.handled.map(({ text }) => text)).toEqual(['two', 'three'])
  expect(told).toEqual([{ fromServer: true, toServer: true, reason: 'unknown' }])
  expect(state).toMatchObject({ status: 'connected', recovered: false })
})

test('a reloaded page goes on where it was, and gets what it missed', async ({ page, serve }) => {
  const { url, sessions } = await serve()
  const start = (target: string): Promise<unknown> =>
    page.evaluate(async (to) => {
      const received: unknown[] = []
      const client = Holdfast.createClient({ url: to, dialect: Holdfast.reliable({ resumeKey: 'chat' }) })
      client.on('message', (text) => received.push(text))
      Object.assign(globalThis, { received })
      const state = new Promise((resolve) => {
        client.lifecycle.on('state', (now) => now.status === 'connected' && resolve(now.recovered))
      })
      client.connect()
      return state
    }, target)
  const received = (): Promise<unknown[]> =>
    page.evaluate(() => (globalThis as unknown as { received: unknown[] }).received)

  expect(await start(url)).toBe(false)
  sessions[0]?.send('message', 'before')
  await expect.poll(received).toEqual(['before'])
  sessions[0]?.lifecycle.once('disconnected', () => sessions[0]?.send('message', 'meanwhile'))
  await page.reload()
  expect(await start(url)).toBe(true)
  sessions[0]?.send('message', 'after')

  await expect.poll(received).toEqual(['meanwhile', 'after'])
  expect(sessions).toHaveLength(1)
})

test('a message that is too big for the server fails alone', async ({ page, serve }) => {
  const { url, handled } = await serve({ limits: { frameBytesMax: 10_000 } })

  const codes = await page.evaluate(async (target) => {
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
    const deliveries = ['one', 'x'.repeat(20_000), 'two'].map((text) => client.send('message', text))
    client.connect()
    return Promise.all(
      deliveries.map(({ delivered }) =>
        delivered.then(
          () => 'delivered',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    )
  }, url)

  expect(codes).toEqual(['delivered', 'TOO_LARGE', 'delivered'])
  expect(handled.map(({ text }) => text)).toEqual(['one', 'two'])
})

test('a drained server sends every client away with a time of its own, and nothing is lost', async ({
  page,
  serve,
}) => {
  const streams = memoryStreams()
  const first = await serve({ streams })
  const { port } = new URL(first.url)
  await page.evaluate(async (target) => {
    const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
    const closes: unknown[] = []
    client.lifecycle.on('state', (state) => {
      if (state.status === 'waiting') closes.push('closeCode' in state.error && state.error.closeCode)
    })
    Object.assign(globalThis, { client, closes })
    client.connect()
    await client.send('message', 'one').delivered
  }, first.url)

  await first.server.drain({ windowMs: 500 })
  await first.server.close()
  const second = await serve({ port: Number(port), streams })
  const [codes, state] = await page.evaluate(async () => {
    const { client, closes } = globalThis as unknown as { client: typeof tab.client; closes: unknown[] }
    await client.send('message', 'two').delivered
    return [closes, client.getState()]
  })

  expect(codes[0]).toBe(1012)
  expect(state).toMatchObject({ status: 'connected', recovered: true })
  expect(second.handled.map(({ text }) => text)).toEqual(['two'])
})

test('a link that dies in silence is found, and what was missed comes in order', async ({ page, serve }) => {
  const { url, sessions, handled } = await serve({ heartbeatMs: { interval: 300, timeout: 300 } })
  const way = await createFaultProxy({ target: { host: '127.0.0.1', port: Number(new URL(url).port) } })
  await page.evaluate(async (target) => {
    const received: unknown[] = []
    const client = Holdfast.createClient({
      url: target,
      dialect: Holdfast.reliable(),
      retryDelayMs: { min: 10, max: 50 },
    })
    client.on('message', (text) => received.push(text))
    Object.assign(globalThis, { client, received })
    client.connect()
    await client.send('message', 'one').delivered
  }, way.url)

  const disconnected = new Promise((resolve) => sessions[0]!.lifecycle.once('disconnected', resolve))
  way.blackhole()
  sessions[0]?.send('message', 'in the dark')
  const delivered = page.evaluate(() => {
    const { client } = globalThis as unknown as { client: typeof tab.client }
    return client.send('message', 'two').delivered
  })
  await page.waitForFunction(() => {
    const { client } = globalThis as unknown as { client: typeof tab.client }
    return client.getState().status !== 'connected'
  })
  await disconnected
  await way.heal()
  await delivered

  expect(handled.map(({ text }) => text)).toEqual(['one', 'two'])
  await expect
    .poll(() => page.evaluate(() => (globalThis as unknown as { received: unknown[] }).received))
    .toEqual(['in the dark'])
  await way.close()
})

test('two tabs are two sessions; a room reaches both', async ({ page, context, origin, serve }) => {
  const { url, server, sessions } = await serve()
  const other = await context.newPage()
  await other.goto(`${origin}/reliable.html`)
  for (const tabPage of [page, other]) {
    await tabPage.evaluate(async (target) => {
      const received: unknown[] = []
      const client = Holdfast.createClient({ url: target, dialect: Holdfast.reliable() })
      client.on('message', (text) => received.push(text))
      Object.assign(globalThis, { received })
      client.connect()
      await client.send('message', 'here').delivered
    }, url)
  }

  sessions.forEach((session) => session.join('room'))
  server.to('room').send('message', 'to all')

  for (const tabPage of [page, other]) {
    await expect
      .poll(() => tabPage.evaluate(() => (globalThis as unknown as { received: unknown[] }).received))
      .toEqual(['to all'])
  }
})
