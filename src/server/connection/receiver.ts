import { RemoteProtocolError } from '../../shared/errors.js'
import { badFrame, type Failure, type Sequences, type UpFrame } from '../../protocol/frames.js'
import { nameOf } from '../../protocol/writer-id.js'
import { storeFailed } from '../base/close-reasons.js'
import type { EngineContext, ReplyTarget } from '../base/context.js'
import { whenDone } from '../base/when-done.js'
import type { IncomingMessages } from '../ordering/incoming-messages.js'
import type { IncomingMessage } from '../ordering/waiting-items.js'
import { noCursor, type LaneSubscriber } from '../ordering/writer-lane.js'
import type { ServerSession } from '../session/session.js'
import type { Sender } from './sender.js'
import type { Attached, StreamEntry, StreamMessage, Streams } from '../stores/stream-store.js'

/** A connection, from its receiver's side. */
export interface ReceiverHost {
  readonly incoming: IncomingMessages<ReplyTarget>
  /** The server will close the connection soon. */
  readonly isDraining: boolean
  /** Checks a credential. */
  authenticate(auth: unknown): void
  /** Frames wait from now on. */
  pause(): void
  /** Runs `next`, unless the connection is gone, and then the frames that have waited. */
  resume(next: () => void): void
  /** Counts a frame that no window bounds. Throws `RATE_LIMITED`. */
  charge(): void
  /** A deadline may have come nearer. */
  schedule(): void
  /** Reports an error and closes with it. */
  fail(cause: unknown): void
}

/** What a connection does with the messages of a client that is welcome: the counterpart of `Sender`. */
export class Receiver implements LaneSubscriber {
  readonly #context: EngineContext
  readonly #host: ReceiverHost
  readonly #session: ServerSession
  readonly #sender: Sender
  readonly #incoming: IncomingMessages<ReplyTarget>
  #isClosed = false

  constructor(context: EngineContext, host: ReceiverHost, session: ServerSession, sender: Sender) {
    this.#context = context
    this.#host = host
    this.#session = session
    this.#sender = sender
    this.#incoming = host.incoming
  }

  /** What the welcome says of the writers that the hello names. */
  hello(writers: Sequences, { resumed, messages, cursors }: Attached): ReturnType<IncomingMessages<never>['welcome']> {
    this.#incoming.begin(resumed ? repliesIn(messages) : undefined)
    for (const [writer, goesOnAt] of Object.entries(writers)) {
      this.#open(writer, goesOnAt, cursors, true)
    }
    return this.#incoming.welcome(writers)
  }

  /** @throws {RemoteProtocolError} `SEQUENCE_GAP`, `RATE_LIMITED` */
  message(frame: UpFrame & { t: 'm' }, bytes: number): void {
    const { w: writer = '', s: sequence, e: event, d: data, u, r, age = 0 } = frame
    // While draining, `m` and `skip` are ignored: the client sends both again.
    if (this.#host.isDraining) return this.#incoming.give(bytes)
    const enqueuedAt = this.#context.platform.wallNow() - age
    const message = { writer, sequence, event, data, enqueuedAt, isRetransmitted: u === 1, isRequest: r === 1, bytes }
    if (this.#incoming.isHeld || this.#incoming.lane(writer)) this.#receive(message)
    else this.#lookUp(writer, sequence, () => this.#receive(message))
  }

  /** @throws {RemoteProtocolError} `RATE_LIMITED` */
  skip(writer: string, sequence: number): void {
    if (this.#host.isDraining) return
    if (this.#incoming.isHeld || this.#incoming.lane(writer)) this.#skip(writer, sequence)
    else this.#lookUp(writer, sequence, () => this.#skip(writer, sequence))
  }

  cancel(writer: string, sequence: number): void {
    this.#incoming.cancel(writer, sequence)?.abort()
  }

  /** @throws {RemoteProtocolError} `BAD_FRAME` unless the connection is held */
  resume(writers: Sequences): void {
    if (!this.#incoming.isHeld) throw badFrame('a resume without a hold')
    this.#host.pause()
    whenDone(
      () => this.#cursors(this.#incoming.unknown(Object.keys(writers))),
      (cursors) => this.#resume(writers, cursors),
      (cause) => this.#host.fail(storeFailed(cause)),
    )
  }

  /** @throws {RemoteProtocolError} `BAD_ACK`, `RATE_LIMITED` */
  acknowledged(sequence: number): void {
    const { sequence: sent } = this.#sender
    if (sequence > sent) {
      throw new RemoteProtocolError('BAD_ACK', `The peer acknowledged ${sequence}, and ${sent} was sent`)
    }
    // One with news is bounded by what it acknowledges.
    if (!this.#session.acknowledge(sequence)) this.#host.charge()
  }

  /** @throws {RemoteProtocolError} `RATE_LIMITED` */
  answered(id: string, data: unknown, failure: Failure | undefined): void {
    const isAwaited = this.#session.asks.answered(id, data, failure)
    this.#sender.write({ t: 'a', w: {}, r: [id] })
    if (!isAwaited) this.#host.charge()
  }

  volatile(event: string, data: unknown): void {
    this.#session.receiveVolatile(event, data)
  }

  authenticate(auth: unknown): void {
    this.#host.authenticate(auth)
  }

  onBegin(writer: string): void {
    // Also when it runs for another connection: the client of this one waits for the reply, or is about to ask again.
    this.#incoming.began(writer)?.join(this.#session)
  }

  onAdvance(writer: string): void {
    this.#answerOvertaken(writer)
    this.#incoming.advanced(writer, this.#context.platform.now())
    this.#host.schedule()
    this.#session.work()
  }

  /** A message that waited was done before its turn came. */
  repeated(message: IncomingMessage): void {
    if (this.#incoming.isUnanswered(message)) this.#session.append(lostReply(message))
    this.#acknowledge(message.writer)
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true
    for (const lane of this.#incoming.leave()) lane.leave(this)
  }

  #cursors(writers: readonly string[]): ReturnType<Streams['cursors']> {
    return this.#context.streams.cursors(this.#session.user, writers.map(nameOf))
  }

  #open(writer: string, goesOnAt: number, cursors: Attached['cursors'], isInHello = false): void {
    for (let oldest = this.#incoming.forgetOldest(); oldest; oldest = this.#incoming.forgetOldest()) oldest.leave(this)
    const cursor = cursors.get(nameOf(writer)) ?? noCursor(writer)
    const lane = this.#context.lanes.open(this.#session.user, writer, cursor, this)
    // The reply to a request that still runs for an older session must reach the client in this one.
    lane.running?.join(this.#session)
    for (const handler of lane.beside) handler.join(this.#session)
    this.#incoming.open(writer, goesOnAt, lane, isInHello)
  }

  /** Continues once the writer's cursor is known. */
  #lookUp(writer: string, sequence: number, next: () => void): void {
    this.#host.pause()
    whenDone(
      () => this.#cursors([writer]),
      (cursors) =>
        this.#host.resume(() => {
          this.#context.lanes.verify(this.#session.user, [writer], cursors)
          this.#open(writer, sequence, cursors)
          next()
        }),
      (cause) => this.#host.fail(storeFailed(cause)),
    )
  }

  #resume(writers: Sequences, cursors: Attached['cursors']): void {
    if (this.#isClosed) return
    const named = Object.entries(writers)
    try {
      this.#context.lanes.verify(this.#session.user, Object.keys(writers), cursors)
    } catch (cause) {
      return this.#host.fail(cause)
    }
    for (const [writer, goesOnAt] of named) {
      if (!this.#incoming.lane(writer)) this.#open(writer, goesOnAt, cursors)
    }
    const lift = (): void => {
      this.#incoming.lift()
      this.#host.resume(() => this.#session.work())
    }
    this.#raise(named, lift)
  }

  /** Raises the cursors one after the other: the store may be elsewhere. */
  #raise(named: readonly [string, number][], done: () => void): void {
    if (this.#context.isStopped()) return
    const [next, ...others] = named
    if (!next) return done()
    const [writer, sequence] = next
    const lane = this.#incoming.resume(writer, sequence)
    if (!lane) return this.#raise(others, done)
    // What lies between was handled by a server whose memory is lost: this process has not seen it.
    const cursor = lane.leap(sequence, false)
    whenDone(
      () => this.#context.streams.advance(this.#session.user, nameOf(writer), cursor),
      () => {
        if (this.#context.isStopped()) return
        lane.advance(cursor)
        this.#incoming.told(writer, cursor.n)
        this.#raise(others, done)
      },
      (cause) => this.#host.fail(storeFailed(cause)),
    )
  }

  #receive(message: IncomingMessage): void {
    switch (this.#incoming.receive(message)) {
      case 'ignored':
        return
      case 'queued':
        return this.#session.work()
      case 'unanswered':
        this.#session.append(lostReply(message))
        break
      case 'overtaken':
        this.#answerOvertaken(message.writer)
        break
      case 'repeat':
    }
    this.#acknowledge(message.writer)
    if (this.#incoming.countRepeat()) this.#host.charge()
  }

  #skip(writer: string, sequence: number): void {
    if (this.#incoming.isHeld) return
    this.#incoming.skip(writer, sequence)
    this.#session.work()
  }

  /** Without a reply in this stream, the client would wait for ever. */
  #answerOvertaken(writer: string): void {
    for (const request of this.#incoming.takeOvertaken(writer)) this.#session.append(lostReply(request))
  }

  #acknowledge(writer: string): void {
    this.#incoming.acknowledge(writer, this.#context.platform.now())
    this.#host.schedule()
  }
}

/** The requests with replies among these messages: `writer:sequence`. */
const repliesIn = (messages: readonly StreamMessage[]): ReadonlySet<string> =>
  new Set(messages.flatMap(({ head }) => (head.t === 'r' ? `${head.w}:${head.n}` : [])))

function lostReply({ writer, sequence }: IncomingMessage): StreamEntry {
  const error = { code: 'RESULT_LOST', message: 'The request was handled; its result is lost' }
  return { head: { t: 'r', w: writer, n: sequence, error }, payload: '' }
}
