import { check, requireText, withDefaults } from '../../shared/validate.js'
import { StorageError, textOf, type ErrorCode } from '../../shared/errors.js'
import { isReplaced } from './birth-mark.js'
import { createSegmentedLog, nameOf, type Births, type Leftovers, type SegmentedLog } from './segmented-log.js'
import { keepIn, type PersistentOptions } from '../persistence.js'
import type { OutboxStorage } from '../storage.js'
import { ALL_SENT, type OutboxStore, type StoredMessage } from '../store.js'

/** How an outbox is kept in IndexedDB. */
export interface IndexedDbStoreOptions extends PersistentOptions {
  /**
   * Names the outbox. Pages of one origin that give the same name share it, and adopt what any of them leaves: put the
   * user's id into it where people share a browser.
   */
  readonly name: string
  /**
   * What a message survives once it counts as stored. `relaxed`: the end of its page or of the browser. `strict`: a
   * power cut as well, as far as the disk keeps its word. Default: `strict`, which costs little since messages are
   * written in groups.
   */
  readonly durability?: 'strict' | 'relaxed'
}

/**
 * Keeps messages in the browser's IndexedDB: they outlive a reload, a crash and the browser. What a page leaves is
 * adopted by exactly one other page with the same outbox, at once or when one opens.
 *
 * Where there is no IndexedDB, it does not open within 10 s, or its disk is full, messages are sent from memory:
 * `whenUnavailable` says more. So too, until the page is loaded again, once the site's data was deleted, by its user or by
 * `Clear-Site-Data`.
 *
 * A database that the browser has deleted since a page last opened it, since it was damaged, is told as the lifecycle's
 * `error`, once: `STORAGE_RESET`. What it held is gone.
 *
 * Touches no global before `open`. Every client needs a store of its own; those of one name share a database.
 *
 * @throws {TypeError} for an option of the wrong type, naming it
 * @example createClient({ url, outbox: indexedDbStore({ name: `chat:${userId}` }) })
 */
export function indexedDbStore(options: IndexedDbStoreOptions): OutboxStorage {
  return keepIn(createIndexedDbStore(options), options.whenUnavailable)
}

/** @throws {TypeError} for an option of the wrong type, naming it */
export function createIndexedDbStore(options: IndexedDbStoreOptions): OutboxStore {
  const defaults = { name: undefined, durability: 'strict', whenUnavailable: undefined } as const
  const { name, durability } = withDefaults('indexedDbStore', options, defaults)
  requireText('name', name)
  const isDurability = ['strict', 'relaxed'].includes(durability)
  check('durability', durability, "'strict' or 'relaxed'", isDurability)
  let session: Session | undefined

  const failure = (code: ErrorCode, verb: string, cause: unknown): StorageError => failureOf(name, code, verb, cause)

  return {
    async open(writer, adopt, deleted = () => {}, report = () => {}) {
      let opening: Session | undefined
      try {
        if (session) throw new Error('it is open already; give each client a store of its own')
        session = opening = createSession(PREFIX + name, { adopt, deleted })
        await opening.start(writer)
        if (opening.isReset()) {
          const words = `Outbox '${name}' was deleted or damaged, and the browser made an empty one: what it held is gone`
          report(new StorageError('STORAGE_RESET', words))
        }
      } catch (cause) {
        if (session === opening) session = undefined
        opening?.end()
        throw failure(isFull(cause) ? 'STORAGE_FULL' : 'STORAGE_UNAVAILABLE', 'opened', cause)
      }
    },

    async commit(batch) {
      try {
        if (!session) throw new Error('it is closed')
        // A note that outlives the sending of what it calls unsent would hide a duplicate.
        const isStrict = batch.unsent?.some(({ sequence }) => sequence === ALL_SENT)
        await session.log.write(batch, isStrict ? 'strict' : batch.append.length > 0 ? durability : 'relaxed')
      } catch (cause) {
        throw failure(isFull(cause) ? 'STORAGE_FULL' : 'STORAGE_FAILED', 'written', cause)
      }
    },

    close() {
      session?.end()
      session = undefined
    },
  }
}

/**
 * Deletes what an outbox in IndexedDB holds, as at logout, whichever pages have written it and whether they are open. Once
 * it settles, nothing that was stored before the call is left, and no page adopts any of it.
 *
 * Every open page with an outbox of this name is told, in this tab or another. Then all that waits there fails with
 * `REMOVED`, requests too, and `outbox.failed()` is empty. What is in flight may still arrive: its page alone has it, in
 * memory. A page that sends later stores again: close the client of the user who has gone.
 *
 * Not told are pages that have not opened the database, and closed clients: what the database never took stays in their
 * memory. The places of `resumeKey` stay too, each in its tab; the server lets only their own user go on there.
 *
 * Where there is no IndexedDB there is nothing to delete. An empty database of this name stays.
 *
 * @throws {TypeError} for a name that is no text, or empty (as a rejection, like the others)
 * @throws {StorageError} `STORAGE_FAILED` when the browser cannot write, or does not answer within 10 s; `STORAGE_UNAVAILABLE`
 * when a newer version of the page has changed the database. Then nothing was deleted.
 * @example await client.close(); await deleteOutbox(`chat:${userId}`)
 */
export async function deleteOutbox(name: string): Promise<void> {
  requireText('name', name)
  const { indexedDB, BroadcastChannel }: Partial<typeof globalThis> = globalThis
  if (!indexedDB) return
  const ending = new AbortController()
  try {
    await createSegmentedLog(PREFIX + name, ending.signal).clear()
  } catch (cause) {
    throw failureOf(name, 'STORAGE_FAILED', 'deleted', cause)
  } finally {
    ending.abort()
  }
  if (!BroadcastChannel) return // Then no page has an outbox open.
  const channel = new BroadcastChannel(PREFIX + name)
  // After the rows are gone: what a page hands over later it has read later.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
  channel.postMessage(DELETED)
  channel.close()
}

/** Of databases, locks and channels. */
const PREFIX = 'holdfast:'

/** No writer's id: these have no colon. */
const DELETED = ':deleted'

/**
 * Engines have many names for a full disk: `QuotaExceededError`, also as an AbortError about it,
 * `NS_ERROR_DOM_INDEXEDDB_QUOTA_ERR` and `NS_ERROR_FILE_NO_DEVICE_SPACE` of Firefox, and an UnknownError with "disk is
 * full", "full disk" or "No space left on device".
 */
const isFull = (cause: unknown): boolean =>
  /quota|no.(device.)?space|\bfull\b/i.test(`${nameOf(cause)} ${textOf(cause)}`)

function failureOf(name: string, code: ErrorCode, verb: string, cause: unknown): StorageError {
  const old = {
    VersionError: 'a newer version of this page has changed it',
    ResetError: "the site's data was deleted",
  }[nameOf(cause)]
  const why = old ? `${old}: reload the page` : textOf(cause)
  return new StorageError(old ? 'STORAGE_UNAVAILABLE' : code, `Outbox '${name}' cannot be ${verb}: ${why}`, cause)
}

/**
 * Chromium keeps locks for each storage bucket: when the site's data is deleted, those of the open pages stay behind in the
 * old bucket, and pages that come later do not see them. So a page keeps its hands off a database that has taken the place
 * of the one that it knew: it would send what others send. Source: Web Locks API, section 2.1; Storage Standard, section 4.
 */
const births = new WeakMap<LockManager, Births>()

interface SessionListener {
  adopt(messages: StoredMessage[], unsentFrom?: number): void
  deleted(): void
}

/** The time from one `open` to its `close`. */
interface Session {
  readonly log: SegmentedLog
  start(writer: string): Promise<void>
  /** Whether the database is not the one that was here when a page last looked. */
  isReset(): boolean
  /** Gives everything up at once: a page on its way out may be given no more time. */
  end(): void
}

/**
 * A page owns a writer while it holds the writer's lock, which the browser takes from it when it ends. It queues for
 * the locks of all others; whoever gets a dead page's lock reads what is left under that lock, and hands it over.
 */
function createSession(name: string, { adopt, deleted }: SessionListener): Session {
  const { indexedDB, navigator, BroadcastChannel }: Partial<typeof globalThis> = globalThis
  const locks = navigator?.locks
  if (!indexedDB) throw new Error('there is no IndexedDB here')
  if (!locks || !BroadcastChannel) {
    throw new Error('without Web Locks two tabs could send one message twice; they need https or localhost')
  }
  const ending = new AbortController()
  const { signal } = ending
  const ended = new Promise((resolve) => signal.addEventListener('abort', resolve))
  const known = births.get(locks) ?? {}
  births.set(locks, known)
  const log = createSegmentedLog(name, signal, known)
  const prefix = `${name}:`
  const heard = new Set<unknown>()
  let channel: BroadcastChannel | undefined
  let deletions = 0
  /** What others have left, until it is handed over. */
  let found: Leftovers[] = []

  /** Answers what `work` does, keeping the lock until the end if that is something; `null` if the lock is taken. */
  const underLock = <T>(writer: string, options: LockOptions, work: () => T): Promise<Awaited<T> | null> =>
    new Promise((resolve, reject) => {
      locks
        .request(prefix + writer, options, async (lock) => {
          const result = lock && (await work())
          resolve(result)
          if (result) await ended
        })
        .catch(reject)
    })

  const isNews = (writer: unknown): writer is string =>
    // An id has no colon: with one it is a writer of an outbox whose longer name begins like ours.
    typeof writer === 'string' && !writer.includes(':') && !heard.has(writer) && !!heard.add(writer)

  /** What was read while somebody deleted it is read again. */
  async function load(writer: string): Promise<Leftovers | undefined> {
    for (;;) {
      const before = deletions
      const left = await log.load(writer)
      if (before === deletions) return left
    }
  }

  function hear(data: unknown): void {
    if (data === DELETED) {
      deletions++
      found = []
      deleted()
    } else if (isNews(data)) {
      void follow(data)
    }
  }

  const handOver = ({ messages, unsentFrom }: Leftovers): void => adopt(messages, unsentFrom)

  /** If this fails the lock goes to the next page in the queue, and so does the task. */
  const follow = (writer: string): Promise<unknown> =>
    underLock(writer, { signal }, () => load(writer)).then(
      (left) => left && !signal.aborted && handOver(left),
      () => {},
    )

  return {
    log,

    async start(writer) {
      heard.add(writer)
      await underLock(writer, { signal }, () => true)
      // Listen, then look: a page that has its lock by now is found, one that gets it later announces itself. And look
      // for locks, then for rows: what a page wrote that has lost its lock by now is there.
      channel = new BroadcastChannel(name)
      channel.addEventListener('message', ({ data }) => hear(data))
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
      channel.postMessage(writer)
      const { held = [] } = await locks.query()
      const alive = held.map((lock) => lock.name?.startsWith(prefix) && lock.name.slice(prefix.length))
      await Promise.all(
        [...alive, ...(await log.writers())].filter(isNews).map(async (other) => {
          const left = await underLock(other, { ifAvailable: true }, () => load(other))
          if (left) found.push(left)
          else if (left === null) void follow(other)
        }),
      )
      signal.throwIfAborted()
      found.sort((one, other) => ageOf(one) - ageOf(other)).forEach(handOver)
    },

    isReset: () => isReplaced(name, known[name] ?? ''),

    end() {
      ending.abort()
      channel?.close()
    },
  }
}

const ageOf = ({ messages: [oldest] }: Leftovers): number => oldest?.enqueuedAt ?? 0
