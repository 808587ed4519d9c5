import { createDisk } from '../disk.js'
import { createWorld, type World } from '../world.js'
import { createDowns } from './downs.js'
import { createPage, type Note, type Page } from './page.js'
import { FAULTY_MS } from './acts.js'
import type { Plan, Step } from './plan.js'
import { createServer, type Memory, type Server } from './server.js'
import { createTalks } from './talks.js'
import { createUps } from './ups.js'
import { createVerdict, Violation } from './verdict.js'
import { createWire, type Link } from './wire.js'

/** What came of a run. */
export interface Outcome {
  readonly violation: Violation | undefined
  readonly counts: ReadonlyMap<string, number>
  /** What happened, line by line; empty unless it was asked for. */
  readonly trace: readonly string[]
}

/** How long after the last fault everything must be at rest: a dead link found, every wait over, a store asked again. */
const HEALING_MS = 75_000
/** So soon after the last fault nobody can know that all is well: a dead link looks like a quiet one. */
const SETTLING_MS = 5_000
/** So soon after its last frame a link on which the page sends is found dead. */
const FOUND_MS = 6_000
/** Looked at so often. */
const LOOK_MS = 500

/** Lives through a plan: real clients, a real engine; then the faults stop, and everything must come to rest. */
export async function live(plan: Plan, isTracing = false): Promise<Outcome> {
  const world = createWorld(plan.seed, isTracing)
  const verdict = createVerdict()
  try {
    await createLife(world, plan, verdict)()
  } catch (error) {
    const cause = error instanceof Error ? error.stack : String(error)
    verdict.check(error instanceof Violation && error === verdict.violation, 'throw', () => `escaped: ${cause}`)
  }
  return { violation: verdict.violation, counts: verdict.counts, trace: world.trace }
}

/** A page that sends leaves a link that fell silent. Acknowledgements of slow handlers may come for a while. */
function checkLeft(world: World, link: Link, verdict: ReturnType<typeof createVerdict>): void {
  const leftMs = link.heardAt + FOUND_MS - world.now
  if (link.isClientThere && leftMs > 0) world.after(leftMs, () => checkLeft(world, link, verdict))
  else verdict.check(!link.isClientThere, 'half-open', () => `${link.page} sends on a link dead for ${FOUND_MS} ms`)
}

function createLife(world: World, { seed, setup, steps }: Plan, verdict: ReturnType<typeof createVerdict>) {
  const { check, count } = verdict
  const ups = createUps(verdict, setup.isDurable)
  const downs = createDowns(verdict, setup.streamTtlMs < HEALING_MS / 2)
  const isHasty = (name: string): boolean => pages.find((page) => page.name === name)?.browser.isParting === true
  const talks = createTalks(verdict, { ...ups, ...downs, isHasty }, setup.isGreeting)
  const attached = new Map<string, Set<Link>>()
  const wire = createWire(world, {
    ...{ seed, ...setup },
    watcher: { up: talks.up, down: watchDown, heard: talks.heard, gone: leave },
    accept: (socket, { subprotocol }) => server.accept(socket, subprotocol),
  })
  const server: Server = createServer(world, { seed, setup, ups, downs, verdict })
  let diskFailsUntil = 0
  const disk = createDisk(world, {
    get failure() {
      return world.now < diskFailsUntil ? 0.7 : 0
    },
    ...{ commitMaxMs: setup.commitMaxMs, openFactor: setup.whenUnavailable ? 1 : 0 },
  })
  let pages: Page[] = []
  const closed = new Set<Page>()
  let births = 0
  /** When the last page wakes, and the last link flows again. */
  let restlessUntil = FAULTY_MS
  let numbers = 0

  /** One connection per session: whoever is welcomed takes it from the other before anything else happens. */
  function watchDown(link: Link, text: string): void {
    talks.down(link, text)
    if (!text.startsWith('{"t":"welcome"')) return
    const { session, resumed } = JSON.parse(text) as { session: string; resumed: boolean }
    downs.welcoming(session, resumed)
    const links = attached.get(session) ?? new Set()
    attached.set(session, links.add(link))
    queueMicrotask(() => {
      check(
        links.size <= 1,
        'two-attached',
        () => `${session} has ${[...links].map(({ id }) => `#${id}`).join(' and ')}`,
      )
    })
  }

  function leave(link: Link): void {
    for (const links of attached.values()) links.delete(link)
  }

  function open(note?: Note): void {
    const name = `page${++births}`
    const store = setup.isDurable ? talks.watch(name, disk.createStore(name)) : undefined
    const nextNumber = (): number => ++numbers
    // What was stored in MessagePack fails in a page that speaks JSON; the other way round it goes on.
    const mayBeBinary = setup.isDurable ? setup.pages > 1 || births > 1 : births % 2 === 0
    const isBinary = setup.isBinary === true && mayBeBinary
    const { isGiven } = disk
    const mayDrain = steps.some(({ type }) => type === 'drain')
    const page = { seed, setup, name, isBinary, wire, store, isGiven, mayDrain, note, met: () => talks.met(name) }
    pages.push(createPage(world, { ...page, verdict, ups, downs, exposures: talks, nextNumber }))
  }

  const choose = (choice: number): Page | undefined => pages[choice % pages.length]

  /** The page is gone from the tab; what it promised does not count any more. */
  function retire(page: Page): void {
    pages = pages.filter((one) => one !== page)
    page.retire()
  }

  function kill(page: Page, isSilent: boolean): void {
    world.note(`${page.name} is gone`)
    retire(page)
    page.kill()
    wire.forget(page.name, isSilent)
    disk.forget(page.name)
  }

  function close(page: Page, drainMs: number): void {
    world.note(`${page.name} is closed`)
    retire(page)
    page.client.close({ drainMs }).then(
      () => closed.add(page),
      (error: unknown) => check(false, 'close', () => `close() was rejected: ${String(error)}`),
    )
  }

  function reload(page: Page, lingersMs: number | null, backAfterMs: number, lastWords = 0): void {
    const note = page.leave(lastWords)
    if (lingersMs === null) kill(page, false)
    else world.after(backAfterMs + lingersMs, () => pages.includes(page) && kill(page, false))
    world.after(backAfterMs, () => open(note))
  }

  function restart(memory: 'kept' | 'empty', isSilent: boolean, downMs: number): void {
    server.stop()
    wire.hangUpAll(isSilent)
    world.after(downMs, () => server.start(memory))
  }

  /** What a rollback goes back to is remembered when its time comes. */
  const memories = new Map<Step, Memory>()

  function rollBack(step: Step & { type: 'rollback' }): void {
    const memory = memories.get(step)
    if (!memory) return
    if (!step.isLive) restart('kept', step.isSilent, step.downMs)
    server.goBack(memory, step.isBlind)
  }

  const links = (): readonly Link[] => wire.links()
  const atLink = (choice: number, act: (link: Link) => void): void => {
    const link = links()[choice % links().length]
    if (link) act(link)
  }

  function atPage(choice: number, act: (page: Page) => void): void {
    const page = choose(choice)
    if (page && !page.browser.isAsleep) act(page)
  }

  function disturb(forMs: number): void {
    restlessUntil = Math.max(restlessUntil, world.now + forMs)
  }

  function take(step: Step): void {
    count(step.type)
    switch (step.type) {
      case 'send':
        return atPage(step.page, (page) => {
          const { ttlMs, key, validForMs } = step
          const until = validForMs === undefined ? Infinity : world.now + validForMs
          const options = {
            ...{ ...(ttlMs !== undefined && { ttlMs }), ...(key !== undefined && { key }) },
            ...(validForMs !== undefined && { validWhile: () => world.now < until }),
          }
          for (let index = 0; index < step.count; index++) page.send(step.wish, options)
        })
      case 'ask':
        return atPage(step.page, (page) => page.ask(step.wish, step))
      case 'volatile':
        return atPage(step.page, (page) => page.flash(step.padding))
      case 'remove':
        return atPage(step.page, ({ client }) => {
          const item = client.outbox.list().at(-1)
          if (item) client.outbox.remove(item.id)
        })
      case 'push':
        return server.push(step.session, step)
      case 'cut':
        return atLink(step.link, (link) => wire.cut(link, step))
      case 'silence':
        return atLink(step.link, (link) => {
          wire.silence(link, step.way)
          if (setup.isInUse) checkLeft(world, link, verdict)
        })
      case 'stall':
        return atLink(step.link, (link) => {
          wire.stall(link, step.way, step.forMs)
          disturb(step.forMs)
        })
      case 'lag':
        return atPage(step.page, ({ name, client }) => {
          client.reconnect()
          wire.lag(name, step.forMs)
          disturb(step.forMs + SETTLING_MS)
        })
      case 'refuse':
        return wire.refuse(step.forMs, step.isSilent)
      case 'crash':
        return atPage(step.page, (page) => {
          const note = page.left()
          if (note) count('note of a crash')
          kill(page, step.isSilent)
          world.after(step.backAfterMs, () => open(note))
        })
      case 'reload':
        return atPage(step.page, (page) => reload(page, step.lingersMs, step.backAfterMs, step.lastWords))
      case 'close':
        return atPage(step.page, (page) => {
          close(page, step.drainMs)
          world.after(step.backAfterMs, () => open())
        })
      case 'freeze':
        return atPage(step.page, (page) => {
          page.part('suspend', step.lastWords ?? 0)
          world.after(step.forMs, () => page.browser.signal('resume'))
        })
      case 'reopen':
        return atPage(step.page, (page) => page.reopen(step.drainMs, step.afterMs))
      case 'sleep':
        return atPage(step.page, (page) => {
          page.browser.sleep(step.forMs)
          disturb(step.forMs)
        })
      case 'hide':
        return atPage(step.page, (page) => {
          page.browser.hide(step.forMs, step.everyMs)
          disturb(step.forMs)
        })
      case 'auth':
        return atPage(step.page, (page) => page.spoilAuth(step.forMs, step.isStale))
      case 'signal':
        return atPage(step.page, (page) => page.browser.signal(step.signal))
      case 'reconnect':
        return atPage(step.page, ({ client }) => client.reconnect())
      case 'restart':
        return restart(step.memory, step.isSilent, step.downMs)
      case 'rollback':
        return rollBack(step)
      case 'drain':
        return server.drain(step.windowMs, () => restart('kept', false, step.downMs))
      case 'disk':
        diskFailsUntil = world.now + step.forMs
        return
      case 'store':
        return server.failStore(step.forMs)
      case 'clock':
        return atPage(step.page, (page) => page.browser.setClock(step.byMs))
      case 'expel':
        return server.expel(step.session, step.code)
      case 'forge':
        // A store that goes back in time under it may not know the writer any more.
        return steps.some((one) => one.type === 'rollback' && one.isLive) ? undefined : server.forge(step.writer, step)
    }
  }

  const isQuiet = (): boolean =>
    pages.every(({ client, browser }) => {
      if (browser.isAsleep) return false
      const state = client.getState()
      const session = state.status === 'connected' ? state.sessionId : undefined
      return session !== undefined && state.pending === 0 && server.unacknowledged(session) === 0
    }) &&
    disk.size === 0 &&
    server.connectionCount === pages.length &&
    !server.isBusy

  async function heal(): Promise<void> {
    world.note('the faults stop')
    wire.heal()
    server.heal()
    diskFailsUntil = 0
    disk.heal()
    for (let until = FAULTY_MS; until < FAULTY_MS + HEALING_MS && !verdict.violation;) {
      await world.runUntil((until += LOOK_MS))
      if (world.now > restlessUntil + SETTLING_MS && isQuiet()) break
    }
    await world.runUntil(world.now + 2_000)
  }

  function checkRest(): void {
    for (const { name, client, browser } of pages) {
      const { timers } = browser
      const state = client.getState()
      check(state.status === 'connected', 'rest-state', () => `${name} is ${state.status} long after the faults`)
      check(state.pending === 0, 'rest-pending', () => `${name} still has ${state.pending} messages`)
      check(timers <= 1, 'rest-timers', () => `${name} has ${timers} timers`)
    }
    check(disk.size === 0, 'rest-disk', () => `the disk still holds ${disk.size} messages`)
    check(!server.isBusy, 'rest-server', () => 'the server is still busy')
    ups.rest()
    downs.rest(pages.map(({ name }) => name))
    check(isQuiet(), 'rest-stream', () => 'a stream still holds what its page has')
    check(server.connectionCount === pages.length, 'rest-links', () => `${server.connectionCount} connections are left`)
  }

  async function end(): Promise<void> {
    const last = [...pages]
    for (const page of last) close(page, 0)
    await world.runUntil(world.now + 5_000)
    for (const page of last) {
      check(closed.has(page), 'end-close', () => `${page.name} never finished closing`)
      const { timers } = page.browser
      check(timers === 0, 'end-timers', () => `${page.name} has left ${timers} timers behind`)
    }
    check(server.connectionCount === 0, 'end-links', () => `${server.connectionCount} connections are left`)
    await world.runUntil(world.now + setup.streamTtlMs * 1.5)
    check(server.sessionCount === 0, 'end-sessions', () => `${server.sessionCount} sessions are left`)
  }

  return async (): Promise<void> => {
    for (let index = 0; index < setup.pages; index++) open()
    for (const step of steps) {
      world.after(step.at, () => !verdict.violation && take(step))
      if (step.type === 'rollback') {
        world.after(step.at - step.backMs, () => memories.set(step, server.remember()))
      }
    }
    await world.runUntil(FAULTY_MS)
    if (verdict.violation) return
    await heal()
    if (verdict.violation) return
    checkRest()
    if (!verdict.violation) await end()
  }
}
