import assert from 'node:assert/strict'
import type { Notes, Platform } from '../../src/platform/platform.js'
import { sizeOf, type Body, type Received } from '../../src/protocol/codec.js'
import type { Signal } from '../../src/platform/page-lifecycle.js'
import type { Transport, TransportListener } from '../../src/platform/transport.js'
import { createRandom } from './random.js'

export { createRandom }

/** A clock that moves only when it is told to. Several platforms may share one. */
export interface FakeClock {
  /** Milliseconds, monotonic. */
  readonly now: number
  /** How many timers are armed. */
  readonly timers: number
  wallNow(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Lets everything finish that waits for no timer. */
  settle(): Promise<void>
  /** Moves on by so many milliseconds, firing each timer at its time and letting what it starts finish. */
  advance(ms: number): Promise<void>
  /** Moves on at once without firing: the machine sleeps. What fell due fires late, at the next `advance`. */
  sleep(ms: number): void
  /** Sets the wall clock by so many milliseconds; the monotonic one does not notice. */
  stepWall(ms: number): void
}

interface Timer {
  readonly at: number
  callback(): void
}

export function createFakeClock({ startMs = 0, wallMs = 1_700_000_000_000 } = {}): FakeClock {
  let now = startMs
  let wall = wallMs - startMs
  /** By time, and of one time in the order in which they were set. */
  const queue: Timer[] = []

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  function enqueue(timer: Timer): void {
    let low = 0
    let high = queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((queue[middle]?.at ?? 0) <= timer.at) low = middle + 1
      else high = middle
    }
    queue.splice(low, 0, timer)
  }

  return {
    get now() {
      return now
    },
    get timers() {
      return queue.length
    },
    wallNow: () => wall + now,
    setTimer(callback, delayMs) {
      assert(!Number.isNaN(delayMs), 'a timer was set for NaN')
      const timer = { at: now + Math.max(delayMs, 0), callback }
      enqueue(timer)
      return () => {
        const index = queue.indexOf(timer)
        if (index >= 0) queue.splice(index, 1)
      }
    },
    settle,
    async advance(ms) {
      const until = now + ms
      let callsAtOnce = 0
      await settle()
      for (let timer = queue[0]; timer && timer.at <= until; timer = queue[0]) {
        // A timer that is set again and again for this very moment is a spinning client.
        callsAtOnce = timer.at > now ? 0 : callsAtOnce + 1
        assert(callsAtOnce < 1_000, `timers fire without end at ${now} ms`)
        queue.shift()
        now = Math.max(now, timer.at)
        timer.callback()
        await settle()
      }
      now = until
    },
    sleep(ms) {
      now += ms
    },
    stepWall(ms) {
      wall += ms
    },
  }
}

/** One socket, from the network's side. */
export interface FakeLink {
  readonly url: string
  readonly subprotocols: readonly string[]
  /** `dropped`: the client has abandoned it. */
  readonly status: 'connecting' | 'open' | 'closed' | 'dropped'
  /** What the client gave when it dropped the link. */
  readonly dropped: { readonly code: number; readonly reason: string } | undefined
  /** When it was dialled. */
  readonly dialledAt: number
  /** Every frame handed to the socket, in order. */
  readonly written: readonly Body[]
  /** Of those, the ones that have left the browser's buffer whole. */
  readonly received: readonly Body[]
  /** Bytes that are still in the browser's buffer. */
  readonly buffered: number
  /** The server takes the connection. */
  accept(): void
  /** Nobody is there. As a browser says it. */
  refuse(): void
  /** The link ends; what is in the buffer stays there. */
  close(code?: number, reason?: string): void
  /** A frame comes from the server. */
  deliver(frame: Received): void
  /** Keeps bytes in the buffer from now on. */
  hold(): void
  /** Lets so many bytes leave the buffer; without a number all, and all later ones at once. */
  flush(bytes?: number): void
}

export interface FakePlatform extends Platform {
  readonly notes: Notes
  readonly clock: FakeClock
  /** Every link that was dialled, oldest first. */
  readonly links: FakeLink[]
  /** The newest. */
  readonly link: FakeLink
  /** Links that are connecting or open. */
  readonly liveLinks: FakeLink[]
  /** How many listen for signals. */
  readonly watchers: number
  /** What `throwLater` was given. */
  readonly thrown: unknown[]
  /** The page's URL. Default: there is no page. */
  pageUrl: string | undefined
  /** What `random` answers from now on; undefined: what the seed says. */
  chance: number | undefined
  /** Called with each new link, for tests that answer by themselves. */
  onDial: ((link: FakeLink) => void) | undefined
  /** Makes sockets impossible: what the constructor throws. */
  blockedBy: unknown
  signal(signal: Signal): void
  /** Moves on by so many milliseconds. */
  advance(ms: number): Promise<void>
  /** Lets everything finish that waits for no timer. */
  settle(): Promise<void>
}

export interface FakePlatformOptions {
  clock?: FakeClock
  /** The same seed gives the same random numbers. */
  seed?: number
  /** What ids begin with, so that two pages do not make the same. */
  name?: string
  /** How many timers may be armed at a time. Default: 1, which is all that a client may have. */
  timersMax?: number
}

/**
 * The surroundings of a client, in the hands of a test: its clock, its luck and its network.
 *
 * @example
 * const platform = createFakePlatform()
 * const client = createClient({ url: 'ws://server/', platform })
 * client.connect()
 * await platform.settle()
 * platform.link.accept()
 */
export function createFakePlatform(options: FakePlatformOptions = {}): FakePlatform {
  const { clock = createFakeClock(), seed = 1, name = 'id', timersMax = 1 } = options
  const draw = createRandom(seed)
  const links: FakeLink[] = []
  const watchers = new Set<(signal: Signal) => void>()
  const thrown: unknown[] = []
  const notes = new Map<string, string>()
  let armed = 0
  let ids = 0

  const platform: FakePlatform = {
    clock,
    links,
    get link() {
      const link = links.at(-1)
      assert(link, 'nothing was dialled')
      return link
    },
    get liveLinks() {
      return links.filter(({ status }) => status === 'connecting' || status === 'open')
    },
    get watchers() {
      return watchers.size
    },
    thrown,
    pageUrl: undefined,
    chance: undefined,
    onDial: undefined,
    blockedBy: undefined,
    signal: (signal) => watchers.forEach((listener) => listener(signal)),
    advance: (ms) => clock.advance(ms),
    settle: () => clock.settle(),

    now: () => clock.now,
    wallNow: () => clock.wallNow(),
    random: () => platform.chance ?? draw(),
    createId: () => `${name}-${++ids}`,
    setTimer(callback, delayMs) {
      assert(armed < timersMax, `more than ${timersMax} timers are armed`)
      armed++
      let isArmed = true
      const disarm = (): void => {
        if (isArmed) armed--
        isArmed = false
      }
      const cancel = clock.setTimer(() => {
        disarm()
        callback()
      }, delayMs)
      return () => {
        disarm()
        cancel()
      }
    },
    createTransport: (listener) =>
      createFakeTransport(platform, listener, (link) => {
        assert(platform.liveLinks.length === 0, 'a second socket was opened')
        links.push(link)
        platform.onDial?.(link)
      }),
    watchSignals(listener) {
      watchers.add(listener)
      return () => void watchers.delete(listener)
    },
    notes: {
      recall(key) {
        const note = notes.get(key)
        notes.delete(key)
        return note
      },
      keep: (key, note) => void notes.set(key, note),
    },
    throwLater: (error) => void thrown.push(error),
  }
  return platform
}

/** The transport's contract over fake links: one at a time, and nothing is heard of an abandoned one. */
function createFakeTransport(
  platform: FakePlatform,
  listener: TransportListener,
  dialled: (link: FakeLink) => void,
): Transport {
  let current: (FakeLink & LinkEnd) | undefined

  return {
    open(url, subprotocols) {
      current?.abandon(4000, '')
      current = undefined
      if (platform.blockedBy !== undefined) return listener.blocked(platform.blockedBy)
      current = createLink(url, subprotocols, platform.clock.now, listener)
      dialled(current)
    },
    get isOpen() {
      return current?.status === 'open'
    },
    send(frame) {
      assert(current, 'a frame was sent without a socket')
      current.write(frame)
    },
    buffered: () => current?.buffered ?? 0,
    drop(code, reason) {
      current?.abandon(code, reason)
      current = undefined
    },
  }
}

/** The client's end of a link. */
interface LinkEnd {
  write(frame: Body): void
  abandon(code: number, reason: string): void
}

function createLink(
  url: string,
  subprotocols: readonly string[],
  dialledAt: number,
  listener: TransportListener,
): FakeLink & LinkEnd {
  let status: FakeLink['status'] = 'connecting'
  let dropped: FakeLink['dropped']
  let isHolding = false
  let sentBytes = 0
  let flushedBytes = 0
  const written: Body[] = []
  const ends: number[] = []

  const become = (from: FakeLink['status'][], to: FakeLink['status']): boolean => {
    if (!from.includes(status)) return false
    status = to
    return true
  }

  return {
    url,
    subprotocols,
    dialledAt,
    written,
    get status() {
      return status
    },
    get dropped() {
      return dropped
    },
    get received() {
      return written.filter((_, index) => (ends[index] ?? Infinity) <= flushedBytes)
    },
    get buffered() {
      return sentBytes - flushedBytes
    },
    accept() {
      if (become(['connecting'], 'open')) listener.opened()
    },
    refuse() {
      if (become(['connecting'], 'closed')) listener.closed(1006, '')
    },
    close(code = 1006, reason = '') {
      isHolding = true
      if (become(['connecting', 'open'], 'closed')) listener.closed(code, reason)
    },
    deliver(frame) {
      if (status === 'open') listener.frame(frame)
    },
    hold() {
      isHolding = true
    },
    flush(bytes) {
      if (bytes === undefined) isHolding = false
      flushedBytes = Math.min(sentBytes, flushedBytes + (bytes ?? Infinity))
    },
    write(frame) {
      assert(status === 'open', `a frame was sent to a socket that is ${status}`)
      written.push(frame)
      sentBytes += sizeOf(frame)
      ends.push(sentBytes)
      if (!isHolding) flushedBytes = sentBytes
    },
    abandon(code, reason) {
      isHolding = true
      if (become(['connecting', 'open'], 'dropped')) dropped = { code, reason }
    },
  }
}
