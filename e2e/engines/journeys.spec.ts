import { judge } from '../support/verdict.js'
import { talkToWorker } from '../support/worker-talk.js'
import { ascending, numberIn, numbers, unique } from '../support/numbers.js'
import type * as Msgpack from '../../src/msgpack.js'
import { createEchoServer } from '../../src/server.js'
import type { Tab } from './engine.js'
import { expect, test } from './test.js'

/** Starts the harness's client in a page that has it. */
const start = (tab: Tab, url: string, store?: string): Promise<void> =>
  tab.run(([target, name]) => harness.start(target, { ...(name !== null && { store: name }) }), [
    url,
    store ?? null,
  ] as [string, string | null])

const untilPending = (tab: Tab, count: number): Promise<void> =>
  tab.run((wanted) => harness.until(({ client }) => client.getState().pending === wanted), count)

const untilConnected = (tab: Tab): Promise<void> => tab.run(() => harness.untilStatus('connected'))

/** Queues numbers, and waits until so many are stored in all. */
const queue = (tab: Tab, from: number, to: number): Promise<void> =>
  tab.run(
    async ([first, last]) => {
      const before = harness.stored.length
      harness.sendNumbers(first, last)
      await harness.until(({ stored }) => stored.length === before + last - first)
    },
    [from, to] as [number, number],
  )

const arrivals = (messages: readonly { readonly text: string }[]): number[] =>
  messages.map(({ text }) => numberIn(text))

test.describe('a plain server', () => {
  test('gets 500 messages once and in order, and its echoes come back so', async ({ open, server }) => {
    server.isEchoing = true
    const tab = await open('esm.html')
    await start(tab, server.url)

    await tab.run(() => harness.sendNumbers(0, 500))
    await tab.run(() => harness.until(({ received }) => received.length === 500))

    expect(arrivals(server.messages)).toEqual(numbers(500))
    expect(await tab.run(() => harness.received)).toEqual(numbers(500))
  })

  test('gets text of every script, and sends it back unchanged', async ({ open, server }) => {
    server.isEchoing = true
    const text = 'grüße, 你好, مرحبا, שלום, 🌊👩🏽‍🚀, \u0000\u2028"\\'
    const tab = await open('esm.html')
    await start(tab, server.url)

    await tab.run((words) => void harness.client.send('message', words), text)
    await tab.run(() => harness.until(({ received }) => received.length === 1))

    expect(await tab.run(() => harness.received)).toEqual([text])
  })

  test('gets a message of a megabyte whole', async ({ open, server }) => {
    const tab = await open('esm.html')
    await start(tab, server.url)

    await tab.run(() => harness.send(7, 1_000_000).delivered.then(() => {}))
    await server.when(({ messages }) => messages.length === 1)

    expect(server.messages[0]?.text).toHaveLength(
      '{"event":"message","data":{"number":7,"filler":""}}'.length + 1_000_000,
    )
  })

  test('misses nothing that had not left the browser when a link is cut, five times over', async ({
    open,
    server,
    link,
  }) => {
    const tab = await open('esm.html')
    await start(tab, link.url)
    await untilConnected(tab)

    for (let cut = 0; cut < 5; cut++) {
      await tab.run((from) => harness.sendNumbers(from, from + 40), cut * 40)
      link.cut()
      await server.when(({ acceptedConnections }) => acceptedConnections === cut + 2)
    }
    await tab.run(() => harness.sendNumbers(200, 240))
    await untilPending(tab, 0)
    await server.when(({ messages }) => messages.some(({ text }) => numberIn(text) === 239))

    judge(240, await tab.run(() => ({ delivered: harness.delivered, states: harness.states })), server.messages)
  })

  test('gets what was sent while it was away', async ({ open, server }) => {
    const tab = await open('esm.html')
    await start(tab, server.url)
    await untilConnected(tab)

    await server.stop()
    await tab.run(() => harness.until(({ client }) => client.getState().status !== 'connected'))
    await tab.run(() => harness.sendNumbers(0, 50))
    await server.start()
    await untilPending(tab, 0)
    await server.when(({ messages }) => messages.length === 50)

    expect(arrivals(server.messages)).toEqual(numbers(50))
  })

  test('ends a client for good with a code that says so, and tells it why', async ({ open, server }) => {
    const tab = await open('esm.html')
    await start(tab, server.url)
    await untilConnected(tab)

    server.disconnect(4403, 'no such room')
    await tab.run(() => harness.untilStatus('closed'))

    const last = (await tab.run(() => harness.states)).at(-1)
    expect(last).toMatchObject({ status: 'closed', code: 'REFUSED_BY_SERVER' })
    expect(server.acceptedConnections).toBe(1)
  })

  test('that goes away with 1001 is dialled again', async ({ open, server }) => {
    const tab = await open('esm.html')
    await start(tab, server.url)
    await untilConnected(tab)

    server.disconnect(1001)
    await server.when(({ acceptedConnections }) => acceptedConnections === 2)
    await untilConnected(tab)

    const waiting = (await tab.run(() => harness.states)).find(({ status }) => status === 'waiting')
    expect(waiting?.closeCode).toBe(1001)
  })

  test('that falls silent is found dead, and left for a new connection', async ({ open, server, link }) => {
    server.isEchoing = true
    const tab = await open('esm.html')
    await tab.run(
      (url) =>
        harness.start(url, {
          ping: 'ping',
          pong: (frame) => frame === 'ping',
          heartbeatMs: { interval: 200, timeout: 200 },
        }),
      link.url,
    )
    await tab.run(() => harness.until(({ roundTrips }) => roundTrips.length > 0))

    link.blackhole()
    await tab.run(() => harness.untilStatus('waiting'))
    await link.heal()
    await untilConnected(tab)

    const waiting = (await tab.run(() => harness.states)).find(({ status }) => status === 'waiting')
    expect(waiting?.code).toBe('HEARTBEAT_TIMEOUT')
  })

  test('is offered a subprotocol, takes it, and echoes to a HoldfastWebSocket', async ({ open }) => {
    const echo = createEchoServer()
    const { url } = await echo.listening
    const tab = await open('script-tag-min.html')

    const told = await tab.run(
      (target) =>
        new Promise((resolve, reject) => {
          const socket = new Holdfast.HoldfastWebSocket(target, ['chat'])
          socket.addEventListener('open', () => socket.send('hello'))
          socket.addEventListener('error', reject)
          socket.addEventListener('message', ({ data }) => resolve([socket.protocol, data]))
        }),
      url,
    )

    expect(told).toEqual(['chat', 'hello'])
    await echo.close()
  })

  test('gets no message that has expired, and none that a newer one of its key replaces', async ({
    open,
    server,
    link,
  }) => {
    link.refuse()
    const tab = await open('esm.html')
    await start(tab, link.url)

    const codes = await tab.run(async () => {
      const { client } = harness
      const codeOf = (delivery: { delivered: Promise<unknown> }): Promise<unknown> =>
        delivery.delivered.then(
          () => undefined,
          (error: unknown) => (error as { code: string }).code,
        )
      const short = codeOf(client.send('message', 1, { ttlMs: 30 }))
      const old = codeOf(client.send('message', 2, { key: 'cursor' }))
      client.send('message', 3, { key: 'cursor' })
      return [await short, await old]
    })
    await link.heal()
    await untilPending(tab, 0)
    await server.when(({ messages }) => messages.length > 0)

    expect(codes).toEqual(['EXPIRED', 'SUPERSEDED'])
    expect(arrivals(server.messages)).toEqual([3])
  })

  test('is spoken to in MessagePack with bytes and dates', async ({ open }) => {
    const echo = createEchoServer()
    const { url } = await echo.listening
    const tab = await open('esm.html')

    const kinds = await tab.run(async (target) => {
      const { msgpack } = (await import(`${location.origin}/dist/msgpack.js`)) as typeof Msgpack
      const client = Holdfast.createClient({ url: target, dialect: Holdfast.plain({ codec: msgpack() }) })
      const echoed = new Promise<unknown>((resolve) => client.on('message', resolve))
      client.connect()
      client.send('message', { bytes: Uint8Array.of(0, 255), at: new Date(1_700_000_000_123), large: 2n ** 60n })
      const { bytes, at, large } = (await echoed) as { bytes: Uint8Array; at: Date; large: bigint }
      return [[...bytes].join(), at.toISOString(), String(large)]
    }, url)

    expect(kinds).toEqual(['0,255', '2023-11-14T22:13:20.123Z', '1152921504606846976'])
    await echo.close()
  })
})

test.describe('a page', () => {
  for (const [what, file] of [
    ['the script tag', 'script-tag-min.html'],
    ['the module in one file', 'module.html'],
  ] as const) {
    test(`loads ${what} and speaks`, async ({ open, server }) => {
      server.isEchoing = true
      const tab = await open(file)
      await start(tab, server.url)

      await tab.run(() => harness.sendNumbers(0, 10))
      await tab.run(() => harness.until(({ received }) => received.length === 10))

      expect(await tab.run(() => harness.received)).toEqual(numbers(10))
    })
  }

  test('has a worker that keeps, sends and receives', async ({ open }) => {
    const echo = createEchoServer()
    const { url } = await echo.listening
    const tab = await open('esm.html')

    const told = await tab.run(talkToWorker, { url, text: 'grüße 🌊' })

    expect(told).toEqual({ stored: true, receipt: { confirmedBy: 'browser' }, echo: 'grüße 🌊' })
    await echo.close()
  })

  test('that is left and comes back by the back button connects again, and sends what waited', async ({
    open,
    origin,
    server,
    store,
  }) => {
    const tab = await open('esm.html')
    await start(tab, server.url, store)
    await tab.run(() => harness.send(0).delivered.then(() => {}))

    await tab.goto(`${origin}/away.html`)
    await server.when(({ liveConnections }) => liveConnections === 0)
    await tab.back()
    // It comes from the back/forward cache as it was, or is loaded anew.
    if (!(await tab.run(() => globalThis.harness?.client !== undefined))) await start(tab, server.url, store)
    await tab.run(() => harness.send(1).delivered.then(() => {}))
    await server.when(({ messages }) => messages.length === 2)

    expect(arrivals(server.messages)).toEqual([0, 1])
  })
})

test.describe('an outbox', () => {
  test('keeps 100 messages over a reload, with their ids and in order', async ({ open, server, link, store }) => {
    link.refuse()
    const tab = await open('esm.html')
    await start(tab, link.url, store)
    await queue(tab, 0, 100)
    const ids = await tab.run(() => harness.client.outbox.list().map(({ id }) => id))

    await tab.reload()
    await start(tab, link.url, store)
    await untilPending(tab, 100)
    expect(await tab.run(() => harness.client.outbox.list().map(({ id }) => id))).toEqual(ids)
    await link.heal()
    await server.when(({ messages }) => messages.length === 100)

    expect(arrivals(server.messages)).toEqual(numbers(100))
  })

  test('sends nothing again that was delivered before a reload', async ({ open, server, store }) => {
    const tab = await open('esm.html')
    await start(tab, server.url, store)
    await tab.run(() => harness.sendNumbers(0, 100))
    await untilPending(tab, 0)
    await tab.run(() => harness.client.close())

    await tab.reload()
    await start(tab, server.url, store)
    await tab.run(() => harness.send(100).delivered.then(() => {}))
    await server.when(({ messages }) => messages.some(({ text }) => numberIn(text) === 100))

    expect(arrivals(server.messages)).toEqual(numbers(101))
  })

  test('sends the messages of three page lives in the order of their lives', async ({ open, server, link, store }) => {
    link.refuse()
    const tab = await open('esm.html')
    for (let life = 0; life < 3; life++) {
      await start(tab, link.url, store)
      await queue(tab, life * 30, life * 30 + 30)
      await tab.reload()
    }

    await link.heal()
    await start(tab, server.url, store)
    await server.when(({ messages }) => messages.length === 90)

    expect(arrivals(server.messages)).toEqual(numbers(90))
  })

  test('goes to the other tab when one is closed', async ({ open, server, link, store }) => {
    link.refuse()
    const one = await open('esm.html')
    const other = await open('esm.html')
    await start(one, link.url, store)
    await queue(one, 0, 50)
    await start(other, server.url, store)
    await tab900(other)

    await one.close()
    await server.when(({ messages }) => messages.length === 51)

    expect(arrivals(server.messages)).toEqual([900, ...numbers(50)])
  })

  test('is sent once by two tabs that share it, each its own messages', async ({ open, server, link, store }) => {
    link.refuse()
    const one = await open('esm.html')
    const other = await open('esm.html')
    await start(one, link.url, store)
    await start(other, link.url, store)
    await queue(one, 0, 100)
    await queue(other, 100, 200)

    await link.heal()
    await untilPending(one, 0)
    await untilPending(other, 0)
    await server.when(({ messages }) => messages.length === 200)
    await tab900(one)

    const arrived = arrivals(server.messages)
    expect(arrived.filter((number) => number < 100)).toEqual(numbers(100))
    expect(arrived.filter((number) => number >= 100 && number < 200)).toEqual(numbers(100, 100))
  })

  test('is deleted by one call in another tab', async ({ open, link, store }) => {
    link.refuse()
    const one = await open('esm.html')
    const caller = await open('esm.html')
    await start(one, link.url, store)
    await queue(one, 0, 50)

    await caller.run((name) => Holdfast.deleteOutbox(name), store)
    await untilPending(one, 0)

    expect(await one.run(() => harness.failed.map(({ code }) => code))).toEqual(Array(50).fill('REMOVED'))
  })

  test('restores 5,000 messages, and sends them in order', async ({ open, server, link, store }) => {
    link.refuse()
    const tab = await open('esm.html')
    await start(tab, link.url, store)
    await queue(tab, 0, 5_000)

    await tab.reload()
    await start(tab, server.url, store)
    await server.when(({ messages }) => messages.length === 5_000)

    expect(arrivals(server.messages)).toEqual(numbers(5_000))
  })
})

/** One more message, behind whatever would be sent twice. */
const tab900 = (tab: Tab): Promise<void> => tab.run(() => harness.send(900).delivered.then(() => {}))

test.describe('the companion', () => {
  /** Opens the page of the reliable dialect and makes its tab known to the server. */
  async function join(open: (page: string) => Promise<Tab>, url: string, store: string, name: string): Promise<Tab> {
    const tab = await open('reliable.html')
    await begin(tab, url, store, name)
    await tab.run((own) => globalThis.tab.client.request('join', own).then(() => {}), name)
    return tab
  }

  const begin = (tab: Tab, url: string, store: string, name: string): Promise<void> =>
    tab.run((options) => globalThis.tab.start(options), { url, tab: name, store })

  const logOf = (tab: Tab) => tab.run(() => globalThis.tab.log())
  const rest = (tab: Tab): Promise<void> =>
    tab.run(() => globalThis.tab.until((client) => client.getState().pending === 0))
  const untilHeard = (tab: Tab, count: number): Promise<void> =>
    tab.run(
      (wanted) =>
        new Promise<void>((resolve) => {
          const look = (): void =>
            globalThis.tab.log().received.length >= wanted ? resolve() : void setTimeout(look, 10)
          look()
        }),
      count,
    )

  test('handles 500 messages once and in order over ten cuts, and is heard so', async ({
    open,
    companion,
    way,
    store,
  }) => {
    const tab = await join(open, way.url, store, store)

    for (let cut = 0; cut < 10; cut++) {
      const produced = companion.produce([store], 50)
      await tab.run(() => globalThis.tab.produce(50))
      way.cut()
      await produced
    }
    await rest(tab)
    await untilHeard(tab, 500)

    expect(companion.handled.map(({ number }) => number)).toEqual(numbers(500))
    expect(companion.handled.filter(({ maybeDuplicate }) => maybeDuplicate)).toEqual([])
    expect(await logOf(tab)).toMatchObject({ received: numbers(500), gaps: [], failed: [] })
  })

  test('goes on with the stream of a page that is reloaded, three times, without a gap', async ({
    open,
    companion,
    way,
    store,
  }) => {
    const tab = await join(open, way.url, store, store)

    for (let life = 0; life < 3; life++) {
      await companion.produce([store], 20)
      await tab.run(() => globalThis.tab.produce(20))
      await rest(tab)
      await tab.reload()
      await begin(tab, way.url, store, store)
      await tab.run(() => globalThis.tab.until((client) => client.getState().status === 'connected'))
    }
    await untilHeard(tab, 60)

    expect(companion.handled.map(({ number }) => number)).toEqual(numbers(60))
    expect(await logOf(tab)).toMatchObject({ received: numbers(60), gaps: [] })
  })

  test('that restarts on its streams handles each message once, and says so of none that it may repeat', async ({
    open,
    companion,
    store,
  }) => {
    const tab = await join(open, `ws://127.0.0.1:${companion.port}`, store, store)

    await tab.run(() => globalThis.tab.produce(100))
    const restarted = companion.restart(100)
    await tab.run(() => globalThis.tab.produce(100))
    await restarted
    await rest(tab)

    const handled = companion.handled
    const flagged = handled.filter(({ maybeDuplicate }) => maybeDuplicate).map(({ id }) => id)
    const twice = handled.filter(({ id }, index) => handled.findIndex((one) => one.id === id) < index)
    expect(unique(handled.map(({ number }) => number))).toEqual(numbers(200))
    expect(twice.filter(({ id }) => !flagged.includes(id))).toEqual([])
  })

  test('answers a request, also one that was made while it could not be reached', async ({
    open,
    companion,
    way,
    store,
  }) => {
    const tab = await join(open, way.url, store, store)
    way.refuse()
    way.cut()
    await tab.run(() => globalThis.tab.until((client) => client.getState().status === 'waiting'))

    await tab.run((name) => {
      globalThis.asked = globalThis.tab.client.request('join', name) as Promise<string>
    }, store)
    await way.heal()

    expect(await tab.run(() => globalThis.asked)).toEqual(expect.any(String))
    expect(companion.sentTo(store)).toBe(0)
  })

  test('speaks to two tabs that share an outbox, to each its own', async ({ open, companion, way, store }) => {
    const names = [`${store}-a`, `${store}-b`] as const
    const one = await join(open, way.url, store, names[0])
    const other = await join(open, way.url, store, names[1])

    const produced = companion.produce(names, 60)
    await one.run(() => globalThis.tab.produce(60))
    way.cut()
    await other.run(() => globalThis.tab.produce(60))
    await produced
    await rest(one)
    await rest(other)
    await untilHeard(one, 60)
    await untilHeard(other, 60)

    for (const name of names) {
      const mine = companion.handled.filter(({ tab }) => tab === name).map(({ number }) => number)
      expect(mine).toEqual(numbers(60))
    }
    expect((await logOf(one)).received).toEqual(numbers(60))
    expect((await logOf(other)).received).toEqual(numbers(60))
  })

  test('gets from a page that is loaded again what an earlier one could not send', async ({
    open,
    companion,
    way,
    store,
  }) => {
    const tab = await join(open, way.url, store, store)
    way.refuse()
    way.cut()
    await tab.run(async (count) => {
      await globalThis.tab.produce(count)
      await globalThis.tab.until((client) => client.outbox.list().every(({ status }) => status === 'stored'))
    }, 100)

    await tab.reload()
    await way.heal()
    await begin(tab, way.url, store, store)
    await expect.poll(() => companion.handled.length).toBe(100)
    await rest(tab)

    const handled = companion.handled.map(({ number }) => number)
    expect(handled).toEqual(ascending(unique(handled)))
    expect(handled).toEqual(numbers(100))
  })
})

declare global {
  var asked: Promise<string>
}
