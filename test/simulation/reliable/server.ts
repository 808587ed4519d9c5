import { isDeepStrictEqual } from 'node:util'
import type { Body } from '../../../src/protocol/codec.js'
import { msgpack } from '../../../src/protocol/msgpack.js'
import { fromMsgpack } from '../../../src/protocol/msgpack-read.js'
import { RetryError } from '../../../src/server/base/handler-errors.js'
import { createEngine, type Engine } from '../../../src/server/engine/engine.js'
import {
  createMemoryStreams,
  type MemorySnapshot,
  type MemoryStreams,
} from '../../../src/server/stores/memory-streams.js'
import type { MessageContext, Session } from '../../../src/server/base/api.js'
import type { MaybePromise } from '../../../src/shared/maybe-promise.js'
import type { Streams, StreamStore } from '../../../src/server/stores/stream-store.js'
import { createChance, mix, type World } from '../world.js'
import { FAULTY_MS, type Forgery } from './acts.js'
import type { Downs, StreamsSnapshot } from './downs.js'
import { forge } from './hostile.js'
import type { Setup } from './plan.js'
import type { Ups } from './ups.js'
import type { Verdict } from './verdict.js'
import type { Connection, Socket } from './wire.js'

/** What a message up asks of its handler. */
export interface Order {
  readonly n: number
  readonly ms: number
  readonly isBad: boolean
  /** Of a page that speaks MessagePack: see `bytesOf`. */
  readonly b?: unknown
}

/** What a message carries where there is MessagePack, which JSON cannot carry. */
export const bytesOf = (number: number): Uint8Array => Uint8Array.of(0, 200, number % 256)

/** The companion server's engine with a small application, a store that may be slow, and several lives. */
export interface Server {
  accept(socket: Socket, subprotocol: string | undefined): Connection | undefined
  /** The application sends so many messages to one of its sessions. */
  push(choice: number, details: { count: number; isVolatile?: boolean; isForAll?: boolean; padding?: number }): void
  /** The application ends one of its sessions. */
  expel(choice: number, code: number): void
  /** A client that is none of ours speaks as one of the writers whose messages were handled. */
  forge(choice: number, forgery: Forgery): void
  drain(windowMs: number, done: () => void): void
  /** The process dies. */
  stop(): void
  /** Another process starts, on the same memory or an empty one. */
  start(memory: 'kept' | 'empty'): void
  /** What the store holds now. */
  remember(): Memory
  /** The store goes back to what it held; a blind one does not know that its streams do. */
  goBack(memory: Memory, isBlind?: boolean): void
  /** The store fails for a while. */
  failStore(forMs: number): void
  heal(): void
  readonly isBusy: boolean
  readonly sessionCount: number
  /** How many messages of this session's stream its page has not acknowledged. */
  unacknowledged(session: string): number
  readonly connectionCount: number
}

export interface Memory {
  readonly store: MemorySnapshot
  readonly books: StreamsSnapshot
}

interface Surroundings {
  readonly seed: number
  readonly setup: Setup
  readonly ups: Ups
  readonly downs: Downs
  readonly verdict: Verdict
}

/** Why a session may end although its client comes back for it. */
const EXCUSES = new Set(['expired', 'closed', 'overflow', 'failed'])

/** What the engine reports when a client breaks the protocol. */
const PROTOCOL_ERRORS = new Set(
  ['BAD_FRAME', 'SEQUENCE_GAP', 'BAD_ACK', 'RATE_LIMITED', 'NO_HANDLER', 'AUTH_FAILED'].concat('SERVER_FAILED'),
)

/** What the server sends is a number, alone or before its padding. */
const numberOf = (payload: Body): number =>
  Number(/\d+/.exec(typeof payload === 'string' ? payload : String(fromMsgpack(payload)))?.[0])

export function createServer(world: World, { seed, setup, ups, downs, verdict }: Surroundings): Server {
  const { check, count } = verdict
  const chance = createChance(mix(seed, 7))
  const createStore = (): MemoryStreams =>
    createMemoryStreams({ ttlMs: setup.streamTtlMs, messagesMax: setup.streamMessagesMax })
  let store = createStore()
  let failsUntil = 0
  /** What was acknowledged before stands in the store again, until its page speaks of it. */
  let hasGoneBack = false
  let life = 0
  let pushes = 0
  let running = 0
  let sessions: Session[] = []
  let engine: Engine | undefined
  /** Ends with the process: its timers and what it waits for. */
  let mortal = { isAlive: false, isMarked: false, timers: 0, operations: 0, postponed: new Set<string>() }

  function start(): void {
    const me = (mortal = { isAlive: true, isMarked: false, timers: 0, operations: 0, postponed: new Set<string>() })
    const number = ++life
    let ids = 0
    running = 0
    sessions = []
    world.note(`server ${number} starts`)
    engine = createEngine(
      {
        authenticate: ({ auth }) =>
          auth === 'good' ? { user: 'ann', ...(setup.authTtlMs && { expiresAt: world.now + setup.authTtlMs }) } : null,
        streams: wrap(me),
        limits: {
          window: setup.window,
          frameBytesMax: setup.frameBytesMax,
          helloTimeoutMs: setup.isPatient ? 10_000 : 3_000,
          stalledMs: 3_000,
        },
        heartbeatMs: setup.isPatient ? { interval: 25_000, timeout: 15_000 } : { interval: 2_500, timeout: 1_500 },
        ...(setup.isBinary && { codec: msgpack() }),
      },
      {
        now: () => world.now,
        wallNow: () => world.now,
        random: chance.random,
        createId: () => `life${number}.${++ids}`,
        setTimer(callback, delayMs) {
          me.timers++
          let isSet = true
          const unset = (): void => {
            if (isSet) me.timers--
            isSet = false
          }
          const cancel = world.after(Math.max(delayMs, 0.01), () => {
            unset()
            if (me.isAlive) callback()
          })
          return () => {
            unset()
            cancel()
          }
        },
      },
    )
    const listen = (): void => void engine?.on('session', (session) => meet(session, number, me))
    if (setup.meetsAfterMs === undefined) listen()
    else world.after(setup.meetsAfterMs, () => me.isAlive && listen())
    engine.on('error', ({ code, message }) => {
      count(`server error ${code}`)
      world.note(() => `server reports ${code}: ${message}`)
      check(!PROTOCOL_ERRORS.has(code), 'server-error', () => `the server reports ${code}: ${message}`)
    })
  }

  /** The store as this process sees it: with delays and failures, until it dies. */
  function wrap(me: typeof mortal): StreamStore {
    let lastAt = 0
    const luck = createChance(mix(seed, 8, life))

    function ask<T>(run: () => MaybePromise<T>, refused = (): void => {}): MaybePromise<T> {
      if (!me.isAlive) return new Promise(() => {})
      const isSlow = setup.storeMaxMs > 0 || world.now < failsUntil || me.operations > 0
      return isSlow ? later(run, refused) : run()
    }

    /** Operations take effect, and answer, in the order of the calls. */
    function later<T>(run: () => MaybePromise<T>, refused: () => void): Promise<T> {
      me.operations++
      lastAt = Math.max(lastAt, world.now + luck.random() * setup.storeMaxMs)
      return new Promise((resolve, reject) => {
        world.after(lastAt - world.now, () => {
          if (!me.isAlive) return
          me.operations--
          const isFailing = world.now < failsUntil && luck.chance(0.5)
          if (isFailing) ups.lost()
          if (!isFailing) resolve(run())
          else {
            // It may have taken effect all the same.
            if (luck.chance(0.5)) void run()
            else refused()
            reject(new Error('the store is away'))
          }
        })
      })
    }

    return {
      open(platform) {
        const inner = store.open(platform)
        const streams: Streams = {
          ttlMs: inner.ttlMs,
          attach: (request) => ask(() => inner.attach(request)),
          append(id, epoch, entry, isTaking) {
            const isMessage = entry.head.t === 'm'
            const append = (): ReturnType<Streams['append']> => {
              const result = inner.append(id, epoch, entry, isTaking)
              if (typeof result === 'string') count(`append ${result}`)
              else if (!(result instanceof Promise) && isMessage) downs.appended(id, numberOf(entry.payload))
              return result
            }
            const appended = ask(append, () => isMessage && downs.refused(id, numberOf(entry.payload)))
            // Of a session that the application has not met, nobody is told why it ended.
            if (appended instanceof Promise) appended.catch(() => downs.excuse(id, 'failed'))
            return appended
          },
          acknowledge: (id, epoch, sequence) => ask(() => inner.acknowledge(id, epoch, sequence)),
          end: (id, epoch) => ask(() => inner.end(id, epoch)),
          sentToMany: () =>
            ask(() => {
              void inner.sentToMany()
              me.isMarked = true
            }),
          cursors: (user, writers) => ask(() => inner.cursors(user, writers)),
          advance: (user, writer, cursor) => ask(() => inner.advance(user, writer, cursor)),
        }
        return streams
      },
    }
  }

  /** The application learns of a session, and looks something up before it binds its handlers. */
  function meet(session: Session, number: number, me: typeof mortal): unknown {
    sessions.push(session)
    session.lifecycle.on('ended', ({ reason }) => {
      count(`session ${reason}`)
      if (EXCUSES.has(reason)) downs.excuse(session.id, reason)
      world.note(() => `session ${session.id} has ended: ${reason}`)
      sessions = sessions.filter((one) => one !== session)
    })
    if (setup.meetsAfterMs === undefined) return bind(session, number, me)
    const [isFailing, takesMs] = [world.now < FAULTY_MS && chance.chance(0.2), chance.between(0, setup.meetsAfterMs)]
    count(isFailing ? 'listener failed' : 'listener awaited')
    return new Promise<void>((resolve, reject) => {
      world.after(takesMs, () => {
        if (isFailing) return reject(new Error('the look-up failed'))
        bind(session, number, me)
        resolve()
      })
    })
  }

  /** Handlers that do as they are told. */
  function bind(session: Session, number: number, me: typeof mortal): void {
    const handle = (order: Order, context: MessageContext): unknown => {
      check(sessions.includes(session), 'ended', () => `${session.id} has ended and handles ${order.n}`)
      if (order.n % 5 === 0 && !me.postponed.has(context.id)) {
        me.postponed.add(context.id)
        count('handled later')
        world.note(() => `server ${number} handles ${order.n} later`)
        throw new RetryError({ afterMs: 1 + ((order.n * 37) % 1_500) })
      }
      world.note(() => `server ${number} handles ${order.n} ${context.id} ${describe(context)}`)
      const areRight =
        order.b === undefined || (order.b instanceof Uint8Array && isDeepStrictEqual(order.b, bytesOf(order.n)))
      check(areRight, 'up-bytes', () => `${order.n} arrives with ${String(order.b)}`)
      check(!context.id.includes('~'), 'secret-told', () => `a handler is told ${context.id}`)
      check(order.n > 0, 'forged', () => `a forged ${context.id} is handled`)
      if (order.n < 0) return 0
      const handling = ups.handling(order.n, number, context)
      running++
      const finish = (): number => {
        running--
        handling.isDone = true
        world.note(() => `server ${number} has handled ${order.n}`)
        if (order.isBad) throw new Error('as told')
        return order.n
      }
      if (!order.ms) return finish()
      return new Promise((resolve, reject) => {
        world.after(order.ms, () => {
          if (!me.isAlive) return
          try {
            resolve(finish())
          } catch (error) {
            reject(error)
          }
        })
      })
    }
    session.on('up', (data, context) => handle(data as Order, context))
    session.handle('ask', (data, context) => handle(data as Order, context))
    session.on('flash', (data, context) => void ups.handling((data as Order).n, number, context))
  }

  /** As `send`, and waits for an answer for as long as the session lives. */
  function question(session: Session, number: number, news: unknown): void {
    const me = mortal
    downs.asked(number)
    session.ask('news', news, { timeoutMs: Infinity }).then(
      (answer) => {
        if (me.isAlive) downs.settled(number)
        count('asked')
        check(answer === number, 'ask-answer', () => `${session.id} has answered ${String(answer)} to ${number}`)
      },
      (error: unknown) => {
        const { code } = error as { code: string }
        if (me.isAlive) downs.settled(number)
        count(`asked ${code}`)
        check(code === 'SESSION_ENDED', 'ask-error', () => `${session.id} has answered ${code} to ${number}`)
      },
    )
  }

  const choose = (choice: number): Session | undefined => sessions[choice % sessions.length]

  start()
  return {
    accept: (socket, subprotocol) => engine?.accept(socket, { url: '/', headers: {}, subprotocol }),
    push(choice, { count: many, isVolatile = false, isForAll = false, padding }) {
      const session = choose(choice)
      for (let index = 0; (session || isForAll) && engine && index < many; index++) {
        const number = ++pushes
        world.note(() => `server sends ${number} to ${isForAll ? 'all' : String(session?.id)}`)
        const news = setup.isBinary ? [number, bytesOf(number)] : padding ? [number, 'x'.repeat(padding)] : number
        if (isVolatile) session?.volatile('flash', number)
        else if (isForAll) {
          downs.sharing()
          engine.broadcast('news', news)
        } else if (session && number % 3 === 0) question(session, number, news)
        else session?.send('news', news)
      }
    },
    expel: (choice, code) => choose(choice)?.close(code, 'expelled'),
    forge(choice, forgery) {
      // A store that has forgotten a writer cannot tell.
      const known = [...store.snapshot().cursors.read('ann', ups.writers, '', world.now)]
      const [name, cursor] = known[choice % known.length] ?? []
      if (name === undefined || !cursor) return
      const me = mortal
      forge(
        world,
        forgery,
        { name, n: cursor.n },
        {
          verdict,
          accept: (socket) => engine?.accept(socket, { url: '/', headers: {}, subprotocol: 'holdfast.1' }),
          isAlive: () => me.isAlive,
        },
      )
    },
    drain(windowMs, done) {
      const me = mortal
      const whenDrained = async (): Promise<void> => {
        await engine?.drain({ windowMs, timeoutMs: 2_000 })
        if (me.isAlive) done()
      }
      world.note(`server ${life} drains`)
      void whenDrained()
    },
    stop() {
      world.note(`server ${life} dies`)
      engine?.stop()
      engine = undefined
      downs.ended(mortal.isMarked)
      mortal.isAlive = false
      sessions = []
    },
    start(memory) {
      if (engine) return
      if (memory === 'empty') {
        store = createStore()
        ups.lost()
        downs.restore(new Map())
      }
      start()
    },
    remember: () => ({ store: store.snapshot(), books: downs.snapshot() }),
    goBack(memory, isBlind = false) {
      world.note(`the store goes back in time${isBlind ? ', and does not know' : ''}`)
      store.restore(memory.store, isBlind)
      hasGoneBack = true
      downs.restore(memory.books)
      ups.wentBack()
    },
    failStore(forMs) {
      world.note(`the store fails for ${forMs} ms`)
      failsUntil = world.now + forMs
    },
    heal() {
      failsUntil = 0
    },
    get isBusy() {
      return !engine || running > 0
    },
    get sessionCount() {
      return engine?.sessionCount ?? 0
    },
    get connectionCount() {
      return engine?.connectionCount ?? 0
    },
    unacknowledged: (session) => (hasGoneBack ? 0 : (store.snapshot().streams.get(session)?.messages.length ?? 0)),
  }
}

const describe = ({ isRetransmitted, maybeDuplicate }: MessageContext): string =>
  [isRetransmitted && 'retransmitted', maybeDuplicate && 'maybe a duplicate'].filter(Boolean).join(', ')
