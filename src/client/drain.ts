/** What a `close` waits for that lets everything be delivered first. */
export interface Drain {
  /** When it waits no longer, on the monotonic clock; `Infinity` when nothing waits. */
  readonly deadline: number
  /** Waits until `finish`, and no longer than `by`. Called twice, the deadline of the later call holds for both. */
  wait(by: number): Promise<void>
  finish(): void
}

export function createDrain(): Drain {
  let deadline = Infinity
  let waiting: (() => void)[] = []

  return {
    get deadline() {
      return deadline
    },
    wait(by) {
      deadline = by
      return new Promise((resolve) => void waiting.push(resolve))
    },
    finish() {
      const finished = waiting
      waiting = []
      deadline = Infinity
      for (const resolve of finished) resolve()
    },
  }
}
