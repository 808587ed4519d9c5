import type { Entry } from './delivery.js'
import { isThenable, type MaybePromise } from '../shared/maybe-promise.js'
import type { MessageReference, OutboxStore } from './store.js'

/** Group commit: one batch is on its way to the store, and whatever is asked meanwhile makes up the next. */
export interface GroupCommit {
  append(entry: Entry): void
  /** Takes back what the next batch was to append. */
  withdraw(): Entry[]
  /** The store may forget every message of the entry's writer up to this one. */
  settle(entry: Entry): void
  /** The store may forget this one. */
  remove(entry: Entry): void
  /** Whether something was asked since the last batch began; what a failed batch left owing is no news. */
  readonly hasNews: boolean
  /** Starts committing if nothing is under way. */
  run(): void
  /** Settles when nothing is left to commit. */
  idle(): Promise<void>
}

interface GroupCommitListener {
  committed(appended: Entry[]): void
  /** `isOwing` when there is also something that the store has yet to forget: call `run` again in a while. */
  failed(notAppended: Entry[], cause: unknown, isOwing: boolean): void
}

interface Batch {
  append: Set<Entry>
  settled: MessageReference[]
  removed: MessageReference[]
}

const emptyBatch = (): Batch => ({ append: new Set(), settled: [], removed: [] })

export function createGroupCommit(store: OutboxStore, listener: GroupCommitListener): GroupCommit {
  let batch = emptyBatch()
  let running: Promise<void> | undefined
  let isRunning = false
  let hasNews = false

  const hasWork = (): boolean => batch.append.size + batch.settled.length + batch.removed.length > 0

  /** Commits until there is nothing to commit; goes on by itself after a store that answers later. */
  function run(): void {
    if (isRunning) return
    isRunning = true
    while (hasWork()) {
      const current = batch
      batch = emptyBatch()
      hasNews = false
      const outcome = commit(store, current)
      if (isThenable(outcome)) {
        running = Promise.resolve(outcome).then(
          () => {
            stop()
            listener.committed([...current.append])
            run()
          },
          (error: unknown) => {
            stop()
            const isAsked = hasNews
            // What is to be forgotten stays owed, and goes with the next batch.
            batch.settled = [...current.settled, ...batch.settled]
            batch.removed = [...current.removed, ...batch.removed]
            listener.failed([...current.append], error, batch.settled.length + batch.removed.length > 0)
            if (isAsked || hasNews) run()
          },
        )
        return
      }
      listener.committed([...current.append])
    }
    stop()
  }

  function stop(): void {
    isRunning = false
    running = undefined
  }

  return {
    get hasNews() {
      return hasNews
    },
    append(entry) {
      hasNews = true
      batch.append.add(entry)
    },
    withdraw() {
      const entries = [...batch.append]
      batch.append.clear()
      return entries
    },
    settle({ writer, sequence }) {
      hasNews = true
      // Settling is cumulative: the newest word about a writer is enough.
      if (batch.settled.at(-1)?.writer === writer) batch.settled.pop()
      batch.settled.push({ writer, sequence })
    },
    remove(entry) {
      hasNews = true
      const { writer, sequence } = entry
      if (!batch.append.delete(entry)) batch.removed.push({ writer, sequence })
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
    return store.commit({ append: Array.from(append, ({ message }) => message), settled, removed })
  } catch (error) {
    return Promise.reject(error)
  }
}
