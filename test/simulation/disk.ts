import { StorageError } from '../../src/shared/errors.js'
import type { OutboxBatch, OutboxStore, StoredMessage } from '../../src/outbox/store.js'
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
  /** The page is gone. What it was committing is either applied or not, and others adopt what it left. */
  forget(page: string): void
  heal(): void
  /** Bodies that a failed commit should have struck off: if their page ends before it can try again, its heir sends them. */
  readonly unforgotten: ReadonlySet<string>
  /** Whether a message with this body is stored. */
  has(body: string): boolean
  readonly size: number
}

export function createDisk(world: World, faults: DiskFaults): Disk {
  const isBroken = (probability: number): boolean => !isHealed && probability > 0 && world.chance(probability)
  let rows: StoredMessage[] = []
  const owners = new Map<string, string>()
  const adopters = new Map<string, (messages: StoredMessage[]) => void>()
  const underWay = new Map<string, OutboxBatch>()
  const dead = new Set<string>()
  const unforgotten = new Set<string>()
  let isHealed = false

  const isStruck = ({ settled, removed }: OutboxBatch, { writer, sequence }: StoredMessage): boolean =>
    settled.some((last) => last.writer === writer && last.sequence >= sequence) ||
    removed.some((one) => one.writer === writer && one.sequence === sequence)

  function apply(batch: OutboxBatch): void {
    rows = [...rows, ...batch.append].filter((row) => !isStruck(batch, row))
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
      adopt(found)
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
      world.after(world.between(0, faults.commitMaxMs), () => {
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
        underWay.set(page, batch)
        let failure: StorageError | undefined
        await take(page, () => {
          underWay.delete(page)
          if (!isHealed && world.chance(faults.failure)) failure = fail(batch)
          else apply(batch)
        })
        if (failure) throw failure
      },
      close: () => take(page, () => release(page)),
    }),
    forget(page) {
      dead.add(page)
      const batch = underWay.get(page)
      if (batch && world.chance(0.5)) apply(batch)
      release(page)
    },
    heal() {
      isHealed = true
    },
    unforgotten,
    has: (body) => rows.some((row) => row.body === body),
    get size() {
      return rows.length
    },
  }
}
