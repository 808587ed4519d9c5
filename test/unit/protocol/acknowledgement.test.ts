import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ACK_DELAY_MS, ACK_MESSAGES_MAX, createAckSchedule, orderOf } from '../../../src/protocol/acknowledgement.js'

describe('orderOf', () => {
  test.each([
    [1, 0, 'next'],
    [2, 0, 'gap'],
    [1, 1, 'repeat'],
    [41, 42, 'repeat'],
    [42, 42, 'repeat'],
    [43, 42, 'next'],
    [44, 42, 'gap'],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 'next'],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'repeat'],
  ] as const)('places %i after %i: %s', (sequence, last, order) => {
    expect(orderOf(sequence, last)).toBe(order)
  })

  test('lets through each message once and in order, however often any stretch is repeated', () => {
    const rewinds = fc.array(fc.nat(20), { maxLength: 10 })
    fc.assert(
      fc.property(fc.nat(20), rewinds, (count, starts) => {
        const handled: number[] = []
        for (const start of [...starts, 0]) {
          for (let sequence = Math.min(start, handled.length) + 1; sequence <= count; sequence++) {
            if (orderOf(sequence, handled.length) === 'next') handled.push(sequence)
          }
        }

        expect(handled).toEqual(Array.from({ length: count }, (_, index) => index + 1))
      }),
    )
  })
})

describe('createAckSchedule', () => {
  test('has nothing to say before anything was handled', () => {
    expect(createAckSchedule().deadline).toBe(Infinity)
  })

  test('waits for more from the first message on, not from the last', () => {
    const schedule = createAckSchedule()

    schedule.handled(100)
    schedule.handled(110)

    expect(schedule.deadline).toBe(100 + ACK_DELAY_MS)
  })

  test('waits no longer once there are many', () => {
    const schedule = createAckSchedule()

    for (let index = 1; index < ACK_MESSAGES_MAX; index++) schedule.handled(100)
    expect(schedule.deadline).toBe(100 + ACK_DELAY_MS)
    schedule.handled(107)

    expect(schedule.deadline).toBe(107)
  })

  test('starts anew once what was due is sent', () => {
    const schedule = createAckSchedule()
    for (let index = 0; index < ACK_MESSAGES_MAX; index++) schedule.handled(100)

    schedule.clear()

    expect(schedule.deadline).toBe(Infinity)
    schedule.handled(200)
    expect(schedule.deadline).toBe(200 + ACK_DELAY_MS)
  })

  test('is as prompt as PROTOCOL.md asks', () => {
    expect({ ACK_DELAY_MS, ACK_MESSAGES_MAX }).toEqual({ ACK_DELAY_MS: 25, ACK_MESSAGES_MAX: 16 })
  })
})
