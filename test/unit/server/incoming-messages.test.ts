import { describe, expect, test } from 'vitest'
import { IncomingMessages, WRITERS_KEPT_MAX } from '../../../src/server/ordering/incoming-messages.js'
import type { IncomingMessage } from '../../../src/server/ordering/waiting-items.js'
import { WriterLanes } from '../../../src/server/ordering/writer-lane.js'

const message = (writer: string, sequence: number, more: Partial<IncomingMessage> = {}): IncomingMessage => ({
  writer,
  sequence,
  event: 'e',
  data: undefined,
  enqueuedAt: 0,
  isRetransmitted: false,
  isRequest: false,
  bytes: 10,
  ...more,
})

const subscriber = { onBegin: () => {}, onAdvance: () => {} }

const cursor = (n: number, rejected: [string, number, string, string][] = []) => ({
  n,
  hasSeenAll: true,
  rejected,
  secret: '',
})

/** The messages of a connection that has named writers: writer → the sequence up to which it is done. */
function open(named: Record<string, number> = {}, max = { messages: 8, bytes: 1_000 }) {
  const lanes = new WriterLanes<string>(8)
  const incoming = new IncomingMessages<string>(max)
  const name = (writer: string, n = 0) => {
    const lane = lanes.open('', writer, cursor(n), subscriber)
    incoming.open(writer, n + 1, lane, true)
    return lane
  }
  for (const [writer, n] of Object.entries(named)) name(writer, n)
  return { incoming, lanes, name }
}

describe('receiving', () => {
  test('queues what follows on what came before, per writer', () => {
    const { incoming } = open({ A: 40, B: 0 })

    const receptions = [message('A', 41), message('B', 1), message('A', 42)].map((one) => incoming.receive(one))

    expect(receptions).toEqual(['queued', 'queued', 'queued'])
    expect(incoming.size).toBe(3)
    expect(incoming.first()).toMatchObject({ message: { writer: 'A', sequence: 41 } })
  })

  test('knows a repeat, and gives its bytes back', () => {
    const { incoming } = open({ A: 40 }, { messages: 1, bytes: 10 })
    incoming.take(10)

    expect(incoming.receive(message('A', 40))).toBe('repeat')
    expect(incoming.size).toBe(0)
    expect(() => incoming.take(10)).not.toThrow()
  })

  test('refuses a gap, naming both ends', () => {
    const { incoming } = open({ A: 40 })

    expect(() => incoming.receive(message('A', 42))).toThrow('The peer sent A:42 after A:40')
    expect(() => incoming.receive(message('A', 42))).toThrow(expect.objectContaining({ code: 'SEQUENCE_GAP' }))
  })

  test('keeps the order while it is taken from', () => {
    const { incoming } = open({ A: 0 }, { messages: 500, bytes: 100_000 })
    const seen: number[] = []
    for (let sequence = 1; sequence <= 200; sequence++) incoming.receive(message('A', sequence))

    while (incoming.size) {
      const item = incoming.first()
      if (item?.type === 'message') seen.push(item.message.sequence)
      incoming.shift()
    }

    expect(seen).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    expect(incoming.first()).toBeUndefined()
  })

  test('ignores everything while it is held', () => {
    const { incoming } = open({ A: 0 })

    expect(incoming.welcome({ A: 5 })).toEqual({ cursors: { A: 0 }, held: true })
    expect(incoming.receive(message('A', 5))).toBe('ignored')
    incoming.skip('A', 9)
    expect(incoming.size).toBe(0)
    incoming.lift()

    expect(incoming.receive(message('A', 1))).toBe('queued')
  })

  test('counts more repeats than an honest rewind has', () => {
    const { incoming } = open({}, { messages: 2, bytes: 100 })

    expect([1, 2, 3].map(() => incoming.countRepeat())).toEqual([false, false, true])
  })
})

describe('the writer of a frame', () => {
  test('is the one of the frame before, where it names none', () => {
    const { incoming } = open()

    expect([incoming.writerOf('A'), incoming.writerOf(undefined), incoming.writerOf('B')]).toEqual(['A', 'A', 'B'])
  })

  test('must be named once', () => {
    const { incoming } = open()

    expect(() => incoming.writerOf(undefined)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
  })
})

describe('the window', () => {
  test('takes so many messages, and more once some are given back', () => {
    const { incoming } = open({}, { messages: 2, bytes: 1_000 })
    incoming.take(10)
    incoming.take(10)

    expect(() => incoming.take(10)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
    incoming.give(10)
    expect(() => incoming.take(10)).not.toThrow()
  })

  test('takes a single message that exceeds the bytes', () => {
    const { incoming } = open({}, { messages: 2, bytes: 100 })

    expect(() => incoming.take(500)).not.toThrow()
    expect(() => incoming.take(1)).toThrow('window of 2 messages and 100 bytes')
  })
})

describe('skip', () => {
  test('leaps, in line with the messages', () => {
    const { incoming } = open({ A: 0 })
    incoming.receive(message('A', 1))

    incoming.skip('A', 5)

    expect(incoming.receive(message('A', 5))).toBe('queued')
    incoming.shift()
    expect(incoming.first()).toEqual({ type: 'skip', writer: 'A', sequence: 5 })
  })

  test.each([1, 2])('to %d leaps over nothing after 1', (sequence) => {
    const { incoming } = open({ A: 1 })

    incoming.skip('A', sequence)

    expect(incoming.size).toBe(0)
    expect(incoming.receive(message('A', 2))).toBe('queued')
  })
})

describe('skips that wait', () => {
  test('are one where they follow on one another', () => {
    const { incoming } = open({ A: 0, B: 0 }, { messages: 3, bytes: 1_000 })
    incoming.skip('A', 5)
    incoming.skip('A', 9)
    incoming.skip('B', 3)
    incoming.skip('A', 12)

    const items = []
    for (; incoming.size; incoming.shift()) items.push(incoming.first())

    expect(items).toEqual([
      { type: 'skip', writer: 'A', sequence: 9 },
      { type: 'skip', writer: 'B', sequence: 3 },
      { type: 'skip', writer: 'A', sequence: 12 },
    ])
  })

  test('are as many as the window has messages, and more once some have had their turn', () => {
    const { incoming } = open({ A: 0, B: 0, C: 0, D: 0, E: 0 }, { messages: 2, bytes: 1_000 })
    incoming.skip('A', 5)
    incoming.receive(message('A', 5))
    incoming.skip('B', 5)

    expect(() => incoming.skip('C', 5)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
    incoming.shift()
    expect(() => incoming.skip('C', 5)).not.toThrow()
    incoming.clear()
    expect(() => ['D', 'E'].forEach((writer) => incoming.skip(writer, 5))).not.toThrow()
  })
})

describe('what another connection has had handled', () => {
  test('is taken out, skips with it, and leaves the window', () => {
    const { incoming, name } = open({ B: 0 }, { messages: 1, bytes: 1_000 })
    const lane = name('A')
    incoming.skip('A', 5)
    incoming.take(10)
    incoming.receive(message('A', 5))

    lane.refresh(cursor(5))

    expect(incoming.takeOvertaken('A')).toEqual([])
    expect(incoming.size).toBe(0)
    expect(() => incoming.take(10)).not.toThrow()
    expect(() => incoming.skip('B', 5)).not.toThrow()
  })

  test('stays as far as it is not done', () => {
    const { incoming, name } = open()
    const lane = name('A')
    for (const sequence of [1, 2, 3]) incoming.receive(message('A', sequence))

    lane.refresh(cursor(2))
    incoming.takeOvertaken('A')

    expect(incoming.size).toBe(1)
    expect(incoming.first()).toMatchObject({ message: { sequence: 3 } })
  })

  test('is handed back where it is a request without a reply in this stream', () => {
    const { incoming, name } = open()
    const lane = name('A')
    incoming.receive(message('A', 1, { isRequest: true }))
    incoming.receive(message('A', 2, { isRequest: true }))
    lane.begin({ sequence: 2, join: () => {}, abort: () => {} }, false)
    expect(incoming.began('A')?.sequence).toBe(2)

    lane.refresh(cursor(2))

    expect(incoming.takeOvertaken('A')).toMatchObject([{ sequence: 1 }])
  })

  test('is known when it comes only now', () => {
    const { incoming, name } = open()
    const lane = name('A')
    lane.refresh(cursor(1))

    expect(incoming.receive(message('A', 1))).toBe('overtaken')
  })
})

describe('a request that was handled before', () => {
  test('has lost its reply where no stream goes on, unless the welcome covers it', () => {
    const { incoming, lanes } = open({ A: 1 })
    incoming.open('B', 1, lanes.open('', 'B', cursor(1), subscriber), false)

    expect(incoming.receive(message('A', 1, { isRequest: true }))).toBe('repeat')
    expect(incoming.receive(message('B', 1, { isRequest: true }))).toBe('unanswered')
  })

  test('has its reply in the stream that goes on, or has lost it', () => {
    const { incoming, name } = open()
    incoming.begin(new Set(['A:1']))
    name('A', 2)

    expect(incoming.receive(message('A', 1, { isRequest: true }))).toBe('repeat')
    expect(incoming.receive(message('A', 2, { isRequest: true }))).toBe('unanswered')
  })
})

describe('cancel', () => {
  test('marks a request that waits', () => {
    const { incoming } = open({ A: 0 })
    incoming.receive(message('A', 1, { isRequest: true }))

    expect(incoming.cancel('A', 1)).toBeUndefined()
    expect(incoming.first()).toMatchObject({ isCancelled: true })
  })

  test('leaves messages, and what it does not know, alone', () => {
    const { incoming } = open({ A: 0 })
    incoming.receive(message('A', 1))

    incoming.cancel('A', 1)
    incoming.cancel('A', 2)

    expect(incoming.first()).toMatchObject({ isCancelled: false })
  })

  test('hands back the handler that runs for the request, also for another connection', () => {
    const { incoming, name } = open()
    const running = { sequence: 1, join: () => {}, abort: () => {} }
    name('A').begin(running, false)
    incoming.receive(message('A', 1, { isRequest: true }))

    expect(incoming.cancel('A', 1)).toBe(running)
  })
})

describe('the acknowledgement', () => {
  test('names what is handled, and each rejection once', () => {
    const { incoming, name } = open()
    const lane = name('A')
    for (const sequence of [1, 2]) incoming.receive(message('A', sequence))
    lane.refresh(cursor(2, [['A', 1, 'REJECTED', 'no']]))
    incoming.advanced('A', 100)

    expect(incoming.ackDeadline).toBe(125)
    expect(incoming.acknowledgement()).toEqual({ t: 'a', w: { A: 2 }, no: [['A', 1, 'REJECTED', 'no']] })
    expect(incoming.ackDeadline).toBe(Infinity)
    incoming.acknowledge('A', 200)
    expect(incoming.acknowledgement()).toEqual({ t: 'a', w: { A: 2 } })
  })

  test('is not due without news, and does not name what only another connection has received', () => {
    const { incoming, name } = open()
    const lane = name('A')

    lane.refresh(cursor(3))
    incoming.advanced('A', 100)

    expect(incoming.acknowledgement()).toBeUndefined()
  })
})

describe('the welcome', () => {
  test('names the cursors, and what was rejected from where the client goes on', () => {
    const { incoming, lanes } = open()
    const rejected: [string, number, string, string][] = [1, 3].map((n) => ['A', n, 'REJECTED', 'no'])
    incoming.open('A', 2, lanes.open('', 'A', cursor(3, rejected), subscriber), true)

    expect(incoming.welcome({ A: 2 })).toEqual({ cursors: { A: 3 }, no: [['A', 3, 'REJECTED', 'no']] })
  })
})

describe('resume', () => {
  test('hands back the lane whose cursor must be raised', () => {
    const { incoming, name } = open({ B: 6 })
    const lane = name('A', 2)

    expect(incoming.resume('A', 7)).toBe(lane)
    expect(incoming.resume('B', 7)).toBeUndefined()
    expect(incoming.receive(message('A', 7))).toBe('queued')
  })
})

describe('writers', () => {
  /** As many as are remembered. */
  const many = Object.fromEntries(Array.from({ length: WRITERS_KEPT_MAX }, (_, index) => [`w${index}`, 0]))

  test('are forgotten only when there are too many, the one that was named first', () => {
    const { incoming, name } = open({ first: 0 })
    expect(incoming.forgetOldest()).toBeUndefined()
    for (const writer of Object.keys(many)) name(writer)

    expect(incoming.forgetOldest()?.writer).toBe('first')
    expect(incoming.unknown(['first', 'w0'])).toEqual(['first'])
  })

  test('are kept while something of them waits, runs or is to be acknowledged', () => {
    const { incoming, name } = open(many)
    incoming.receive(message('w0', 1))
    incoming.skip('w1', 7)
    incoming.acknowledge('w2', 0)
    name('w3').begin({ sequence: 1, join: () => {}, abort: () => {} }, false)

    expect(incoming.forgetOldest()?.writer).toBe('w4')
    name('another')
    incoming.shift()
    expect(incoming.forgetOldest()?.writer).toBe('w0')
    name('and another')
    incoming.clear()
    expect(incoming.forgetOldest()?.writer).toBe('w1')
  })

  test('take any name', () => {
    const { incoming } = open({ ['__proto__']: 0 })

    expect(incoming.lane('constructor')).toBeUndefined()
    expect(incoming.receive(message('constructor', 1))).toBe('ignored')
  })

  test('are known still after the queue was cleared', () => {
    const { incoming } = open({ A: 0 })
    incoming.receive(message('A', 1))

    incoming.clear()

    expect(incoming.size).toBe(0)
    expect(incoming.receive(message('A', 1))).toBe('repeat')
  })

  test('are handed back when the connection leaves', () => {
    const { incoming } = open({ A: 0, B: 0 })

    expect(incoming.leave().map(({ writer }) => writer)).toEqual(['A', 'B'])
    expect(incoming.lane('A')).toBeUndefined()
  })
})
