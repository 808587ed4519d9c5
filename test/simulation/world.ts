/**
 * Virtual time, seeded chance, and the order of events: what makes a run of the simulation repeatable to the last bit.
 */
export interface World {
  readonly now: number
  /** Uniform in [0, 1), from the seed. */
  random(): number
  /** True with the given probability. */
  chance(probability: number): boolean
  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number
  /** Calls `act` after `delayMs`; the returned function calls it off. Events of one moment happen in the order of planning. */
  after(delayMs: number, act: () => void): () => void
  /** Lives through all events up to `time`. */
  runUntil(time: number): Promise<void>
  /** How many events are planned. */
  readonly planned: number
  /** Writes a line into the trace that a failure prints. */
  note(line: string): void
  readonly trace: readonly string[]
}

interface Planned {
  readonly at: number
  readonly act: () => void
}

/** Mulberry32, a 32-bit generator. Source: Tommy Ettinger, public domain. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Lets every promise that can settle do so: a macrotask comes after all microtasks. */
const settlePromises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export function createWorld(seed: number): World {
  const random = seeded(seed)
  const trace: string[] = []
  let now = 0
  const planned: Planned[] = []

  return {
    get now() {
      return now
    },
    get planned() {
      return planned.length
    },
    trace,
    random,
    chance: (probability) => random() < probability,
    between: (min, max) => min + Math.floor(random() * (max - min + 1)),
    after(delayMs, act) {
      const event = { at: now + Math.max(0, delayMs), act }
      // Kept in order; new events mostly belong near the end.
      let index = planned.length
      while (index > 0 && (planned[index - 1] as Planned).at > event.at) index--
      planned.splice(index, 0, event)
      return () => {
        const place = planned.indexOf(event)
        if (place >= 0) planned.splice(place, 1)
      }
    },
    async runUntil(time) {
      await settlePromises()
      while (planned[0] && planned[0].at <= time) {
        const { at, act } = planned.shift() as Planned
        now = at
        act()
        await settlePromises()
      }
      now = time
    },
    note: (line) => void trace.push(`${now.toFixed(0).padStart(7)} ${line}`),
  }
}
