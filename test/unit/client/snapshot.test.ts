import { describe, expect, test } from 'vitest'
import { ConnectError } from '../../../src/shared/errors.js'
import type { ConnectionState } from '../../../src/connection/state.js'
import { createSnapshots, INITIAL_STATE } from '../../../src/client/snapshot.js'
import { IN_MEMORY } from '../../../src/outbox/storage.js'
import { createFakeClock } from '../../support/fake-platform.js'

function setUp() {
  const clock = createFakeClock()
  const source: { connection: ConnectionState; pending: number; isWatched: boolean } = {
    connection: { status: 'idle' },
    pending: 0,
    isWatched: true,
  }
  let news = 0
  const snapshots = createSnapshots({
    platform: { now: () => clock.now, wallNow: () => clock.wallNow() },
    connection: () => source.connection,
    pending: () => source.pending,
    outbox: { durability: IN_MEMORY },
    isWatched: () => source.isWatched,
    notify: () => void news++,
  })
  return {
    clock,
    source,
    snapshots,
    news: () => news,
    become(connection: ConnectionState) {
      source.connection = connection
      snapshots.invalidate()
      return snapshots.get()
    },
  }
}

const error = new ConnectError('UNREACHABLE', 'nobody there')

describe('a snapshot', () => {
  test('begins as what a server renders, and frozen', () => {
    const { snapshots } = setUp()

    expect(snapshots.get()).toBe(INITIAL_STATE)
    expect(Object.isFrozen(INITIAL_STATE)).toBe(true)
  })

  test('is the same object until it is invalidated', () => {
    const { snapshots, source, become } = setUp()
    const first = become({ status: 'connecting', attempt: 1 })
    source.pending = 5
    const same = snapshots.get()
    snapshots.invalidate()

    expect(same).toBe(first)
    expect(snapshots.get()).toMatchObject({ pending: 5 })
    expect(snapshots.get()).toBe(snapshots.get())
  })

  test('tells times as people know them', async () => {
    const { clock, become } = setUp()
    const start = clock.wallNow()
    await clock.advance(1_000)
    const connected = become({ status: 'connected', connectedAt: 400 })
    const waiting = become({ status: 'waiting', attempt: 2, retryAt: 1_250, error })

    expect(connected).toMatchObject({ status: 'connected', connectedAt: start + 400 })
    expect(waiting).toMatchObject({ status: 'waiting', attempt: 2, retryAt: start + 1_250, error })
  })

  test('tells one time for one state, though the clocks drift apart', async () => {
    const { clock, become, snapshots, source } = setUp()
    const first = become({ status: 'connected', connectedAt: 0 })
    clock.stepWall(5_000)
    source.pending = 1
    snapshots.invalidate()
    const second = snapshots.get()

    expect(second).not.toBe(first)
    expect('connectedAt' in second && 'connectedAt' in first && second.connectedAt - first.connectedAt).toBe(0)
  })

  test('carries nothing over from the state before', () => {
    const { become } = setUp()
    become({ status: 'waiting', attempt: 2, retryAt: 1, error })

    expect(become({ status: 'suspended' })).toEqual({ ...INITIAL_STATE, status: 'suspended' })
    expect(become({ status: 'closed', error: null })).toEqual({ ...INITIAL_STATE, status: 'closed', error: null })
  })

  test('shows the round trip and counts errors', () => {
    const { snapshots } = setUp()
    snapshots.roundTrip(42)
    snapshots.error()
    snapshots.error()

    expect(snapshots.get()).toMatchObject({ rttMs: 42, errorCount: 2 })
  })

  test('follows frames once a second', () => {
    const { snapshots, clock } = setUp()
    const start = clock.wallNow()
    const shown = [0, 500, 999, 1_000, 1_001, 2_500].map((at) => {
      clock.sleep(at - clock.now)
      snapshots.received(at)
      return (snapshots.get().lastReceivedAt ?? 0) - start
    })

    expect(shown).toEqual([0, 0, 0, 1_000, 1_000, 2_500])
  })
})

describe('news', () => {
  test('comes once for many changes, and after them', async () => {
    const { snapshots, news, clock } = setUp()
    snapshots.invalidate()
    snapshots.error()
    snapshots.get()
    snapshots.roundTrip(1)
    const early = news()
    await clock.settle()

    expect(early).toBe(0)
    expect(news()).toBe(1)
  })

  test('comes again for a change after that', async () => {
    const { snapshots, news, clock } = setUp()
    snapshots.error()
    await clock.settle()
    snapshots.error()
    await clock.settle()

    expect(news()).toBe(2)
  })

  test('is nobody’s when nobody watches', async () => {
    const { snapshots, news, clock, source } = setUp()
    source.isWatched = false
    snapshots.error()
    await clock.settle()

    expect(news()).toBe(0)
    expect(snapshots.get().errorCount).toBe(1)
  })
})
