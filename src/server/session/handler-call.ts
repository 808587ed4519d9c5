import type { HoldfastError } from '../../shared/errors.js'
import type { ReplyTarget } from '../base/context.js'
import type { IncomingMessages } from '../ordering/incoming-messages.js'
import type { IncomingMessage } from '../ordering/waiting-items.js'
import type { RunningHandler, WriterLane } from '../ordering/writer-lane.js'
import type { StreamEntry } from '../stores/stream-store.js'
import { HandlerContext } from './handler-context.js'

/** A handler queue, from the side of its calls. */
export interface CallOwner {
  /** The session that gets the reply if it is a request. */
  readonly target: ReplyTarget
  /** The client does not wait for the reply any more. */
  aborted(call: HandlerCall): void
}

/** A message whose handler runs, or is to be called again, and the sessions that get the reply if it is a request. */
export class HandlerCall implements RunningHandler<ReplyTarget> {
  readonly message: IncomingMessage
  readonly incoming: IncomingMessages<ReplyTarget>
  readonly lane: WriterLane<ReplyTarget>
  readonly context: HandlerContext
  /** When the handler has taken too long; `Infinity` while it does not run. */
  endsBy = Infinity
  /** When the handler is called again; `Infinity` unless it has asked for that. */
  retryAt = Infinity
  /** How often the handler was called: what an earlier call says has no effect. */
  calls = 0
  readonly #owner: CallOwner
  /** The other sessions, if there are any. */
  #others: Set<ReplyTarget> | undefined = undefined
  #reply: StreamEntry | undefined = undefined
  #hasGrown = false

  constructor(
    message: IncomingMessage,
    incoming: IncomingMessages<ReplyTarget>,
    lane: WriterLane<ReplyTarget>,
    owner: CallOwner,
  ) {
    this.message = message
    this.incoming = incoming
    this.lane = lane
    this.#owner = owner
    this.context = new HandlerContext(message, message.isRetransmitted && !lane.cursor.hasSeenAll)
  }

  get sequence(): number {
    return this.message.sequence
  }

  get deadline(): number {
    return Math.min(this.endsBy, this.retryAt)
  }

  get isAborted(): boolean {
    return HandlerContext.isAborted(this.context)
  }

  /** Also when there is a reply already: the store may not have kept the cursor yet. */
  join(target: ReplyTarget): void {
    if (target === this.#owner.target || this.#others?.has(target)) return
    this.#others ??= new Set()
    this.#others.add(target)
    if (!this.#reply) return
    target.append(this.#reply)
    this.#hasGrown = true
  }

  abort(reason?: HoldfastError): void {
    HandlerContext.abort(this.context, reason)
    if (!reason) this.#owner.aborted(this)
  }

  reply(entry: StreamEntry): void {
    this.#reply = entry
    this.#owner.target.append(entry)
    for (const target of this.#others ?? []) target.append(entry)
  }

  /** Whether a session was given the reply late since the last call. */
  hasGrown(): boolean {
    const hasGrown = this.#hasGrown
    this.#hasGrown = false
    return hasGrown
  }
}
