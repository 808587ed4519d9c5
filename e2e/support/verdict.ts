import { expect } from '@playwright/test'
import type { RecordedMessage } from '../../test/support/servers.js'
import type { Harness } from '../fixtures/harness.js'
import { ascending, numberIn, numbers, unique } from './numbers.js'

/** What a page knows at the end of a test. */
export type PageLog = Pick<Harness, 'delivered' | 'states'>

/** What became of the messages. */
export interface Verdict {
  /** Those that the server never got. */
  readonly lost: number[]
  /** Those that it got more than once. */
  readonly repeated: number[]
  /** How many were still ours, queued or in the browser's buffer, when a connection ended; summed over the ends. */
  readonly rescued: number
}

/**
 * Holds the page's log against the server's: the guarantee for a plain server, message by message, for the numbers
 * from 0 to `count`. The last connection must have had no fault.
 */
export function judge(count: number, { delivered, states }: PageLog, messages: readonly RecordedMessage[]): Verdict {
  const connections = Math.max(...states.map(({ connection }) => connection))
  const arrived = messages.map(({ text, connection }) => ({ number: numberIn(text), connection }))
  const firstArrivals = unique(arrived.map(({ number }) => number))
  const leftOn = new Map(delivered.map(({ number, connection }) => [number, connection]))
  const ends = states.filter(({ status }) => status === 'waiting')

  expect(
    delivered.map(({ number }) => number),
    'each is reported delivered once, in order',
  ).toEqual(numbers(count))
  expect(firstArrivals, 'first arrivals are in order').toEqual(ascending(firstArrivals))
  for (let connection = 1; connection <= connections; connection++) {
    const run = arrived.filter((arrival) => arrival.connection === connection).map(({ number }) => number)
    expect(run, `connection ${connection} has no holes`).toEqual(numbers(run.length, run[0]))
  }

  const lost = numbers(count).filter((number) => !firstArrivals.includes(number))
  expect(
    lost.filter((number) => leftOn.get(number) === connections),
    'what is missing had left the browser on a connection that was cut',
  ).toEqual([])
  for (const { connection, pending } of ends) {
    expect(
      pending.filter((number) => (leftOn.get(number) ?? 0) <= connection),
      `what was ours when connection ${connection} ended is sent on a later one`,
    ).toEqual([])
  }
  return {
    lost,
    repeated: firstArrivals.filter((wanted) => arrived.filter(({ number }) => number === wanted).length > 1),
    rescued: ends.reduce((sum, { pending }) => sum + pending.length, 0),
  }
}
