import { describe, expect, test } from 'vitest'
import { createInbox, type UpMessage } from '../../../src/server/ordering/inbox.js'

const message = (writer: string, sequence: number, more: Partial<UpMessage> = {}): UpMessage => ({
  writer,
  sequence,
  event: 'e',
  data: undefined,
  isRetransmitted: false,
  isRequest: false,
  bytes: 10,
  ...more,
})

describe('receiving', () => {
  test('queues what follows on what came before, per writer', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.introduce('A', 40)

    const orders = [message('A', 41), message('B', 1), message('A', 42)].map((one) => inbox.receive(one))

    expect(orders).toEqual(['queued', 'queued', 'queued'])
    expect(inbox.size).toBe(3)
    expect(inbox.last('A')).toBe(42)
    expect(inbox.first()).toMatchObject({ message: { writer: 'A', sequence: 41 } })
  })

  test('knows a repeat', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.introduce('A', 40)

    expect(inbox.receive(message('A', 40))).toBe('repeat')
    expect(inbox.size).toBe(0)
  })

  test('refuses a gap, naming both ends', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.introduce('A', 40)

    expect(() => inbox.receive(message('A', 42))).toThrow('The peer sent A:42 after A:40')
    expect(() => inbox.receive(message('A', 42))).toThrow(expect.objectContaining({ code: 'SEQUENCE_GAP' }))
  })

  test('keeps the order while it is taken from', () => {
    const inbox = createInbox({ messages: 500, bytes: 100_000 })
    const seen: number[] = []
    for (let sequence = 1; sequence <= 200; sequence++) inbox.receive(message('A', sequence))

    while (inbox.size) {
      const item = inbox.first()
      if (item?.type === 'message') seen.push(item.message.sequence)
      inbox.shift()
    }

    expect(seen).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    expect(inbox.first()).toBeUndefined()
  })
})

describe('the window', () => {
  test('takes so many messages, and more once some are given back', () => {
    const inbox = createInbox({ messages: 2, bytes: 1_000 })
    inbox.take(10)
    inbox.take(10)

    expect(() => inbox.take(10)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
    inbox.give(10)
    expect(() => inbox.take(10)).not.toThrow()
  })

  test('takes a single message that exceeds the bytes', () => {
    const inbox = createInbox({ messages: 2, bytes: 100 })

    expect(() => inbox.take(500)).not.toThrow()
    expect(() => inbox.take(1)).toThrow('window of 2 messages and 100 bytes')
  })
})

describe('skip', () => {
  test('leaps, in line with the messages', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.receive(message('A', 1))

    inbox.skip('A', 5)

    expect(inbox.receive(message('A', 5))).toBe('queued')
    inbox.shift()
    expect(inbox.first()).toEqual({ type: 'skip', writer: 'A', sequence: 5 })
  })

  test.each([1, 2])('to %d leaps over nothing after 1', (sequence) => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.introduce('A', 1)

    inbox.skip('A', sequence)

    expect(inbox.size).toBe(0)
    expect(inbox.last('A')).toBe(1)
  })
})

describe('skips that wait', () => {
  test('are one where they follow on one another', () => {
    const inbox = createInbox({ messages: 3, bytes: 1_000 })
    inbox.skip('A', 5)
    inbox.skip('A', 9)
    inbox.skip('B', 3)
    inbox.skip('A', 12)

    const items = []
    for (; inbox.size; inbox.shift()) items.push(inbox.first())

    expect(items).toEqual([
      { type: 'skip', writer: 'A', sequence: 9 },
      { type: 'skip', writer: 'B', sequence: 3 },
      { type: 'skip', writer: 'A', sequence: 12 },
    ])
  })

  test('are as many as the window has messages, and more once some have had their turn', () => {
    const inbox = createInbox({ messages: 2, bytes: 1_000 })
    inbox.skip('A', 5)
    inbox.receive(message('A', 5))
    inbox.skip('B', 5)

    expect(() => inbox.skip('C', 5)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
    inbox.shift()
    expect(() => inbox.skip('C', 5)).not.toThrow()
    inbox.clear()
    expect(() => ['D', 'E'].forEach((writer) => inbox.skip(writer, 5))).not.toThrow()
  })

  test('are taken out when what they leap over is done with elsewhere', () => {
    const inbox = createInbox({ messages: 2, bytes: 1_000 })
    inbox.skip('A', 5)
    inbox.receive(message('A', 5))
    inbox.skip('A', 9)

    expect(inbox.settle('A', 5)).toMatchObject([{ sequence: 5 }])

    expect(inbox.size).toBe(1)
    expect(inbox.first()).toMatchObject({ type: 'skip', sequence: 9 })
    expect(() => inbox.skip('B', 5)).not.toThrow()
  })
})

describe('cancel', () => {
  test('marks a request that waits', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.receive(message('A', 1, { isRequest: true }))

    expect(inbox.cancel('A', 1)).toBe(true)
    expect(inbox.first()).toMatchObject({ isCancelled: true })
  })

  test('leaves messages, and what it does not know, alone', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.receive(message('A', 1))

    expect(inbox.cancel('A', 1)).toBe(false)
    expect(inbox.cancel('A', 2)).toBe(false)
    expect(inbox.first()).toMatchObject({ isCancelled: false })
  })
})

describe('writers', () => {
  test('forgets the one introduced first of which nothing waits', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.receive(message('A', 1))
    inbox.skip('B', 7)
    inbox.introduce('C', 3)

    expect(inbox.forgetOldest()).toBe('C')
    expect(inbox.forgetOldest()).toBeUndefined()
    expect(inbox.writers).toBe(2)
  })

  test('may be forgotten once nothing waits of them any more', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    for (const sequence of [1, 2]) inbox.receive(message('A', sequence))
    inbox.receive(message('B', 1))
    inbox.shift()
    expect(inbox.forgetOldest()).toBeUndefined()

    inbox.settle('A', 2)

    expect(inbox.forgetOldest()).toBe('A')
    inbox.clear()
    expect(inbox.forgetOldest()).toBe('B')
  })

  test('are kept that somebody wants', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.introduce('A', 1)
    inbox.introduce('B', 1)

    expect(inbox.forgetOldest((writer) => writer === 'A')).toBe('B')
    expect(inbox.forgetOldest((writer) => writer === 'A')).toBeUndefined()
  })

  test('takes any name', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })

    expect(inbox.last('__proto__')).toBeUndefined()
    expect(inbox.receive(message('__proto__', 1))).toBe('queued')
    expect(inbox.last('constructor')).toBeUndefined()
  })

  test('are known still after the queue was cleared', () => {
    const inbox = createInbox({ messages: 8, bytes: 1_000 })
    inbox.receive(message('A', 1))

    inbox.clear()

    expect(inbox.size).toBe(0)
    expect(inbox.last('A')).toBe(1)
  })
})
