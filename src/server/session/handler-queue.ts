import { StorageError } from '../../shared/errors.js'
import type { Rejection } from '../../protocol/frames.js'
import type { EngineContext, ReplyTarget } from '../base/context.js'
import { whenDone } from '../base/when-done.js'
import type { IncomingMessages } from '../ordering/incoming-messages.js'
import { TokenBucket } from '../ordering/token-bucket.js'
import type { IncomingItem, IncomingMessage } from '../ordering/waiting-items.js'
import type { RunningHandler, WriterLane } from '../ordering/writer-lane.js'
import type { Cursor, StreamEntry } from '../stores/stream-store.js'
import { HandlerContext } from './handler-context.js'
import type { Incoming, Outcome } from './handlers.js'

/** Where messages come from: the connection that has the session now. */
export interface MessageSource {
  readonly incoming: IncomingMessages<ReplyTarget>
  /** The message was done before its turn came: the client has missed the acknowledgement. */
  repeated(message: IncomingMessage): void
  /** Nothing runs and nothing waits. */
  idle(): void
}

/** A session, from its handler queue's side. */
export interface QueueOwner extends ReplyTarget {
  readonly user: string
  /** Calls the handlers; `ended` is called once. */
  runHandlers(incoming: Incoming, context: HandlerContext, ended: (outcome: Outcome) => void): void
  /** A handler has ended: calls `work` of the queue. */
  work(): void
  /** The store could not keep what was done: the connection cannot go on. */
  onUnpersisted(error: StorageError): void
}

type Lane = WriterLane<ReplyTarget>

const CANCELLED: Outcome = {
  status: 'rejected',
  code: 'CANCELLED',
  message: 'The client does not wait for the reply any more',
}

/** Handles the messages of one session, one at a time and in order, through all its connections. */
export class HandlerQueue {
  readonly #context: EngineContext
  readonly #session: QueueOwner
  readonly #rate: TokenBucket
  #source: MessageSource | undefined = undefined
  #isRunning = false
  #isWorking = false
  #deadline = Infinity

  constructor(context: EngineContext, session: QueueOwner) {
    this.#context = context
    this.#session = session
    this.#rate = new TokenBucket(context.options.messageRate)
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** When the rate allows the next message; `Infinity` when none waits for that. */
  get deadline(): number {
    return this.#deadline
  }

  /** Another connection has the session, or none: what waited in the older one is forgotten. */
  attach(source: MessageSource | undefined): void {
    this.#source?.incoming.clear()
    this.#source = source
    this.#deadline = Infinity
  }

  /** Something has changed: handles what can be handled now. */
  work(): void {
    // A handler that is done at once leads back here: the loop below goes on.
    if (this.#isWorking) return
    this.#isWorking = true
    // A message that waited for its rate may have been handled, or may run, by way of another connection by now.
    this.#deadline = Infinity
    try {
      while (this.#begin());
    } finally {
      this.#isWorking = false
    }
    if (!this.#isRunning && this.#source?.incoming.size === 0) this.#source.idle()
  }

  /** Begins the next item; false when there is none or it must wait. */
  #begin(): boolean {
    const source = this.#source
    const item = source?.incoming.first()
    if (!source || !item || this.#isRunning || this.#context.isStopped()) return false
    const lane = source.incoming.lane(item.type === 'skip' ? item.writer : item.message.writer)
    // Its subscribers are notified when it is free again.
    if (!lane || lane.running) return false
    if (item.type === 'skip') return this.#leap(source, lane, item.sequence)
    if (item.message.sequence <= lane.cursor.n) return this.#repeat(source, item.message)
    const now = this.#context.platform.now()
    if (!this.#rate.take(now)) {
      this.#deadline = Math.max(this.#rate.nextAt, now + 1)
      return false
    }
    this.#handle(source, lane, item)
    return true
  }

  #repeat(source: MessageSource, message: IncomingMessage): true {
    source.incoming.shift()
    source.incoming.give(message.bytes)
    source.repeated(message)
    return true
  }

  #leap({ incoming }: MessageSource, lane: Lane, sequence: number): true {
    incoming.shift()
    if (sequence - 1 > lane.cursor.n) this.#keep(lane, lane.leap(sequence, true), () => {})
    return true
  }

  #handle({ incoming }: MessageSource, lane: Lane, item: IncomingItem & { type: 'message' }): void {
    const { message } = item
    incoming.shift()
    this.#isRunning = true
    this.#context.countRunning(1)
    const maybeDuplicate = message.isRetransmitted && !lane.cursor.hasSeenAll
    const call = new HandlerCall(message, maybeDuplicate, this.#session)
    lane.begin(call, message.isRetransmitted)
    const finish = (outcome: Outcome): void => {
      if (this.#context.isStopped()) return
      const isCancelled = call.isAborted && outcome.status === 'rejected'
      this.#finished(incoming, lane, call, isCancelled ? CANCELLED : outcome)
    }
    if (item.isCancelled) finish(CANCELLED)
    else this.#session.runHandlers(message, call.context, finish)
  }

  #finished(incoming: IncomingMessages<ReplyTarget>, lane: Lane, call: HandlerCall, outcome: Outcome): void {
    const { message } = call
    // A reply enters the stream before its request is acknowledged: PROTOCOL.md, section 5.
    if (message.isRequest) call.reply(replyOf(message, outcome))
    const done = (): void => {
      incoming.give(message.bytes)
      this.#isRunning = false
      this.#context.countRunning(-1)
      lane.end()
      this.#session.work()
    }
    this.#keep(lane, lane.outcome(rejectionOf(message, outcome)), done, call)
  }

  #keep(lane: Lane, cursor: Cursor, done: () => void, call?: HandlerCall): void {
    const { streams, isStopped } = this.#context
    whenDone(
      () => streams.advance(this.#session.user, lane.writer, cursor),
      () => {
        if (isStopped()) return
        // Answers come in the order of the calls: after the next one, a reply that came late is in its stream too.
        if (call?.hasGrown()) return this.#keep(lane, cursor, done, call)
        lane.advance(cursor)
        done()
      },
      (cause) => {
        if (isStopped()) return
        lane.keepUnpersisted(cursor)
        const message = `The store did not keep ${lane.writer}:${cursor.n}`
        this.#session.onUnpersisted(new StorageError('STORAGE_FAILED', message, cause))
        done()
      },
    )
  }
}

/** A message whose handler runs, and the sessions that get the reply if it is a request. */
class HandlerCall implements RunningHandler<ReplyTarget> {
  readonly message: IncomingMessage
  readonly context: HandlerContext
  readonly #first: ReplyTarget
  /** The other sessions, if there are any. */
  #others: Set<ReplyTarget> | undefined = undefined
  #reply: StreamEntry | undefined = undefined
  #hasGrown = false

  constructor(message: IncomingMessage, maybeDuplicate: boolean, first: ReplyTarget) {
    const { writer, sequence, isRetransmitted } = message
    this.message = message
    this.context = new HandlerContext(`${writer}:${sequence}`, isRetransmitted, maybeDuplicate)
    this.#first = first
  }

  get sequence(): number {
    return this.message.sequence
  }

  get isAborted(): boolean {
    return HandlerContext.isAborted(this.context)
  }

  /** Also when there is a reply already: the store may not have kept the cursor yet. */
  join(target: ReplyTarget): void {
    if (target === this.#first || this.#others?.has(target)) return
    this.#others ??= new Set()
    this.#others.add(target)
    if (!this.#reply) return
    target.append(this.#reply)
    this.#hasGrown = true
  }

  abort(): void {
    HandlerContext.abort(this.context)
  }

  reply(entry: StreamEntry): void {
    this.#reply = entry
    this.#first.append(entry)
    for (const target of this.#others ?? []) target.append(entry)
  }

  /** Whether a session was given the reply late since the last call. */
  hasGrown(): boolean {
    const hasGrown = this.#hasGrown
    this.#hasGrown = false
    return hasGrown
  }
}

function replyOf({ writer, sequence }: IncomingMessage, outcome: Outcome): StreamEntry {
  const head = { t: 'r', w: writer, n: sequence } as const
  if (outcome.status === 'done') return { head, payload: outcome.payload }
  return { head: { ...head, error: { code: outcome.code, message: outcome.message } }, payload: '' }
}

/** A rejected request is answered by its reply. */
function rejectionOf({ writer, sequence, isRequest }: IncomingMessage, outcome: Outcome): Rejection | undefined {
  if (isRequest || outcome.status === 'done') return undefined
  return [writer, sequence, outcome.code, outcome.message]
}
