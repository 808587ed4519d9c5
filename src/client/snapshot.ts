import type { ConnectionState } from '../connection/state.js'
import { IN_MEMORY, type Durability } from '../outbox/storage.js'

/** A state with the same fields, its times on the wall clock: milliseconds since 1970, for people to look at. */
type InWallTime<State> = { [Name in keyof State]: State[Name] }

/** The connection as the application sees it. */
type Connection = InWallTime<ConnectionState>

/** What belongs to every state. */
interface Always extends Durability {
  /** Messages accepted and not yet delivered. */
  readonly pending: number
  /** The last round trip, in milliseconds; undefined before the first pong. */
  readonly rttMs: number | undefined
  /** When the server was last heard, in milliseconds since 1970, to the second; undefined before the first frame. */
  readonly lastReceivedAt: number | undefined
  /** How many errors the lifecycle has reported. */
  readonly errorCount: number
}

/** A client's state as one immutable value: a union on `status`. */
export type ClientState = Connection & Always

/** What the state is before anything has happened: also what a page rendered on a server shows. */
export const INITIAL_STATE: ClientState = Object.freeze({
  status: 'idle',
  pending: 0,
  rttMs: undefined,
  lastReceivedAt: undefined,
  errorCount: 0,
  ...IN_MEMORY,
})

/** The state as the application sees it: the same object until something in it changes, and news at most once a turn. */
export interface Snapshots {
  get(): ClientState
  /** Something that a snapshot shows has changed. */
  invalidate(): void
  /** A frame came at `now`. Snapshots follow once a second, not once a frame. */
  received(now: number): void
  roundTrip(rttMs: number): void
  error(): void
  /** The number of pending messages may have changed, or whether they are durable. */
  pending(): void
}

interface Sources {
  readonly platform: { now(): number; wallNow(): number }
  connection(): ConnectionState
  pending(): number
  readonly outbox: { readonly durability: Durability }
  /** Whether anybody is to be notified. */
  isWatched(): boolean
  notify(): void
}

/** How much newer a frame must be than the one that snapshots show, in milliseconds. */
const RECEIVED_STEP_MS = 1_000

export function createSnapshots(sources: Sources): Snapshots {
  const { platform, connection, pending, outbox, isWatched, notify } = sources
  let snapshot = INITIAL_STATE
  let isStale = false
  let isAnnounced = false
  let shownPending = 0
  let shownDurability = IN_MEMORY
  let shownConnection: ConnectionState | undefined
  let inWallTime: Connection = { status: 'idle' }
  let receivedAt = -Infinity
  let always: Omit<Always, 'pending' | keyof Durability> = INITIAL_STATE

  function invalidate(): void {
    isStale = true
    if (isAnnounced || !isWatched()) return
    isAnnounced = true
    queueMicrotask(() => {
      isAnnounced = false
      notify()
    })
  }

  const toWall = (time: number): number => Math.round(platform.wallNow() + time - platform.now())

  function get(): ClientState {
    if (!isStale) return snapshot
    isStale = false
    const current = connection()
    if (current !== shownConnection) {
      // Converted once per state, lest the two clocks' drift make a new value of an old state.
      shownConnection = current
      inWallTime =
        current.status === 'waiting'
          ? { ...current, retryAt: toWall(current.retryAt) }
          : current.status === 'connected'
            ? { ...current, connectedAt: toWall(current.connectedAt) }
            : current
    }
    const { rttMs, lastReceivedAt, errorCount } = always
    const ours = { pending: pending(), rttMs, lastReceivedAt, errorCount }
    return (snapshot = Object.freeze({ ...inWallTime, ...ours, ...outbox.durability }))
  }

  function set(change: Partial<Always>): void {
    always = { ...always, ...change }
    invalidate()
  }

  return {
    get,
    invalidate,
    received(now) {
      if (now - receivedAt < RECEIVED_STEP_MS) return
      receivedAt = now
      set({ lastReceivedAt: toWall(now) })
    },
    roundTrip: (rttMs) => set({ rttMs }),
    pending() {
      if (pending() === shownPending && outbox.durability === shownDurability) return
      shownPending = pending()
      shownDurability = outbox.durability
      invalidate()
    },
    error: () => set({ errorCount: always.errorCount + 1 }),
  }
}
