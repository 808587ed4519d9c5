import type { Rejection } from '../../protocol/frames.js'
import type { Cursor } from '../stores/stream-store.js'

/** Whoever wants to know how far a writer is done with. */
export interface Follower {
  /** A handler of the lane begins, of whichever connection: it is the one that is `running`. */
  began(writer: string): void
  /** The lane has moved on, or is free again. */
  moved(writer: string): void
}

/** A message whose handler runs. */
export interface Running<Audience> {
  readonly sequence: number
  /** The reply goes to the session that asked, and to all others that have named its writer. */
  join(one: Audience): void
  /** Nobody waits for the reply any more. */
  abort(): void
}

/**
 * One writer of one user, across all connections and sessions: one message of it is handled at a time, and a handler
 * that outlives its connection still holds the lane.
 */
export interface Lane<Audience> {
  readonly writer: string
  readonly cursor: Cursor
  readonly running: Running<Audience> | undefined
  readonly followers: Set<Follower>
  /** What the store knows: another process may be ahead. */
  refresh(cursor: Cursor): void
  /** A handler begins; one for a message that was never sent before makes this life the writer's witness. */
  begin(running: Running<Audience>, isRetransmitted: boolean): void
  /** The cursor as it will be when the running message is done with. */
  outcome(rejection: Rejection | undefined): Cursor
  /** The cursor as it will be when the sequences below `sequence` are leapt over. */
  leap(sequence: number, isWitnessed: boolean): Cursor
  /** The store has the cursor; followers learn of it. */
  advance(cursor: Cursor): void
  /** The store could not keep the cursor: this process remembers it until it can. */
  hoard(cursor: Cursor): void
  /** The handler has ended. */
  end(): void
  /** The last to leave a lane that nobody holds turns off the light. */
  leave(follower: Follower): void
}

/** Every lane that somebody follows or holds; the others are forgotten, since the store has their cursors. */
export interface Lanes<Audience> {
  readonly size: number
  open(user: string, writer: string, cursor: Cursor, follower: Follower): Lane<Audience>
}

export const NO_CURSOR: Cursor = { n: 0, isWitnessed: false, rejected: [] }

/** How many lanes may wait, with nobody there, for a store that does not keep their cursors. */
const HOARDS_MAX = 10_000

/** @param rejectionsMax how many rejections of a writer are remembered */
export function createLanes<Audience>(rejectionsMax: number, hoardsMax = HOARDS_MAX): Lanes<Audience> {
  const lanes = new Map<string, Lane<Audience>>()
  /** Lanes that only their hoard keeps; the one that was left first before the others. */
  const hoards = new Set<string>()
  /** Something was done of which neither the store nor this process knows: the store's word is no witness any more. */
  let hasForgotten = false

  function idle(key: string, isHoarding: boolean): void {
    hoards.delete(key)
    if (isHoarding) hoards.add(key)
    else lanes.delete(key)
    const [oldest] = hoards
    if (hoards.size <= hoardsMax || oldest === undefined) return
    hasForgotten = true
    idle(oldest, false)
  }

  function create(key: string, writer: string): Lane<Audience> {
    const lane = createLane<Audience>(writer, rejectionsMax, (isHoarding) => {
      // Another may have taken the place of one that was forgotten.
      if (lanes.get(key) === lane) idle(key, isHoarding)
    })
    lanes.set(key, lane)
    return lane
  }

  return {
    get size() {
      return lanes.size
    },
    open(user, writer, cursor, follower) {
      // A writer has no space in its name.
      const key = `${writer} ${user}`
      const lane = lanes.get(key) ?? create(key, writer)
      hoards.delete(key)
      lane.refresh(hasForgotten ? { ...cursor, isWitnessed: false } : cursor)
      lane.followers.add(follower)
      return lane
    },
  }
}

/** @param idle told when nobody follows the lane and nothing runs */
function createLane<Audience>(
  writer: string,
  rejectionsMax: number,
  idle: (isHoarding: boolean) => void,
): Lane<Audience> {
  let cursor = NO_CURSOR
  let running: Running<Audience> | undefined
  /** Whether what runs was never sent before: whatever the store says meanwhile, this life is witness. */
  let isFresh = false
  let isHoarding = false
  const followers = new Set<Follower>()

  const rest = (): void => {
    if (followers.size === 0 && !running) idle(isHoarding)
  }

  const tell = (): void => {
    for (const follower of [...followers]) follower.moved(writer)
  }

  return {
    writer,
    followers,
    get cursor() {
      return cursor
    },
    get running() {
      return running
    },
    refresh(known) {
      if (known.n > cursor.n) cursor = known
      // A message that is running has made this life its witness, and the store does not know yet.
      else if (known.n === cursor.n) cursor = { ...known, isWitnessed: known.isWitnessed || cursor.isWitnessed }
    },
    begin(next, isRetransmitted) {
      running = next
      isFresh = !isRetransmitted
      if (isFresh) cursor = { ...cursor, isWitnessed: true }
      for (const follower of [...followers]) follower.began(writer)
    },
    outcome(rejection) {
      const n = Math.max(cursor.n, running?.sequence ?? 0)
      // By number, not by sequence: with leaps, the messages of one window may lie far apart.
      return {
        ...cursor,
        n,
        rejected: rejection ? [...cursor.rejected, rejection].slice(-rejectionsMax) : cursor.rejected,
      }
    },
    leap: (sequence, isWitnessed) => ({ ...cursor, n: sequence - 1, isWitnessed: cursor.isWitnessed && isWitnessed }),
    advance(next) {
      if (next.n >= cursor.n) {
        cursor = { ...next, isWitnessed: next.isWitnessed || isFresh }
        isHoarding = false
      }
      rest()
      tell()
    },
    hoard(next) {
      if (next.n >= cursor.n) cursor = next
      isHoarding = true
    },
    end() {
      running = undefined
      isFresh = false
      rest()
      tell()
    },
    leave(follower) {
      followers.delete(follower)
      rest()
    },
  }
}
