import { describe, expect, test } from 'vitest'
import { createSendBuffer } from '../../../src/dialects/send-buffer.js'
import { Entry } from '../../../src/outbox/delivery.js'

/** The buffer of a socket to which so many messages of `bytesEach` were written. */
function setUp({ count = 0, bytesEach = 10 } = {}) {
  const buffer = createSendBuffer()
  const write = (sequence: number): Entry => {
    const entry = new Entry('w', sequence, 'e', '', bytesEach, 0)
    entry.position = buffer.written(bytesEach)
    buffer.watch(entry)
    return entry
  }
  const entries = Array.from({ length: count }, (_, index) => write(index + 1))
  return {
    buffer,
    entries,
    write,
    /** The sequences of the messages that a poll finds gone, while so many bytes are in the browser's buffer. */
    poll: (buffered: number) => buffer.poll(buffered).map(({ sequence }) => sequence),
  }
}

test('polls soon again while the buffer moves, whoever confirms what has left it', () => {
  const { buffer } = setUp()
  buffer.written(1_000)
  const waits = [900, 800, 800, 800].map((buffered) => {
    buffer.poll(buffered)
    buffer.wait(0, true)
    return buffer.deadline
  })

  expect(waits).toEqual([4, 4, 8, 16])
})

describe('positions', () => {
  test('grow with what is written', () => {
    const { buffer } = setUp()

    expect([buffer.written(5), buffer.written(0), buffer.written(7)]).toEqual([5, 5, 12])
  })

  test('start anew with each socket', () => {
    const { buffer, poll } = setUp({ count: 2 })
    buffer.reset()

    expect(buffer.leaving).toBe(0)
    expect(poll(0)).toEqual([])
    expect(buffer.written(3)).toBe(3)
  })
})

describe('what has left the buffer', () => {
  test('is found oldest first, each once, as the bytes leave', () => {
    const { poll, buffer } = setUp({ count: 3 })

    expect([poll(30), poll(20), poll(20), poll(0), poll(0)]).toEqual([[], [1], [], [2, 3], []])
    expect(buffer.leaving).toBe(0)
  })

  test('is no message of which a byte is left', () => {
    const { poll } = setUp({ count: 2 })

    expect([poll(11), poll(10), poll(1), poll(0)]).toEqual([[], [1], [], [2]])
  })

  test('is found behind frames that nobody waits for', () => {
    const { buffer, write, poll } = setUp({ count: 1 })
    buffer.written(1_000)
    write(2)

    expect([poll(1_010), poll(10), poll(0)]).toEqual([[1], [], [2]])
  })

  test('is found among thousands', () => {
    const { buffer, poll } = setUp({ count: 5_000 })
    const found = [poll(4_500 * 10), poll(2_000 * 10), poll(0)]

    expect(found.map(({ length }) => length)).toEqual([500, 2_500, 2_000])
    expect(found.flat()).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1))
    expect(buffer.leaving).toBe(0)
  })
})

describe('the next poll', () => {
  test('is soon while messages wait for room', () => {
    const { buffer } = setUp({ count: 1 })
    buffer.wait(100, true)

    expect(buffer.deadline).toBe(104)
  })

  test('is later for receipts alone, half as often each time, and never more rarely than four times a second', () => {
    const { buffer, poll } = setUp({ count: 1 })
    const waits: number[] = []
    let now = 0
    for (let polls = 0; polls < 6; polls++) {
      buffer.wait(now, false)
      waits.push(buffer.deadline - now)
      now = buffer.deadline
      poll(10)
    }

    expect(waits).toEqual([24, 48, 96, 192, 256, 256])
  })

  test('is soon again once the buffer has moved', () => {
    const { buffer, poll } = setUp({ count: 2 })
    for (let polls = 0; polls < 4; polls++) poll(20)
    poll(10)
    buffer.wait(0, false)

    expect(buffer.deadline).toBe(24)
  })

  test('is planned once: what is asked meanwhile does not put it off', () => {
    const { buffer } = setUp({ count: 1 })
    buffer.wait(0, false)
    buffer.wait(20, false)

    expect(buffer.deadline).toBe(24)
  })

  test('is not planned before anything waits, after a poll, nor for a new socket', () => {
    const { buffer, poll } = setUp({ count: 1 })
    const fresh = buffer.deadline
    buffer.wait(0, true)
    poll(0)
    const polled = buffer.deadline
    buffer.wait(0, true)
    buffer.reset()

    expect([fresh, polled, buffer.deadline]).toEqual([Infinity, Infinity, Infinity])
  })
})
