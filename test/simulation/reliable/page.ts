import { isDeepStrictEqual } from 'node:util'
import { createClient } from '../../../src/client/client.js'
import type { SendOptions } from '../../../src/shared/contract.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { HoldfastError } from '../../../src/shared/errors.js'
import { Entry, type Delivery } from '../../../src/outbox/delivery.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import type { OutboxStore } from '../../../src/outbox/store.js'
import type { ClientState } from '../../../src/client/snapshot.js'
import type { Client } from '../../../src/client/api.js'
import { createBrowser, type Browser } from '../browser.js'
import type { World } from '../world.js'
import type { Downs, Place } from './downs.js'
import type { Exposures } from './exposures.js'
import type { Wish } from './acts.js'
import type { Setup } from './plan.js'
import { bytesOf, type Order } from './server.js'
import type { Ups } from './ups.js'
import type { Verdict } from './verdict.js'
import type { Wire } from './wire.js'

/** What a page leaves for the next one in its tab. */
export interface Note {
  readonly text: string
  readonly place: Place
}

/** One page with one client, and an application that keeps books. */
export interface Page {
  readonly name: string
  readonly client: Client
  readonly browser: Browser
  send(wish: Wish, options: SendOptions): Delivery | undefined
  ask(wish: Wish, options: { timeoutMs?: number; abortAfterMs?: number }): void
  flash(padding?: number): void
  /** Its credential is refused for a while, or cannot be had at all. */
  spoilAuth(forMs: number, isStale: boolean): void
  /** Closes its client and opens it again. */
  reopen(drainMs: number, afterMs: number): void
  /** Its application has so many last words, and then it is frozen, or ends. */
  part(signal: 'suspend' | 'leave', lastWords: number): void
  /** It is being unloaded: what it leaves in the tab. */
  leave(lastWords: number): Note | undefined
  /** What is in its tab when it ends without a word. */
  left(): Note | undefined
  /** It is not opened again. */
  retire(): void
  /** Stops dead. */
  kill(): void
}

interface Surroundings {
  readonly seed: number
  readonly setup: Setup
  readonly name: string
  /** Whether it speaks MessagePack. */
  readonly isBinary: boolean
  readonly wire: Wire
  /** Undefined: it has only its memory. */
  readonly store: OutboxStore | undefined
  /** Whether the store has this message, or is writing it. */
  isGiven(id: string): boolean
  /** Whether a server may ask its clients to go, which then send nothing more. */
  readonly mayDrain: boolean
  readonly note: Note | undefined
  readonly verdict: Verdict
  readonly ups: Ups
  readonly downs: Downs
  readonly exposures: Pick<Exposures, 'took' | 'isNoting'>
  /** The next number of a message. */
  nextNumber(): number
  /** The application is told of its session. */
  met(): void
}

/** Errors of the lifecycle that say that one side does not keep to the protocol. */
const PROTOCOL_ERRORS = new Set(['BAD_FRAME', 'SEQUENCE_GAP', 'BAD_ACK', 'PROTOCOL_MISMATCH', 'LISTENER_THREW'])

/** How soon the application tries again where the client has given up. */
const TRY_AGAIN_MS = 300

export function createPage(world: World, surroundings: Surroundings): Page {
  const { seed, setup, name, isBinary, wire, store, note, verdict, ups, downs, exposures, nextNumber, met } =
    surroundings
  const { check, count } = verdict
  if (isBinary) count('speaks MessagePack')
  const browser = createBrowser(world, {
    ...{ seed, name, inTab: note?.text },
    createTransport: (listener, happen) => wire.createTransport(name, listener, happen),
    throwLater: (error) => check(false, 'throw', () => `${name} has thrown ${String(error)}`),
  })
  let isAlive = true
  let isRetired = false
  /** Its application is told nothing of what it does at its end, though it may live on for a while. */
  let hasLeft = false
  let wasStale = false
  let auth: { until: number; isStale: boolean } = { until: 0, isStale: false }
  /** The message that `send` is just taking: its id may be told before `send` returns. */
  let sending: number | undefined
  downs.born(name, note?.place)

  const client = createClient({
    url: 'ws://server.test',
    auth() {
      if (world.now >= auth.until) return 'good'
      if (auth.isStale) return 'stale'
      throw new Error('nobody is logged in')
    },
    outbox: store ? persistent(store, { whenUnavailable: setup.whenUnavailable ?? 'fail' }) : memoryStore(),
    ...(setup.overflow && { outboxMax: { messages: 8 }, overflow: setup.overflow }),
    dialect: reliable({ resumeKey: 'tab', ...(isBinary && { codec: msgpack() }) }),
    retryDelayMs: { min: 100, max: 1_500 },
    connectTimeoutMs: setup.isPatient ? 10_000 : 2_500,
    stableAfterMs: 1_000,
    platform: browser.platform,
  })

  listen()
  world.note(`${name} opens${note ? ' with a note' : ''}`)
  client.connect()

  function listen(): void {
    const ifAlive =
      <Given>(act: (given: Given) => void) =>
      (given: Given): void => {
        if (isAlive) act(given)
      }
    const known = ({ id }: Delivery): string => {
      if (sending !== undefined && !ups.knows(id)) ups.named(sending, id)
      return id
    }
    const { on } = client.lifecycle
    // The server sends nothing but numbers, with padding now and then, or with bytes.
    const heard = (news: unknown): number => {
      const [number, more] = [news].flat() as [number, unknown]
      if (!isAlive) return number
      const bytes = bytesOf(number)
      const areRight = isDeepStrictEqual(more, isBinary ? bytes : Buffer.from(bytes).toString('base64'))
      check(!setup.isBinary || areRight, 'down-bytes', () => `${number} reaches ${name} with ${String(more)}`)
      downs.heard(name, number)
      return number
    }
    // Later, as where the component that listens is loaded when it is needed.
    if (setup.listensAfterMs === undefined) client.on('news', heard)
    else
      world.after(setup.listensAfterMs, () => {
        if (!isAlive) return
        client.on('news', heard)
        const isConnected = client.getState().status === 'connected'
        queueMicrotask(() => queueMicrotask(() => isConnected && downs.listening(name)))
      })
    on('state', ifAlive(look))
    if (setup.isGreeting) on('session', ifAlive(greet))
    on(
      'stored',
      ifAlive((delivery) => ups.stored(known(delivery))),
    )
    on(
      'delivered',
      ifAlive((delivery) => ups.delivered(name, known(delivery))),
    )
    on(
      'failed',
      ifAlive((delivery) => {
        const isForeign = isBinary && codeOf(delivery.error) === 'NOT_ENCODABLE'
        check(!isForeign, 'up-foreign', () => `${name} cannot send ${delivery.id}, which was stored as JSON`)
        ups.failed(name, known(delivery), codeOf(delivery.error))
      }),
    )
    on(
      'gap',
      ifAlive((gap) => downs.gap(name, gap)),
    )
    on('error', ifAlive(complain))
  }

  /** Asks what it would ask to be in its rooms. */
  function greet(): void {
    met()
    count('greeted')
    ask({ handlerMs: 0, isBad: false, padding: 0 }, {})
  }

  function look(state: ClientState): void {
    world.note(() => `${name} is ${state.status}`)
    check(wire.held(name) <= 1, 'two-sockets', () => `${name} has ${wire.held(name)} sockets`)
    if (state.status === 'waiting')
      check(setup.bytesPerMs === undefined, 'healthy-lost', () => `${name} loses a healthy link: ${state.error}`)
    if (state.status !== 'closed' || !state.error) return
    const isExpected = state.error.code === 'UNAUTHORIZED' && wasStale
    check(isExpected, 'stopped', () => `${name} stops: ${codeOf(state.error)}`)
    world.after(TRY_AGAIN_MS, () => isAlive && !isRetired && client.connect())
  }

  function complain({ code, message }: HoldfastError): void {
    count(`client error ${code}`)
    world.note(() => `${name} reports ${code}: ${message}`)
    check(!PROTOCOL_ERRORS.has(code), 'client-error', () => `${name} reports ${code}: ${message}`)
  }

  function take(number: number, event: string, data: unknown, options: SendOptions): Delivery | undefined {
    sending = number
    try {
      const delivery = client.send(event, data, options)
      world.note(() => `${name} sends ${number} as ${delivery.id}`)
      ups.named(number, delivery.id, delivery)
      exposures.took(name, delivery.id)
      return delivery
    } catch (error) {
      world.note(() => `${name} cannot send ${number}: ${codeOf(error)}`)
      ups.refused(number, codeOf(error))
      return undefined
    } finally {
      sending = undefined
    }
  }

  function send(wish: Wish, options: SendOptions): Delivery | undefined {
    const number = nextNumber()
    ups.sent(number, name, 'message', wish.isBad, client.getState().storageError !== undefined)
    const delivery = take(number, 'up', orderOf(number, wish, isBinary), options)
    delivery?.delivered.then(
      () => isAlive && !hasLeft && ups.promised(number, undefined),
      (error: unknown) => isAlive && !hasLeft && ups.promised(number, codeOf(error)),
    )
    return delivery
  }

  /** What is said last is with the server or the store before the page has ended, and with the server if nothing stands in its way. */
  function part(signal: 'suspend' | 'leave', lastWords: number): void {
    const { status, pending } = client.getState()
    const isFree = status === 'connected' && pending === 0 && !surroundings.mayDrain && !exposures.isNoting(name)
    browser.signal('part')
    const said = Array.from({ length: lastWords }, () => send({ handlerMs: 0, isBad: false, padding: 0 }, {}))
    const isSaid = (delivery: Delivery): boolean => delivery instanceof Entry && delivery.wasSent
    const [first] = said
    if (first && isFree) check(isSaid(first), 'last-words', () => `${name} ends, and ${first.id} is not on its way`)
    browser.signal(signal)
    const { durable } = client.getState()
    // A closed client no longer listens to its page.
    if (status !== 'closed')
      for (const delivery of said) {
        if (!delivery || !durable || delivery.error) continue
        const isKept = isSaid(delivery) || surroundings.isGiven(delivery.id)
        check(isKept, 'last-words', () => `${name} ends, and ${delivery.id} is neither sent nor being stored`)
      }
    if (lastWords) count('last words')
  }

  function ask(wish: Wish, { timeoutMs = Infinity, abortAfterMs }: Parameters<Page['ask']>[1]): void {
    const number = nextNumber()
    world.note(() => `${name} asks ${number}`)
    ups.sent(number, name, 'request', wish.isBad)
    const controller = new AbortController()
    if (abortAfterMs !== undefined) world.after(abortAfterMs, () => isAlive && controller.abort())
    client.request('ask', orderOf(number, wish, isBinary), { timeoutMs, signal: controller.signal }).then(
      (result) => isAlive && ups.answered(number, result),
      (error: unknown) => isAlive && ups.unanswered(number, codeOf(error)),
    )
  }

  return {
    name,
    client,
    browser,
    send,
    ask,
    flash(padding = 0) {
      const number = nextNumber()
      ups.sent(number, name, 'volatile', false)
      take(number, 'flash', { n: number, x: 'x'.repeat(padding) }, { volatile: true })
    },
    spoilAuth(forMs, isStale) {
      world.note(`${name} has ${isStale ? 'a stale' : 'no'} credential for ${forMs} ms`)
      auth = { until: world.now + forMs, isStale }
      wasStale ||= isStale
    },
    reopen(drainMs, afterMs) {
      world.note(`${name} is closed, to be opened again`)
      downs.closed(name)
      const { storageError } = client.getState()
      ups.closed(name, drainMs === 0 && storageError?.code === 'STORAGE_UNAVAILABLE')
      client.close({ drainMs }).then(
        // What it sends before it is opened again opens its outbox, and finds there what was not struck off.
        () => ups.closed(name),
        (error: unknown) => check(false, 'close', () => `close() was rejected: ${codeOf(error)}`),
      )
      world.after(drainMs + afterMs, () => {
        if (!isAlive || isRetired) return
        downs.closed(name)
        ups.closed(name)
        world.note(`${name} is opened again`)
        client.connect()
      })
    },
    part,
    leave(lastWords) {
      hasLeft = true
      part('leave', lastWords)
      return this.left()
    },
    left() {
      const text = browser.takeLeft()
      if (text === undefined) return undefined
      const place = downs.place(name)
      if (!browser.hasRecalled) downs.passedOn(name)
      return { text, place }
    },
    retire() {
      isRetired = true
      ups.died(name)
    },
    kill() {
      isAlive = false
      browser.kill()
    },
  }
}

const codeOf = (error: unknown): string => (error instanceof HoldfastError ? error.code : String(error))

const orderOf = (
  n: number,
  { handlerMs, isBad, padding }: Wish,
  isBinary: boolean,
): Order & { readonly x?: string } => ({
  ...{ n, ms: handlerMs, isBad },
  ...(padding && { x: 'x'.repeat(padding) }),
  ...(isBinary && { b: bytesOf(n) }),
})
