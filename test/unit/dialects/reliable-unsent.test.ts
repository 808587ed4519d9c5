import { describe, expect, test } from 'vitest'
import { persistent } from '../../../src/outbox/persistence.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { acknowledged, NAME, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

/** Pages on one store, each of which ends without a word: a client that is not told. */
function setTab() {
  const store = createFakeStore({ isAsync: true })
  let pages = 0
  return {
    store,
    page: () =>
      setStage({
        platform: createFakePlatform({ name: ++pages > 1 ? `page${pages}` : 'id' }),
        outbox: persistent(store),
      }),
    /** The messages of the link, each as its sequence, with `u` where it may have been sent before. */
    messages: (page: ReturnType<typeof setStage>): string[] =>
      page
        .heard()
        .filter(({ t }) => t === 'm')
        .map(({ s, u }) => `${String(s)}${u ? 'u' : ''}`),
  }
}

describe('a message that the last page has left', () => {
  test('goes as new where that page never had a connection', async () => {
    const { page, messages } = setTab()
    const first = page()
    first.client.send('m', 1)
    first.client.send('m', 2)
    await first.platform.settle()
    const next = page()
    await next.greeted()
    await next.platform.settle()

    expect(messages(next)).toEqual(['1', '2'])
  })

  test('goes as sent before where it was, or may have been', async () => {
    const { page, messages } = setTab()
    const first = page()
    await first.live()
    first.client.send('m', 1)
    await first.platform.settle()
    const next = page()
    await next.greeted()
    await next.platform.settle()

    expect(messages(next)).toEqual(['1u'])
  })

  test('goes as new where the connection was lost before it was stored', async () => {
    const { page, messages } = setTab()
    const first = page()
    await first.live()
    first.client.send('m', 1)
    await first.platform.settle()
    first.platform.link.close(1006)
    first.client.send('m', 2)
    await first.platform.settle()
    first.client.send('m', 3)
    await first.platform.settle()
    const next = page()
    await next.greeted()
    await next.platform.settle()

    expect(messages(next)).toEqual(['1u', '2', '3'])
  })

  test('goes as sent before where a page had a connection that found it', async () => {
    const { page, messages } = setTab()
    const first = page()
    first.client.send('m', 1)
    await first.platform.settle()
    const second = page()
    await second.greeted()
    await second.platform.settle()
    messages(second)
    const third = page()
    await third.greeted()
    await third.platform.settle()

    expect(messages(third)).toEqual(['1u'])
  })

  test('is flagged where its store keeps no notes', async () => {
    const { page, store, messages } = setTab()
    store.leave(stored('w', 1, { body: '1' }))
    const next = page()
    await next.greeted()
    await next.platform.settle()

    expect(messages(next)).toEqual(['1u'])
  })
})

describe('what is stored without a connection', () => {
  test('is handed over once the store has struck its note, in one commit for all of it', async () => {
    const { page, store, messages } = setTab()
    const only = page()
    await only.open()
    for (const data of [1, 2, 3]) only.client.send('m', data)
    await only.platform.settle()
    const noted = [...store.notes]
    store.hold()
    only.say({ t: 'greeting', v: 1, frame: 2 ** 20, window: { messages: 9, bytes: 999 }, heartbeat: HEARTBEAT })
    await only.platform.settle()
    const early = messages(only)
    const batches = store.batches.length
    store.release()
    await only.platform.settle()

    expect(noted).toEqual([[OWN, 1]])
    expect(early).toEqual([])
    expect(messages(only)).toEqual(['1', '2', '3'])
    expect(store.notes.size).toBe(0)
    expect(store.batches).toHaveLength(batches)
  })

  test('costs no commit where the connection is there before', async () => {
    const { page, store } = setTab()
    const only = page()
    await only.live()
    only.client.send('m', 1)
    await only.platform.settle()

    expect(store.batches).toEqual([{ append: [expect.objectContaining({ sequence: 1 })], settled: [], removed: [] }])
  })

  test('waits for a store that fails for a while, and then goes all the same', async () => {
    const { page, store, messages } = setTab()
    const only = page()
    only.client.send('m', 1)
    await only.platform.settle()
    store.failCommits(new Error('disk'), 3)
    await only.greeted()
    only.say(WELCOME)
    await only.platform.advance(6_900)
    const early = messages(only)
    await only.platform.advance(200)
    const noted = messages(only)
    only.say(acknowledged(1))
    only.platform.link.close(1006)
    only.client.send('m', 2)
    await only.platform.settle()
    store.failCommits(new Error('disk'), 99)
    await only.platform.advance(1_000)
    only.platform.link.accept()
    only.say({ ...GREETED }, WELCOME)
    await only.platform.advance(8_000)

    expect([early, noted]).toEqual([[], ['1']])
    expect(messages(only)).toEqual(['2'])
  })

  test('goes as new again where the server has ignored it', async () => {
    const { page, messages } = setTab()
    const only = page()
    only.client.send('m', 1)
    only.client.send('m', 2)
    only.client.outbox.remove(`${NAME}:1`)
    await only.platform.settle()
    await only.greeted()
    await only.platform.settle()
    only.say({ ...WELCOME, cursors: { [OWN]: 0 }, held: true })

    expect(messages(only)).toEqual(['2', '2'])
  })
})

const HEARTBEAT = { interval: 25_000, timeout: 15_000 }
const GREETED = { t: 'greeting', v: 1, frame: 2 ** 20, window: { messages: 9, bytes: 999 }, heartbeat: HEARTBEAT }
