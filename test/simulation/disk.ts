import { StorageError } from '../../src/shared/errors.js'
import { messageId } from '../../src/protocol/writer-id.js'
import { ALL_SENT, type OutboxBatch, type OutboxStore, type StoredMessage } from '../../src/outbox/store.js'
import type { World } from './world.js'

/** What can go wrong with storage. */
export interface DiskFaults {
  /** A commit fails, and nothing of it is applied. */
  readonly failure: number
  /** How often it does not open, for one commit that fails. Default: 0. */
  readonly openFactor?: number
  /** The longest a commit takes, in milliseconds. */
  readonly commitMaxMs: number
}

/** One database that pages share, as IndexedDB with Web Locks is: what is committed survives the page. */
export interface Disk {
  createStore(page: string): OutboxStore
  /** The page is gone. Of what it was committing some is applied, in order, and others adopt what it left. */
  forget(page: string): void
  heal(): void
  /** Bodies that a failed commit should have struck off, or one that its page did not live to see: its heir sends them. */
  readonly unforgotten: ReadonlySet<string>
  /** Whether a message with this body is stored. */
  has(body: string): boolean
  /** Whether the message of this id is stored, or being committed. */
  isGiven(id: string): boolean
  readonly size: number
}

export function createDisk(world: World, faults: DiskFaults): Disk {
  const isBroken = (probability: number): boolean => !isHealed && probability > 0 && world.chance(probability)
  let rows: StoredMessage[] = []
  const owners = new Map<string, string>()
  const adopters = new Map<string, (messages: StoredMessage[], unsentFrom?: number) => void>()
  /** Writer → the first of its messages that was never sent. */
  const notes = new Map<string, number>()
  /** What each page is committing: one batch after the other, as IndexedDB has it. */
  const underWay = new Map<string, OutboxBatch[]>()
  /** When the last answer is due that the page was promised. */
  const dueAt = new Map<string, number>()
  const dead = new Set<string>()
  const unforgotten = new Set<string>()
  let isHealed = false

  const isStruck = ({ settled, removed }: OutboxBatch, { writer, sequence }: StoredMessage): boolean =>
    settled.some((last) => last.writer === writer && last.sequence >= sequence) ||
    removed.some((one) => one.writer === writer && one.sequence === sequence)

  function apply(batch: OutboxBatch): void {
    rows = [...rows, ...batch.append].filter((row) => !isStruck(batch, row))
    for (const { writer, sequence } of batch.unsent ?? []) {
      if (sequence === ALL_SENT) notes.delete(writer)
      else notes.set(writer, sequence)
    }
  }

  function fail(batch: OutboxBatch): StorageError {
    for (const row of rows) if (isStruck(batch, row)) unforgotten.add(String(row.body))
    return new StorageError('STORAGE_FAILED', 'simulated')
  }

  function adoptAbandoned(page: string): void {
    const adopt = adopters.get(page)
    if (!adopt) return
    for (const writer of new Set(rows.map((row) => row.writer))) {
      if (owners.has(writer)) continue
      owners.set(writer, page)
      // What an earlier commit had failed to append may have come after the rest.
      const found = rows.filter((row) => row.writer === writer).sort((one, other) => one.sequence - other.sequence)
      world.note(`${page} adopts ${found.map(({ body }) => String(body)).join(' ')}`)
      adopt(found, notes.get(writer))
    }
  }

  function release(page: string): void {
    adopters.delete(page)
    for (const [writer, owner] of owners) if (owner === page) owners.delete(writer)
    world.after(world.between(1, 40), () => {
      const [heir] = adopters.keys()
      if (heir) adoptAbandoned(heir)
    })
  }

  /** Takes a while. For a page that has died meanwhile it never ends. */
  const take = (page: string, act: () => void): Promise<void> =>
    new Promise((resolve) => {
      const at = Math.max(dueAt.get(page) ?? 0, world.now + world.between(0, faults.commitMaxMs))
      dueAt.set(page, at)
      world.after(at - world.now, () => {
        if (dead.has(page)) return
        act()
        resolve()
      })
    })

  return {
    createStore: (page) => ({
      async open(writer, adopt) {
        let isOpen = false
        await take(page, () => {
          if (isBroken(faults.failure * (faults.openFactor ?? 0))) return
          isOpen = true
          owners.set(writer, page)
          adopters.set(page, adopt)
          adoptAbandoned(page)
        })
        if (!isOpen) throw new StorageError('STORAGE_UNAVAILABLE', 'simulated')
      },
      async commit(batch) {
        const mine = underWay.get(page) ?? []
        underWay.set(page, mine)
        mine.push(batch)
        let failure: StorageError | undefined
        await take(page, () => {
          mine.shift()
          if (!isHealed && world.chance(faults.failure)) failure = fail(batch)
          else apply(batch)
        })
        if (failure) throw failure
      },
      close: () => take(page, () => release(page)),
    }),
    forget(page) {
      dead.add(page)
      let isCut = false
      for (const batch of underWay.get(page) ?? []) {
        isCut ||= world.chance(0.5)
        if (isCut) fail(batch)
        else apply(batch)
      }
      release(page)
    },
    heal() {
      isHealed = true
    },
    unforgotten,
    has: (body) => rows.some((row) => row.body === body),
    isGiven: (id) =>
      [...rows, ...[...underWay.values()].flat().flatMap(({ append }) => append)].some(
        ({ writer, sequence }) => messageId(writer, sequence) === id,
      ),
    get size() {
      return rows.length
    },
  }
}
