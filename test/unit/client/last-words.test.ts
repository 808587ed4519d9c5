import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../src/shared/errors.js'
import { persistent, type PersistentOptions } from '../../../src/outbox/persistence.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { setUp } from '../../support/client-stage.js'
import { acknowledged, setStage, WELCOME } from '../../support/reliable-stage.js'

function setPage() {
  const platform = createFakePlatform()
  const page = { isHidden: false }
  Object.defineProperty(platform, 'isHidden', { get: () => page.isHidden })
  const store = createFakeStore({ isAsync: true })
  return { platform, page, store }
}

/** A client of a plain server that is connected, and a store that answers when it is told to. */
async function setPlain() {
  const { platform, page, store } = setPage()
  const stage = setUp({ platform, outbox: persistent(store) })
  await stage.connect()
  store.hold()
  return { ...stage, page, store }
}

/** The same with a companion server. */
async function setReliable({ whenUnavailable }: PersistentOptions = {}) {
  const { platform, page, store } = setPage()
  const stage = setStage({ platform, outbox: persistent(store, whenUnavailable && { whenUnavailable }) })
  await stage.live()
  await platform.settle()
  store.hold()
  stage.heard()
  return { ...stage, page, store }
}

describe('a page that ends', () => {
  test.each(['leave', 'suspend'] as const)('sends at once what it says last (%s)', async (ending) => {
    const { client, platform, sequences, store } = await setReliable()
    client.send('m', 1)
    const before = sequences()
    store.isParting = true
    platform.signal('part')
    client.send('m', 2)
    const meanwhile = sequences()
    client.send('m', 3)
    platform.signal(ending)

    expect([before, meanwhile, sequences()]).toEqual([[], [1, 2], [3]])
    expect(store.batches.map(({ append }) => append.map(({ sequence }) => sequence))).toEqual([[1], [2], [3]])
  })

  test('stores what it says last where there is no connection, though a commit is under way', async () => {
    const { client, platform, store } = await setReliable()
    platform.link.close()
    client.send('m', 1)
    store.isParting = true
    platform.signal('part')
    client.send('m', 2)
    platform.signal('leave')

    expect(store.batches.map(({ append }) => append.map(({ sequence }) => sequence))).toEqual([[1], [2]])
  })

  test('keeps for the next page what the store still calls unsent, and that goes as new', async () => {
    const { client, platform, store, live, sequences } = await setReliable()
    store.release()
    platform.link.close()
    client.send('m', 1)
    await platform.settle()
    const noted = [...store.notes.values()]
    store.hold()
    store.isParting = true
    await platform.advance(1_000)
    await live()
    platform.signal('part')
    client.send('m', 2)
    platform.signal('leave')
    const early = sequences()
    store.release()
    await platform.settle()

    expect([noted, early]).toEqual([[1], []])
    expect(store.kept.map(({ sequence }) => sequence)).toEqual([1, 2])
    expect(store.notes.size).toBe(0)
    expect(sequences()).toEqual([1, 2])
  })

  test('says at once what it says last, though what the store called unsent was taken back', async () => {
    const { client, platform, store, live, sequences } = await setReliable()
    store.release()
    platform.link.close()
    const { id } = client.send('m', 1)
    await platform.settle()
    client.outbox.remove(id)
    await platform.advance(1_000)
    await live()
    await platform.settle()
    store.hold()
    platform.signal('part')
    client.send('m', 2)
    platform.signal('leave')

    expect(sequences()).toEqual([2])
  })

  test('stores nothing of what leaves with it for a plain server, which would get it twice', async () => {
    const { platform, send, store } = await setPlain()
    platform.link.hold()
    store.isParting = true
    platform.signal('part')
    const { status } = send('bye')
    platform.signal('leave')
    store.release()
    await platform.settle()

    expect(platform.link.written).toEqual(['bye'])
    expect(status).toBe('delivered')
    expect(store.kept).toEqual([])
  })

  test('keeps for its return what went behind bytes that do not leave the browser', async () => {
    const { platform, send, store, client } = await setPlain()
    store.release()
    platform.link.hold()
    send('one')
    await platform.settle()
    store.isParting = true
    platform.signal('part')
    send('two')
    platform.signal('suspend')
    const { pending } = client.getState()

    expect(pending).toBe(2)
  })

  test('sends nothing again on its return that left with it', async () => {
    const { platform, send, client, connect } = setUp()
    await connect()
    platform.link.hold()
    platform.signal('part')
    send('bye')
    platform.signal('suspend')
    const [first] = platform.links
    platform.signal('resume')
    await platform.settle()
    platform.link.accept()
    send('back')

    expect(first?.written).toEqual(['bye'])
    expect(platform.link.written).toEqual(['back'])
    await client.close()
  })

  test('waits for its store again once it is back', async () => {
    const { client, platform, say, sequences, store } = await setReliable()
    platform.signal('suspend')
    platform.signal('resume')
    await platform.settle()
    platform.link.accept()
    say({
      t: 'greeting',
      v: 1,
      frame: 9_999,
      window: { messages: 9, bytes: 9_999 },
      heartbeat: { interval: 9_999, timeout: 9_999 },
    })
    say(WELCOME)
    client.send('m', 1)
    const before = sequences()
    store.release()
    await platform.settle()

    expect([before, sequences()]).toEqual([[], [1]])
  })
})

describe('a page out of view', () => {
  test('sends before its store has answered, since it may not live to hear that', async () => {
    const { client, page, sequences, store } = await setReliable()
    page.isHidden = true
    const delivery = client.send('m', 1)

    expect(sequences()).toEqual([1])
    expect(delivery.status).toBe('sent')
    expect(store.underWay).toBe(1)
  })

  test('tells of the store when it has answered, after the server too', async () => {
    const { client, page, platform, say, store } = await setReliable()
    page.isHidden = true
    const delivery = client.send('m', 1)
    say(acknowledged(1))
    const { status } = delivery
    store.release()
    await platform.settle()

    await expect(delivery.stored).resolves.toBeUndefined()
    expect([status, delivery.status]).toEqual(['delivered', 'delivered'])
    expect(store.kept).toEqual([])
  })

  test.each(['memory', 'fail'] as const)(
    'goes on with what is on its way when the store does not take it (%s)',
    async (whenUnavailable) => {
      const { client, page, platform, say, store, log } = await setReliable({ whenUnavailable })
      store.failCommits(new StorageError('STORAGE_FULL', 'full'))
      page.isHidden = true
      const delivery = client.send('m', 1)
      store.release()
      await platform.settle()
      const { status } = delivery
      say(acknowledged(1))

      await expect(delivery.stored).rejects.toMatchObject({ code: 'STORAGE_FULL' })
      expect([status, delivery.status]).toEqual(['sent', 'delivered'])
      expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
    },
  )

  test('sends again, after a cut, what the store did not take', async () => {
    const { client, page, platform, store, live, sequences } = await setReliable({ whenUnavailable: 'fail' })
    store.failCommits(new StorageError('STORAGE_FULL', 'full'))
    page.isHidden = true
    client.send('m', 1)
    platform.link.close()
    page.isHidden = false
    store.release()
    await platform.settle()
    await platform.advance(1_000)
    await live()

    expect(sequences()).toEqual([1])
  })

  test('lets what the last page has left go first', async () => {
    const { platform, page, store } = setPage()
    store.leave(stored('old', 1))
    store.hold()
    page.isHidden = true
    const { send, connect } = setUp({ platform, outbox: persistent(store) })
    await connect()
    send('own')
    const before = [...platform.link.written]
    store.release()
    await platform.settle()

    expect(before).toEqual([])
    expect(platform.link.written).toEqual(['old1', 'own'])
  })
})
