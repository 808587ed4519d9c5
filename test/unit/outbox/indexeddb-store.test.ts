import 'fake-indexeddb/auto'
import { forceCloseDatabase, IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StorageError } from '../../../src/shared/errors.js'
import {
  createIndexedDbStore,
  indexedDbStore,
  type IndexedDbStoreOptions,
} from '../../../src/outbox/stores/indexeddb-store.js'
import type { OutboxBatch, OutboxStore, StoredMessage } from '../../../src/outbox/store.js'
import { describeOutboxStore, run, turn, type OutboxPage } from '../../contract/outbox-store.js'
import { createFakeOrigin, type FakeOrigin, type FakePage } from '../../support/fake-locks.js'

let origin: FakeOrigin

beforeEach(() => {
  origin = freshOrigin()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describeOutboxStore('createIndexedDbStore', 'shared', () => {
  const pages = freshOrigin()
  return { page: () => openPage(pages.page()), idle: () => turn(200) }
})

describe('indexedDbStore', () => {
  test.each([
    [{}, 'name must be a non-empty string, got undefined'],
    [{ name: '' }, 'name must be a non-empty string, got ""'],
    [{ name: 7 }, 'name must be a non-empty string, got 7'],
    [{ name: 'x', whenUnavailable: 'wait' }, "whenUnavailable must be 'memory' or 'fail', got \"wait\""],
    [{ name: 'x', durability: 'lax' }, "durability must be 'strict' or 'relaxed', got \"lax\""],
  ])('refuses %j at the call', (options, text) => {
    // What a caller without types may pass.
    expect(() => indexedDbStore(options as IndexedDbStoreOptions)).toThrow(new TypeError(text))
  })

  test('touches no global until it is opened', () => {
    vi.stubGlobal('indexedDB', undefined)

    expect(() => indexedDbStore({ name: 'chat' })).not.toThrow()
  })

  test.each([
    ['indexedDB', /there is no IndexedDB here$/],
    ['navigator', /https or localhost$/],
    ['BroadcastChannel', /https or localhost$/],
  ])('cannot be opened without %s, and says why', async (name, why) => {
    const page = origin.page()
    vi.stubGlobal('navigator', { locks: page.locks })
    vi.stubGlobal(name, name === 'navigator' ? {} : undefined)
    const opening = Promise.resolve(createIndexedDbStore({ name: 'chat' }).open('a', () => {}))

    await expect(opening).rejects.toMatchObject({
      name: 'StorageError',
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(why),
    })
  })

  test('says that the page is to be reloaded where a newer version has made the database', async () => {
    const newer = await openRaw('chat', 2)
    const { store } = openPage(origin.page())
    const opening = Promise.resolve(store.open('a', () => {}))

    await expect(opening).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: "Outbox 'chat' cannot be opened: a newer version of this page has changed it: reload the page",
    })
    newer.close()
  })

  test('refuses to be opened twice, and stays open', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})

    await expect(store.open('b', () => {})).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await commit(store, { append: run('a', 1, 1) })
  })

  test('refuses to commit when it is closed', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await store.close()

    await expect(commit(store, { append: run('a', 1, 1) })).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  })

  test('keeps outboxes of different names apart', async () => {
    const [chat, other] = [openPage(origin.page(), { name: 'chat' }), openPage(origin.page(), { name: 'chat:2' })]
    await chat.store.open('a', () => {})
    await commit(chat.store, { append: run('a', 1, 1) })
    await chat.store.close()
    const adopted = vi.fn<(messages: StoredMessage[]) => void>()
    await other.store.open('b', adopted)

    expect(adopted).not.toHaveBeenCalled()
    expect((await indexedDB.databases()).map(({ name }) => name)).toEqual(['holdfast:chat', 'holdfast:chat:2'])
  })

  test('writes what one commit appends as one record', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 100) })
    await commit(store, { append: run('a', 101, 101) })

    expect(await keysOf('chat')).toEqual([
      ['a', 100],
      ['a', 101],
    ])
  })

  test('caps a record at a thousand messages', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 2001) })

    expect(await keysOf('chat')).toEqual([
      ['a', 1000],
      ['a', 2000],
      ['a', 2001],
    ])
  })

  test('leaves no row behind when all is settled', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 9) })
    await commit(store, { settled: [{ writer: 'a', sequence: 4 }] })
    await commit(store, { settled: [{ writer: 'a', sequence: 9 }] })

    expect(await keysOf('chat')).toEqual([])
  })

  test('deletes the rows of abandoned writers that have nothing left', async () => {
    const [first, second] = [openPage(origin.page()), openPage(origin.page())]
    await first.store.open('a', () => {})
    await commit(first.store, { append: run('a', 1, 3) })
    await commit(first.store, { removed: [{ writer: 'a', sequence: 3 }] })
    await commit(first.store, { settled: [{ writer: 'a', sequence: 2 }] })
    first.crash()
    await second.store.open('b', () => {})

    expect(await keysOf('chat')).toEqual([])
  })

  test('rewrites a segment once when many of its messages are removed', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 900) })
    const update = vi.spyOn(IDBCursor.prototype, 'update')
    await commit(store, { removed: run('a', 100, 800) })

    expect(update).toHaveBeenCalledTimes(1)
  })

  test.each([
    [undefined, ['strict', 'relaxed']],
    ['strict' as const, ['strict', 'relaxed']],
    ['relaxed' as const, ['relaxed', 'relaxed']],
  ])('with durability %s, writes messages and settles them %s', async (durability, expected) => {
    const { store } = openPage(origin.page(), { name: 'chat', ...(durability && { durability }) })
    await store.open('a', () => {})
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await commit(store, { append: run('a', 1, 1) })
    await commit(store, { settled: [{ writer: 'a', sequence: 1 }] })

    expect(transaction.mock.calls.map(([, , options]) => options?.durability)).toEqual(expected)
  })

  test('closes while it is opening: nothing is handed over and nothing stays locked', async () => {
    const secondPage = origin.page()
    const [first, second, third] = [openPage(origin.page()), openPage(secondPage), openPage(origin.page())]
    await first.store.open('a', () => {})
    await commit(first.store, { append: run('a', 1, 1) })
    first.crash()
    const request = vi.spyOn(secondPage.locks, 'request')
    for (let turns = 0; turns < 40; turns++) {
      const adopted = vi.fn<(messages: StoredMessage[]) => void>()
      const opening = Promise.resolve(second.store.open(`b${turns}`, adopted))
      const outcome = opening.then(
        () => 'opened',
        (error: unknown) => error instanceof StorageError && error.code,
      )
      await turn(turns)
      const wasHanded = adopted.mock.calls.length > 0
      await second.store.close()
      expect(await outcome).toBe(wasHanded ? 'opened' : 'STORAGE_UNAVAILABLE')
      expect(adopted).toHaveBeenCalledTimes(wasHanded ? 1 : 0)
    }
    const adopted = vi.fn<(messages: StoredMessage[]) => void>()
    request.mockClear()
    await third.store.open('c', adopted)
    await turn(10)

    expect(request).not.toHaveBeenCalled()
    expect(adopted).toHaveBeenCalledExactlyOnceWith(run('a', 1, 1), undefined)
  })

  test('finds what it left when it is opened again before its close has finished', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 1) })
    const adopted = vi.fn<(messages: StoredMessage[]) => void>()
    void store.close()
    await store.open('b', adopted)

    expect(adopted).toHaveBeenCalledExactlyOnceWith(run('a', 1, 1), undefined)
  })

  test('closes its database, and listens no longer', async () => {
    const databases = watchDatabases()
    const page = origin.page()
    const { store } = openPage(page)
    await store.open('a', () => {})
    const request = vi.spyOn(page.locks, 'request')
    await store.close()
    await openPage(origin.page()).store.open('b', () => {})
    await turn(10)

    expect(() => databases[0]?.transaction('log')).toThrow(expect.objectContaining({ name: 'InvalidStateError' }))
    expect(request).not.toHaveBeenCalled()
  })

  test('ignores what others say on its channel', async () => {
    const [page, stranger] = [origin.page(), origin.page()]
    const { store } = openPage(page)
    const request = vi.spyOn(page.locks, 'request')
    await store.open('a', () => {})
    request.mockClear()
    const channel = new stranger.BroadcastChannel('holdfast:chat')
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
    for (const data of [null, 7, { writer: 'x' }, 'a']) channel.postMessage(data)
    await turn(10)

    expect(request).not.toHaveBeenCalled()
  })
})

describe('indexedDbStore when storage fails', () => {
  test.each(['request', 'transaction'])(
    'reports a full disk, told by the %s, and has written nothing',
    async (where) => {
      const { store } = openPage(origin.page())
      await store.open('a', () => {})
      const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
      vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore) {
        const quota = new DOMException('Disk is full', 'QuotaExceededError')
        if (where === 'request') throw quota
        const request = this.get(0)
        abortWith(this.transaction, 'QuotaExceededError')
        return request as IDBRequest<IDBValidKey>
      })
      const failing = commit(store, { append: run('a', 1, 2), settled: [{ writer: 'x', sequence: 1 }] })

      await expect(failing).rejects.toMatchObject({
        name: 'StorageError',
        code: 'STORAGE_FULL',
        cause: { name: 'QuotaExceededError' },
      })
      expect(transaction).toHaveBeenCalledTimes(1)
      expect(await keysOf('chat')).toEqual([])
    },
  )

  test.each([
    ['QuotaExceededError', 'The quota has been exceeded'],
    ['NS_ERROR_DOM_INDEXEDDB_QUOTA_ERR', ''],
    ['NS_ERROR_FILE_NO_DEVICE_SPACE', ''],
    ['UnknownError', 'Error putting record in database: database or disk is full'],
    ['UnknownError', 'Internal error committing transaction: No space left on device'],
    ['UnknownError', 'Encountered full disk while opening backing store for indexedDB.open.'],
    ['AbortError', 'QuotaExceededError: the current transaction exceeded its quota limitations'],
  ])('calls %s "%s" a full disk', async (name, message) => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException(message, name)
    })
    const failing = withoutWaiting(() => commit(store, { append: run('a', 1, 2) }))

    await expect(failing).rejects.toMatchObject({ name: 'StorageError', code: 'STORAGE_FULL', cause: { name } })
  })

  test('does not call every fault of a disk a full one', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('Unable to store record: disk I/O error', 'UnknownError')
    })
    const failing = withoutWaiting(() => commit(store, { append: run('a', 1, 2) }))

    await expect(failing).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  })

  test('tells once that the browser has put an empty database in the place of a damaged one', async () => {
    const marks = new Map<string, string>()
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => marks.get(key) ?? null,
      setItem: (key: string, value: string) => marks.set(key, value),
    })
    const told: string[] = []
    const open = async (page: FakePage, writer: string): Promise<void> => {
      const { store } = openPage(page)
      await store.open(
        writer,
        () => {},
        undefined,
        ({ code }) => told.push(code),
      )
      await store.close()
    }
    await open(origin.page(), 'a')
    await open(origin.page(), 'b')
    const before = [...told]
    const emptied = freshOrigin()
    await open(emptied.page(), 'c')
    await open(emptied.page(), 'd')

    expect(before).toEqual([])
    expect(told).toEqual(['STORAGE_RESET'])
  })

  test('opens where localStorage is denied', async () => {
    Object.defineProperty(globalThis, 'localStorage', {
      configurable: true,
      get: () => {
        throw new DOMException('denied', 'SecurityError')
      },
    })
    const { store } = openPage(origin.page())

    await expect(Promise.resolve(store.open('a', () => {}))).resolves.toBeUndefined()
    Reflect.deleteProperty(globalThis, 'localStorage')
  })

  test('goes on after a full disk', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw new DOMException('Disk is full', 'QuotaExceededError')
    })
    await expect(commit(store, { append: run('a', 1, 2) })).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await commit(store, { append: run('a', 1, 2) })

    expect(await keysOf('chat')).toEqual([['a', 2]])
  })

  test('applies nothing of a batch of which one part cannot be written', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    const original = Reflect.get(IDBObjectStore.prototype, 'put')
    let calls = 0
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value, key) {
      if (++calls % 2 === 0) throw new DOMException('No such luck', 'DataCloneError')
      return original.call(this, value, key)
    })
    const failing = withoutWaiting(() =>
      commit(store, { append: run('a', 1, 2), settled: [{ writer: 'x', sequence: 1 }] }),
    )

    await expect(failing).rejects.toMatchObject({ code: 'STORAGE_FAILED', cause: { name: 'DataCloneError' } })
    expect(await keysOf('chat')).toEqual([])
  })

  test('reopens a database that has died unnoticed, and writes the batch', async () => {
    const databases = watchDatabases()
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 1) })
    for (const database of databases) database.close()
    await withoutWaiting(() => commit(store, { append: run('a', 2, 3) }))

    expect(await keysOf('chat')).toEqual([
      ['a', 1],
      ['a', 3],
    ])
  })

  test('reopens a database that the browser has terminated, and writes the batch without a wait', async () => {
    const databases = watchDatabases()
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    const setTimeout = vi.spyOn(globalThis, 'setTimeout')
    // The types of the package are the browser's, those of its function are its own.
    for (const database of databases) forceCloseDatabase(database as never)
    await turn(5)
    await commit(store, { append: run('a', 1, 1) })

    expect(await keysOf('chat')).toEqual([['a', 1]])
    expect(setTimeout.mock.calls.filter(([, delayMs = 0]) => delayMs < 10_000)).toEqual([])
  })

  test('does not reopen a database once it is closed', async () => {
    const databases = watchDatabases()
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    for (const database of databases) database.close()
    const failing = withoutWaiting(async () => {
      const committing = commit(store, { append: run('a', 1, 1) })
      await turn(5)
      await store.close()
      return committing
    })

    await expect(failing).rejects.toMatchObject({ code: 'STORAGE_FAILED', cause: { name: 'AbortError' } })
    expect(databases).toHaveLength(1)
  })

  test('writes the batch again when the transaction was lost', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore) {
      abortWith(this.transaction, 'UnknownError')
      return this.get(0) as IDBRequest<IDBValidKey>
    })
    await withoutWaiting(() => commit(store, { append: run('a', 1, 3) }))

    expect(await keysOf('chat')).toEqual([['a', 3]])
  })

  test('fails the commit, not the store, when the database cannot be reopened', async () => {
    const databases = watchDatabases()
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    for (const database of databases) database.close()
    const open = failOpening(Infinity)
    await expect(withoutWaiting(() => commit(store, { append: run('a', 1, 1) }))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      cause: { name: 'UnknownError' },
    })
    expect(open).toHaveBeenCalledTimes(2)
    open.mockRestore()
    await commit(store, { append: run('a', 1, 1) })

    expect(await keysOf('chat')).toEqual([['a', 1]])
  })

  test('opens a database that fails twice', async () => {
    const { store } = openPage(origin.page())
    const open = failOpening(2)
    await withoutWaiting(async () => store.open('a', () => {}))
    await commit(store, { append: run('a', 1, 1) })

    expect(open).toHaveBeenCalledTimes(3)
  })

  test('gives up on a database that fails three times, leaving nothing locked and nothing deleted', async () => {
    const page = origin.page()
    const { store } = openPage(page)
    const remove = vi.spyOn(IDBFactory.prototype, 'deleteDatabase')
    const open = failOpening(Infinity)
    const failing = withoutWaiting(async () => store.open('a', () => {}))

    await expect(failing).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', cause: { name: 'UnknownError' } })
    expect(open).toHaveBeenCalledTimes(3)
    expect(await page.locks.query()).toEqual({ held: [] })
    expect(remove).not.toHaveBeenCalled()
    open.mockRestore()
    await store.open('b', () => {})
  })

  test('does not hold up the upgrade of a newer build, and reports that it can write no more', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 1) })
    const newer = await openRaw('chat', 2)

    await expect(withoutWaiting(() => commit(store, { append: run('a', 2, 2) }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/cannot be written: .* reload the page$/),
      cause: { name: 'VersionError' },
    })
    newer.close()
  })

  test('fails a commit that the database does not answer within 10 s, and undoes it', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementationOnce(() => {})
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore, ...given) {
      // Its transaction stays alive, and its answer never comes.
      const request = this.put(...given)
      keepAlive(this)
      return request
    })
    await expect(withoutWaiting(() => commit(store, { append: run('a', 1, 1) }))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      cause: { name: 'TimeoutError' },
    })
    await commit(store, { append: run('a', 2, 2) })

    expect(await keysOf('chat')).toEqual([['a', 2]])
  })

  test('fails to open a database that does not answer within 10 s', async () => {
    const blocker = await blockOpening('chat')
    const { store } = openPage(origin.page())

    await expect(withoutWaiting(async () => store.open('a', () => {}))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/no answer within 10000 ms$/),
    })
    blocker.close()
  })

  test('finishes the commit under way before it makes room for a newer build', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    const committing = commit(store, { append: run('a', 1, 1) })
    const newer = await openRaw('chat', 2)
    await committing

    expect(await keysIn(newer)).toEqual([['a', 1]])
  })

  test('makes the database anew when someone deletes it', async () => {
    const { store } = openPage(origin.page())
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 1) })
    await settled(indexedDB.deleteDatabase('holdfast:chat'))
    await commit(store, { append: run('a', 2, 2) })

    expect(await keysOf('chat')).toEqual([['a', 2]])
  })

  test("keeps off the database of pages that came after the site's data was deleted, until its page is loaded again", async () => {
    const databases = watchDatabases()
    const page = origin.page()
    const { store } = openPage(page)
    await store.open('a', () => {})
    await commit(store, { append: run('a', 1, 1) })
    for (const database of databases) forceCloseDatabase(database as never)
    await settled(indexedDB.deleteDatabase('holdfast:chat'))
    const later = openPage(origin.page())
    await later.store.open('b', () => {})
    await commit(later.store, { append: run('b', 1, 1) })
    const refusal = {
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/the site's data was deleted: reload the page$/),
      cause: { name: 'ResetError' },
    }

    await expect(commit(store, { append: run('a', 2, 2) })).rejects.toMatchObject(refusal)
    await store.close()
    await expect(openPage(page).store.open('c', () => {})).rejects.toMatchObject(refusal)
    expect(await keysOf('chat')).toEqual([['b', 1]])
  })

  test('waits to open while another connection blocks it', async () => {
    const blocker = await blockOpening('chat')
    const { store } = openPage(origin.page())
    const opening = store.open('a', () => {})
    await turn(50)
    blocker.close()
    await opening
    await commit(store, { append: run('a', 1, 1) })

    expect(await keysOf('chat')).toEqual([['a', 1]])
  })
})

/** The connection that keeps a deletion waiting, behind which every opening waits. */
async function blockOpening(name: string): Promise<IDBDatabase> {
  const blocker = await openRaw(name, 1)
  const deletion = indexedDB.deleteDatabase(`holdfast:${name}`)
  await new Promise((resolve) => (deletion.onblocked = resolve))
  return blocker
}

function freshOrigin(): FakeOrigin {
  vi.stubGlobal('indexedDB', new IDBFactory())
  return createFakeOrigin()
}

/** A store that finds the page's globals when it opens. */
function openPage(page: FakePage, options: IndexedDbStoreOptions = { name: 'chat' }): OutboxPage {
  const store = createIndexedDbStore(options)
  return {
    store: {
      ...store,
      open(...given) {
        vi.stubGlobal('navigator', { locks: page.locks })
        vi.stubGlobal('BroadcastChannel', page.BroadcastChannel)
        return store.open(...given)
      },
    },
    crash: page.crash,
  }
}

const commit = async (store: OutboxStore, batch: Partial<OutboxBatch>): Promise<void> =>
  store.commit({ append: [], settled: [], removed: [], ...batch })

async function keysOf(name: string): Promise<IDBValidKey[]> {
  const database = await openRaw(name)
  const keys = await keysIn(database)
  database.close()
  return keys
}

const keysIn = (database: IDBDatabase): Promise<IDBValidKey[]> =>
  settled(database.transaction('log').objectStore('log').getAllKeys())

function openRaw(name: string, version?: number): Promise<IDBDatabase> {
  return settled(indexedDB.open(`holdfast:${name}`, version))
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}

/** Every database that is opened from now on. */
function watchDatabases(): IDBDatabase[] {
  const databases: IDBDatabase[] = []
  const original = indexedDB.open.bind(indexedDB)
  vi.spyOn(indexedDB, 'open').mockImplementation((name, version) => {
    const request = original(name, version)
    request.addEventListener('success', () => databases.push(request.result))
    return request
  })
  return databases
}

/** The next `times` attempts to open any database fail. */
function failOpening(times: number) {
  const original = indexedDB.open.bind(indexedDB)
  let count = 0
  const open = vi.spyOn(indexedDB, 'open').mockClear()
  return open.mockImplementation((name, version) => {
    if (count++ >= times) return original(name, version)
    throw new DOMException('Internal error opening backing store', 'UnknownError')
  })
}

/** Lets no timer wait; IndexedDB itself runs on. */
async function withoutWaiting<T>(work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  const outcome = work()
  let isSettled = false
  void outcome.then(
    () => (isSettled = true),
    () => (isSettled = true),
  )
  while (!isSettled) {
    await turn(5)
    await vi.advanceTimersByTimeAsync(500)
  }
  vi.useRealTimers()
  return outcome
}

/** Asks on and on, so that the transaction never ends by itself. */
function keepAlive(rows: IDBObjectStore): void {
  rows.get(0).addEventListener('success', () => keepAlive(rows))
}

/** Ends the transaction as the browser does when it cannot go on. */
function abortWith(transaction: IDBTransaction, name: string): void {
  // Only fake-indexeddb's transactions can be ended from outside.
  Reflect.get(transaction, '_abort').call(transaction, name)
}
