import { RemoteProtocolError } from '../../shared/errors.js'
import { ackDeadline, orderOf } from '../../protocol/acknowledgement.js'
import { badFrame, type DownFrame, type Rejection, type Sequences } from '../../protocol/frames.js'
import { messageId } from '../../protocol/writer-id.js'
import { MessageWindow, type WindowMax } from '../../protocol/window.js'
import { WaitingItems, type IncomingItem, type IncomingMessage } from './waiting-items.js'
import type { RunningHandler, WriterLane } from './writer-lane.js'
import { WriterState } from './writer-state.js'

/**
 * What became of a message that came.
 *
 * - `queued`: it waits for its turn.
 * - `ignored`: the connection is held.
 * - `repeat`: it came before.
 * - `unanswered`: a request that was handled before, and its reply is not in this stream.
 * - `overtaken`: it is new here, and another connection has had it handled.
 */
export type Reception = 'queued' | 'ignored' | 'repeat' | 'unanswered' | 'overtaken'

/** How many writers a connection remembers. The cursors of the others are read from the store again. */
export const WRITERS_KEPT_MAX = 1_024

/**
 * What one connection has received of its client's writers, and what of it waits, runs, is done, and is acknowledged.
 * It checks that each writer's sequences follow on one another, and that no more is unacknowledged than the window
 * allows. It acts on nothing else: each method hands back what is to be done.
 */
export class IncomingMessages<Target> {
  readonly #max: WindowMax
  readonly #window: MessageWindow
  readonly #waiting: WaitingItems
  /** In the order in which they were named. */
  readonly #writers = new Map<string, WriterState<Target>>()
  /** The writers with an acknowledgement that is due. */
  readonly #due = new Set<string>()
  /** Requests, `writer:sequence`, with a reply in the stream that goes on; undefined where none goes on. */
  #replies: ReadonlySet<string> | undefined = undefined
  #lastWriter: string | undefined = undefined
  #repeats = 0
  #ackCount = 0
  #ackDeadline = Infinity
  #isHeld = false

  constructor(max: WindowMax) {
    this.#max = max
    this.#window = new MessageWindow(max)
    this.#waiting = new WaitingItems(max.messages)
  }

  /** How many items wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Messages are ignored until the client has said where each writer goes on. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** When `acknowledgement` must be called; `Infinity` when nothing is to be acknowledged. */
  get ackDeadline(): number {
    return this.#ackDeadline
  }

  /** @throws {RemoteProtocolError} `RATE_LIMITED` when the window is full */
  take(bytes: number): void {
    if (!this.#window.fits(bytes)) {
      const { messages, bytes: bytesMax } = this.#max
      throw new RemoteProtocolError(
        'RATE_LIMITED',
        `The peer sent more than the window of ${messages} messages and ${bytesMax} bytes allows`,
      )
    }
    this.#window.take(bytes)
  }

  /** A message is done, or was not to be counted. */
  give(bytes: number): void {
    this.#window.give(bytes)
  }

  /**
   * The writer of a frame: a message that names none has that of the message or the skip before it.
   *
   * @throws {RemoteProtocolError} `BAD_FRAME` when none was named yet
   */
  writerOf(named: string | undefined): string {
    this.#lastWriter = named ?? this.#lastWriter
    if (this.#lastWriter === undefined) throw badFrame('a first message without a writer')
    return this.#lastWriter
  }

  /** @param replies the requests, `writer:sequence`, with a reply in the stream that goes on; undefined where none does */
  begin(replies: ReadonlySet<string> | undefined): void {
    this.#replies = replies
  }

  lane(writer: string): WriterLane<Target> | undefined {
    return this.#writers.get(writer)?.lane
  }

  /** The writers with cursors that must be read from the store first. */
  unknown(writers: readonly string[]): string[] {
    return writers.filter((writer) => !this.#writers.has(writer))
  }

  /** @param goesOnAt the sequence of the client's next message of the writer */
  open(writer: string, goesOnAt: number, lane: WriterLane<Target>, isInHello: boolean): void {
    const isResumed = this.#replies !== undefined
    this.#writers.set(writer, new WriterState(lane, goesOnAt, isInHello, isResumed))
  }

  /**
   * Forgets the writer that was named first of those that are not needed, when there are too many; returns its lane.
   * All may be needed: they are no more than two windows hold, one of messages and one of skips.
   */
  forgetOldest(): WriterLane<Target> | undefined {
    if (this.#writers.size < WRITERS_KEPT_MAX) return undefined
    for (const [writer, { lane }] of this.#writers) {
      // The client waits for the acknowledgement of a running message, and for the acknowledgement that is due.
      if (this.#waiting.has(writer) || lane.running || this.#due.has(writer)) continue
      this.#writers.delete(writer)
      return lane
    }
    return undefined
  }

  /** The part of the welcome about the writers in the hello. Holds the connection if one of them has a gap. */
  welcome(named: Sequences): Pick<DownFrame & { t: 'welcome' }, 'cursors' | 'no' | 'held'> {
    const no: Rejection[] = []
    const cursors: [string, number][] = []
    for (const [writer, goesOnAt] of Object.entries(named)) {
      const lane = this.lane(writer)
      if (!lane) continue
      const { n, rejected } = lane.cursor
      if (goesOnAt > Math.max(n, lane.running?.sequence ?? 0) + 1) this.#isHeld = true
      cursors.push([writer, n])
      no.push(...rejected.filter(([, sequence]) => sequence >= goesOnAt))
    }
    return { cursors: Object.fromEntries(cursors), ...(no.length && { no }), ...(this.#isHeld && { held: true }) }
  }

  /** The client resumes the writer at `sequence`; returns its lane if the cursor must be raised for that. */
  resume(writer: string, sequence: number): WriterLane<Target> | undefined {
    const state = this.#writers.get(writer)
    if (!state) return undefined
    // The cursor may be there already, by way of another connection.
    state.last = Math.max(sequence - 1, state.last)
    return sequence - 1 > state.lane.cursor.n ? state.lane : undefined
  }

  /** The client knows the outcomes up to here. */
  told(writer: string, sequence: number): void {
    const state = this.#writers.get(writer)
    if (state) state.toldUpTo = sequence
  }

  /** The client has said where each writer goes on. */
  lift(): void {
    this.#isHeld = false
  }

  /** @throws {RemoteProtocolError} `SEQUENCE_GAP` */
  receive(message: IncomingMessage): Reception {
    const { writer, sequence, bytes } = message
    const state = this.#writers.get(writer)
    if (this.#isHeld || !state) {
      this.give(bytes)
      return 'ignored'
    }
    const order = orderOf(sequence, state.last)
    if (order === 'gap') {
      const after = messageId(writer, state.last)
      throw new RemoteProtocolError('SEQUENCE_GAP', `The peer sent ${messageId(writer, sequence)} after ${after}`)
    }
    if (order === 'repeat') {
      this.give(bytes)
      return this.#lacksReply(message, state) ? 'unanswered' : 'repeat'
    }
    state.last = sequence
    this.#waiting.push(message)
    return sequence > state.lane.cursor.n ? 'queued' : 'overtaken'
  }

  /** Whether more repeats came than an honest client sends: a rewind repeats one window. */
  countRepeat(): boolean {
    return ++this.#repeats > this.#max.messages
  }

  /** @throws {RemoteProtocolError} `RATE_LIMITED` when as many wait as the window has messages */
  skip(writer: string, sequence: number): void {
    const state = this.#writers.get(writer)
    if (this.#isHeld || !state || sequence <= state.last + 1) return
    this.#waiting.skip(writer, sequence)
    state.last = sequence - 1
  }

  /** Cancels a request that waits here; returns the handler that is to be aborted if the request runs. */
  cancel(writer: string, sequence: number): RunningHandler<Target> | undefined {
    const running = this.lane(writer)?.runningAt(sequence)
    // It may wait here, and run for another connection.
    if (running) return running
    this.#waiting.cancel(writer, sequence)
    return undefined
  }

  /** A handler begins, for this connection or another one; returns it, since its reply comes here too. */
  began(writer: string): RunningHandler<Target> | undefined {
    const state = this.#writers.get(writer)
    const running = state?.lane.running
    if (!state || !running) return undefined
    state.joined(running)
    return running
  }

  /**
   * Takes out what waits of the writer and is done by way of another connection: it is not to fill the window any longer.
   * Returns the requests without a reply in this stream.
   */
  takeOvertaken(writer: string): IncomingMessage[] {
    const state = this.#writers.get(writer)
    if (!state) return []
    const messages = this.#waiting.takeUpTo(state.lane.cursor.n, writer)
    for (const { bytes } of messages) this.give(bytes)
    return messages.filter((message) => this.isUnanswered(message))
  }

  /** Whether a message that another connection has had handled is a request without a reply in this stream. */
  isUnanswered({ writer, sequence, isRequest }: IncomingMessage): boolean {
    const state = this.#writers.get(writer)
    return isRequest && state !== undefined && !state.isAnswered(sequence)
  }

  /** Makes an acknowledgement of the writer due if there is news for the client. */
  advanced(writer: string, now: number): void {
    const state = this.#writers.get(writer)
    if (state && state.handledUpTo > state.toldUpTo) this.acknowledge(writer, now)
  }

  /** Makes an acknowledgement of the writer due, also if the client was sent it before. */
  acknowledge(writer: string, now: number): void {
    this.#due.add(writer)
    this.#ackDeadline = ackDeadline(++this.#ackCount, this.#ackDeadline, now)
  }

  /** The acknowledgement that is due, if there is one. */
  acknowledgement(): (DownFrame & { t: 'a' }) | undefined {
    this.#ackCount = 0
    this.#ackDeadline = Infinity
    if (!this.#due.size) return undefined
    const numbers: [string, number][] = []
    const no: Rejection[] = []
    for (const writer of this.#due) {
      const state = this.#writers.get(writer)
      if (!state) continue
      const n = state.handledUpTo
      no.push(...state.tell(n))
      numbers.push([writer, n])
    }
    this.#due.clear()
    if (!numbers.length) return undefined
    return { t: 'a', w: Object.fromEntries(numbers), ...(no.length && { no }) }
  }

  first(): IncomingItem | undefined {
    return this.#waiting.first
  }

  /** Takes the first item out; its bytes are counted until they are given back. */
  shift(): void {
    this.#waiting.shift()
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.clear()
  }

  /** The connection is gone: forgets the writers, and returns their lanes. */
  leave(): WriterLane<Target>[] {
    const lanes = [...this.#writers.values()].map(({ lane }) => lane)
    this.#writers.clear()
    this.#due.clear()
    this.#ackDeadline = Infinity
    return lanes
  }

  #lacksReply(
    { writer, sequence, isRequest }: IncomingMessage,
    { answeredBefore, lane }: WriterState<Target>,
  ): boolean {
    if (!isRequest || sequence > answeredBefore || lane.runningAt(sequence)) return false
    return !this.#replies?.has(`${writer}:${sequence}`)
  }
}
