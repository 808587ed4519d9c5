import type { Entry } from './delivery.js'
import type { MaybePromise, MessageReference, OutboxStore } from './store.js'

/** Group commit: one batch is on its way to the store, and whatever is asked meanwhile makes up the next. */
export interface Commits {
  append(entry: Entry): void
  /** The store may forget every message of the entry's writer up to this one. */
  settle(entry: Entry): void
  /** The store may forget this one. */
  remove(entry: Entry): void
  /** Starts committing if nothing is under way. */
  run(): void
  /** Settles when nothing is left to commit. */
  idle(): Promise<void>
}

interface CommitsListener {
  committed(appended: Entry[]): void
  /** `isOwing` when there is also something that the store has yet to forget: call `run` again in a while. */
  failed(notAppended: Entry[], cause: unknown, isOwing: boolean): void
}

interface Batch {
  append: Entry[]
  settled: MessageReference[]
  removed: MessageReference[]
}

const emptyBatch = (): Batch => ({ append: [], settled: [], removed: [] })

export function createCommits(store: OutboxStore, listener: CommitsListener): Commits {
  let batch = emptyBatch()
  let running: Promise<void> | undefined
  let isRunning = false

  const hasWork = (): boolean => batch.append.length + batch.settled.length + batch.removed.length > 0

  /** Commits until there is nothing to commit; goes on by itself after a store that answers later. */
  function run(): void {
    if (isRunning) return
    isRunning = true
    while (hasWork()) {
      const current = batch
      batch = emptyBatch()
      const outcome = commit(store, current)
      if (outcome instanceof Promise) {
        running = outcome.then(
          () => {
            stop()
            listener.committed(current.append)
            run()
          },
          (error: unknown) => {
            stop()
            const hasNews = hasWork()
            // What is to be forgotten stays owed, and goes with the next batch.
            batch.settled.unshift(...current.settled)
            batch.removed.unshift(...current.removed)
            listener.failed(current.append, error, batch.settled.length + batch.removed.length > 0)
            if (hasNews || batch.append.length) run()
          },
        )
        return
      }
      listener.committed(current.append)
    }
    stop()
  }

  function stop(): void {
    isRunning = false
    running = undefined
  }

  return {
    append: (entry) => void batch.append.push(entry),
    settle({ message }) {
      // Settling is cumulative: the newest word about a writer is enough.
      if (batch.settled[batch.settled.length - 1]?.writer === message.writer) batch.settled.pop()
      batch.settled.push(message)
    },
    remove(entry) {
      const unwritten = batch.append.indexOf(entry)
      if (unwritten < 0) batch.removed.push(entry.message)
      else batch.append.splice(unwritten, 1)
    },
    run,
    async idle() {
      while (running) await running
    },
  }
}

/** A store that throws has failed just as one that rejects. */
function commit(store: OutboxStore, { append, settled, removed }: Batch): MaybePromise<void> {
  try {
    return store.commit({ append: append.map(({ message }) => message), settled, removed })
  } catch (error) {
    return Promise.reject(error)
  }
}
