import { RemoteProtocolError, StorageError } from '../../shared/errors.js'
import type { Rejection } from '../../protocol/frames.js'
import { createBucket } from '../ordering/token-bucket.js'
import type { Inbox, InboxItem, UpMessage } from '../ordering/inbox.js'
import type { Lane } from '../ordering/writer-lane.js'
import type { MessageContext } from '../base/api.js'
import type { Core, Replied } from '../base/context.js'
import type { Handlers, Outcome } from './handlers.js'
import { settle } from '../base/when-done.js'

/** Where messages come from: the connection that has the session now. */
export interface WorkSource {
  readonly inbox: Inbox
  lane(writer: string): Lane<Replied> | undefined
  /** The message was done with before its turn came: the client has missed the word. */
  repeated(message: UpMessage): void
  /** Nothing runs and nothing waits. */
  idle(): void
}

/** Handles the messages of one session, one at a time and in order, through all its connections. */
export interface Worker {
  readonly isRunning: boolean
  /** When the rate allows the next message; `Infinity` when nothing waits for that. */
  readonly deadline: number
  /** Another connection has the session, or none: what waited in the older one is forgotten. */
  attach(source: WorkSource | undefined): void
  /** Something has changed: goes on if it can. */
  work(): void
}

type Reply = Parameters<Replied['append']>[0]

const CANCELLED: Outcome = { status: 'rejected', code: 'CANCELLED', message: 'Nobody waits for the reply any more' }

/**
 * @param session its `work` is called when a handler has ended, and calls the worker's
 * @param failed told when the store could not keep what was done: the connection cannot go on
 */
export function createWorker(
  core: Core,
  session: Replied & { readonly user: string; work(): void },
  handlers: Handlers,
  failed: (error: StorageError) => void,
): Worker {
  const { limits } = core.options
  const rate = { perSecond: limits.messagesPerSecond, burst: limits.messagesBurst }
  const bucket = createBucket(rate, core.platform.now())
  let source: WorkSource | undefined
  let isRunning = false
  let isWorking = false
  let deadline = Infinity

  function work(): void {
    // A handler that is done at once leads back here: the loop below goes on.
    if (isWorking) return
    isWorking = true
    // What waited for its rate may be handled, or running, by way of another connection by now.
    deadline = Infinity
    try {
      while (begin());
    } finally {
      isWorking = false
    }
    if (!isRunning && source?.inbox.size === 0) source.idle()
  }

  /** Takes the next item up; false when there is none or it must wait. */
  function begin(): boolean {
    const item = source?.inbox.first()
    if (!source || !item || isRunning || core.isStopped()) return false
    const lane = source.lane(item.type === 'skip' ? item.writer : item.message.writer)
    // It is free again when its followers hear of it.
    if (!lane || lane.running) return false
    if (item.type === 'skip') return leap(source.inbox, lane, item.sequence)
    if (item.message.sequence <= lane.cursor.n) return repeat(source, item.message)
    if (!bucket.take(core.platform.now())) {
      deadline = Math.max(bucket.nextAt, core.platform.now() + 1)
      return false
    }
    handle(source.inbox, lane, item)
    return true
  }

  function repeat(from: WorkSource, message: UpMessage): true {
    from.inbox.shift()
    from.inbox.give(message.bytes)
    from.repeated(message)
    return true
  }

  function leap(inbox: Inbox, lane: Lane<Replied>, sequence: number): true {
    inbox.shift()
    if (sequence - 1 > lane.cursor.n) keep(lane, lane.leap(sequence, true), () => {})
    return true
  }

  function handle(inbox: Inbox, lane: Lane<Replied>, item: InboxItem & { type: 'message' }): void {
    const { message } = item
    inbox.shift()
    isRunning = true
    core.running(1)
    const maybeDuplicate = message.isRetransmitted && !lane.cursor.isWitnessed
    const call = createCall(message, maybeDuplicate)
    const audience = createAudience(session)
    lane.begin({ sequence: message.sequence, join: audience.join, abort: call.abort }, message.isRetransmitted)
    const finish = (outcome: Outcome): void => {
      if (core.isStopped()) return
      const isCancelled = call.isAborted() && outcome.status === 'rejected'
      finished(inbox, lane, message, isCancelled ? CANCELLED : outcome, audience)
    }
    if (item.isCancelled) finish(CANCELLED)
    else handlers.run(message, call.context, finish)
  }

  function finished(inbox: Inbox, lane: Lane<Replied>, message: UpMessage, outcome: Outcome, audience: Audience): void {
    // A reply enters the stream before its request is acknowledged: PROTOCOL.md, section 5.
    if (message.isRequest) audience.reply(replyOf(message, outcome))
    const done = (): void => {
      inbox.give(message.bytes)
      isRunning = false
      core.running(-1)
      lane.end()
      session.work()
    }
    keep(lane, lane.outcome(rejectionOf(message, outcome)), done, audience)
  }

  function keep(lane: Lane<Replied>, cursor: Lane<Replied>['cursor'], done: () => void, audience?: Audience): void {
    settle(
      () => core.streams.advance(session.user, lane.writer, cursor),
      () => {
        if (core.isStopped()) return
        // Answers come in the order of the calls: after the next, a reply that came late is in its stream too.
        if (audience?.hasGrown()) return keep(lane, cursor, done, audience)
        lane.advance(cursor)
        done()
      },
      (cause) => {
        if (core.isStopped()) return
        lane.hoard(cursor)
        failed(new StorageError('STORAGE_FAILED', `The store did not keep ${lane.writer}:${cursor.n}`, cause))
        done()
      },
    )
  }

  return {
    get isRunning() {
      return isRunning
    },
    get deadline() {
      return deadline
    },
    attach(next) {
      source?.inbox.clear()
      source = next
      deadline = Infinity
    },
    work,
  }
}

/** Who gets the reply to a request. */
interface Audience {
  /** Also when the reply is there already: the store may be keeping its cursor still. */
  join(one: Replied): void
  reply(entry: Reply): void
  /** Whether somebody was given the reply late since the last time. */
  hasGrown(): boolean
}

function createAudience(first: Replied): Audience {
  const members = new Set([first])
  let reply: Reply | undefined
  let hasGrown = false

  return {
    join(one) {
      if (members.has(one)) return
      members.add(one)
      if (!reply) return
      one.append(reply)
      hasGrown = true
    },
    reply(entry) {
      reply = entry
      for (const one of members) one.append(entry)
    },
    hasGrown() {
      const answer = hasGrown
      hasGrown = false
      return answer
    },
  }
}

/** The context of one call; the controller behind its signal is made only for those who ask. */
function createCall(
  { writer, sequence, isRetransmitted }: Pick<UpMessage, 'writer' | 'sequence' | 'isRetransmitted'>,
  maybeDuplicate: boolean,
): { context: MessageContext; abort: () => void; isAborted: () => boolean } {
  let controller: AbortController | undefined
  let isAborted = false
  const reason = (): RemoteProtocolError =>
    new RemoteProtocolError('REQUEST_ABORTED', `The client has called ${writer}:${sequence} off`)

  return {
    context: {
      id: `${writer}:${sequence}`,
      isRetransmitted,
      maybeDuplicate,
      get signal() {
        controller ??= new AbortController()
        if (isAborted) controller.abort(reason())
        return controller.signal
      },
    },
    abort() {
      isAborted = true
      controller?.abort(reason())
    },
    isAborted: () => isAborted,
  }
}

function replyOf({ writer, sequence }: UpMessage, outcome: Outcome): Reply {
  const head = { t: 'r', w: writer, n: sequence } as const
  if (outcome.status === 'done') return { head, payload: outcome.payload }
  return { head: { ...head, error: { code: outcome.code, message: outcome.message } }, payload: '' }
}

/** A rejected request is answered by its reply. */
function rejectionOf({ writer, sequence, isRequest }: UpMessage, outcome: Outcome): Rejection | undefined {
  if (isRequest || outcome.status === 'done') return undefined
  return [writer, sequence, outcome.code, outcome.message]
}
