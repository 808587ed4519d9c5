import { describe, expect, test } from 'vitest'
import { createWriters } from '../../../src/dialects/reliable/writers.js'

/** Writers over a queue whose heads a test sets. */
function setUp(heads: Record<string, number> = {}) {
  const queue = {
    writer: 'own',
    waiting: heads,
    heads: () => new Map(Object.entries(queue.waiting)),
  }
  return { queue, writers: createWriters(queue) }
}

describe('what is said of writers at the start of a connection', () => {
  test('is the first waiting message of each, in their order', () => {
    const { writers } = setUp({ old: 7, own: 1 })

    expect(writers.resume()).toEqual({ old: 7, own: 1 })
    expect(Object.keys(writers.resume())).toEqual(['old', 'own'])
  })

  test('is the next of our own, where it has sent something and nothing of it waits', () => {
    const { writers, queue } = setUp({ own: 1 })
    const silent = writers.resume()
    writers.sent('own', 1)
    writers.sent('own', 2)
    queue.waiting = {}

    expect(silent).toEqual({ own: 1 })
    expect(writers.resume()).toEqual({ own: 3 })
  })

  test('is nothing of a page that has sent nothing', () => {
    expect(setUp().writers.resume()).toEqual({})
  })

  test('is nothing of others of which nothing waits', () => {
    const { writers, queue } = setUp({ old: 7 })
    writers.resume()
    writers.sent('old', 7)
    queue.waiting = {}

    expect(writers.resume()).toEqual({})
  })

  test('names 64 at most, those at the head of the queue', () => {
    const heads = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`w${index}`, 1]))
    const { writers } = setUp(heads)
    const named = Object.keys(writers.resume())

    expect(named).toHaveLength(64)
    expect(named).not.toContain('w64')
    expect([writers.isNext('w63', 1), writers.isNext('w64', 1)]).toEqual([true, false])
  })
})

describe('the next of a writer', () => {
  test('is what was named, then what follows the last that was sent', () => {
    const { writers } = setUp({ own: 4 })
    writers.resume()
    const named = [writers.isNext('own', 4), writers.isNext('own', 5)]
    writers.sent('own', 4)

    expect(named).toEqual([true, false])
    expect([writers.isNext('own', 4), writers.isNext('own', 5), writers.isNext('own', 7)]).toEqual([false, true, false])
  })

  test('is not known to a server that was not told of it on this connection', () => {
    const { writers, queue } = setUp({ own: 1 })
    writers.resume()
    writers.sent('own', 1)
    writers.sent('late', 9)
    queue.waiting = { own: 1 }
    writers.resume()

    expect([writers.isNext('own', 1), writers.isNext('late', 10), writers.isNext('late', 9)]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('needs no name after a message of the same writer on the same connection', () => {
    const { writers } = setUp({ own: 1 })
    writers.resume()
    const before = writers.current
    writers.sent('own', 1)
    const after = writers.current
    writers.resume()

    expect([before, after, writers.current]).toEqual([undefined, 'own', undefined])
  })
})

describe('an acknowledgement', () => {
  test('moves the cursor', () => {
    const { writers } = setUp({ own: 1, old: 3 })
    writers.resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1, old: 2 })

    expect([writers.cursor('own'), writers.cursor('old'), writers.cursor('nobody')]).toEqual([1, 2, 0])
  })

  test.each([
    ['of more than we have sent', { own: 2 }],
    ['of a writer that we never named', { stranger: 0 }],
  ])('%s is a bad one', (_, cursors) => {
    const { writers } = setUp({ own: 1 })
    writers.resume()
    writers.sent('own', 1)

    expect(() => writers.acknowledged(cursors)).toThrow(
      expect.objectContaining({ name: 'RemoteProtocolError', code: 'BAD_ACK' }),
    )
    expect(writers.cursor('own')).toBe(0)
  })

  test('may be of more than we know for another page’s writer: it may have sent more than it has left', () => {
    const { writers } = setUp({ old: 3 })
    writers.resume()
    writers.acknowledged({ old: 40 })

    expect(writers.cursor('old')).toBe(40)
  })

  test('may be of holes that we have named a sequence behind', () => {
    const { writers } = setUp({ own: 5 })
    writers.resume()
    writers.acknowledged({ own: 4 })

    expect(writers.cursor('own')).toBe(4)
    expect(() => writers.acknowledged({ own: 5 })).toThrow(expect.objectContaining({ code: 'BAD_ACK' }))
  })
})

describe('a server’s memory', () => {
  test('is lost when a cursor lies below what it has acknowledged', () => {
    const { writers } = setUp({ own: 1 })
    writers.resume()
    for (const sequence of [1, 2, 3]) writers.sent('own', sequence)
    writers.acknowledged({ own: 2 })

    expect(
      [{ own: 1 }, { own: 2 }, { own: 3 }, { other: 0 }, {}].map((cursors) => writers.isForgotten(cursors)),
    ).toEqual([true, false, false, false, false])
  })

  test('is not lost twice', () => {
    const { writers } = setUp({ own: 1 })
    writers.resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1 })
    writers.acknowledged({ own: 0 })

    expect(writers.isForgotten({ own: 0 })).toBe(false)
  })

  test('is nothing to a client that has begun a new life', () => {
    const { writers } = setUp({ own: 1 })
    writers.resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1 })
    writers.forget()

    expect(writers.isForgotten({ own: 0 })).toBe(false)
    expect(writers.cursor('own')).toBe(0)
  })
})
