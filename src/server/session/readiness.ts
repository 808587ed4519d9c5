import { HoldfastError } from '../../shared/errors.js'
import type { EngineContext } from '../base/context.js'
import type { Handlers, Incoming } from './handlers.js'

/** How the listeners of `session` have taken a session. */
export interface Reception {
  /** What they have returned that is awaited. */
  readonly promised: PromiseLike<unknown>[]
  /** One of them threw. */
  hasFailed: boolean
}

/** A session, from the side of its readiness. */
export interface ReadinessOwner {
  readonly handlers: Handlers
  /** Something may be handled that waited. */
  work(): void
  /** Something was sent to a room in which it was not yet again: its client must be told of a gap. */
  onMissed(): void
  /** @param isFinal false where another connection of the same session may find it ready */
  onUnready(error: HoldfastError, isFinal: boolean): void
}

/**
 * Whether the handlers of a session are bound. From its first connection until the listeners of `session` are done nothing
 * of it is handled: what comes waits unacknowledged.
 */
export class Readiness {
  readonly #context: Pick<EngineContext, 'platform' | 'options' | 'shared' | 'isStopped'>
  readonly #owner: ReadinessOwner
  /** `incomplete`: a listener has failed, so that handlers may be missing. */
  #state: 'unannounced' | 'meeting' | 'ready' | 'incomplete' | 'over' = 'unannounced'
  #deadline = Infinity
  /** Of a session of an earlier server, until its listeners have put it into its rooms: what was sent to rooms before. */
  #roomCount: number | undefined

  /** @param isInherited whether an earlier server had the session, in rooms that this one does not know */
  constructor(
    context: Pick<EngineContext, 'platform' | 'options' | 'shared' | 'isStopped'>,
    owner: ReadinessOwner,
    isInherited: boolean,
  ) {
    this.#context = context
    this.#owner = owner
    this.#roomCount = isInherited ? context.shared.roomCount : undefined
  }

  get isReady(): boolean {
    return this.#state === 'ready' || this.#state === 'incomplete'
  }

  /** When it has taken too long; `Infinity` while nobody waits for it. */
  get deadline(): number {
    return this.#deadline
  }

  /** Whether the handler of a message may be missing, since a listener has failed that would have bound it. */
  isMissing(incoming: Incoming): boolean {
    return this.#state === 'incomplete' && !this.#owner.handlers.has(incoming)
  }

  /** A connection has the session, or none. */
  attached(isConnected: boolean): void {
    if (this.#state === 'unannounced') this.#deadline = isConnected ? this.#later() : Infinity
  }

  /** The application has met the session. */
  met({ promised, hasFailed }: Reception): void {
    // A listener may have ended it.
    if (this.#state === 'over') return
    if (!promised.length) return this.#become(hasFailed ? 'incomplete' : 'ready')
    this.#state = 'meeting'
    this.#deadline = this.#later()
    void Promise.allSettled(promised).then((results) => {
      if (this.#state !== 'meeting' || this.#context.isStopped()) return
      const isComplete = !hasFailed && results.every(({ status }) => status === 'fulfilled')
      this.#become(isComplete ? 'ready' : 'incomplete')
      this.#owner.work()
    })
  }

  elapsed(now: number): void {
    if (now < this.#deadline) return
    this.#deadline = Infinity
    const isMeeting = this.#state === 'meeting'
    const what = isMeeting
      ? 'What a listener of "session" has returned is not done'
      : 'Nobody listens to "session", so that what clients send waits: bind a listener with server.on("session", …)'
    const message = `${what}, after ${this.#context.options.listenerTimeoutMs} ms`
    this.#owner.onUnready(new HoldfastError('LISTENER_TIMEOUT', message), isMeeting)
  }

  end(): void {
    this.#become('over')
  }

  #become(state: 'ready' | 'incomplete' | 'over'): void {
    this.#state = state
    this.#deadline = Infinity
    const before = this.#roomCount
    this.#roomCount = undefined
    if (state !== 'over' && before !== undefined && before !== this.#context.shared.roomCount) this.#owner.onMissed()
  }

  #later(): number {
    return this.#context.platform.now() + this.#context.options.listenerTimeoutMs
  }
}
