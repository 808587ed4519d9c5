import { describe, expect, test } from 'vitest'
import { createOutflow } from '../../../src/dialects/send-buffer.js'
import { Entry } from '../../../src/outbox/delivery.js'
import { createFakeHost, EMPTY_QUEUE } from '../../support/fake-host.js'

/** So many entries that wait, and a browser's buffer that keeps what it is given until `leaves`. */
function setUp(count: number, bytesEach: number) {
  const waiting = Array.from(
    { length: count },
    (_, index) => new Entry({ writer: 'w', sequence: index + 1, event: 'e', body: '', enqueuedAt: 0 }, 0, Infinity),
  )
  const state = { now: 0, buffered: 0, leaving: 0, sent: 0, settled: 0 }
  const outflow = createOutflow(
    {
      ...createFakeHost(),
      queue: { ...EMPTY_QUEUE, peek: () => waiting[0] },
      link: () => ({ send: () => 0, flushed: () => 0, buffered: () => state.buffered }),
      now: () => state.now,
    },
    {
      transmit() {
        waiting.shift()
        state.sent++
        state.buffered += bytesEach
        return true
      },
      settle() {
        const hasLeft = state.leaving > 0
        state.buffered -= state.leaving
        if (hasLeft) state.settled = state.sent
        state.leaving = 0
        return hasLeft
      },
      isExpectant: () => state.settled < state.sent,
    },
  )
  return { outflow, state }
}

describe('the outflow', () => {
  test('hands over no more than the buffer should hold', () => {
    const { outflow, state } = setUp(10, 64 * 1024)

    outflow.pump()

    expect(state.sent).toBe(2)
    expect(outflow.hasRoom()).toBe(false)
  })

  test('looks soon while messages wait for room, and hands over the next', () => {
    const { outflow, state } = setUp(3, 64 * 1024)
    outflow.pump()
    const soon = outflow.deadline
    state.now = soon
    state.leaving = 64 * 1024
    outflow.look()

    expect(soon).toBe(4)
    expect(state.sent).toBe(3)
  })

  test('looks later for receipts alone, half as often each time, and never more rarely than four times a second', () => {
    const { outflow, state } = setUp(1, 10)
    outflow.pump()
    const waits: number[] = []
    for (let looks = 0; looks < 6; looks++) {
      waits.push(outflow.deadline - state.now)
      state.now = outflow.deadline
      outflow.look()
    }

    expect(waits).toEqual([24, 48, 96, 192, 256, 256])
  })

  test('stops looking when everything is settled, or the link is gone', () => {
    const { outflow, state } = setUp(2, 10)
    outflow.pump()
    state.leaving = 20
    outflow.look()
    const afterSettling = outflow.deadline
    const { outflow: other } = setUp(2, 10)
    other.pump()
    other.reset()

    expect([afterSettling, other.deadline]).toEqual([Infinity, Infinity])
  })
})
