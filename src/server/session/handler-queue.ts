import { HoldfastError, StorageError } from '../../shared/errors.js'
import { messageId, nameOf } from '../../protocol/writer-id.js'
import type { EngineContext, ReplyTarget } from '../base/context.js'
import { whenDone } from '../base/when-done.js'
import type { IncomingMessages } from '../ordering/incoming-messages.js'
import { TokenBucket } from '../ordering/token-bucket.js'
import type { IncomingItem, IncomingMessage } from '../ordering/waiting-items.js'
import type { WriterLane } from '../ordering/writer-lane.js'
import type { Cursor } from '../stores/stream-store.js'
import { HandlerCall, type CallOwner } from './handler-call.js'
import type { HandlerContext } from './handler-context.js'
import { CANCELLED, rejectionOf, replyOf, type Ending } from './ending.js'
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
  /** Whether its handlers are bound: nothing is handled before. */
  readonly isReady: boolean
  /** How many of these requests may run beside each other. */
  concurrencyOf(request: string): number
  /** Calls the handlers; `ended` is called once. */
  runHandlers(incoming: Incoming, context: HandlerContext, ended: (outcome: Outcome) => void): void
  /** A handler has ended: calls `work` of the queue. */
  work(): void
  /** The store could not keep what was done: the connection cannot go on. */
  onUnpersisted(error: StorageError): void
}

type Lane = WriterLane<ReplyTarget>

/**
 * Handles the messages of one session, one at a time and in order, through all its connections. Requests that the
 * application lets run beside the others begin in their turn, and leave it at once.
 */
export class HandlerQueue implements CallOwner {
  readonly #context: EngineContext
  /** Gets the replies first. */
  readonly target: QueueOwner
  readonly #rate: TokenBucket
  #source: MessageSource | undefined = undefined
  /** The message whose turn it is. */
  #current: HandlerCall | undefined = undefined
  /** The requests that run beside the others; made for the first. */
  #beside: Set<HandlerCall> | undefined = undefined
  #isWorking = false
  #hasEnded = false
  #rateDeadline = Infinity

  constructor(context: EngineContext, session: QueueOwner) {
    this.#context = context
    this.target = session
    this.#rate = new TokenBucket(context.options.messageRate)
  }

  /** When `elapsed` must be called; `Infinity` when nothing waits for a moment. */
  get deadline(): number {
    let deadline = Math.min(this.#rateDeadline, this.#current?.deadline ?? Infinity)
    for (const call of this.#beside ?? []) deadline = Math.min(deadline, call.deadline)
    return deadline
  }

  /** Another connection has the session, or none: what waited in the older one is forgotten. */
  attach(source: MessageSource | undefined): void {
    this.#source?.incoming.clear()
    this.#source = source
    this.#rateDeadline = Infinity
  }

  /** The session has ended: what was to be handled later comes again in another one. */
  end(): void {
    this.#hasEnded = true
    for (const call of this.#calls()) if (call.retryAt < Infinity) this.#release(call)
  }

  /** Something has changed: handles what can be handled now. */
  work(): void {
    // A handler that is done at once leads back here: the loop below goes on.
    if (this.#isWorking) return
    this.#isWorking = true
    // A message that waited for its rate may have been handled, or may run, by way of another connection by now.
    this.#rateDeadline = Infinity
    try {
      while (this.#begin());
    } finally {
      this.#isWorking = false
    }
    if (this.#isIdle()) this.#source?.idle()
  }

  elapsed(now: number): void {
    for (const call of this.#calls()) {
      if (now >= call.endsBy) this.#timeOut(call)
      else if (now >= call.retryAt) this.#run(call, now)
    }
    this.work()
  }

  /** The client does not wait for the reply any more: a handler that runs has been told. */
  aborted(call: HandlerCall): void {
    if (call.retryAt === Infinity) return
    this.#context.countRunning(1)
    this.#finished(call, CANCELLED)
  }

  /** Nothing runs, and nothing waits but for what is to be handled later. */
  #isIdle(): boolean {
    if (this.#current) return this.#current.retryAt < Infinity
    return !this.target.isReady || (!this.#beside?.size && this.#source?.incoming.size === 0)
  }

  #calls(): HandlerCall[] {
    return [...(this.#current ? [this.#current] : []), ...(this.#beside ?? [])]
  }

  /** Begins the next item; false when there is none or it must wait. */
  #begin(): boolean {
    const source = this.#source
    const item = source?.incoming.first()
    if (!source || !item || !this.target.isReady || this.#current || this.#context.isStopped()) return false
    const lane = source.incoming.lane(item.type === 'skip' ? item.writer : item.message.writer)
    // Its subscribers are notified when it is free again.
    if (!lane || lane.running) return false
    if (item.type === 'skip') return this.#leap(source, lane, item.sequence)
    if (item.message.sequence <= lane.cursor.n) return this.#repeat(source, item.message)
    const room = item.message.isRequest ? this.#roomBeside(item.message.event) : 'none'
    if (room === 'full') return false
    const now = this.#context.platform.now()
    if (!this.#rate.take(now)) {
      this.#rateDeadline = Math.max(this.#rate.nextAt, now + 1)
      return false
    }
    this.#handle(source, lane, item, now, room === 'free')
    return true
  }

  /** Whether such a request may run beside the others now; `none`: it takes its turn among them. */
  #roomBeside(request: string): 'none' | 'free' | 'full' {
    const concurrency = this.target.concurrencyOf(request)
    if (concurrency === 1) return 'none'
    let count = 0
    for (const { message } of this.#beside ?? []) if (message.event === request) count++
    return count < concurrency ? 'free' : 'full'
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

  #handle(
    { incoming }: MessageSource,
    lane: Lane,
    { message, isCancelled }: IncomingItem & { type: 'message' },
    now: number,
    isBeside: boolean,
  ): void {
    incoming.shift()
    const call = new HandlerCall(message, incoming, lane, this)
    this.#current = call
    lane.begin(call, message.isRetransmitted)
    if (isCancelled) {
      this.#context.countRunning(1)
      return this.#finished(call, CANCELLED)
    }
    this.#run(call, now)
    // It may have ended at once.
    if (isBeside && call.deadline < Infinity) this.#putBeside(call)
  }

  #run(call: HandlerCall, now: number): void {
    const { message, context } = call
    const number = ++call.calls
    call.retryAt = Infinity
    call.endsBy = now + this.#context.options.handlerTimeoutMs
    this.#context.countRunning(1)
    this.target.runHandlers(message, context, (outcome) => {
      if (this.#context.isStopped() || number !== call.calls) return
      if (outcome.status === 'later') this.#later(call, outcome.afterMs)
      else this.#finished(call, call.isAborted && outcome.status === 'rejected' ? CANCELLED : outcome)
    })
  }

  /** The lane goes on behind it, and its reply comes when it comes. */
  #putBeside(call: HandlerCall): void {
    const { lane } = call
    this.#beside ??= new Set()
    this.#beside.add(call)
    lane.putBeside(call)
    const cursor = lane.outcome(undefined)
    this.#keep(lane, cursor, () => {
      this.#current = undefined
      lane.end()
      this.target.work()
    })
  }

  #later(call: HandlerCall, afterMs: number): void {
    call.endsBy = Infinity
    if (call.isAborted) return this.#finished(call, CANCELLED)
    this.#context.countRunning(-1)
    if (this.#hasEnded) return this.#release(call)
    call.retryAt = this.#context.platform.now() + afterMs
    this.target.work()
  }

  /** The client will send it again, in another session. */
  #release(call: HandlerCall): void {
    const { incoming, lane } = call
    call.calls++
    call.retryAt = Infinity
    incoming.give(call.message.bytes)
    if (this.#beside?.delete(call)) return lane.endBeside(call)
    this.#current = undefined
    lane.end()
  }

  #timeOut(call: HandlerCall): void {
    const { handlerTimeoutMs } = this.#context.options
    const message = `A handler of "${call.message.event}" has not ended within ${handlerTimeoutMs} ms`
    const error = new HoldfastError('HANDLER_TIMEOUT', message)
    const outcome: Ending = call.isAborted ? CANCELLED : { status: 'rejected', code: error.code, message }
    this.#context.report(error)
    call.abort(error)
    this.#finished(call, outcome)
  }

  #finished(call: HandlerCall, outcome: Ending): void {
    const { message, lane } = call
    call.calls++
    call.endsBy = call.retryAt = Infinity
    // A reply enters the stream before its request is acknowledged: PROTOCOL.md, section 5.
    if (message.isRequest) call.reply(replyOf(message, outcome))
    if (this.#beside?.delete(call)) {
      lane.endBeside(call)
      return this.#done(call)
    }
    const done = (): void => {
      this.#current = undefined
      lane.end()
      this.#done(call)
    }
    this.#keep(lane, lane.outcome(rejectionOf(message, outcome)), done, call)
  }

  #done({ incoming, message }: HandlerCall): void {
    incoming.give(message.bytes)
    this.#context.countRunning(-1)
    this.target.work()
  }

  #keep(lane: Lane, cursor: Cursor, done: () => void, call?: HandlerCall): void {
    const { streams, isStopped } = this.#context
    whenDone(
      () => streams.advance(this.target.user, nameOf(lane.writer), cursor),
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
        const message = `The store did not keep ${messageId(lane.writer, cursor.n)}`
        this.target.onUnpersisted(new StorageError('STORAGE_FAILED', message, cause))
        done()
      },
    )
  }
}
