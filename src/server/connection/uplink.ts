import type { DownFrame, Rejection, Sequences } from '../../protocol/frames.js'
import { createAckSchedule } from '../../protocol/acknowledgement.js'
import type { Inbox, UpMessage } from '../ordering/inbox.js'
import { NO_CURSOR, type Lane } from '../ordering/writer-lane.js'
import type { Cursor } from '../stores/stream-store.js'
import type { Core, Replied } from '../base/context.js'
import { settle } from '../base/when-done.js'
import type { StreamMessage } from '../stores/stream-store.js'

/** The session that has the connection. */
interface Uplinked extends Replied {
  readonly user: string
  work(): void
}

/** The writers of one connection: what of them was received, handled and acknowledged. */
export interface Uplink {
  /** Messages are ignored until the client has said where each writer goes on. */
  readonly isHeld: boolean
  /** When `acks` is wanted; `Infinity` when nothing is to be acknowledged. */
  readonly deadline: number
  lane(writer: string): Lane<Replied> | undefined
  /** What the welcome says of the writers that the hello named; holds the connection if one has a gap. */
  hello(
    writers: Sequences,
    cursors: ReadonlyMap<string, Cursor>,
  ): Pick<DownFrame & { t: 'welcome' }, 'cursors' | 'no' | 'held'>
  resume(
    writers: Sequences,
    cursors: ReadonlyMap<string, Cursor>,
    done: () => void,
    failed: (cause: unknown) => void,
  ): void
  /** Whose cursors must be looked up before they can go on here. */
  unknown(writers: readonly string[]): string[]
  /** A writer that the hello did not name goes on at this sequence. */
  introduce(writer: string, sequence: number, cursor: Cursor | undefined): void
  /** @throws {RemoteProtocolError} `SEQUENCE_GAP` */
  receive(message: UpMessage): 'queued' | 'repeat' | 'ignored'
  skip(writer: string, sequence: number): void
  cancel(writer: string, sequence: number): void
  /** A message that waited was done with before its turn came. */
  repeated(message: UpMessage): void
  /** The acknowledgement that is due, if there is one. */
  acks(): (DownFrame & { t: 'a' }) | undefined
  leave(): void
}

interface Entry {
  readonly lane: Lane<Replied>
  /** The last messages that ran since the writer came here, one after the other: their replies come here too. */
  answered: { readonly from: number; readonly to: number }
  /** Up to here the client knows the outcome. */
  told: number
  /** Requests up to here were answered before: in the stream that goes on, or nowhere that the client could look. */
  readonly answeredUpTo: number
}

/** How many writers a connection keeps in mind; of the others it asks the store again. */
export const WRITERS_KEPT_MAX = 1_024

/**
 * @param replies to which requests the stream that goes on holds replies; undefined where none goes on
 * @param isDue told when `deadline` has come nearer
 */
export function createUplink(
  core: Core,
  session: Uplinked,
  inbox: Inbox,
  replies: ReadonlySet<string> | undefined,
  isDue: () => void,
): Uplink {
  const entries = new Map<string, Entry>()
  const due = new Set<string>()
  const schedule = createAckSchedule()
  const follower = { began, moved }
  let isHeld = false
  let hasLeft = false

  function open(writer: string, goesOnAt: number, cursor: Cursor, isTold: boolean): Entry {
    while (entries.size >= WRITERS_KEPT_MAX && forgetOldest());
    const lane = core.lanes.open(session.user, writer, cursor, follower)
    // The reply to a request that still runs for an older session must reach the client in this one.
    lane.running?.join(session)
    const { n } = lane.cursor
    inbox.introduce(writer, Math.max(n, Math.min(lane.running?.sequence ?? 0, goesOnAt - 1)))
    const entry = {
      lane,
      answered: lane.running ? { from: lane.running.sequence, to: lane.running.sequence } : { from: n + 1, to: n },
      told: isTold ? n : Math.min(n, goesOnAt - 1),
      // Where no stream goes on, the client takes what the welcome covers for lost.
      answeredUpTo: isTold && !replies ? 0 : n,
    }
    entries.set(writer, entry)
    return entry
  }

  /** False when each is needed still: no more of them than two windows hold, one of messages and one of skips. */
  function forgetOldest(): boolean {
    // The client waits for the acknowledgement of what runs, and for the one that is due.
    const writer = inbox.forgetOldest((one) => due.has(one) || entries.get(one)?.lane.running !== undefined)
    if (writer === undefined) return false
    entries.get(writer)?.lane.leave(follower)
    entries.delete(writer)
    return true
  }

  /** The reply comes here, whichever connection has it handled: this one's client waits for it, or is about to ask. */
  function began(writer: string): void {
    const entry = entries.get(writer)
    const running = entry?.lane.running
    if (!entry || !running) return
    running.join(session)
    const { from, to } = entry.answered
    entry.answered = { from: running.sequence === to + 1 ? from : running.sequence, to: running.sequence }
  }

  function moved(writer: string): void {
    const entry = entries.get(writer)
    if (entry) overtaken(entry)
    if (entry && ackOf(entry) > entry.told) acknowledge(writer)
    session.work()
  }

  /** What another connection has sent too, and had handled, is acknowledged here and must not fill the window any longer. */
  function overtaken(entry: Entry): void {
    for (const message of inbox.settle(entry.lane.writer, entry.lane.cursor.n)) conclude(entry, message)
  }

  /** A request that waited, and was done with elsewhere: without a reply here its client would wait for ever. */
  function conclude({ answered: { from, to } }: Entry, { writer, sequence, isRequest }: UpMessage): void {
    if (isRequest && (sequence < from || sequence > to)) session.append(lostReply(writer, sequence))
  }

  const acknowledge = (writer: string): void => {
    due.add(writer)
    const before = schedule.deadline
    schedule.handled(core.platform.now())
    if (schedule.deadline < before) isDue()
  }

  /** What another page's connection has sent of this writer must not be acknowledged to who has not sent it. */
  const ackOf = ({ lane }: Entry): number => Math.min(lane.cursor.n, inbox.last(lane.writer) ?? 0)

  const rejectionsOf = ({ lane, told }: Entry, upTo: number): Rejection[] =>
    lane.cursor.rejected.filter(([, sequence]) => sequence > told && sequence <= upTo)

  /** Raises the cursors one after the other: the store may be elsewhere. */
  function raise(rest: [string, number][], done: () => void, failed: (cause: unknown) => void): void {
    const [next, ...others] = rest
    if (!next) return done()
    const [writer, sequence] = next
    const entry = entries.get(writer)
    if (!entry) return raise(others, done, failed)
    // The cursor may be there already, by way of another connection.
    inbox.introduce(writer, Math.max(sequence - 1, inbox.last(writer) ?? 0))
    if (sequence - 1 <= entry.lane.cursor.n) return raise(others, done, failed)
    // What lies between was handled by a server whose memory is lost: this one has not seen it.
    const cursor = entry.lane.leap(sequence, false)
    const kept = (): void => {
      entry.lane.advance(cursor)
      entry.told = cursor.n
      raise(others, done, failed)
    }
    settle(() => core.streams.advance(session.user, writer, cursor), kept, failed)
  }

  return {
    get isHeld() {
      return isHeld
    },
    get deadline() {
      return schedule.deadline
    },
    lane: (writer) => entries.get(writer)?.lane,
    hello(writers, known) {
      const no: Rejection[] = []
      const cursors: [string, number][] = []
      for (const [writer, goesOnAt] of Object.entries(writers)) {
        const { lane } = open(writer, goesOnAt, known.get(writer) ?? NO_CURSOR, true)
        isHeld ||= goesOnAt > Math.max(lane.cursor.n, lane.running?.sequence ?? 0) + 1
        cursors.push([writer, lane.cursor.n])
        no.push(...lane.cursor.rejected.filter(([, sequence]) => sequence >= goesOnAt))
      }
      return { cursors: Object.fromEntries(cursors), ...(no.length && { no }), ...(isHeld && { held: true }) }
    },
    resume(writers, known, done, failed) {
      if (hasLeft) return
      const named = Object.entries(writers)
      for (const [writer, goesOnAt] of named) {
        if (!entries.has(writer)) open(writer, goesOnAt, known.get(writer) ?? NO_CURSOR, false)
      }
      const lift = (): void => {
        isHeld = false
        done()
      }
      raise(named, lift, failed)
    },
    unknown: (writers) => writers.filter((writer) => !entries.has(writer)),
    introduce: (writer, sequence, cursor = NO_CURSOR) => void open(writer, sequence, cursor, false),
    receive(message) {
      const { writer, sequence, isRequest, bytes } = message
      if (isHeld) {
        inbox.give(bytes)
        return 'ignored'
      }
      const entry = entries.get(writer)
      if (inbox.receive(message) === 'queued') {
        if (!entry || sequence > entry.lane.cursor.n) {
          session.work()
          return 'queued'
        }
        overtaken(entry)
      } else {
        inbox.give(bytes)
        if (isRequest && sequence <= (entry?.answeredUpTo ?? 0) && !replies?.has(`${writer}:${sequence}`)) {
          session.append(lostReply(writer, sequence))
        }
      }
      acknowledge(writer)
      return 'repeat'
    },
    skip(writer, sequence) {
      if (isHeld) return
      inbox.skip(writer, sequence)
      session.work()
    },
    cancel(writer, sequence) {
      const running = entries.get(writer)?.lane.running
      // It may wait here, and run for another connection.
      if (running?.sequence === sequence) running.abort()
      else inbox.cancel(writer, sequence)
    },
    repeated(message) {
      const entry = entries.get(message.writer)
      if (entry) conclude(entry, message)
      acknowledge(message.writer)
    },
    acks() {
      schedule.clear()
      const numbers: [string, number][] = []
      const no: Rejection[] = []
      for (const writer of due) {
        const entry = entries.get(writer)
        if (!entry) continue
        const n = ackOf(entry)
        no.push(...rejectionsOf(entry, n))
        entry.told = Math.max(entry.told, n)
        numbers.push([writer, n])
      }
      due.clear()
      if (!numbers.length) return undefined
      return { t: 'a', w: Object.fromEntries(numbers), ...(no.length && { no }) }
    },
    leave() {
      hasLeft = true
      for (const { lane } of entries.values()) lane.leave(follower)
      entries.clear()
      due.clear()
      schedule.clear()
    },
  }
}

/** The requests that are answered by these messages: `writer:sequence`. */
export const repliesIn = (messages: readonly StreamMessage[]): ReadonlySet<string> =>
  new Set(messages.flatMap(({ head }) => (head.t === 'r' ? `${head.w}:${head.n}` : [])))

function lostReply(writer: string, sequence: number): Parameters<Replied['append']>[0] {
  const error = { code: 'RESULT_LOST', message: 'The request was handled; its result is lost' }
  return { head: { t: 'r', w: writer, n: sequence, error }, payload: '' }
}
