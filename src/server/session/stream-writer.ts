import { isThenable } from '../../shared/maybe-promise.js'
import { DeliveryError, HoldfastError, StorageError } from '../../shared/errors.js'
import type { EndReason } from '../base/api.js'
import type { EngineContext } from '../base/context.js'
import { whenDone } from '../base/when-done.js'
import { Fifo } from '../ordering/fifo.js'
import type { Attached, StreamEntry, StreamMessage, Streams } from '../stores/stream-store.js'
import { Unacknowledged } from './unacknowledged.js'

/** A session, from its stream writer's side. */
export interface StreamOwner {
  readonly id: string
  readonly user: string
  /** Whether something is on its way into the socket of the client. */
  readonly isSending: boolean
  onAppended(message: StreamMessage): void
  /** The stream cannot go on. */
  onStreamOver(reason: EndReason): void
  /** The store failed, and nothing is lost by it: the client should come back. */
  onStoreFailure(): void
  /** A message is missing in the stream, which must not be resumed even if the store can. */
  onIncomplete(): void
}

/** Where a stream stands: its last message, and the last one that is acknowledged. */
export interface StreamPosition {
  readonly sequence: number
  readonly acknowledged: number
}

interface Flush {
  readonly sequence: number
  resolve(): void
  reject(error: DeliveryError): void
}

/** After these, the stream is not ended in the store: the store has ended it, another server has it, or it is kept. */
const KEPT_IN_STORE: ReadonlySet<EndReason> = new Set<EndReason>(['overflow', 'lost', 'superseded', 'stopped'])

/** How many entries may wait for an attach that may have succeeded without an answer. */
const PENDING_MAX = 10_000

type WriterContext = Pick<EngineContext, 'streams' | 'report' | 'isStopped' | 'platform' | 'options'>

/** The stream of one session, from the side of the server that has it. */
export class StreamWriter {
  readonly #context: WriterContext
  readonly #owner: StreamOwner
  #epoch = 0
  /** The last message that the store has. */
  #stored: number
  #acknowledged: number
  #isDoubted = false
  #hasEnded = false
  /** The server has stopped: the next one on this store resumes the stream, unless something turns out to be missing. */
  #isLeft = false
  /** The entries that the store has not answered for. */
  #pending: Fifo<{ readonly entry: StreamEntry }> | undefined = undefined
  #flushes: Flush[] | undefined = undefined
  /** Made for the first message. */
  #unacknowledged: Unacknowledged | undefined = undefined
  /** When the client has last taken something, or was first given something to take. */
  #takenAt = -Infinity

  constructor(context: WriterContext, owner: StreamOwner, { sequence, acknowledged }: StreamPosition) {
    this.#context = context
    this.#owner = owner
    this.#stored = sequence
    this.#acknowledged = acknowledged
  }

  /** Puts an entry at the end. Entries keep their order, whatever becomes of the session's connections. */
  append(entry: StreamEntry): void {
    const epoch = this.#epoch
    const isTaking = this.#isTaking()
    this.#measure().add(entry.payload)
    let result: ReturnType<Streams['append']> = 'gone'
    let thrown: { cause: unknown } | undefined
    try {
      if (epoch) result = this.#context.streams.append(this.#owner.id, epoch, entry, isTaking)
    } catch (cause) {
      thrown = { cause }
    }
    // A store that answers at once needs no queue.
    if (!this.#pending?.size && isMessage(result) && this.#isCurrent(epoch)) return this.#appended(result)
    const mine = { entry }
    ;(this.#pending ??= new Fifo()).push(mine)
    if (!epoch) return // No connection was attached yet: `renew` appends it.
    if (thrown) return this.#refused(epoch, thrown.cause)
    whenDone(
      () => result,
      (answer) => {
        if (this.#isCurrent(epoch)) this.#answered(mine, answer)
        else if (typeof answer === 'string' && this.#isLeftUnder(epoch)) this.#lost(1)
      },
      (cause) => this.#refused(epoch, cause),
    )
  }

  /** The client has handled everything up to here; false when that is no news. */
  acknowledge(sequence: number): boolean {
    if (sequence <= this.#acknowledged) return false
    this.#acknowledged = sequence
    this.#takenAt = this.#context.platform.now()
    this.#unacknowledged?.shrinkTo(this.#last - sequence)
    this.#resolveFlushes()
    this.#notifyStore(sequence)
    return true
  }

  /** The store keeps the stream for another `ttlMs`. */
  touch(): void {
    this.#notifyStore(0)
  }

  /** Resolves when everything appended so far is acknowledged; rejects when the stream ends first. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      const sequence = this.#last
      if (this.#acknowledged >= sequence) return resolve()
      if (this.#hasEnded) return reject(ended('before its client had everything'))
      this.#flushes ??= []
      this.#flushes.push({ sequence, resolve, reject })
    })
  }

  get isWritable(): boolean {
    return !this.#hasEnded && (this.#unacknowledged?.isWritable ?? true)
  }

  /** Resolves when there is room again; undefined while there is. Rejects when the stream ends first, or has ended. */
  whenWritable(): Promise<void> | undefined {
    if (!this.#hasEnded) return this.#unacknowledged?.whenWritable()
    const promise = Promise.reject(ended('before its client had everything'))
    promise.catch(() => {})
    return promise
  }

  /** The store has ended the stream to make room for others. */
  overflowed(): void {
    if (!this.#hasEnded) this.#incomplete('overflow')
  }

  /** A connection was attached: entries appended under the older epoch had no effect, and are appended anew. */
  renew({ epoch, messages }: Pick<Attached, 'epoch' | 'messages'>, handled: number): void {
    const again = this.#pending ?? []
    this.#pending = undefined
    this.#epoch = epoch
    this.#isDoubted = false
    // Not the last acknowledgement of an older connection: the store may have ignored it under the epoch of that one.
    this.#acknowledged = handled
    this.#takenAt = this.#context.platform.now()
    this.#unacknowledged?.clear()
    for (const { payload } of messages) this.#measure().add(payload)
    this.#resolveFlushes()
    for (const { entry } of again) this.append(entry)
    this.#unacknowledged?.shrinkTo(this.#last - handled)
  }

  /** An attach failed, and may have taken effect: an operation that fails now may succeed after the next attach. */
  doubt(): void {
    this.#isDoubted = true
  }

  /** Whether the store holds less than was appended: it went back in time. */
  isBehind(sequence: number): boolean {
    return sequence < this.#stored
  }

  /** No entry is taken any more. Unless the store keeps the stream, it is ended there too. */
  end(reason: EndReason): void {
    this.#hasEnded = true
    this.#isLeft = reason === 'stopped'
    const flushes = this.#flushes ?? []
    this.#flushes = undefined
    const error = ended(`(${reason}) before its client had everything`)
    for (const { reject } of flushes) reject(error)
    this.#unacknowledged?.end(error)
    // Also where it is ended in the store: a connection that attaches it meanwhile has it under an epoch of its own.
    if (this.#pending?.size && reason !== 'bye') this.#owner.onIncomplete()
    if (!KEPT_IN_STORE.has(reason)) this.#endInStore()
  }

  #endInStore(): void {
    whenDone(
      () => this.#context.streams.end(this.#owner.id, this.#epoch),
      () => {},
      (cause) => {
        this.#report('end', cause)
        this.#owner.onIncomplete()
      },
    )
  }

  /** An append has failed, and is not tried again. */
  #refused(epoch: number, cause: unknown): void {
    const isCurrent = this.#isCurrent(epoch)
    if (!isCurrent && !this.#isLeftUnder(epoch)) return
    this.#report('append to', cause)
    if (isCurrent) return this.#owner.onStreamOver('failed')
    this.#isLeft = false
    this.#endInStore()
  }

  #answered(mine: object, result: StreamMessage | 'overflow' | 'gone'): void {
    const waiting = this.#pending?.size ?? 0
    if (result === 'gone' && this.#isDoubted && waiting <= PENDING_MAX) return
    if (result === 'gone') return this.#gone(waiting)
    // Answers come in the order of the calls, so that it is the first, or behind others that were `gone`.
    if (this.#pending?.first === mine) this.#pending.shift()
    else this.#pending?.takeOut((one) => one === mine)
    if (result === 'overflow') return this.#incomplete('overflow')
    this.#appended(result)
  }

  #appended(message: StreamMessage): void {
    if (message.sequence !== ++this.#stored) return this.#incomplete('lost')
    this.#owner.onAppended(message)
  }

  /** A message is missing, whatever the store says of the stream when it goes back in time. */
  #incomplete(reason: EndReason): void {
    if (reason === 'overflow') {
      const { count = 0, bytes = 0 } = this.#unacknowledged ?? {}
      this.#context.report(overflow(this.#owner.user, count, bytes))
    }
    this.#owner.onIncomplete()
    this.#owner.onStreamOver(reason)
  }

  #gone(waiting: number): void {
    this.#lost(waiting)
    this.#owner.onStreamOver('superseded')
  }

  #lost(count: number): void {
    this.#context.report(new DeliveryError('SESSION_ENDED', `${count} messages were sent to a session that has ended`))
  }

  #isCurrent(epoch: number): boolean {
    return epoch === this.#epoch && !this.#hasEnded && !this.#context.isStopped()
  }

  /** Whether the server has closed under this epoch, and the store was to keep what was sent until then. */
  #isLeftUnder(epoch: number): boolean {
    return this.#isLeft && epoch === this.#epoch && !this.#context.isStopped()
  }

  /** The last message, in the store or on its way there. */
  get #last(): number {
    return this.#stored + (this.#pending?.size ?? 0)
  }

  #measure(): Unacknowledged {
    this.#unacknowledged ??= new Unacknowledged(this.#context.options.limits.highWaterMark)
    return this.#unacknowledged
  }

  /** A client that was given no time, or that the network has not given everything yet, does not count as not taking. */
  #isTaking(): boolean {
    const { platform, options } = this.#context
    const now = platform.now()
    if (!this.#unacknowledged?.count) this.#takenAt = now
    return now - this.#takenAt < options.limits.stalledMs || this.#owner.isSending
  }

  #notifyStore(sequence: number): void {
    const epoch = this.#epoch
    whenDone(
      () => this.#context.streams.acknowledge(this.#owner.id, epoch, sequence),
      (isOurs) => {
        if (!isOurs && !this.#isDoubted && this.#isCurrent(epoch)) this.#owner.onStreamOver('superseded')
      },
      (cause) => {
        if (!this.#isCurrent(epoch)) return
        this.#report('acknowledge', cause)
        this.#owner.onStoreFailure()
      },
    )
  }

  #resolveFlushes(): void {
    while (this.#flushes?.[0] && this.#flushes[0].sequence <= this.#acknowledged) this.#flushes.shift()?.resolve()
  }

  #report(operation: string, cause: unknown): void {
    this.#context.report(new StorageError('STORAGE_FAILED', `The store failed to ${operation} a stream`, cause))
  }
}

const isMessage = (result: ReturnType<Streams['append']>): result is StreamMessage =>
  typeof result === 'object' && !isThenable(result)

const ended = (how: string): DeliveryError => new DeliveryError('SESSION_ENDED', `The session has ended ${how}`)

const overflow = (user: string, count: number, bytes: number): HoldfastError =>
  new HoldfastError(
    'OVERFLOW',
    `A session of "${user}" has ended: its client took nothing of ${count} messages of ${bytes} bytes. Await session.send()`,
  )
