import { isThenable, type MaybePromise } from '../../shared/maybe-promise.js'
import { Fifo } from '../ordering/fifo.js'
import type { StreamEntry, Streams } from '../stores/stream-store.js'
import type { Deadline, Deadlines, Timed } from './deadlines.js'

interface Operation {
  readonly endsBy: number
  isOver: boolean
  reject(error: Error): void
}

/**
 * A store whose operations fail when they have not answered in time. One that answers at once costs nothing more. The
 * operations of a store take effect in order: one that has failed here has no effect after any that follows it.
 */
export class TimedStreams implements Streams, Timed {
  readonly #inner: Streams
  readonly #timeoutMs: number
  readonly #now: () => number
  readonly #deadline: Deadline
  /** Those under way: the first must answer first, since all may take equally long. */
  readonly #operations = new Fifo<Operation>()

  constructor(inner: Streams, timeoutMs: number, now: () => number, deadlines: Deadlines) {
    this.#inner = inner
    this.#timeoutMs = timeoutMs
    this.#now = now
    this.#deadline = deadlines.create(this)
  }

  get ttlMs(): number {
    return this.#inner.ttlMs
  }

  attach(...args: Parameters<Streams['attach']>): ReturnType<Streams['attach']> {
    return this.#timed(this.#inner.attach(...args))
  }

  append(id: string, epoch: number, entry: StreamEntry, isTaking: boolean): ReturnType<Streams['append']> {
    return this.#timed(this.#inner.append(id, epoch, entry, isTaking))
  }

  acknowledge(...args: Parameters<Streams['acknowledge']>): MaybePromise<boolean> {
    return this.#timed(this.#inner.acknowledge(...args))
  }

  end(...args: Parameters<Streams['end']>): MaybePromise<void> {
    return this.#timed(this.#inner.end(...args))
  }

  sentToMany(): MaybePromise<void> {
    return this.#timed(this.#inner.sentToMany())
  }

  cursors(...args: Parameters<Streams['cursors']>): ReturnType<Streams['cursors']> {
    return this.#timed(this.#inner.cursors(...args))
  }

  advance(...args: Parameters<Streams['advance']>): MaybePromise<void> {
    return this.#timed(this.#inner.advance(...args))
  }

  elapsed(now: number): void {
    for (
      let { first } = this.#operations;
      first && (first.isOver || first.endsBy <= now);
      first = this.#operations.first
    ) {
      this.#operations.shift()
      if (!first.isOver) first.reject(new Error(`The store has not answered within ${this.#timeoutMs} ms`))
    }
    this.#deadline.set(this.#operations.first?.endsBy ?? Infinity)
  }

  #timed<T>(result: MaybePromise<T>): MaybePromise<T> {
    if (!isThenable(result)) return result
    return new Promise<T>((resolve, reject) => {
      const operation: Operation = { endsBy: this.#now() + this.#timeoutMs, isOver: false, reject }
      const isFirst = this.#operations.size === 0
      this.#operations.push(operation)
      if (isFirst) this.#deadline.set(operation.endsBy)
      const over = (): void => {
        operation.isOver = true
        while (this.#operations.first?.isOver) this.#operations.shift()
      }
      Promise.resolve(result).then(
        (value) => {
          over()
          resolve(value)
        },
        (cause: unknown) => {
          over()
          reject(cause)
        },
      )
    })
  }
}
