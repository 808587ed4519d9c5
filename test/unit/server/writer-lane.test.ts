import { describe, expect, test, vi } from 'vitest'
import type { Rejection } from '../../../src/protocol/frames.js'
import { noCursor, WriterLanes, type WriterLane } from '../../../src/server/ordering/writer-lane.js'

const NO_CURSOR = noCursor('A')

type Told = ReturnType<typeof vi.fn<(writer: string) => void>>

const subscriber = (): { onBegin: Told; onAdvance: Told } => ({ onBegin: vi.fn(), onAdvance: vi.fn() })

const run = (lane: WriterLane<string>, sequence: number, isRetransmitted = false): void =>
  lane.begin({ sequence, join: () => {}, abort: () => {} }, isRetransmitted)

function handle(lane: WriterLane<string>, sequence: number, rejection?: Rejection): void {
  run(lane, sequence)
  lane.advance(lane.outcome(rejection))
  lane.end()
}

describe('a lane', () => {
  test('is shared by all who open it, per user', () => {
    const lanes = new WriterLanes<string>(8)

    const first = lanes.open('ann', 'A', NO_CURSOR, subscriber())

    expect(lanes.open('ann', 'A', NO_CURSOR, subscriber())).toBe(first)
    expect(lanes.open('bob', 'A', NO_CURSOR, subscriber())).not.toBe(first)
    expect(lanes.size).toBe(2)
  })

  test('is forgotten when nobody follows it and nothing runs', () => {
    const lanes = new WriterLanes<string>(8)
    const one = subscriber()
    const lane = lanes.open('', 'A', NO_CURSOR, one)
    run(lane, 1)

    lane.leave(one)
    expect(lanes.size).toBe(1)
    lane.end()

    expect(lanes.size).toBe(0)
  })

  test('tells its subscribers when a handler begins, when it moves and when it is free', () => {
    const one = subscriber()
    const lane = new WriterLanes<string>(8).open('', 'A', NO_CURSOR, one)

    handle(lane, 1)

    expect(one.onBegin.mock.calls).toEqual([['A']])
    expect(one.onAdvance.mock.calls).toEqual([['A'], ['A']])
    expect(lane.cursor.n).toBe(1)
  })

  test('takes what the store knows when that is ahead, and keeps its own when not', () => {
    const lane = new WriterLanes<string>(8).open(
      '',
      'A',
      { n: 5, hasSeenAll: true, rejected: [], secret: '' },
      subscriber(),
    )

    lane.refresh({ n: 3, hasSeenAll: false, rejected: [], secret: '' })
    expect(lane.cursor).toMatchObject({ n: 5, hasSeenAll: true })
    lane.refresh({ n: 7, hasSeenAll: false, rejected: [], secret: '' })

    expect(lane.cursor).toMatchObject({ n: 7, hasSeenAll: false })
  })

  test('remembers what the store could not keep, until it could', () => {
    const lanes = new WriterLanes<string>(8)
    const one = subscriber()
    const lane = lanes.open('', 'A', NO_CURSOR, one)
    run(lane, 1)
    lane.keepUnpersisted(lane.outcome(undefined))
    lane.end()
    lane.leave(one)

    expect(lanes.open('', 'A', NO_CURSOR, one).cursor.n).toBe(1)
    handle(lane, 2)
    lane.leave(one)

    expect(lanes.size).toBe(0)
  })
})

describe('a lane whose cursor the store could not keep', () => {
  /** One after the other, each left with a message done that the store does not know. */
  function leaveUnpersisted(writers: string[]) {
    const lanes = new WriterLanes<string>(8, 2)
    const one = subscriber()
    for (const writer of writers) {
      const lane = lanes.open('', writer, NO_CURSOR, one)
      run(lane, 1)
      lane.keepUnpersisted(lane.outcome(undefined))
      lane.end()
      lane.leave(one)
    }
    return { lanes, one }
  }

  test('is forgotten when there are too many, the one that was left first', () => {
    const { lanes, one } = leaveUnpersisted(['A', 'B', 'A', 'C', 'D'])

    expect(lanes.size).toBe(2)
    expect(['C', 'D'].map((writer) => lanes.open('', writer, NO_CURSOR, one).cursor.n)).toEqual([1, 1])
  })

  test('makes way for no other while somebody follows it', () => {
    const { lanes, one } = leaveUnpersisted(['A', 'B'])

    lanes.open('', 'A', NO_CURSOR, one)
    const third = lanes.open('', 'C', NO_CURSOR, one)
    third.keepUnpersisted({ n: 1, hasSeenAll: true, rejected: [], secret: '' })
    third.leave(one)

    expect(lanes.size).toBe(3)
  })

  test('takes the witness with it when it is forgotten: what it had done may be done again', () => {
    const known = { n: 0, hasSeenAll: true, rejected: [], secret: '' }
    const { lanes, one } = leaveUnpersisted(['A', 'B'])
    expect(lanes.open('', 'X', known, one).cursor.hasSeenAll).toBe(true)
    const { lanes: fuller } = leaveUnpersisted(['A', 'B', 'C'])

    const lane = fuller.open('', 'A', known, one)
    expect(lane.cursor).toMatchObject({ n: 0, hasSeenAll: false })
    run(lane, 1)

    expect(lane.cursor.hasSeenAll).toBe(true)
  })

  test('is forgotten when the store has kept it after all', () => {
    const { lanes, one } = leaveUnpersisted(['A'])
    const lane = lanes.open('', 'A', NO_CURSOR, one)
    lane.leave(one)

    lane.advance(lane.cursor)

    expect(lanes.size).toBe(0)
  })
})

describe('the witness', () => {
  test('is made by a message that was never sent before', () => {
    const lane = new WriterLanes<string>(8).open('', 'A', NO_CURSOR, subscriber())

    run(lane, 1, true)
    expect(lane.cursor.hasSeenAll).toBe(false)
    run(lane, 1, false)

    expect(lane.cursor.hasSeenAll).toBe(true)
  })

  test('outlives a skip, and not a resume', () => {
    const lane = new WriterLanes<string>(8).open(
      '',
      'A',
      { n: 2, hasSeenAll: true, rejected: [], secret: '' },
      subscriber(),
    )

    expect(lane.leap(5, true)).toMatchObject({ n: 4, hasSeenAll: true })
    expect(lane.leap(5, false)).toMatchObject({ n: 4, hasSeenAll: false })
  })
})

describe('rejections', () => {
  test('are kept by number, however far apart they lie', () => {
    const lane = new WriterLanes<string>(2).open('', 'A', NO_CURSOR, subscriber())
    handle(lane, 1, ['A', 1, 'REJECTED', 'one'])
    handle(lane, 2)
    handle(lane, 300, ['A', 300, 'REJECTED', 'many'])
    expect(lane.cursor.rejected).toHaveLength(2)

    handle(lane, 301, ['A', 301, 'REJECTED', 'one more'])

    expect(lane.cursor.rejected).toEqual([
      ['A', 300, 'REJECTED', 'many'],
      ['A', 301, 'REJECTED', 'one more'],
    ])
  })
})
