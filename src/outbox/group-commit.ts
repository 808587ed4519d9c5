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
  /** Starts committing if nothing is under way; `isLast`: even so, since the page has no time to wait. */
  run(isLast?: boolean): void
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
  /** Ends with the last of those that are under way. */
  let running: Promise<void> | undefined
  let underWay = 0
  let hasNews = false

  const hasWork = (): boolean => batch.append.size + batch.settled.length + batch.removed.length > 0

  function take(isLast: boolean): Batch {
    const taken = batch
    batch = emptyBatch()
    hasNews = false
    if (isLast && taken.append.size + taken.settled.length) {
      // To remove takes answers of the store, which a page that ends does not get: that must not hold up the rest.
      batch.removed = taken.removed
      taken.removed = []
    }
    return taken
  }

  /** Commits until there is nothing to commit; goes on by itself after a store that answers later. */
  function run(isLast = false): void {
    while (hasWork() && (isLast || !underWay)) {
      const current = take(isLast)
      const outcome = commit(store, current)
      underWay++
      if (isThenable(outcome)) {
        const before = running
        running = Promise.resolve(outcome).then(
          () => {
            answered()
            listener.committed([...current.append])
            run()
          },
          (error: unknown) => {
            answered()
            const isAsked = hasNews
            // What is to be forgotten stays owed, and goes with the next batch.
            batch.settled = [...current.settled, ...batch.settled]
            batch.removed = [...current.removed, ...batch.removed]
            listener.failed([...current.append], error, batch.settled.length + batch.removed.length > 0)
            if (isAsked || hasNews) run()
          },
        )
        if (before) running = running.then(() => before)
      } else {
        listener.committed([...current.append])
        underWay--
      }
    }
  }

  function answered(): void {
    if (!--underWay) running = undefined
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
      while (underWay) await running
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
