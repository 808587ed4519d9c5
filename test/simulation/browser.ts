import type { Platform } from '../../src/platform/platform.js'
import type { Signal } from '../../src/platform/page-lifecycle.js'
import type { Transport, TransportListener } from '../../src/platform/transport.js'
import { createChance, mix, type World } from './world.js'

/** What surrounds one page: its clocks, its tab, its network. */
export interface Browser {
  readonly platform: Platform
  readonly isAsleep: boolean
  /** How many timers the page has set. */
  readonly timers: number
  /** Takes what the page has left in its tab: it is there once, however often the page is unloaded. */
  takeLeft(): string | undefined
  /** Whether the page has looked for what its forerunner has left. */
  readonly hasRecalled: boolean
  signal(signal: Signal): void
  /** Whether it may be about to end, so that what it sends waits for nothing. */
  readonly isParting: boolean
  /** Nothing of the page runs for a while; what happens meanwhile reaches it when it wakes. */
  sleep(forMs: number): void
  /** Out of view for a while: what timers are due fire every so many milliseconds. */
  hide(forMs: number, everyMs: number): void
  setClock(byMs: number): void
  /** The page is gone: nothing that it planned happens any more. */
  kill(): void
}

interface Surroundings {
  readonly seed: number
  /** `page` and a number. */
  readonly name: string
  /** What the page's forerunner has left in the tab. */
  readonly inTab?: string | undefined
  /** @param happen calls back when the page is awake; what comes first is called first */
  createTransport(listener: TransportListener, happen: (act: () => void) => void): Transport
  /** An error that nobody listens for. */
  throwLater(error: unknown): void
}

export function createBrowser(world: World, surroundings: Surroundings): Browser {
  const { seed, name, inTab, createTransport, throwLater } = surroundings
  const chance = createChance(mix(seed, 3, Number(name.slice(4))))
  let note = inTab
  let hasRecalled = false
  let isAlive = true
  let timers = 0
  let ids = 0
  let wallOffset = 1_700_000_000_000
  let isParting = false
  let hear: ((signal: Signal) => void) | undefined
  let asleepUntil = 0
  let hiddenUntil = 0
  let everyMs = 1
  /** What happened while it slept. */
  const missed: (() => void)[] = []

  const isAsleep = (): boolean => world.now < asleepUntil
  const isHidden = (): boolean => world.now < hiddenUntil

  /** Happens now, or when the page wakes: first come, first served. */
  function happen(act: () => void): void {
    if (!isAlive) return
    if (isAsleep() || missed.length) missed.push(act)
    else act()
  }

  function wake(): void {
    if (isAsleep()) return
    for (let act = missed.shift(); act && isAlive; act = missed.shift()) act()
  }

  function setTimer(callback: () => void, delayMs: number): () => void {
    timers++
    let isSet = true
    const unset = (): void => {
      if (isSet) timers--
      isSet = false
    }
    let cancel = world.after(Math.max(delayMs, 0.01), function due() {
      if (isHidden() && world.now % everyMs !== 0) {
        const nextAt = Math.min(hiddenUntil, Math.ceil(world.now / everyMs) * everyMs)
        cancel = world.after(nextAt - world.now, due)
      } else
        happen(() => {
          if (!isSet) return
          unset()
          callback()
        })
    })
    return () => {
      unset()
      cancel()
    }
  }

  function signal(what: Signal): void {
    happen(() => {
      if (what === 'resume') isParting = false
      else if (what === 'part' || what === 'suspend') isParting = true
      hear?.(what)
    })
  }

  return {
    platform: {
      get isHidden() {
        return isHidden()
      },
      now: () => world.now,
      wallNow: () => world.now + wallOffset,
      random: chance.random,
      createId: () => `${name}.${++ids}`,
      setTimer,
      createTransport: (listener) => createTransport(listener, happen),
      watchSignals(listener) {
        hear = listener
        return () => (hear = undefined)
      },
      notes: {
        recall() {
          hasRecalled = true
          const text = note
          note = undefined
          return text
        },
        keep: (_key, text) => void (note = text),
      },
      throwLater,
    },
    get isAsleep() {
      return isAsleep()
    },
    get timers() {
      return timers
    },
    get hasRecalled() {
      return hasRecalled
    },
    takeLeft() {
      const text = note
      note = undefined
      return text
    },
    signal,
    get isParting() {
      return isParting || isHidden()
    },
    sleep(forMs) {
      world.note(`${name} sleeps for ${forMs} ms`)
      asleepUntil = Math.max(asleepUntil, world.now + forMs)
      world.after(forMs, wake)
    },
    hide(forMs, stepMs) {
      world.note(`${name} is hidden for ${forMs} ms, with a timer every ${stepMs} ms`)
      everyMs = stepMs
      hiddenUntil = Math.max(hiddenUntil, world.now + forMs)
      signal('hide')
      world.after(forMs, () => isHidden() || signal('wake'))
    },
    setClock: (byMs) => void (wallOffset += byMs),
    kill() {
      isAlive = false
    },
  }
}
