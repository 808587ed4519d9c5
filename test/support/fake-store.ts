import type { MaybePromise } from '../../src/shared/maybe-promise.js'
import { ALL_SENT, type OutboxBatch, type OutboxStore, type StoredMessage } from '../../src/outbox/store.js'

/** A store that a test can hold up, break, and look into. */
export interface FakeStore extends OutboxStore {
  /** The writer of each `open`. */
  readonly opens: string[]
  /** Each batch that was begun, in order. */
  readonly batches: OutboxBatch[]
  readonly closes: number
  /** What survives, by age. */
  readonly kept: readonly StoredMessage[]
  /** Writer → from where on its messages are known to be unsent. */
  readonly notes: ReadonlyMap<string, number>
  /** How many commits are under way now; more than one breaks the contract. */
  readonly underWay: number
  /** The page may be about to end: a commit may follow one that is under way. */
  isParting: boolean
  /** The next calls wait until `release`. */
  hold(): void
  /** What waits goes on, and nothing waits any more. */
  release(): void
  /** Lets the commit that waits go on, but holds up the next. */
  step(): void
  /** The next so many calls of `commit` fail with `error`. */
  failCommits(error: unknown, times?: number): void
  /** The next `open` fails with `error`. */
  failOpen(error: unknown): void
  /** What the next `open` hands over too, before what survives. */
  leave(...messages: StoredMessage[]): void
  /** Another page ends: its messages are handed over now. */
  adoptLate(...messages: StoredMessage[]): void
  /** Somebody deletes everything. */
  deleteAll(): void
}

/** @param isAsync whether it answers at once, as memory does, or later, as a disk does */
export function createFakeStore({ isAsync = false } = {}): FakeStore {
  let kept: StoredMessage[] = []
  let left: StoredMessage[][] = []
  const notes = new Map<string, number>()
  let adopt: (messages: StoredMessage[], unsentFrom?: number) => void = () => {}
  let deleted: (() => void) | undefined
  let held: (() => void)[] | undefined
  let commitFailures: unknown[] = []
  let openFailure: { error: unknown } | undefined
  let underWay = 0
  let closes = 0
  const opens: string[] = []
  const batches: OutboxBatch[] = []

  const whenReleased = (): Promise<void> =>
    new Promise((resolve) => {
      if (held) held.push(resolve)
      else resolve()
    })

  function apply({ append, settled, removed, unsent = [] }: OutboxBatch): void {
    if (commitFailures.length > 0) throw commitFailures.shift()
    const isGone = (message: StoredMessage): boolean =>
      settled.some(({ writer, sequence }) => writer === message.writer && message.sequence <= sequence) ||
      removed.some(({ writer, sequence }) => writer === message.writer && message.sequence === sequence)
    kept = [...kept, ...append].filter((message) => !isGone(message))
    for (const { writer, sequence } of unsent) {
      if (sequence === ALL_SENT) notes.delete(writer)
      else notes.set(writer, sequence)
    }
  }

  async function applyLater(batch: OutboxBatch): Promise<void> {
    underWay++
    if (underWay > 1 && !store.isParting)
      throw new Error('the store was given a second batch before the first had settled')
    try {
      await whenReleased()
      apply(batch)
    } finally {
      underWay--
    }
  }

  function start(): void {
    if (openFailure) {
      const { error } = openFailure
      openFailure = undefined
      throw error
    }
    kept = [...left.splice(0).flat(), ...kept]
    const writers = new Set(kept.map(({ writer }) => writer))
    for (const one of writers) {
      // A commit that had failed may have come again after later ones.
      const found = kept.filter(({ writer }) => writer === one).sort((a, b) => a.sequence - b.sequence)
      adopt(found, notes.get(one))
    }
  }

  const store: FakeStore = {
    isParting: false,
    opens,
    batches,
    notes,
    get closes() {
      return closes
    },
    get kept() {
      return kept
    },
    get underWay() {
      return underWay
    },
    hold() {
      held ??= []
    },
    release() {
      const waiting = held ?? []
      held = undefined
      for (const open of waiting) open()
    },
    step() {
      const waiting = held ?? []
      held = []
      for (const open of waiting) open()
    },
    failCommits(error, times = 1) {
      commitFailures = [...commitFailures, ...Array.from({ length: times }, () => error)]
    },
    failOpen(error) {
      openFailure = { error }
    },
    leave(...messages) {
      left = [...left, messages]
    },
    adoptLate(...messages) {
      kept = [...kept, ...messages]
      adopt(messages)
    },
    deleteAll() {
      kept = []
      deleted?.()
    },

    open(writer, adoptMessages, wasDeleted): MaybePromise<void> {
      opens.push(writer)
      deleted = wasDeleted
      adopt = adoptMessages
      if (isAsync || held) return whenReleased().then(start)
      start()
    },
    commit(batch): MaybePromise<void> {
      // Copied, as any store that writes it down does.
      batches.push({ ...batch, append: [...batch.append], settled: [...batch.settled], removed: [...batch.removed] })
      if (isAsync || held) return applyLater(batch)
      apply(batch)
    },
    close(): MaybePromise<void> {
      closes++
    },
  }
  return store
}

/** A stored message, as another page may have left it. */
export const stored = (writer: string, sequence: number, extra: Partial<StoredMessage> = {}): StoredMessage => ({
  writer,
  sequence,
  event: 'm',
  body: `${writer}${sequence}`,
  enqueuedAt: 1_700_000_000_000,
  ...extra,
})
