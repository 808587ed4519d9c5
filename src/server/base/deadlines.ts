import { createDeadlineTimer } from '../../shared/deadline-timer.js'
import type { ServerPlatform } from './platform.js'

/** An object with a deadline. */
export interface Timed {
  /** The deadline has come. */
  elapsed(now: number): void
}

/** The deadlines of many objects, in a binary heap over a single timer. */
export interface Deadlines {
  create(timed: Timed): Deadline
  /** No deadline comes any more. */
  cancel(): void
}

/** The deadline of one object. */
export class Deadline {
  /** The order of the heap; changed by the heap only. */
  at = Infinity
  /** The place in the heap; -1: none. */
  index = -1
  readonly timed: Timed
  readonly #heap: DeadlineHeap

  constructor(timed: Timed, heap: DeadlineHeap) {
    this.timed = timed
    this.#heap = heap
  }

  /** `elapsed` is called at `at`, on the monotonic clock, and then no more until this is set anew; `Infinity`: never. */
  set(at: number): void {
    if (this.index >= 0 && this.at === at) return
    this.#heap.move(this, at)
  }
}

/** @example const deadline = createDeadlines(platform).create({ elapsed: (now) => sendPing(now) }) */
export const createDeadlines = (platform: ServerPlatform): Deadlines => new DeadlineHeap(platform)

class DeadlineHeap implements Deadlines {
  readonly #nodes: Deadline[] = []
  /** Those that have come in this round. */
  readonly #due = new Set<Deadline>()
  #isCancelled = false
  readonly #timer: ReturnType<typeof createDeadlineTimer>

  constructor(platform: ServerPlatform) {
    this.#timer = createDeadlineTimer(platform, (now) => this.#elapsed(now))
  }

  create(timed: Timed): Deadline {
    return new Deadline(timed, this)
  }

  cancel(): void {
    this.#isCancelled = true
    this.#nodes.length = 0
    this.#due.clear()
    this.#timer.cancel()
  }

  move(node: Deadline, at: number): void {
    this.#remove(node)
    this.#due.delete(node)
    if (at === Infinity || this.#isCancelled) return
    node.at = at
    node.index = this.#nodes.length
    this.#nodes.push(node)
    this.#rise(node)
    this.#schedule()
  }

  #elapsed(now: number): void {
    for (let node = this.#nodes[0]; node && node.at <= now; node = this.#nodes[0]) {
      this.#remove(node)
      this.#due.add(node)
    }
    // A deadline that is set into the past meanwhile comes in the next round: the others have their turn first.
    for (const node of this.#due) {
      this.#due.delete(node)
      node.timed.elapsed(now)
    }
    this.#schedule()
  }

  #schedule(): void {
    const [first] = this.#nodes
    if (first && !this.#isCancelled) this.#timer.schedule(first.at)
  }

  #put(node: Deadline, index: number): void {
    this.#nodes[index] = node
    node.index = index
  }

  #rise(node: Deadline): void {
    let { index } = node
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = this.#nodes[parent]
      if (!above || above.at <= node.at) break
      this.#put(above, index)
      index = parent
    }
    this.#put(node, index)
  }

  #sink(node: Deadline): void {
    let { index } = node
    for (;;) {
      const left = this.#nodes[2 * index + 1]
      const right = this.#nodes[2 * index + 2]
      const child = left && right && right.at < left.at ? right : left
      if (!child || child.at >= node.at) break
      const below = child.index
      this.#put(child, index)
      index = below
    }
    this.#put(node, index)
  }

  #remove(node: Deadline): void {
    const { index } = node
    if (index < 0) return
    node.index = -1
    const last = this.#nodes.pop()
    if (!last || last === node) return
    this.#put(last, index)
    this.#rise(last)
    this.#sink(last)
  }
}
