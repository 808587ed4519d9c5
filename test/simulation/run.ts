import { persistent } from '../../src/outbox/persistence.js'
import { createClient, memoryStore, plain, type Client, type Codec } from '../../src/index.js'
import type { OutboxStorage } from '../../src/outbox/storage.js'
import { createBrowser, type Browser } from './browser.js'
import { createChecker } from './checkers.js'
import { createDisk } from './disk.js'
import { createNetwork, type Network } from './network.js'
import { createWorld, type World } from './world.js'

/** Payloads are numbers, and frames their digits: easy to follow in a trace. */
const digits: Codec = {
  encode: (_event, data = 'ping') => String(data),
  decode: (frame) => ({ event: 'number', data: Number(frame) }),
}

/** One page with one client. */
interface Page {
  readonly name: string
  readonly client: Client
  readonly browser: Browser
}

const FAULTY_MS = 30_000
/** Long enough for the longest backoff, a connect deadline, a dead link to be found, and all of that once more. */
const HEALING_MS = 60_000

/**
 * Lives through one seed: pages send through real clients, over a faulty network, from a faulty disk; then the faults
 * stop, and everything must come to rest.
 *
 * @throws {Error} with the seed and the trace when a promise of the library is broken
 */
export async function simulate(seed: number): Promise<void> {
  try {
    await live(createWorld(seed, false), seed)
  } catch {
    // Once more, to see how it came to that: a trace costs more than the run.
    const world = createWorld(seed)
    const error: unknown = await live(world, seed).catch((cause: unknown) => cause)
    throw new Error(`seed ${seed}: ${String(error)}\n${world.trace.slice(-LINES_MAX).join('\n')}`, { cause: error })
  }
}

/** How many lines of the trace are printed; the end matters most. */
const LINES_MAX = 400

async function live(world: World, seed: number): Promise<void> {
  const isDurable = world.chance(0.7)
  // Which faults a run has is drawn too: a bug may need one fault and the absence of another.
  const often = (probability: number): number => (world.chance(0.5) ? world.random() * probability : 0)
  const rates = {
    cut: often(0.1),
    silence: often(0.04),
    restart: often(0.02),
    reload: often(0.03),
    crash: often(0.03),
    page: often(0.1),
    listener: often(0.01),
    goodbye: often(1),
  }
  /** Whether the clients ping because they are told with what, or how often. */
  const isPingGiven = world.chance(0.5)
  const network = createNetwork(world, {
    silenceAfterPong: !isPingGiven,
    refusal: often(0.5),
    silentDial: often(0.2),
    delayMaxMs: world.between(1, 400),
  })
  const failure = often(0.05)
  const whenUnavailable = world.chance(0.5) ? 'memory' : 'fail'
  const openFactor = whenUnavailable === 'memory' ? 10 : 0
  const disk = createDisk(world, { failure, openFactor, commitMaxMs: world.between(0, 60) })
  const checker = createChecker(world, network, disk, isDurable)
  const pages: Page[] = []
  let births = 0
  let sent = 0

  function open(): void {
    const name = `page${++births}`
    world.note(`${name} opens`)
    const store = isDurable ? persistent(disk.createStore(name), { whenUnavailable }) : memoryStore()
    const page = createPage(world, { seed, name, network, store, isPingGiven })
    checker.watch(page)
    pages.push(page)
    // Applications act from within listeners, too.
    const meddle = (): void => {
      if (world.now >= FAULTY_MS || !pages.includes(page)) return
      const whim = world.random() / rates.listener
      if (whim < 1) page.client.reconnect()
      else if (whim < 2) close(page, false)
      else if (whim < 4) {
        const value = String(++sent)
        checker.sent(page, value, page.client.send('number', value), false)
      }
    }
    page.client.on('number', meddle)
    for (const event of ['state', 'stored', 'delivered', 'failed'] as const) page.client.lifecycle.on(event, meddle)
    page.client.connect()
  }

  function close(page: Page, isCrash: boolean): void {
    world.note(`${page.name} ${isCrash ? 'crashes' : 'is closed'}`)
    pages.splice(pages.indexOf(page), 1)
    if (isCrash) {
      if (world.chance(rates.goodbye)) sayGoodbye(page, 'leave')
      checker.crashed(page)
      page.browser.kill()
      network.forget(page.name)
      disk.forget(page.name)
    } else {
      const closing = page.client.close(world.chance(0.5) ? { drainMs: 500 } : {})
      checker.closing(page, closing)
    }
    world.after(world.between(1, 2_000), open)
  }

  /** Its application has a last word as the page ends, or is frozen. */
  function sayGoodbye(page: Page, signal: 'leave' | 'suspend'): void {
    const { status } = page.client.getState()
    page.browser.signal('part')
    network.part(page.name)
    const value = String(++sent)
    const delivery = page.client.send('number', value)
    checker.sent(page, value, delivery, false)
    page.browser.signal(signal)
    if (status === 'connected' && network.isParting(page.name)) checker.left(value, delivery)
  }

  function act(page: Page): void {
    const count = world.chance(0.1) ? world.between(2, 40) : 1
    for (let index = 0; index < count && pages.includes(page); index++) {
      const value = ++sent
      const volatile = world.chance(0.05)
      const ttlMs = world.chance(0.1) ? world.between(1, 5_000) : undefined
      const key = world.chance(0.05) ? 'key' : undefined
      const delivery = page.client.send('number', value, {
        volatile,
        ...(ttlMs !== undefined && { ttlMs }),
        ...(key !== undefined && { key }),
      })
      checker.sent(page, String(value), delivery, volatile)
    }
    if (!pages.includes(page)) return
    if (world.chance(rates.page)) page.client.reconnect()
    if (world.chance(rates.page)) page.browser.signal('wake')
    if (world.chance(rates.page)) page.browser.signal('doubt')
    // A listener may have closed it meanwhile.
    if (world.chance(rates.page) && pages.includes(page)) {
      sayGoodbye(page, 'suspend')
      world.after(world.between(1, 5_000), () => page.browser.signal('resume'))
    }
    if (world.chance(rates.page)) page.browser.hide(world.between(1_000, 20_000), world.chance(0.5) ? 1_000 : 10_000)
    // The wall clock is set now and then; nothing that matters may depend on it.
    if (world.chance(rates.page)) page.browser.setClock(world.between(-3_600_000, 3_600_000))
    if (world.chance(rates.page)) {
      const item = page.client.outbox.list().find(() => world.chance(0.5))
      if (item) page.client.outbox.remove(item.id)
    }
  }

  function step(): void {
    if (world.now >= FAULTY_MS) return
    const page = pages[world.between(0, pages.length - 1)]
    if (page) act(page)
    // Soon after the sends, while their frames are in the buffer or under way.
    if (world.chance(rates.cut)) world.after(world.between(0, 20), network.cut)
    if (world.chance(rates.silence)) network.silence()
    if (world.chance(rates.restart)) {
      network.stopServer()
      world.after(world.between(1, 20_000), network.startServer)
    }
    const isOpen = page !== undefined && pages.includes(page)
    if (isOpen && world.chance(rates.reload)) close(page, false)
    else if (isOpen && world.chance(rates.crash)) close(page, true)
    world.after(world.between(1, 1_000), step)
  }

  for (let tabs = world.chance(0.3) ? 2 : 1; tabs > 0; tabs--) open()
  step()
  await world.runUntil(FAULTY_MS)
  world.note('the faults stop')
  network.heal()
  disk.heal()
  await world.runUntil(FAULTY_MS + HEALING_MS)
  checker.rest(pages)
  for (const page of pages) checker.closing(page, page.client.close())
  await world.runUntil(FAULTY_MS + HEALING_MS + 10_000)
  checker.end(pages)
}

function createPage(
  world: World,
  {
    seed,
    name,
    network,
    store,
    isPingGiven,
  }: { seed: number; name: string; network: Network; store: OutboxStorage; isPingGiven: boolean },
): Page {
  const browser = createBrowser(world, {
    ...{ seed, name },
    createTransport: (listener) => network.createTransport(name, listener),
    throwLater(error) {
      throw error
    },
  })
  const client = createClient({
    url: 'ws://server.test',
    outbox: store,
    dialect: plain({ codec: digits, ...(isPingGiven && { ping: 'ping', pong: 'pong' }) }),
    heartbeatMs: { interval: 5_000, timeout: 3_000 },
    retryDelayMs: { min: 500, max: 5_000 },
    connectTimeoutMs: 4_000,
    platform: browser.platform,
  })
  return { name, client, browser }
}

export type { Page }
