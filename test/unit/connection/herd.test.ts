import { expect, test } from 'vitest'
import { createConnection, type Connection } from '../../../src/connection/connection.js'
import { createDeadlineHeap } from '../../../src/shared/deadline-heap.js'
import { ConnectError } from '../../../src/shared/errors.js'
import { createRandom } from '../../support/random.js'

const CLIENTS = 10_000
const SPREAD_MS = 10_000

interface Client {
  readonly connection: Connection
  at: number
  index: number
  readonly sequence: number
}

function connected(random: () => number, spreadMs?: number): Connection {
  const connection = createConnection(
    {
      dialect: { advise: () => 'retry', badFramesMax: 1 },
      retryDelayMs: { min: 500, max: 30_000 },
      stableAfterMs: 5_000,
      connectTimeoutMs: 10_000,
      heartbeatMs: null,
      maxAttempts: Infinity,
    },
    random,
  )
  connection.handle({ type: 'connect' }, -60_000)
  connection.handle({ type: 'opened', ready: { type: 'ready', spreadMs } }, -60_000)
  return connection
}

/** The moments at which the clients are back after a server that is down for a while. */
function comeBack(downMs: number, spreadMs?: number): number[] {
  const random = createRandom(1)
  const waiting = createDeadlineHeap<Client>()
  const returns: number[] = []
  for (let sequence = 0; sequence < CLIENTS; sequence++) {
    const connection = connected(random, spreadMs)
    connection.handle({ type: 'closed', code: 1006, reason: '' }, 0)
    waiting.add({ connection, at: connection.deadline, index: -1, sequence })
  }
  for (let client = waiting.first; client; client = waiting.first) {
    const { connection, at } = client
    waiting.remove(client)
    connection.handle({ type: 'elapsed' }, at)
    if (at >= downMs) returns.push(at - downMs)
    else {
      connection.handle({ type: 'failed', error: new ConnectError('UNREACHABLE', 'refused') }, at)
      client.at = connection.deadline
      waiting.add(client)
    }
  }
  return returns
}

/** The most returns within 100 ms. */
function peakOf(returns: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const at of returns) counts.set(Math.floor(at / 100), (counts.get(Math.floor(at / 100)) ?? 0) + 1)
  return Math.max(...counts.values())
}

test.each([600, 1_000, 30_000])('a herd returns evenly to a server that was down for %d ms', (downMs) => {
  const returns = comeBack(downMs, SPREAD_MS)

  expect(returns).toHaveLength(CLIENTS)
  expect(peakOf(returns)).toBeLessThanOrEqual((2 * CLIENTS * 100) / SPREAD_MS)
  expect(Math.min(...returns)).toBeLessThan(1_000)
  // Their own waits have grown meanwhile.
  expect(Math.max(...returns)).toBeLessThan(Math.max(SPREAD_MS, downMs))
})

test('a herd that was told nothing does not', () => {
  expect(peakOf(comeBack(600))).toBeGreaterThan((2 * CLIENTS * 100) / SPREAD_MS)
})

test('a client that loses its link dials as fast as ever, whatever its server has said', () => {
  const connection = connected(() => 0.999, SPREAD_MS)

  connection.handle({ type: 'closed', code: 1006, reason: '' }, 0)

  expect(connection.deadline).toBeLessThan(500)
})

test('what the server says later counts, also when it takes it back', () => {
  const waitAfter = (...spreads: (number | undefined)[]): number => {
    const connection = connected(() => 0.5, SPREAD_MS)
    for (const spreadMs of spreads) connection.handle({ type: 'spread', spreadMs }, 0)
    connection.handle({ type: 'closed', code: 1006, reason: '' }, 0)
    connection.handle({ type: 'elapsed' }, 250)
    connection.handle({ type: 'failed', error: new ConnectError('UNREACHABLE', 'refused') }, 250)
    return connection.deadline - 250
  }

  expect([waitAfter(), waitAfter(20_000), waitAfter(undefined), waitAfter(1e9)]).toEqual([5_000, 10_000, 500, 300_000])
})
