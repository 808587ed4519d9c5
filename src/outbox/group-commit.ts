import type { Entry } from './delivery.js'
import { isThenable, type MaybePromise } from '../shared/maybe-promise.js'
import { ALL_SENT, type MessageReference, type OutboxStore } from './store.js'
import type { Notes } from './unsent.js'

/** Group commit: one batch is on its way to the store, and whatever is asked meanwhile makes up the next. */
export interface GroupCommit {
  append(entry: Entry): void
  /** Takes back what the next batch was to append. */
  withdraw(): Entry[]
  /** The store may forget every message of the entry's writer up to this one. */
  settle(entry: Entry): void
  /** The store may forget this one. */
  remove(entry: Entry): void
  /** The store notes from where on the writer's messages are unsent. */
  note(writer: string, from: number): void
  /** Whether something was asked since the last batch began; what a failed batch left owing is no news. */
  readonly hasNews: boolean
  /** Starts committing if nothing is under way; `isLast`: even so, since the page has no time to wait. */
  run(isLast?: boolean): void
  /** Settles when nothing is left to commit. */
  idle(): Promise<void>
}

interface GroupCommitListener {
  committed(appended: Entry[], notes: Notes): void
  /**
   * `isOwing` when there is also something that the store has yet to forget: call `run` again in a while. `hadNotes`: there
   * were notes in the batch, which go with the next.
   */
  failed(notAppended: Entry[], cause: unknown, isOwing: boolean, hadNotes: boolean): void
}

interface Batch {
  append: Set<Entry>
  settled: MessageReference[]
  removed: MessageReference[]
  notes: Map<string, number>
}

const emptyBatch = (): Batch => ({ append: new Set(), settled: [], removed: [], notes: new Map() })

export function createGroupCommit(store: OutboxStore, listener: GroupCommitListener): GroupCommit {
  let batch = emptyBatch()
  /** Ends with the last of those that are under way. */
  let running: Promise<void> | undefined
  let underWay = 0
  /** Whether one of those has notes: a note follows the answer to the last, so that none takes effect after a newer one. */
  let isNoting = false
  let hasNews = false

  const hasWork = (): boolean =>
    batch.append.size + batch.settled.length + batch.removed.length + (isNoting ? 0 : batch.notes.size) > 0

  /** Whether there is something to forget. */
  const owes = (): boolean =>
    batch.settled.length + batch.removed.length > 0 || [...batch.notes.values()].includes(ALL_SENT)

  function take(isLast: boolean): Batch {
    const taken = batch
    batch = emptyBatch()
    if (isNoting) {
      batch.notes = taken.notes
      taken.notes = new Map()
    }
    isNoting ||= taken.notes.size > 0
    hasNews = batch.notes.size > 0
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
            answered(current)
            listener.committed([...current.append], current.notes)
            run()
          },
          (error: unknown) => {
            answered(current)
            const isAsked = hasNews
            // What is to be forgotten stays owed, and goes with the next batch.
            batch.settled = [...current.settled, ...batch.settled]
            batch.removed = [...current.removed, ...batch.removed]
            batch.notes = new Map([...current.notes, ...batch.notes])
            listener.failed([...current.append], error, owes(), current.notes.size > 0)
            if (isAsked || hasNews) run()
          },
        )
        if (before) running = running.then(() => before)
      } else {
        if (current.notes.size) isNoting = false
        listener.committed([...current.append], current.notes)
        underWay--
      }
    }
  }

  function answered({ notes }: Batch): void {
    if (notes.size) isNoting = false
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
    note(writer, from) {
      hasNews = true
      batch.notes.set(writer, from)
    },
    run,
    async idle() {
      while (underWay) await running
    },
  }
}

/** A store that throws has failed just as one that rejects. */
function commit(store: OutboxStore, { append, settled, removed, notes }: Batch): MaybePromise<void> {
  const unsent = Array.from(notes, ([writer, sequence]) => ({ writer, sequence }))
  try {
    const messages = Array.from(append, ({ message }) => message)
    return store.commit({ append: messages, settled, removed, ...(unsent.length && { unsent }) })
  } catch (error) {
    return Promise.reject(error)
  }
}
