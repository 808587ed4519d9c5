import { StorageError, textOf, type HoldfastError } from '../shared/errors.js'
import { isError } from '../shared/realms.js'
import { check, isObject } from '../shared/validate.js'
import { createGroupCommit, type GroupCommit } from './group-commit.js'
import type { Entry } from './delivery.js'
import type { Persistence, OutboxStorage, StorageClock, StorageListener } from './storage.js'
import { isThenable, type MaybePromise } from '../shared/maybe-promise.js'
import type { OutboxStore } from './store.js'

/** How soon a failed commit is tried again: half as often each time, in milliseconds. */
const RETRY_MS = { min: 1_000, max: 60_000 }

/**
 * A storage on a store of one's own, which may be slow and may fail: commits in groups, tries again what must not be left
 * undone.
 *
 * @throws {TypeError} for an object that is no store, such as what memoryStore() returns
 * @example createClient({ url, outbox: persistent(myStore) })
 */
export function persistent(store: OutboxStore): OutboxStorage {
  const isStore = isObject(store) && typeof store.open === 'function' && typeof store.commit === 'function'
  check('store', store, 'an object with open, commit and close', isStore && typeof store.close === 'function')
  return { attach: (clock, listener) => createPersistence(store, clock, listener) }
}

/** Opens the store when it is first needed, and lets go of it. */
export function createPersistence(store: OutboxStore, clock: StorageClock, listener: StorageListener): Persistence {
  let stage: 'closed' | 'opening' | 'open' = 'closed'
  /** Of this opening. A later one has others, and what an earlier one still reports is not listened to. */
  let groupCommit: GroupCommit
  let writer = ''
  let sequence = 0
  let opening: MaybePromise<void>
  /** Whether the store of this opening is open. */
  let readiness: { isReady: boolean } = { isReady: false }
  let closing: Promise<void> | undefined
  let retryAt = Infinity
  let retryAfterMs = RETRY_MS.min

  function open(): void {
    if (stage !== 'closed') return
    stage = 'opening'
    writer = clock.createId()
    sequence = 0
    const ready: { isReady: boolean } = (readiness = { isReady: false })
    const mine = (groupCommit = createGroupCommit(store, { committed, failed }))
    const ifMine =
      <Given extends unknown[]>(act: (...given: Given) => void) =>
      (...given: Given) => {
        if (mine === groupCommit && stage !== 'closed') act(...given)
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
    if (isThenable(opening)) {
      opening = Promise.resolve(opening).then(() => {
        ready.isReady = true
        ifMine(opened)()
      }, ifMine(unavailable))
    } else {
      ready.isReady = true
      opened()
    }
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
      retryAt = clock.now() + retryAfterMs
      retryAfterMs = Math.min(retryAfterMs * 2, RETRY_MS.max)
    }
    if (entries.length) listener.refused(entries, error)
    else listener.report(error)
  }

  function flush(): void {
    if (stage === 'open' && groupCommit.hasNews) groupCommit.run()
  }

  async function finish(last: GroupCommit, ready: { readonly isReady: boolean }): Promise<void> {
    await opening
    if (!ready.isReady) return // It did not open: there is nothing to write to, and nothing to close.
    // What was sent while the store was opening is written all the same; and what it failed to forget is tried again,
    // since whoever adopts it would send it a second time.
    for (let tries = 0; tries < 2; tries++) {
      last.run()
      await last.idle()
    }
    try {
      await store.close()
    } catch (cause) {
      listener.report(asStorageError(cause)) // Else no later opening would get its turn.
    }
  }

  return {
    get writer() {
      return writer
    },
    get deadline() {
      return retryAt
    },
    open,
    nextSequence: () => ++sequence,
    append(entry) {
      groupCommit.append(entry)
      return false
    },
    settle: (entry) => groupCommit.settle(entry),
    remove: (entry) => groupCommit.remove(entry),
    flush,
    elapsed() {
      if (clock.now() < retryAt) return
      retryAt = Infinity
      if (stage === 'open') groupCommit.run()
    },
    close() {
      if (stage === 'closed') return closing ?? Promise.resolve()
      stage = 'closed'
      retryAt = Infinity
      const finished = finish(groupCommit, readiness).then(() => {
        if (closing === finished) closing = undefined
      })
      return (closing = finished)
    },
  }
}

const asStorageError = (cause: unknown): HoldfastError =>
  isError(cause) && cause.name === 'StorageError'
    ? (cause as StorageError)
    : new StorageError('STORAGE_FAILED', textOf(cause), cause)
