import { openDB, unwrap, type DBSchema, type IDBPDatabase, type IDBPObjectStore } from 'idb'
import { isError } from '../../shared/realms.js'
import { ALL_SENT, type MessageReference, type OutboxBatch, type StoredMessage } from '../store.js'

/**
 * A log of segments. What one commit appends is one record, since that is ten times cheaper than one for each message.
 * Its key ends in the sequence of its last message: what is settled is a range of keys, and a message is in the first
 * segment whose key is not below it. A cursor, key [writer, sequence + ½], tells that everything before it is settled,
 * though a later segment still holds some of it. Key [writer, −1] notes the first message that was never sent.
 */
interface Schema extends DBSchema {
  log: { key: [writer: string, sequence: number]; value: StoredMessage[] | number }
}

/** The births of the databases that a page has opened, by the databases' names. */
export type Births = Record<string, string>

export type Durability = 'strict' | 'relaxed'

/** What a writer has left. */
export interface Leftovers {
  readonly messages: StoredMessage[]
  readonly unsentFrom: number | undefined
}

type Rows = IDBPObjectStore<Schema, ['log'], 'log', 'readwrite'>

export interface SegmentedLog {
  write(batch: OutboxBatch, durability: Durability): Promise<void>
  /** The writer of each row. */
  writers(): Promise<string[]>
  /** What `writer` has left, if anything; otherwise its rows are deleted. */
  load(writer: string): Promise<Leftovers | undefined>
  clear(): Promise<void>
}

/** Removing a message rewrites its segment, which at this size takes some 10 ms. */
const SEGMENT_MESSAGES_MAX = 1000

/** Between attempts. */
const RETRY_DELAYS_MS = [100, 500]

/** @param births a database that is not the one it was is refused, with a `ResetError`, unless it was deleted under our eyes */
export function createSegmentedLog(name: string, signal: AbortSignal, births: Births = {}): SegmentedLog {
  let handle: Promise<IDBPDatabase<Schema>> | undefined
  let newest: readonly MessageReference[] = []
  /** What waits for its transaction to begin, and when that is done. */
  let asked: OutboxBatch[] | undefined
  let writing = Promise.resolve()

  /** Closes once the transaction that is under way has ended. */
  const drop = (): void => {
    handle?.then(
      (database) => database.close(),
      () => {},
    )
    handle = undefined
  }
  signal.addEventListener('abort', drop)

  async function connect(): Promise<IDBPDatabase<Schema>> {
    const database = await openDB<Schema>(name, 1, {
      upgrade(created) {
        created.createObjectStore('log')
        // Stays empty: its name tells this database from one that takes its place, without a transaction.
        unwrap(created).createObjectStore(`born:${Math.random()}`)
      },
      blocking() {
        delete births[name]
        drop()
      },
      terminated: drop,
    })
    const birth = [...database.objectStoreNames].join()
    if ((births[name] ??= birth) === birth) return database
    database.close()
    throw new DOMException('another database has taken its place', 'ResetError')
  }

  /** A handle may have died unnoticed: what fails is done again on a fresh one, so `work` must stand repetition. */
  async function transact<T>(work: (rows: Rows) => Promise<T>, durability: Durability = 'relaxed'): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted()
      let error: unknown
      try {
        const transaction = (await answered((handle ??= connect()))).transaction('log', 'readwrite', {
          durability,
        })
        try {
          return (await answered(Promise.all([work(transaction.store), transaction.done])))[0]
        } catch (cause) {
          // The transaction knows better why than a request that it took down with it.
          error = transaction.error ?? cause
          // Without this, what `work` did before it threw would be committed. It throws itself where there is no need.
          transaction.abort()
        }
      } catch (cause) {
        error ??= cause
      }
      drop()
      const delayMs = RETRY_DELAYS_MS[attempt]
      if (!delayMs || FINAL.test(nameOf(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }

  async function writeInto(rows: Rows, { append, settled, removed, unsent = [] }: OutboxBatch): Promise<void> {
    const steps: (() => Promise<unknown>)[] = []
    for (let start = 0; start < append.length; start += SEGMENT_MESSAGES_MAX) {
      const segment = append.slice(start, start + SEGMENT_MESSAGES_MAX)
      for (const { writer, sequence } of (newest = segment.slice(-1))) {
        steps.push(() => rows.put(segment, [writer, sequence]))
      }
    }
    for (const { writer, sequence } of unsent) {
      const note: [string, number] = [writer, -1]
      steps.push(() => (sequence === ALL_SENT ? rows.delete(note) : rows.put(sequence, note)))
    }
    for (const { writer, sequence } of settled) {
      const cursor = sequence + 0.5
      steps.push(() => rows.delete(range(writer, 0, cursor)))
      // Once the newest is settled no row is left that needs a cursor.
      const isDrained = newest.some((last) => last.writer === writer && last.sequence <= sequence)
      if (!isDrained) steps.push(() => rows.put(sequence, [writer, cursor]))
    }
    // Begun together and in this order; a step that throws has its promise rejected, like any other.
    let isWhole = !removed.length
    const begun = [...steps, () => removeEach(rows, removed)].map(async (step) => {
      try {
        await step()
      } catch (cause) {
        isWhole = false // At once, if the step itself throws.
        throw cause
      }
    })
    // Without waiting for answers: a page on its way out gets none. Old browsers have no commit().
    if (isWhole) rows.transaction.commit?.()
    await Promise.all(begun)
  }

  /** What is asked for in one turn of the page goes into one transaction: when a page ends, a second one may be lost. */
  function write(batch: OutboxBatch, durability: Durability): Promise<void> {
    if (asked) {
      asked.push(batch)
      return writing
    }
    const mine = (asked = [batch])
    const begin = (): void => {
      if (asked === mine) asked = undefined
    }
    const work = (rows: Rows): Promise<void> => {
      begin()
      return writeInto(rows, merged(mine))
    }
    return (writing = transact(work, durability).finally(begin))
  }

  return {
    write,

    writers: () => transact(async (rows) => (await rows.getAllKeys()).map(([writer]) => writer)),

    load: (writer) =>
      transact(async (rows) => {
        const messages: StoredMessage[] = []
        const note = await rows.get([writer, -1])
        let through = 0
        for (const row of await rows.getAll(range(writer))) {
          if (typeof row === 'number') through = row
          else messages.push(...row.filter(({ sequence }) => sequence > through))
        }
        if (messages.length > 0) return { messages, unsentFrom: typeof note === 'number' ? note : undefined }
        await rows.delete(range(writer, -1))
        return undefined
      }),

    clear: () => transact((rows) => rows.clear(), 'strict'),
  }
}

/** All of them, in their order. */
const merged = (batches: readonly OutboxBatch[]): OutboxBatch => ({
  append: batches.flatMap(({ append }) => append),
  settled: batches.flatMap(({ settled }) => settled),
  removed: batches.flatMap(({ removed }) => removed),
  unsent: batches.flatMap(({ unsent = [] }) => unsent),
})

/** Rewrites each segment once, however many of its messages go. */
async function removeEach(rows: Rows, removed: readonly MessageReference[]): Promise<void> {
  const gone = new Set(removed.map(idOf))
  for (const reference of removed) {
    if (!gone.has(idOf(reference))) continue
    const cursor = await rows.openCursor(range(reference.writer, reference.sequence))
    if (!cursor || typeof cursor.value === 'number') continue
    const kept = cursor.value.filter((message) => !gone.delete(idOf(message)))
    await (kept.length > 0 ? cursor.update(kept) : cursor.delete())
  }
}

const idOf = ({ writer, sequence }: MessageReference): string => `${writer}:${sequence}`

const range = (writer: string, from = 0, to = Infinity): IDBKeyRange => IDBKeyRange.bound([writer, from], [writer, to])

/** What another attempt does not change. */
const FINAL = /^(QuotaExceeded|Version|Timeout|Reset)Error$/

export const nameOf = (error: unknown): string => (isError(error) ? error.name : '')

/** A database that does not answer by then is taken for missing: some browsers had one that never answered. */
const ANSWER_TIMEOUT_MS = 10_000

async function answered<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new DOMException(`no answer within ${ANSWER_TIMEOUT_MS} ms`, 'TimeoutError')),
      ANSWER_TIMEOUT_MS,
    )
  })
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer))
}
