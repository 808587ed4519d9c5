import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createIndexedDbStore, deleteOutbox } from '../../../src/outbox/stores/indexeddb-store.js'
import type { OutboxBatch, OutboxStore, StoredMessage } from '../../../src/outbox/store.js'
import { run, turn } from '../../contract/outbox-store.js'
import { createFakeOrigin, type FakeOrigin, type FakePage } from '../../support/fake-locks.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { setUpOutbox } from '../../support/outbox-stage.js'

let origin: FakeOrigin

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  origin = createFakeOrigin()
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe('deleteOutbox', () => {
  test.each([undefined, '', 7])('refuses the name %j', async (name) => {
    // What a caller without types may pass.
    await expect(deleteOutbox(name as string)).rejects.toThrow(/^name must be a non-empty string/)
  })

  test('has nothing to do where there is no IndexedDB', async () => {
    vi.stubGlobal('indexedDB', undefined)

    await expect(deleteOutbox('chat')).resolves.toBeUndefined()
  })

  test('deletes what closed, crashed and open pages have stored', async () => {
    const pages = [origin.page(), origin.page(), origin.page()] as const
    const names = ['closed', 'crashed', 'open'] as const
    const stores = []
    for (const [index, page] of pages.entries()) {
      const store = createIndexedDbStore({ name: 'chat' })
      await on(page, () => store.open(names[index] ?? '', () => {}))
      await commit(store, { append: run(names[index] ?? '', 1, 3) })
      stores.push(store)
    }
    await on(pages[0], () => deleteOutbox('chat'))
    void stores[0]?.close()
    pages[1].crash()
    void stores[2]?.close()

    expect(await adoptedBy(origin.page(), 'chat')).toEqual([])
  })

  test('leaves outboxes of other names alone', async () => {
    const store = createIndexedDbStore({ name: 'chat:2' })
    await on(origin.page(), () => store.open('a', () => {}))
    await commit(store, { append: run('a', 1, 1) })
    await store.close()
    await on(origin.page(), () => deleteOutbox('chat'))

    expect(await adoptedBy(origin.page(), 'chat:2')).toEqual(run('a', 1, 1))
  })

  test('tells every open page with the outbox, its own too, and no other', async () => {
    const [mine, theirs, other] = [origin.page(), origin.page(), origin.page()]
    const told: string[] = []
    for (const [page, name, writer] of [
      [mine, 'chat', 'a'],
      [theirs, 'chat', 'b'],
      [other, 'mail', 'c'],
    ] as const) {
      const store = createIndexedDbStore({ name })
      await on(page, () =>
        store.open(
          writer,
          () => {},
          () => void told.push(writer),
        ),
      )
    }
    await on(mine, () => deleteOutbox('chat'))
    await turn(5)

    expect(told.sort()).toEqual(['a', 'b'])
  })

  test('keeps a page that opens meanwhile from adopting what is deleted', async () => {
    const dead = createIndexedDbStore({ name: 'chat' })
    await on(origin.page(), () => dead.open('dead', () => {}))
    await commit(dead, { append: run('dead', 1, 3) })
    await dead.close()
    for (let turns = 0; turns < 40; turns++) {
      await commitAs(origin.page(), `w${turns}`)
      const queue: StoredMessage[] = []
      const store = createIndexedDbStore({ name: 'chat' })
      const opening = on(origin.page(), () =>
        store.open(
          `b${turns}`,
          (messages) => void queue.push(...messages),
          () => void queue.splice(0),
        ),
      )
      await turn(turns)
      await on(origin.page(), () => deleteOutbox('chat'))
      await opening
      await turn(10)
      expect(queue).toEqual([])
      await store.close()
    }
  })

  test('fails with the reason when the database is that of a newer version', async () => {
    await new Promise((resolve) => {
      const request = indexedDB.open('holdfast:chat', 2)
      request.addEventListener('success', () => resolve(request.result.close()))
    })

    await expect(on(origin.page(), () => deleteOutbox('chat'))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: "Outbox 'chat' cannot be deleted: a newer version of this page has changed it: reload the page",
    })
  })
})

describe('an outbox that somebody deletes', () => {
  test('fails what waits, stored or not, asked or sent, and forgets what had failed', async () => {
    const store = createFakeStore({ isAsync: true })
    const { outbox, add, ask, settle, waiting, failures, log, kept } = setUpOutbox({ store })
    store.leave(stored('x', 1))
    add('a')
    await settle()
    outbox.remove(add('b').id)
    store.hold()
    add('c')
    const { result } = ask('d')
    expect(failures()).toEqual(['b REMOVED'])

    store.deleteAll()
    store.release()
    await settle()

    expect(waiting()).toEqual([])
    expect(failures()).toEqual([])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([
      'failed b REMOVED',
      'failed x1 REMOVED',
      'failed a REMOVED',
      'failed c REMOVED',
    ])
    await expect(result).rejects.toMatchObject({ code: 'REMOVED' })
    expect(kept()).toEqual([])
  })

  test('leaves what is in flight to its link, and nothing of it in the store', async () => {
    const { store, add, transmit, arrive, log, kept, outbox } = setUpOutbox({ dialect: { acknowledges: true } })
    add('a')
    add('b')
    transmit(1)

    store.deleteAll()

    expect(kept()).toEqual([])
    arrive()
    expect(log.filter((line) => !line.startsWith('stored'))).toEqual(['failed b REMOVED', 'delivered a'])
    expect(outbox.pending).toBe(0)
  })

  test('fails what was in flight and waits again', () => {
    const { store, add, transmit, outbox, waiting } = setUpOutbox({ dialect: { acknowledges: true } })
    add('a')
    transmit()
    outbox.rewind()

    store.deleteAll()

    expect(waiting()).toEqual([])
    expect(outbox.pending).toBe(0)
  })

  test('takes what is sent afterwards', async () => {
    const { store, add, transmit, kept } = setUpOutbox()
    add('a')
    store.deleteAll()
    add('b')

    expect(kept()).toEqual(['b'])
    expect(transmit()).toEqual(['b'])
  })
})

/** Does `work` with the globals of the page. */
async function on<T>(page: FakePage, work: () => T): Promise<Awaited<T>> {
  vi.stubGlobal('navigator', { locks: page.locks })
  vi.stubGlobal('BroadcastChannel', page.BroadcastChannel)
  return await work()
}

const commit = async (store: OutboxStore, batch: Partial<OutboxBatch>): Promise<void> =>
  store.commit({ append: [], settled: [], removed: [], ...batch })

/** Leaves messages of a page that has closed. */
async function commitAs(page: FakePage, writer: string): Promise<void> {
  const store = createIndexedDbStore({ name: 'chat' })
  await on(page, () => store.open(writer, () => {}))
  await commit(store, { append: run(writer, 1, 3) })
  await store.close()
}

/** What a page adopts that opens the outbox now. */
async function adoptedBy(page: FakePage, name: string): Promise<StoredMessage[]> {
  const adopted: StoredMessage[] = []
  await on(page, () => createIndexedDbStore({ name }).open('last', (messages) => void adopted.push(...messages)))
  await turn(10)
  return adopted
}
