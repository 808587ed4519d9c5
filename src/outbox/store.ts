import type { Body } from '../protocol/codec.js'
import type { HoldfastError } from '../shared/errors.js'
import type { MaybePromise } from '../shared/maybe-promise.js'

/** One message as it is kept. The name in `writer` and `sequence` together are its id, which no reload changes. */
export interface StoredMessage {
  /**
   * The page life that wrote the message, fresh each time an outbox opens: `name~secret`. Keep all of it: the page that
   * adopts the message needs the secret, which the server compares.
   */
  readonly writer: string
  /** 1, 2, 3 … within its writer, without holes. */
  readonly sequence: number
  readonly event: string
  /** The encoded message, exactly as the dialect's codec made it when `send` was called. */
  readonly body: Body
  /** Wall clock, in milliseconds since 1970: the only clock that two page lives share. */
  readonly enqueuedAt: number
  /** How long after `enqueuedAt` the message is still wanted; absent: for ever. */
  readonly ttlMs?: number
  /** Among queued messages with the same key only the newest is wanted. */
  readonly key?: string
}

/** Names one stored message. */
export interface MessageReference {
  readonly writer: string
  readonly sequence: number
}

/** What one `commit` changes. Lists may be empty. */
export interface OutboxBatch {
  /**
   * To be kept. Ascending by sequence, and all from the writer that `open` was given. What a commit failed to take may come
   * again, after later ones.
   */
  readonly append: readonly StoredMessage[]
  /** To be forgotten: every message of `writer` up to and including `sequence`, those of `append` too. */
  readonly settled: readonly MessageReference[]
  /** To be forgotten: single messages from the middle of the queue. */
  readonly removed: readonly MessageReference[]
  /**
   * To be noted, in the place of an earlier note: messages of `writer` from `sequence` on were never handed to a server.
   * `ALL_SENT` strikes the note, and must survive what messages survive. One for each writer; absent where there is none.
   */
  readonly unsent?: readonly MessageReference[]
}

/** In place of a sequence: no message of the writer is known not to have been sent. */
export const ALL_SENT: number = Number.MAX_SAFE_INTEGER

/**
 * Where an outbox keeps its messages: three verbs.
 *
 * The outbox calls `open` once and waits for it; then `commit` as often as it likes, but never a second one before
 * the first has settled; then `close`. After `close` it may `open` again, with another writer.
 *
 * A page that may be about to end does not wait: then a `commit` may follow one that is under way. It must take effect
 * after that one, and had better need no answer of anybody to do so, since the page may not live to hear it.
 */
export interface OutboxStore {
  /**
   * Makes the store ready for messages of `writer` and hands over what writers that no longer live have left.
   *
   * A writer lives from its `open` until its `close` or until its page ends. `adopt` is called once for each abandoned
   * writer, with its messages by ascending sequence: all that can be found now before the promise settles, the oldest
   * writer first; those of pages that end later whenever they end. Whoever was handed a writer's messages owns that
   * writer: nobody else is handed them while this page lives. `unsentFrom` is the writer's note, if the store has one:
   * what lies before it, and all where there is none, counts as sent before, and a server may warn of a duplicate.
   *
   * `deleted` is for stores that others can empty: called after that, it fails what waits in this page, with `REMOVED`.
   * What was handed over or committed before it must not be handed over later.
   *
   * `report` is for what went wrong with which the store goes on, such as the loss of what it held.
   *
   * @throws {StorageError} `STORAGE_UNAVAILABLE` (as a rejection) when there is no such storage here.
   */
  open(
    writer: string,
    adopt: (messages: StoredMessage[], unsentFrom?: number) => void,
    deleted?: () => void,
    report?: (error: HoldfastError) => void,
  ): MaybePromise<void>

  /**
   * Applies the whole batch or nothing of it. When it settles the messages survive what the store promises to survive.
   *
   * @throws {StorageError} `STORAGE_FULL` or `STORAGE_FAILED` (as a rejection); then nothing of the batch was applied.
   */
  commit(batch: OutboxBatch): MaybePromise<void>

  /** Gives up this page's claim on its writers, so that others may adopt what is left. Never fails. */
  close(): MaybePromise<void>
}
