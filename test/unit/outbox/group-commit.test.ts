import { describe, expect, test } from 'vitest'
import { createGroupCommit } from '../../../src/outbox/group-commit.js'
import type { Entry } from '../../../src/outbox/delivery.js'
import { ALL_SENT } from '../../../src/outbox/store.js'
import { createFakeClock } from '../../support/fake-platform.js'
import { createFakeStore } from '../../support/fake-store.js'
import { makeEntry } from '../../support/outbox-stage.js'

function setUp({ isAsync = true } = {}) {
  const store = createFakeStore({ isAsync })
  const { settle } = createFakeClock()
  const log: string[] = []
  const names = (entries: Entry[]): string => entries.map(({ body }) => String(body)).join(',')
  const commits = createGroupCommit(store, {
    committed: (entries) => log.push(`committed ${names(entries)}`.trim()),
    failed: (entries, cause, isOwing) =>
      log.push(`failed ${names(entries)} ${String(cause)}${isOwing ? ', owing' : ''}`.replaceAll('  ', ' ')),
  })
  return {
    store,
    settle,
    log,
    commits,
    append: (...entries: Entry[]) => entries.forEach((entry) => commits.append(entry)),
    /** Each batch in short: `+` appended, `=` settled up to, `-` removed. */
    batches: () =>
      store.batches.map(({ append, settled, removed }) =>
        [
          ...append.map(({ writer, sequence }) => `+${writer}${sequence}`),
          ...settled.map(({ writer, sequence }) => `=${writer}${sequence}`),
          ...removed.map(({ writer, sequence }) => `-${writer}${sequence}`),
        ].join(' '),
      ),
  }
}

const entry = (sequence: number, writer = 'w'): Entry => makeEntry(writer, sequence)

describe('createGroupCommit', () => {
  test('writes nothing before it is told to run, and nothing when there is nothing', async () => {
    const { commits, append, batches, settle } = setUp()
    commits.run()
    append(entry(1))
    await settle()

    expect(batches()).toEqual([])
  })

  test('writes what was asked together in one batch', async () => {
    const { commits, append, batches, settle, log } = setUp()
    append(entry(1), entry(2))
    commits.settle(entry(4, 'v'))
    commits.remove(entry(6, 'v'))
    commits.run()
    await settle()

    expect(batches()).toEqual(['+w1 +w2 =v4 -v6'])
    expect(log).toEqual(['committed w1,w2'])
  })

  test('has one batch under way, and the rest in the next', async () => {
    const { commits, append, batches, settle, store } = setUp()
    store.hold()
    append(entry(1))
    commits.run()
    for (const sequence of [2, 3, 4]) {
      append(entry(sequence))
      commits.run()
    }
    await settle()
    const first = batches()
    store.release()
    await settle()

    expect(first).toEqual(['+w1'])
    expect(batches()).toEqual(['+w1', '+w2 +w3 +w4'])
  })

  test('goes on with what a listener asks when a batch is written', async () => {
    const store = createFakeStore()
    const done: number[] = []
    const commits = createGroupCommit(store, {
      committed: (entries) => {
        for (const { sequence } of entries) {
          done.push(sequence)
          if (sequence < 3) commits.append(entry(sequence + 1))
          commits.run()
        }
      },
      failed: () => {},
    })
    commits.append(entry(1))
    commits.run()

    expect(done).toEqual([1, 2, 3])
    expect(store.batches).toHaveLength(3)
  })

  test('answers at once over a store that does', () => {
    const { commits, append, log } = setUp({ isAsync: false })
    append(entry(1))
    commits.run()

    expect(log).toEqual(['committed w1'])
  })

  test('says only the last word about a writer that is settled', async () => {
    const { commits, batches, settle } = setUp()
    for (const sequence of [1, 2, 3]) commits.settle(entry(sequence))
    for (const sequence of [5, 6]) commits.settle(entry(sequence, 'v'))
    commits.run()
    await settle()

    expect(batches()).toEqual(['=w3 =v6'])
  })

  test('never writes what is removed before its batch, and removes what is under way in the next', async () => {
    const { commits, append, batches, settle, store } = setUp()
    const [first, second] = [entry(1), entry(2)]
    store.hold()
    append(first)
    commits.run()
    append(second)
    commits.remove(second)
    commits.remove(first)
    commits.run()
    store.release()
    await settle()

    expect(batches()).toEqual(['+w1', '-w1'])
  })

  test('lets the last batch of a page follow the one that is under way', async () => {
    const { commits, append, batches, settle, store, log } = setUp()
    store.hold()
    append(entry(1))
    commits.run()
    append(entry(2))
    commits.run()
    const before = batches()
    store.isParting = true
    commits.run(true)
    const after = batches()
    append(entry(3))
    store.release()
    await settle()
    await commits.idle()

    expect(before).toEqual(['+w1'])
    expect(after).toEqual(['+w1', '+w2'])
    expect(batches()).toEqual(['+w1', '+w2', '+w3'])
    expect(log).toEqual(['committed w1', 'committed w2', 'committed w3'])
  })

  test('keeps a note back from the last batch of a page while another is under way', async () => {
    const { commits, append, settle, store } = setUp()
    const notes = () =>
      store.batches.map(({ append: { length }, unsent = [] }) => [length, unsent.map((one) => one.sequence)])
    store.hold()
    store.isParting = true
    append(entry(1))
    commits.note('w', 1)
    commits.run()
    append(entry(2))
    commits.note('w', ALL_SENT)
    commits.run(true)
    const before = notes()
    store.release()
    await settle()

    expect(before).toEqual([
      [1, [1]],
      [1, []],
    ])
    expect(notes().slice(2)).toEqual([[0, [ALL_SENT]]])
  })

  test('writes the note that failed, unless a newer one has come', async () => {
    const { commits, settle, store } = setUp()
    store.failCommits('full')
    commits.note('v', 1)
    commits.note('w', 1)
    commits.run()
    commits.note('w', ALL_SENT)
    await settle()

    expect(store.notes).toEqual(new Map([['v', 1]]))
  })

  test('is idle when all that follow one another have settled', async () => {
    const { commits, append, settle, store } = setUp()
    let isIdle = false
    store.hold()
    store.isParting = true
    append(entry(1))
    commits.run()
    append(entry(2))
    commits.run(true)
    void commits.idle().then(() => (isIdle = true))
    await settle()
    const before = isIdle
    store.release()
    await settle()

    expect([before, isIdle]).toEqual([false, true])
  })

  test('removes in a batch of its own what the last batch of a page would have to look for', async () => {
    const { commits, append, batches, store } = setUp()
    store.isParting = true
    append(entry(1))
    commits.settle(entry(4, 'v'))
    commits.remove(entry(6, 'v'))
    commits.run(true)

    expect(batches()).toEqual(['+w1 =v4', '-v6'])
  })

  test.each([true, false])('tells what a store did not take, and goes on (async %s)', async (isAsync) => {
    const { commits, append, batches, settle, store, log } = setUp({ isAsync })
    store.failCommits('full')
    append(entry(1))
    commits.run()
    await settle()
    append(entry(2))
    commits.run()
    await settle()

    expect(log).toEqual(['failed w1 full', 'committed w2'])
    expect(batches()).toEqual(['+w1', '+w2'])
  })

  test('writes at once what was appended while a batch failed', async () => {
    const { commits, append, settle, store, log } = setUp()
    store.hold()
    append(entry(1))
    commits.run()
    append(entry(2))
    store.failCommits('full')
    store.release()
    await settle()

    expect(log).toEqual(['failed w1 full', 'committed w2'])
  })

  test('strikes off at once what was settled while a batch failed', async () => {
    const { commits, append, batches, settle, store } = setUp()
    store.hold()
    append(entry(2))
    commits.run()
    commits.settle(entry(1))
    store.failCommits('full')
    store.release()
    await settle()

    expect(batches()).toEqual(['+w2', '=w1'])
  })

  test('owes what a store did not forget, until somebody asks again, without running in a circle', async () => {
    const { commits, batches, settle, store, log } = setUp()
    store.failCommits('busy')
    commits.settle(entry(3))
    commits.remove(entry(5))
    commits.run()
    await settle()
    const tries = store.batches.length
    commits.settle(entry(4))
    commits.run()
    await settle()

    expect(tries).toBe(1)
    expect(log[0]).toBe('failed busy, owing')
    expect(batches()[1]).toMatch(/^(=w3 )?=w4 -w5$/)
    expect(log[1]).toBe('committed')
  })

  test('is idle when nothing is left to write', async () => {
    const { commits, append, settle, store } = setUp()
    let isIdle = false
    store.hold()
    append(entry(1))
    commits.run()
    append(entry(2))
    void commits.idle().then(() => (isIdle = true))
    store.step()
    await settle()
    const early = isIdle
    store.release()
    await settle()

    expect(early).toBe(false)
    expect(isIdle).toBe(true)
    expect(store.kept).toHaveLength(2)
  })

  test('is idle after a failure, too', async () => {
    const { commits, append, store } = setUp()
    store.failCommits('full')
    append(entry(1))
    commits.run()

    await expect(commits.idle()).resolves.toBeUndefined()
  })

  test('has news from what is asked until the next batch begins; what a failed batch left owing is none', async () => {
    const { commits, settle, store } = setUp()
    const news = [commits.hasNews]
    commits.settle(entry(1))
    news.push(commits.hasNews)
    store.failCommits('busy')
    commits.run()
    news.push(commits.hasNews)
    await settle()
    news.push(commits.hasNews)

    expect(news).toEqual([false, true, false, false])
  })
})
