import { describe, expect, test } from 'vitest'
import { createWriters } from '../../../src/dialects/reliable/writers.js'

/** Writers over an outbox whose first pending messages a test sets. */
function setUp(pending: Record<string, number> = {}) {
  const outbox = {
    writer: 'own',
    pending,
    firstPending: () => new Map(Object.entries(outbox.pending)),
  }
  const writers = createWriters()
  return {
    outbox,
    writers,
    resume: () => writers.resume(outbox),
    cursors: () => Object.fromEntries(writers.cursors),
  }
}

describe('what is said of writers at the start of a connection', () => {
  test('is the first waiting message of each, in their order', () => {
    const { resume } = setUp({ old: 7, own: 1 })

    expect(resume()).toEqual({ old: 7, own: 1 })
    expect(Object.keys(resume())).toEqual(['old', 'own'])
  })

  test('is the next of our own, where it has sent something and nothing of it waits', () => {
    const { outbox, writers, resume } = setUp({ own: 1 })
    const silent = resume()
    writers.sent('own', 1)
    writers.sent('own', 2)
    outbox.pending = {}

    expect(silent).toEqual({ own: 1 })
    expect(resume()).toEqual({ own: 3 })
  })

  test('is nothing of a page that has sent nothing', () => {
    expect(setUp().resume()).toEqual({})
  })

  test('is nothing of others of which nothing waits', () => {
    const { outbox, writers, resume } = setUp({ old: 7 })
    resume()
    writers.sent('old', 7)
    outbox.pending = {}

    expect(resume()).toEqual({})
  })

  test('names 64 at most, those at the head of the queue', () => {
    const heads = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`w${index}`, 1]))
    const { writers, resume } = setUp(heads)
    const named = Object.keys(resume())

    expect(named).toHaveLength(64)
    expect(named).not.toContain('w64')
    expect([writers.isNext('w63', 1), writers.isNext('w64', 1)]).toEqual([true, false])
  })
})

describe('the next of a writer', () => {
  test('is what was named, then what follows the last that was sent', () => {
    const { writers, resume } = setUp({ own: 4 })
    resume()
    const named = [writers.isNext('own', 4), writers.isNext('own', 5)]
    writers.sent('own', 4)

    expect(named).toEqual([true, false])
    expect([writers.isNext('own', 4), writers.isNext('own', 5), writers.isNext('own', 7)]).toEqual([false, true, false])
  })

  test('is not known to a server that was not told of it on this connection', () => {
    const { outbox, writers, resume } = setUp({ own: 1 })
    resume()
    writers.sent('own', 1)
    writers.sent('late', 9)
    outbox.pending = { own: 1 }
    resume()

    expect([writers.isNext('own', 1), writers.isNext('late', 10), writers.isNext('late', 9)]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('needs no name after a message of the same writer on the same connection', () => {
    const { writers, resume } = setUp({ own: 1 })
    resume()
    const before = writers.current
    writers.sent('own', 1)
    const after = writers.current
    resume()

    expect([before, after, writers.current]).toEqual([undefined, 'own', undefined])
  })
})

describe('an acknowledgement', () => {
  test('moves the cursor', () => {
    const { writers, resume, cursors } = setUp({ own: 1, old: 3 })
    resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1, old: 2 })

    expect(cursors()).toEqual({ own: 1, old: 2 })
  })

  test.each([
    ['of more than we have sent', { own: 2 }],
    ['of a writer that we never named', { stranger: 0 }],
  ])('%s is a bad one', (_, shown) => {
    const { writers, resume, cursors } = setUp({ own: 1 })
    resume()
    writers.sent('own', 1)

    expect(() => writers.acknowledged(shown)).toThrow(
      expect.objectContaining({ name: 'RemoteProtocolError', code: 'BAD_ACK' }),
    )
    expect(cursors()).toEqual({})
  })

  test('may be of more than we know for another page’s writer: it may have sent more than it has left', () => {
    const { writers, resume, cursors } = setUp({ old: 3 })
    resume()
    writers.acknowledged({ old: 40 })

    expect(cursors()).toEqual({ old: 40 })
  })

  test('may be of holes that we have named a sequence behind', () => {
    const { writers, resume, cursors } = setUp({ own: 5 })
    resume()
    writers.acknowledged({ own: 4 })

    expect(cursors()).toEqual({ own: 4 })
    expect(() => writers.acknowledged({ own: 5 })).toThrow(expect.objectContaining({ code: 'BAD_ACK' }))
  })
})

describe('a server’s memory', () => {
  test('is lost when a cursor lies below what it has acknowledged', () => {
    const { writers, resume } = setUp({ own: 1 })
    resume()
    for (const sequence of [1, 2, 3]) writers.sent('own', sequence)
    writers.acknowledged({ own: 2 })

    expect(
      [{ own: 1 }, { own: 2 }, { own: 3 }, { other: 0 }, {}].map((cursors) => writers.isForgotten(cursors)),
    ).toEqual([true, false, false, false, false])
  })

  test('is not lost twice', () => {
    const { writers, resume } = setUp({ own: 1 })
    resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1 })
    writers.acknowledged({ own: 0 })

    expect(writers.isForgotten({ own: 0 })).toBe(false)
  })

  test('is nothing to a client that has begun a new life', () => {
    const { writers, resume, cursors } = setUp({ own: 1 })
    resume()
    writers.sent('own', 1)
    writers.acknowledged({ own: 1 })
    writers.forget()

    expect(writers.isForgotten({ own: 0 })).toBe(false)
    expect(cursors()).toEqual({})
  })
})
