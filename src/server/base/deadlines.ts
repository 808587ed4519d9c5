import { createDeadlineHeap } from '../../shared/deadline-heap.js'
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
  readonly #deadlines: TimedDeadlines

  constructor(timed: Timed, deadlines: TimedDeadlines) {
    this.timed = timed
    this.#deadlines = deadlines
  }

  /** Of deadlines that come together none is before the others. On the prototype: there is one for each connection. */
  get sequence(): number {
    return 0
  }

  /** `elapsed` is called at `at`, on the monotonic clock, and then no more until this is set anew; `Infinity`: never. */
  set(at: number): void {
    if (this.index >= 0 && this.at === at) return
    this.#deadlines.move(this, at)
  }
}

/** @example const deadline = createDeadlines(platform).create({ elapsed: (now) => sendPing(now) }) */
export const createDeadlines = (platform: ServerPlatform): Deadlines => new TimedDeadlines(platform)

class TimedDeadlines implements Deadlines {
  readonly #heap = createDeadlineHeap<Deadline>()
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
    this.#heap.clear()
    this.#due.clear()
    this.#timer.cancel()
  }

  move(deadline: Deadline, at: number): void {
    this.#heap.remove(deadline)
    this.#due.delete(deadline)
    if (at === Infinity || this.#isCancelled) return
    deadline.at = at
    this.#heap.add(deadline)
    this.#schedule()
  }

  #elapsed(now: number): void {
    for (let { first } = this.#heap; first && first.at <= now; first = this.#heap.first) {
      this.#heap.remove(first)
      this.#due.add(first)
    }
    // A deadline that is set into the past meanwhile comes in the next round: the others have their turn first.
    for (const deadline of this.#due) {
      this.#due.delete(deadline)
      deadline.timed.elapsed(now)
    }
    this.#schedule()
  }

  #schedule(): void {
    const { first } = this.#heap
    if (first && !this.#isCancelled) this.#timer.schedule(first.at)
  }
}
