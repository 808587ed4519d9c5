import type { Entry } from './delivery.js'
import type { HoldfastError } from '../shared/errors.js'
import type { Adoption } from './adoption.js'

/** What a storage tells the outbox. */
export interface StorageListener {
  /** Messages of another page, or of an earlier opening. */
  adopted(adoption: Adoption): void
  /** These are safe. Also called with none, when what waits may go on. */
  stored(entries: readonly Entry[]): void
  /** The storage did not take these. */
  refused(entries: readonly Entry[], error: HoldfastError): void
  /** There is no storage: nothing that waits can be kept. */
  unavailable(error: HoldfastError): void
  /** Somebody has deleted the outbox: what is in it is not wanted any more. */
  deleted(): void
  /** The storage failed, and no message fails with it. */
  report(error: HoldfastError): void
}

/** Whether what is sent now is kept beyond its page. */
export interface Durability {
  /**
   * Whether messages are written to a storage that outlives the page: false with `memoryStore()`, until the storage is
   * open, and while it takes none.
   */
  readonly durable: boolean
  /** Why it takes none, so that they are sent from memory. The lifecycle's `error` has told it, once. */
  readonly storageError: HoldfastError | undefined
}

/** A fresh writer: a public name, and behind the `~` the secret that goes with its messages. PROTOCOL.md, section 1. */
export const createWriter = (clock: Pick<StorageClock, 'createId'>): string => `${clock.createId()}~${clock.createId()}`

/** Of a storage that keeps nothing beyond its page. */
export const IN_MEMORY: Durability = { durable: false, storageError: undefined }

/**
 * The outbox's memory: keeps what is accepted, forgets what is done. Each opening has a writer of its own, since a
 * writer must die with its page.
 */
export interface Persistence {
  /** The writer of the messages of this opening. */
  readonly writer: string
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** The same object until it changes. */
  readonly durability: Durability
  /** Opens the storage, if it is not open. */
  open(): void
  /** The sequence of the next message. */
  nextSequence(): number
  /** Keeps the entry; says whether it is safe at once. */
  append(entry: Entry): boolean
  /** The entry and all before it of its writer were delivered. */
  settle(entry: Entry): void
  remove(entry: Entry): void
  /**
   * There is a connection, and this entry is next, if anything waits: says whether the connection may have it now. If not,
   * the store has to note that first.
   */
  mayHandOver(next: Entry | undefined): boolean
  /** The connection is gone. */
  linkLost(): void
  /** Starts to commit what was asked; `isLast`: though a commit is under way, since the page may be about to end. */
  flush(isLast?: boolean): void
  elapsed(): void
  /** Lets go of the storage once it has `left`, the messages that wait; settles when it has let go. */
  close(left: readonly Entry[]): Promise<void>
}

/** The clocks and the source of ids that a storage needs. */
export interface StorageClock {
  /** Milliseconds that never step back. */
  now(): number
  /** 128 random bits as text. */
  createId(): string
}

/**
 * Where an outbox keeps its messages: `memoryStore()`, `indexedDbStore()`, or `persistent(store)` for a store of one's
 * own. It brings the code that this kind of keeping needs, so that a page without it does not load that code.
 */
export interface OutboxStorage {
  /** Keeps the messages of one client. */
  attach(clock: StorageClock, listener: StorageListener): Persistence
}
