import { createClient } from '../../../src/client.js'
import type { SendOptions } from '../../../src/contract.js'
import { reliable } from '../../../src/dialects/reliable.js'
import { HoldfastError } from '../../../src/errors.js'
import type { Delivery } from '../../../src/outbox/delivery.js'
import { memoryStore } from '../../../src/outbox/memory-store.js'
import type { OutboxStore } from '../../../src/outbox/store.js'
import type { Client } from '../../../src/surface.js'
import type { Signal } from '../../../src/transport/signals.js'
import { createChance, mix, type World } from '../world.js'
import type { Downs, Place } from './downs.js'
import type { Wish } from './plan.js'
import type { Order } from './server.js'
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
  /** How many timers it has set. */
  readonly timers: number
  send(wish: Wish, options: { ttlMs?: number; key?: string }): void
  ask(wish: Wish, options: { timeoutMs?: number; abortAfterMs?: number }): void
  flash(): void
  signal(signal: Signal): void
  setClock(byMs: number): void
  /** It is being unloaded: what it leaves in the tab. */
  leave(): Note | undefined
  /** Stops dead: nothing that it planned happens any more. */
  kill(): void
}

interface Surroundings {
  readonly seed: number
  readonly name: string
  readonly wire: Wire
  /** Undefined: it has only its memory. */
  readonly store: OutboxStore | undefined
  readonly note: Note | undefined
  readonly verdict: Verdict
  readonly ups: Ups
  readonly downs: Downs
  /** The next number of a message. */
  nextNumber(): number
}

/** Errors of the lifecycle that say that one side does not keep to the protocol. */
const PROTOCOL_ERRORS = new Set(['BAD_FRAME', 'SEQUENCE_GAP', 'BAD_ACK', 'PROTOCOL_MISMATCH', 'LISTENER_THREW'])

export function createPage(world: World, surroundings: Surroundings): Page {
  const { seed, name, wire, store, note, verdict, ups, downs, nextNumber } = surroundings
  const { check, count } = verdict
  const chance = createChance(mix(seed, 3, Number(name.slice(4))))
  let inTab = note?.text
  let left: string | undefined
  let isAlive = true
  let timers = 0
  let ids = 0
  let wallOffset = 1_700_000_000_000
  let hear: ((signal: Signal) => void) | undefined
  /** The message that `send` is just taking: its id may be told before `send` returns. */
  let sending: number | undefined
  downs.born(name, note?.place)

  const client = createClient({
    url: 'ws://server.test',
    auth: () => 'good',
    outbox: store ?? memoryStore(),
    dialect: reliable({ resumeKey: 'tab' }),
    retryDelayMs: { min: 100, max: 1_500 },
    connectTimeoutMs: 2_500,
    stableAfterMs: 1_000,
    platform: {
      now: () => world.now,
      wallNow: () => world.now + wallOffset,
      random: chance.random,
      createId: () => `${name}.${++ids}`,
      setTimer(callback, delayMs) {
        timers++
        let isSet = true
        const unset = (): void => {
          if (isSet) timers--
          isSet = false
        }
        const cancel = world.after(Math.max(delayMs, 0.01), () => {
          unset()
          if (isAlive) callback()
        })
        return () => {
          unset()
          cancel()
        }
      },
      createTransport: (listener) => wire.createTransport(name, listener),
      watchSignals(listener) {
        hear = listener
        return () => (hear = undefined)
      },
      recall() {
        const text = inTab
        inTab = undefined
        return text
      },
      keep: (_key, text) => void (left = text),
      throwLater: (error) => check(false, 'throw', () => `${name} has thrown ${String(error)}`),
    },
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
    client.on(
      'news',
      ifAlive((number) => downs.heard(name, number as number)),
    )
    client.lifecycle.on(
      'state',
      ifAlive((state) => {
        world.note(() => `${name} is ${state.status}`)
        check(wire.held(name) <= 1, 'two-sockets', () => `${name} has ${wire.held(name)} sockets`)
        if (state.status === 'closed' && state.error) check(false, 'stopped', () => `${name} stops: ${state.error}`)
      }),
    )
    const known = (id: string): string => {
      if (sending !== undefined && !ups.knows(id)) ups.named(sending, id)
      return id
    }
    client.lifecycle.on(
      'stored',
      ifAlive(({ id }) => ups.stored(known(id))),
    )
    client.lifecycle.on(
      'delivered',
      ifAlive(({ id }) => ups.delivered(name, known(id))),
    )
    client.lifecycle.on(
      'failed',
      ifAlive(({ id, error }) => ups.failed(name, known(id), error?.code ?? 'none')),
    )
    client.lifecycle.on(
      'gap',
      ifAlive((gap) => downs.gap(name, gap)),
    )
    client.lifecycle.on(
      'error',
      ifAlive((error) => {
        count(`client error ${error.code}`)
        world.note(() => `${name} reports ${error.code}: ${error.message}`)
        check(!PROTOCOL_ERRORS.has(error.code), 'client-error', () => `${name} reports ${error.code}: ${error.message}`)
      }),
    )
  }

  function take(number: number, event: string, data: unknown, options: SendOptions): Delivery {
    sending = number
    const delivery = client.send(event, data, options)
    sending = undefined
    world.note(() => `${name} sends ${number} as ${delivery.id}`)
    ups.named(number, delivery.id)
    return delivery
  }

  const order = (n: number, { handlerMs, isBad, padding }: Wish): Order & { readonly x?: string } => ({
    ...{ n, ms: handlerMs, isBad },
    ...(padding && { x: 'x'.repeat(padding) }),
  })

  return {
    name,
    client,
    get timers() {
      return timers
    },
    send(wish, options) {
      const number = nextNumber()
      ups.sent(number, name, 'message', wish.isBad)
      take(number, 'up', order(number, wish), options).delivered.then(
        () => isAlive && ups.promised(number, undefined),
        (error: unknown) => isAlive && ups.promised(number, codeOf(error)),
      )
    },
    ask(wish, { timeoutMs = 20_000, abortAfterMs }) {
      const number = nextNumber()
      world.note(() => `${name} asks ${number}`)
      ups.sent(number, name, 'request', wish.isBad)
      const controller = new AbortController()
      if (abortAfterMs !== undefined) world.after(abortAfterMs, () => isAlive && controller.abort())
      client.request('ask', order(number, wish), { timeoutMs, signal: controller.signal }).then(
        (result) => isAlive && ups.answered(number, result),
        (error: unknown) => isAlive && ups.unanswered(number, codeOf(error)),
      )
    },
    flash() {
      const number = nextNumber()
      ups.sent(number, name, 'volatile', false)
      take(number, 'flash', { n: number }, { volatile: true })
    },
    signal: (signal) => isAlive && hear?.(signal),
    setClock: (byMs) => void (wallOffset += byMs),
    leave() {
      hear?.('leave')
      return left === undefined ? undefined : { text: left, place: downs.place(name) }
    },
    kill() {
      isAlive = false
      ups.died(name)
    },
  }
}

const codeOf = (error: unknown): string => (error instanceof HoldfastError ? error.code : String(error))
