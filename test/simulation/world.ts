import { createRandom } from '../support/random.js'

/**
 * Virtual time, seeded chance, and the order of events: what makes a run of the simulation repeatable to the last bit.
 */
export interface World extends Chance {
  readonly now: number
  /** Calls `act` after `delayMs`; the returned function calls it off. Events of one moment happen in the order of planning. */
  after(delayMs: number, act: () => void): () => void
  /** Lives through all events up to `time`. */
  runUntil(time: number): Promise<void>
  /** Writes a line into the trace that a failure prints. A function is called only when somebody reads. */
  note(line: string | (() => string)): void
  readonly trace: readonly string[]
}

/** Seeded luck. */
export interface Chance {
  /** Uniform in [0, 1), from the seed. */
  random(): number
  /** True with the given probability. */
  chance(probability: number): boolean
  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number
  /** One of these. */
  pick<Item>(items: readonly [Item, ...Item[]]): Item
}

/** Chance from a seed. */
export function createChance(seed: number): Chance {
  const random = createRandom(seed)
  return {
    random,
    chance: (probability) => random() < probability,
    between: (min, max) => min + Math.floor(random() * (max - min + 1)),
    pick: (items) => items[Math.floor(random() * items.length)] as (typeof items)[0],
  }
}

/** A seed for a part of the run, so that the luck of one part does not depend on how much another has used up. */
export function mix(seed: number, ...parts: number[]): number {
  let hash = seed >>> 0
  for (const part of parts) {
    // Source: the finalizer of MurmurHash3, Austin Appleby, public domain.
    hash = Math.imul(hash ^ part ^ 0x9e3779b9, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash = (hash ^ (hash >>> 16)) >>> 0
  }
  return hash
}

const SETTLED = Promise.resolve()

/** Deeper than any chain of promises that one event starts; a macrotask would be sure, and costs as much as an event. */
const TURNS = 16

/** Lets every promise that can settle do so. */
async function settlePromises(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await SETTLED
}

/** More events than this in one run are a spinning client. */
const EVENTS_MAX = 200_000

/** @param isTracing whether `note` writes anything: a trace costs more than the run */
export function createWorld(seed: number, isTracing = true): World {
  const trace: string[] = []
  const agenda = createAgenda()
  let now = 0
  let events = 0

  return {
    ...createChance(seed),
    get now() {
      return now
    },
    trace,
    after: (delayMs, act) => agenda.add(now + Math.max(0, delayMs), act),
    async runUntil(time) {
      await settlePromises()
      for (let next = agenda.take(time); next; next = agenda.take(time)) {
        now = next.at
        if (++events > EVENTS_MAX) throw new Error(`More than ${EVENTS_MAX} events: something spins`)
        next.act()
        await settlePromises()
      }
      now = time
    },
    note(line) {
      if (isTracing) trace.push(`${now.toFixed(1).padStart(9)} ${typeof line === 'string' ? line : line()}`)
    },
  }
}

interface Planned {
  readonly at: number
  /** Events of one moment happen in the order of planning. */
  readonly order: number
  readonly act: () => void
  isOff: boolean
}

/** What is planned, in a binary heap. What is called off stays there until its time comes. */
function createAgenda(): {
  add(at: number, act: () => void): () => void
  take(until: number): Planned | undefined
} {
  const heap: Planned[] = []
  let order = 0

  const isBefore = (one: Planned, other: Planned): boolean =>
    one.at < other.at || (one.at === other.at && one.order < other.order)

  function rise(event: Planned): void {
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as Planned
      if (!isBefore(event, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = event
  }

  function sink(event: Planned): void {
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++
      const below = heap[child] as Planned
      if (!isBefore(below, event)) break
      heap[index] = below
      index = child
    }
    heap[index] = event
  }

  function pop(): void {
    const last = heap.pop() as Planned
    if (heap.length) sink(last)
  }

  return {
    add(at, act) {
      const event: Planned = { at, order: order++, act, isOff: false }
      rise(event)
      return () => void (event.isOff = true)
    },
    take(until) {
      for (let first = heap[0]; first && first.at <= until; first = heap[0]) {
        pop()
        if (!first.isOff) return first
      }
      return undefined
    },
  }
}
