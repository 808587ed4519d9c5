import { timingSafeEqual } from 'node:crypto'
import type { Rejection } from '../../protocol/frames.js'
import { nameOf, secretOf } from '../../protocol/writer-id.js'
import { RemoteProtocolError } from '../../shared/errors.js'
import type { Cursor } from '../stores/stream-store.js'

/** A connection that has named a writer. */
export interface LaneSubscriber {
  /** A handler of the lane begins, for this connection or another one: `lane.running` is set. */
  onBegin(writer: string): void
  /** The cursor of the lane has advanced, or its handler has ended. */
  onAdvance(writer: string): void
}

/** A handler that runs for a message of the writer. */
export interface RunningHandler<Target> {
  readonly sequence: number
  /** The reply also goes to this session. */
  join(target: Target): void
  /** The client does not wait for the reply any more. */
  abort(): void
}

/** The one of a writer that nobody knows yet. */
export const noCursor = (writer: string): Cursor => ({
  n: 0,
  hasSeenAll: false,
  rejected: [],
  secret: secretOf(writer),
})

/** How many lanes may wait, without a subscriber, for a store that does not keep their cursors. */
const UNPERSISTED_MAX = 10_000

/** The lanes with a subscriber or a running handler. The others are deleted, since the store has their cursors. */
export class WriterLanes<Target> {
  readonly #rejectionsMax: number
  readonly #unpersistedMax: number
  readonly #lanes = new Map<string, WriterLane<Target>>()
  /** Lanes that are kept only for the cursor that the store does not have; in the order in which they became idle. */
  readonly #unpersisted = new Set<string>()
  /** Whether a cursor is lost that the store does not have: then the cursors of the store do not cover everything. */
  #hasForgotten = false

  /**
   * @param rejectionsMax how many rejections of a writer are remembered
   * @param unpersistedMax how many idle lanes are kept for cursors that the store does not have
   */
  constructor(rejectionsMax: number, unpersistedMax = UNPERSISTED_MAX) {
    this.#rejectionsMax = rejectionsMax
    this.#unpersistedMax = unpersistedMax
  }

  get size(): number {
    return this.#lanes.size
  }

  /**
   * Checks that whoever names these writers knows their secrets. Must be called before `open`, in the same turn.
   *
   * @param cursors those of the store, by name
   * @throws {RemoteProtocolError} `FORBIDDEN`
   */
  verify(user: string, writers: readonly string[], cursors: ReadonlyMap<string, Cursor>): void {
    const named = new Map<string, string>()
    for (const writer of writers) {
      const [name, secret] = [nameOf(writer), secretOf(writer)]
      const known = [cursors.get(name)?.secret, this.#lanes.get(keyOf(user, name))?.cursor.secret, named.get(name)]
      if (!known.every((one) => one === undefined || isSame(one, secret))) {
        throw new RemoteProtocolError('FORBIDDEN', `The writer ${name} has another secret than the peer brings`)
      }
      named.set(name, secret)
    }
  }

  /**
   * Subscribes to the lane of a writer, which is made if there is none.
   *
   * @param cursor the one of the store
   */
  open(user: string, writer: string, cursor: Cursor, subscriber: LaneSubscriber): WriterLane<Target> {
    const key = keyOf(user, nameOf(writer))
    const lane = this.#lanes.get(key) ?? this.#create(key, writer)
    this.#unpersisted.delete(key)
    lane.refresh(this.#hasForgotten ? { ...cursor, hasSeenAll: false } : cursor)
    lane.subscribers.add(subscriber)
    return lane
  }

  /** The lane has no subscriber and no running handler. */
  idle(key: string, lane: WriterLane<Target>, isUnpersisted: boolean): void {
    // There may be another lane by now, in the place of one that was forgotten.
    if (this.#lanes.get(key) === lane) this.#retire(key, isUnpersisted)
  }

  #create(key: string, writer: string): WriterLane<Target> {
    const lane = new WriterLane<Target>(writer, key, this, this.#rejectionsMax)
    this.#lanes.set(key, lane)
    return lane
  }

  #retire(key: string, isUnpersisted: boolean): void {
    this.#unpersisted.delete(key)
    if (isUnpersisted) this.#unpersisted.add(key)
    else this.#lanes.delete(key)
    const [oldest] = this.#unpersisted
    if (this.#unpersisted.size <= this.#unpersistedMax || oldest === undefined) return
    this.#hasForgotten = true
    this.#retire(oldest, false)
  }
}

/** A writer has no space in its name. */
const keyOf = (user: string, name: string): string => `${name} ${user}`

/** Takes equally long wherever two texts of the same length differ, so that no secret is found out piece by piece. */
function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)]
  return first.length === second.length && timingSafeEqual(first, second)
}

/**
 * One writer of one user, across all connections and sessions: its messages are handled one at a time, and a handler
 * that outlives its connection still occupies the lane.
 */
export class WriterLane<Target> {
  readonly writer: string
  readonly subscribers = new Set<LaneSubscriber>()
  readonly #key: string
  readonly #lanes: WriterLanes<Target>
  readonly #rejectionsMax: number
  #cursor: Cursor
  #running: RunningHandler<Target> | undefined = undefined
  /** Whether the running message was never sent before: then this process has seen all, whatever the store says. */
  #isFresh = false
  #isUnpersisted = false
  /** The handlers of requests that run beside the others, and count as done here; made when there is one. */
  #beside: Map<number, RunningHandler<Target>> | undefined = undefined

  constructor(writer: string, key: string, lanes: WriterLanes<Target>, rejectionsMax: number) {
    this.writer = writer
    this.#cursor = noCursor(writer)
    this.#key = key
    this.#lanes = lanes
    this.#rejectionsMax = rejectionsMax
  }

  get cursor(): Cursor {
    return this.#cursor
  }

  get running(): RunningHandler<Target> | undefined {
    return this.#running
  }

  /** The handlers that run beside the others. */
  get beside(): Iterable<RunningHandler<Target>> {
    return this.#beside?.values() ?? []
  }

  /** The handler of this message, while it runs. */
  runningAt(sequence: number): RunningHandler<Target> | undefined {
    return this.#running?.sequence === sequence ? this.#running : this.#beside?.get(sequence)
  }

  /** The handler that runs does so beside the others from now on: it counts as done, and replies later. */
  putBeside(handler: RunningHandler<Target>): void {
    this.#beside ??= new Map()
    this.#beside.set(handler.sequence, handler)
  }

  endBeside({ sequence }: RunningHandler<Target>): void {
    this.#beside?.delete(sequence)
    this.#rest()
  }

  /** Takes over the cursor of the store: another process may be ahead. */
  refresh(stored: Cursor): void {
    const known = this.#cursor
    if (stored.n > known.n) this.#cursor = stored
    // The store has not heard yet that a running message has made this process see all.
    else if (stored.n === known.n) this.#cursor = { ...stored, hasSeenAll: stored.hasSeenAll || known.hasSeenAll }
  }

  /** A handler begins. After a message that was never sent before, this process has seen all of the writer. */
  begin(running: RunningHandler<Target>, isRetransmitted: boolean): void {
    this.#running = running
    this.#isFresh = !isRetransmitted
    if (this.#isFresh) this.#cursor = { ...this.#cursor, hasSeenAll: true }
    for (const subscriber of [...this.subscribers]) subscriber.onBegin(this.writer)
  }

  /** The cursor once the running message is done. */
  outcome(rejection: Rejection | undefined): Cursor {
    const cursor = this.#cursor
    const n = Math.max(cursor.n, this.#running?.sequence ?? 0)
    if (!rejection) return { ...cursor, n }
    // Bounded by number, not by sequence: with leaps, the messages of one window may lie far apart.
    return { ...cursor, n, rejected: [...cursor.rejected, rejection].slice(-this.#rejectionsMax) }
  }

  /** The cursor once the sequences below `sequence` are leapt over. */
  leap(sequence: number, hasSeenAll: boolean): Cursor {
    return { ...this.#cursor, n: sequence - 1, hasSeenAll: this.#cursor.hasSeenAll && hasSeenAll }
  }

  /** The store has kept the cursor. */
  advance(cursor: Cursor): void {
    if (cursor.n >= this.#cursor.n) {
      this.#cursor = this.#isFresh && !cursor.hasSeenAll ? { ...cursor, hasSeenAll: true } : cursor
      this.#isUnpersisted = false
    }
    this.#rest()
    this.#notify()
  }

  /** The store could not keep the cursor: this process remembers it until the store can. */
  keepUnpersisted(cursor: Cursor): void {
    if (cursor.n >= this.#cursor.n) this.#cursor = cursor
    this.#isUnpersisted = true
  }

  /** The handler has ended. */
  end(): void {
    this.#running = undefined
    this.#isFresh = false
    this.#rest()
    this.#notify()
  }

  /** Unsubscribes; the lane is deleted when it has no subscriber and no running handler. */
  leave(subscriber: LaneSubscriber): void {
    this.subscribers.delete(subscriber)
    this.#rest()
  }

  #rest(): void {
    if (this.subscribers.size === 0 && !this.#running && !this.#beside?.size)
      this.#lanes.idle(this.#key, this, this.#isUnpersisted)
  }

  #notify(): void {
    for (const subscriber of [...this.subscribers]) subscriber.onAdvance(this.writer)
  }
}
