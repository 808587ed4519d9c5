import { StorageError, textOf, type HoldfastError } from '../shared/errors.js'
import { isError } from '../shared/realms.js'
import { check, isObject, withDefaults } from '../shared/validate.js'
import { createGroupCommit, type GroupCommit } from './group-commit.js'
import type { Entry } from './delivery.js'
import {
  createWriter,
  IN_MEMORY,
  type Durability,
  type OutboxStorage,
  type Persistence,
  type StorageClock,
  type StorageListener,
} from './storage.js'
import { isThenable, type MaybePromise } from '../shared/maybe-promise.js'
import type { OutboxStore, StoredMessage } from './store.js'
import { createUnsent, type Notes } from './unsent.js'

/** How soon a failed commit or opening is tried again: half as often each time, in milliseconds. */
const RETRY_MS = { min: 1_000, max: 60_000 }

/** What becomes of messages that the store does not take. */
export interface PersistentOptions {
  /**
   * `memory`: they are sent from memory, in order. `state.durable` is false and `state.storageError` says why, the
   * lifecycle's `error` says it once, and `delivery.stored` rejects with it. The store is tried again after 1 s, then half
   * as often each time, at least once a minute; what waits by then stays in memory. `fail`: they fail with the store's
   * error, and are not sent. Default: `memory`.
   */
  readonly whenUnavailable?: 'memory' | 'fail'
}

/**
 * A storage on a store of one's own, which may be slow and may fail: commits in groups, tries again what must not be left
 * undone, and goes on from memory while the store takes nothing.
 *
 * @throws {TypeError} for an object that is no store, such as what memoryStore() returns, and for a wrong option
 * @example createClient({ url, outbox: persistent(myStore) })
 */
export function persistent(store: OutboxStore, options?: PersistentOptions): OutboxStorage {
  const isStore = isObject(store) && typeof store.open === 'function' && typeof store.commit === 'function'
  check('store', store, 'an object with open, commit and close', isStore && typeof store.close === 'function')
  return keepIn(store, withDefaults('persistent', options, { whenUnavailable: undefined }).whenUnavailable)
}

/** @throws {TypeError} */
export function keepIn(
  store: OutboxStore,
  whenUnavailable: PersistentOptions['whenUnavailable'] = 'memory',
): OutboxStorage {
  const isKnown = ['memory', 'fail'].includes(whenUnavailable)
  check('whenUnavailable', whenUnavailable, "'memory' or 'fail'", isKnown)
  const isFallingBack = whenUnavailable === 'memory'
  return { attach: (clock, listener) => createPersistence(store, clock, listener, isFallingBack) }
}

const DURABLE: Durability = { durable: true, storageError: undefined }

/** Opens the store when it is first needed, and lets go of it. */
export function createPersistence(
  store: OutboxStore,
  clock: StorageClock,
  listener: StorageListener,
  isFallingBack: boolean,
): Persistence {
  /** `memory`: it did not open, and is tried again. */
  let stage: 'closed' | 'opening' | 'open' | 'memory' = 'closed'
  /** Of this opening. A later one has others, and what an earlier one still reports is not listened to. */
  let groupCommit: GroupCommit
  const unsent = createUnsent((of, from) => groupCommit.note(of, from))
  let writer = ''
  let sequence = 0
  let opening: MaybePromise<void>
  /** Whether the store of this opening is open. */
  let readiness: { isReady: boolean } = { isReady: false }
  let closing: Promise<void> | undefined
  let retryAt = Infinity
  let retryAfterMs = RETRY_MS.min
  let durability = IN_MEMORY
  /** The last writer of which the store was given something. */
  let written = ''
  /** What the store had not taken when it was closed, for the next opening. */
  let left: readonly StoredMessage[] = []

  function open(): void {
    if (stage !== 'closed') return
    stage = 'opening'
    writer = createWriter(clock)
    sequence = 0
    readiness = { isReady: false }
    unsent.forget()
    groupCommit = createGroupCommit(store, { committed, failed })
    start()
  }

  function start(): void {
    const ready = readiness
    const ifMine =
      <Given extends unknown[]>(act: (...given: Given) => void) =>
      (...given: Given) => {
        if (ready === readiness && stage !== 'closed') act(...given)
      }
    const ask = (): MaybePromise<void> => {
      ifMine(adoptLeft)()
      return store.open(writer, ifMine(adopt), ifMine(listener.deleted), ifMine(listener.report))
    }
    try {
      opening = closing ? closing.then(ask) : ask()
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

  function adopt(messages: StoredMessage[], unsentFrom?: number): void {
    if (messages[0] && unsentFrom !== undefined) unsent.found(messages[0].writer, unsentFrom)
    listener.adopted({ messages, isOpen: stage !== 'opening', unsentFrom })
  }

  function adoptLeft(): void {
    const found = left
    left = []
    const keptOut = new StorageError('NOT_STORED', 'The store did not take it')
    if (found.length) listener.adopted({ messages: found, isOpen: false, keptOut })
  }

  function opened(): void {
    stage = 'open'
    works()
    flush()
    listener.stored([])
  }

  function unavailable(cause: unknown): void {
    const error = asStorageError(cause)
    if (isFallingBack) {
      stage = 'memory'
      goOn([], error)
    } else {
      stage = 'closed'
      listener.unavailable(error)
    }
  }

  function works(): void {
    retryAt = Infinity
    retryAfterMs = RETRY_MS.min
    durability = DURABLE
  }

  /** Goes on from memory with what the store did not take, and with what waits for it. */
  function goOn(entries: readonly Entry[], error: HoldfastError): void {
    tryLater()
    for (const entry of [...entries, ...groupCommit.withdraw()]) entry.keepOut(error)
    if (durability.storageError) return listener.stored([])
    durability = { durable: false, storageError: error }
    listener.report(error)
  }

  /** What fails meanwhile does not put the next try off. */
  function tryLater(): void {
    if (retryAt !== Infinity) return
    retryAt = clock.now() + retryAfterMs
    retryAfterMs = Math.min(retryAfterMs * 2, RETRY_MS.max)
  }

  function committed(entries: Entry[], notes: Notes): void {
    unsent.committed(notes)
    // A full disk forgets all the same, and takes nothing.
    if (stage === 'open' && (entries.length || !durability.storageError)) works()
    for (const entry of entries) {
      entry.isStored = true
      written = entry.writer
    }
    listener.stored(entries)
  }

  function failed(entries: Entry[], cause: unknown, isOwing: boolean, hadNotes: boolean): void {
    const error = asStorageError(cause)
    if (hadNotes) unsent.failed(error.code === 'STORAGE_UNAVAILABLE')
    if (isOwing && stage === 'open') tryLater()
    if (!entries.length || stage !== 'open') listener.report(error)
    else if (isFallingBack) goOn(entries, error)
    else listener.refused(entries, error)
  }

  function flush(isLast?: boolean): void {
    if (stage === 'open' && groupCommit.hasNews) groupCommit.run(isLast)
  }

  async function finish(entries: readonly Entry[]): Promise<void> {
    const [last, ready, mine] = [groupCommit, readiness, writer]
    const isUnsaved = (entry: Entry): boolean => !entry.isStored
    let unsentFrom = 0
    for (const { writer: by, wasSent, sequence: at } of entries) if (by === mine && wasSent) unsentFrom = at + 1
    await opening
    if (ready.isReady) {
      // What was sent while the store was opening is written all the same. What it failed to keep is tried again, in order,
      // and what it failed to forget, since whoever adopts it would send it a second time.
      last.withdraw()
      await last.idle()
      for (let tries = 0; tries < 2; tries++) {
        for (const entry of entries) {
          if (entry.writer !== mine || !isUnsaved(entry)) continue
          if (unsentFrom) last.note(mine, unsentFrom)
          last.append(entry)
        }
        last.run()
        await last.idle()
      }
      try {
        await store.close()
      } catch (cause) {
        listener.report(asStorageError(cause)) // Else no later opening would get its turn.
      }
    }
    // Of a writer that the store has something of, that may be sent elsewhere by then, and what is here would overtake it.
    const isWhole = (entry: Entry): boolean => isUnsaved(entry) && entry.writer !== written
    if (isFallingBack) left = [...left, ...entries.filter(isWhole).map(({ message }) => message)]
  }

  return {
    get writer() {
      return writer
    },
    get deadline() {
      return retryAt
    },
    get durability() {
      return durability
    },
    open,
    nextSequence: () => ++sequence,
    append(entry) {
      const { storageError } = durability
      // Once the time for another try has come, the next message is that try.
      if (storageError && (stage === 'memory' || retryAt !== Infinity)) entry.keepOut(storageError)
      else {
        unsent.appended(entry)
        groupCommit.append(entry)
      }
      return false
    },
    settle(entry) {
      if (!entry.keptOut) groupCommit.settle(entry)
    },
    remove(entry) {
      if (!entry.keptOut) groupCommit.remove(entry)
    },
    mayHandOver: unsent.mayHandOver,
    linkLost: unsent.linkLost,
    flush,
    elapsed() {
      if (clock.now() < retryAt) return
      retryAt = Infinity
      if (stage === 'memory') start()
      else if (stage === 'open') groupCommit.run()
    },
    close(entries) {
      if (stage === 'closed') return closing ?? Promise.resolve()
      stage = 'closed'
      retryAt = Infinity
      durability = IN_MEMORY
      const finished = finish(entries).then(() => {
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
