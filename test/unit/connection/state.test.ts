import { describe, expect, test } from 'vitest'
import { next, type Status, type Trigger } from '../../../src/connection/state.js'

const STATUSES: Status[] = ['idle', 'connecting', 'handshaking', 'connected', 'waiting', 'suspended', 'closed']
const TRIGGERS: Trigger[] = [
  ...(['connect', 'opened', 'ready', 'lost', 'refused'] as const),
  ...(['due', 'reconnect', 'suspend', 'resume', 'close'] as const),
]

/** Written down a second time, by hand: a slip in one of the two shows. `.` is "ignored". */
const EXPECTED = `
              connect    opened      ready     lost    refused due        reconnect  suspend   resume     close
idle          connecting .           .         .       .       .          .          .         .          closed
connecting    .          handshaking .         waiting closed  .          connecting suspended .          closed
handshaking   .          .           connected waiting closed  .          connecting suspended .          closed
connected     .          .           .         waiting closed  .          connecting suspended .          closed
waiting       .          .           .         .       .       connecting connecting suspended .          closed
suspended     .          .           .         .       .       .          .          .         connecting closed
closed        connecting .           .         .       .       .          connecting .         .          .
`

const rows = EXPECTED.trim()
  .split('\n')
  .map((line) => line.trim().split(/ +/))
const cells = rows
  .slice(1)
  .flatMap(([from = '', ...targets]) => targets.map((to, column) => [from, rows[0]?.[column] ?? '', to] as const))

describe('next', () => {
  test.each(cells)('leads from %s by %s to %s', (from, by, to) => {
    expect(next(from as Status, by as Trigger) ?? '.').toBe(to)
  })

  test('is told of every state and trigger there is', () => {
    expect(cells).toHaveLength(STATUSES.length * TRIGGERS.length)
    expect([...new Set(cells.map(([from]) => from))]).toEqual(STATUSES)
    expect([...new Set(cells.map(([, by]) => by))]).toEqual(TRIGGERS)
  })

  test('leads out of every state, and to every state but idle', () => {
    const targets = new Set(cells.map(([, , to]) => to).filter((to) => to !== '.'))

    expect(STATUSES.filter((from) => !cells.some(([row, , to]) => row === from && to !== '.'))).toEqual([])
    expect([...targets].sort()).toEqual(STATUSES.filter((status) => status !== 'idle').sort())
  })

  test('lets close end every state but the end itself', () => {
    expect(STATUSES.filter((status) => next(status, 'close') !== 'closed')).toEqual(['closed'])
  })
})
