import { HoldfastError, StorageError, textOf } from '../shared/errors.js'
import { createCommits, type Commits } from './group-commit.js'
import type { Entry } from './delivery.js'
import type { MaybePromise, MessageReference, OutboxStore, StoredMessage } from './store.js'

/** What the journal tells the outbox. */
export interface JournalListener {
  /** Another page's messages. `isOpen` is false while the journal is opening: nothing of ours was sent yet. */
  adopted(messages: StoredMessage[], isOpen: boolean): void
  stored(entries: Entry[]): void
  /** The store did not take these. */
  refused(entries: Entry[], error: HoldfastError): void
  /** There is no store: nothing that waits can be kept. */
  unavailable(error: HoldfastError): void
  /** The store failed to forget something; it will be asked again. */
  report(error: HoldfastError): void
}

/**
 * The outbox's memory on the store: opens it when first needed, commits in groups, tries again what must not be left
 * undone, and lets go. Each opening has a writer of its own, since a writer must die with its page.
 */
export interface Journal {
  /** Whose messages these are. */
  readonly writer: string
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** Opens the store, if it is not open. */
  open(): void
  /** The identity of the next message, which must then be appended. */
  assign(): MessageReference
  append(entry: Entry): void
  /** The entry and all before it of its writer were delivered. */
  settle(entry: Entry): void
  remove(entry: Entry): void
  /** Starts to commit what was asked. */
  flush(): void
  elapsed(): void
  /** Lets go of the store once it has what it was given; settles when it has let go. */
  close(): Promise<void>
}

/** How soon a failed commit is tried again: half as often each time, in milliseconds. */
const RETRY_MS = { min: 1_000, max: 60_000 }

export function createJournal(
  store: OutboxStore,
  platform: { now(): number; createId(): string },
  listener: JournalListener,
): Journal {
  let stage: 'closed' | 'opening' | 'open' = 'closed'
  /** Of this opening. A later one has others, and what an earlier one still reports is not listened to. */
  let commits: Commits
  let writer = ''
  let sequence = 0
  let opening: MaybePromise<void>
  let closing: Promise<void> | undefined
  let retryAt = Infinity
  let retryAfterMs = RETRY_MS.min

  function open(): void {
    if (stage !== 'closed') return
    stage = 'opening'
    writer = platform.createId()
    sequence = 0
    const mine = (commits = createCommits(store, { committed, failed }))
    const ifMine =
      <Given extends unknown[]>(act: (...given: Given) => void) =>
      (...given: Given) => {
        if (mine === commits && stage !== 'closed') act(...given)
      }
    const start = (): MaybePromise<void> =>
      store.open(
        writer,
        ifMine((messages) => listener.adopted(messages, stage === 'open')),
      )
    try {
      opening = closing ? closing.then(start) : start()
    } catch (cause) {
      opening = Promise.reject(cause)
    }
    if (opening instanceof Promise) opening = opening.then(ifMine(opened), ifMine(unavailable))
    else opened()
  }

  function opened(): void {
    stage = 'open'
    flush()
    listener.stored([])
  }

  function unavailable(cause: unknown): void {
    stage = 'closed'
    listener.unavailable(asStorageError(cause))
  }

  function committed(entries: Entry[]): void {
    retryAt = Infinity
    retryAfterMs = RETRY_MS.min
    listener.stored(entries)
  }

  function failed(entries: Entry[], cause: unknown, isOwing: boolean): void {
    const error = asStorageError(cause)
    // Messages that fail meanwhile do not put the next try off.
    if (isOwing && stage === 'open' && retryAt === Infinity) {
      retryAt = platform.now() + retryAfterMs
      retryAfterMs = Math.min(retryAfterMs * 2, RETRY_MS.max)
    }
    if (entries.length) listener.refused(entries, error)
    else listener.report(error)
  }

  function flush(): void {
    if (stage === 'open') commits.run()
  }

  async function finish(last: Commits): Promise<void> {
    await opening
    // What was sent while the store was opening is written all the same; and what it failed to forget is tried again,
    // since whoever adopts it would send it a second time.
    for (let tries = 0; tries < 2; tries++) {
      last.run()
      await last.idle()
    }
    await store.close()
  }

  return {
    get writer() {
      return writer
    },
    get deadline() {
      return retryAt
    },
    open,
    assign: () => ({ writer, sequence: ++sequence }),
    append: (entry) => commits.append(entry),
    settle: (entry) => commits.settle(entry),
    remove: (entry) => commits.remove(entry),
    flush,
    elapsed() {
      if (platform.now() < retryAt) return
      retryAt = Infinity
      flush()
    },
    close() {
      if (stage === 'closed') return closing ?? Promise.resolve()
      stage = 'closed'
      retryAt = Infinity
      const finished = finish(commits).then(() => {
        if (closing === finished) closing = undefined
      })
      return (closing = finished)
    },
  }
}

const asStorageError = (cause: unknown): HoldfastError =>
  cause instanceof HoldfastError ? cause : new StorageError('STORAGE_FAILED', textOf(cause), cause)
