import { createEmitter, type EventNames, type Events } from '../../shared/emitter.js'
import type { EndReason, Session, SessionEvents } from '../base/api.js'
import type { EngineContext } from '../base/context.js'

const SESSION_EVENTS: EventNames<SessionEvents> = { connected: true, disconnected: true, ended: true }

/** What happens to one session. Its emitter is made for the first listener. */
export class SessionLifecycle {
  readonly #context: Pick<EngineContext, 'report'>
  #events: Events<SessionEvents> | undefined = undefined
  #listeners: Session['lifecycle'] | undefined = undefined
  /** Whether `connected` was told, so that `disconnected` follows. */
  #isToldConnected = false

  constructor(context: Pick<EngineContext, 'report'>) {
    this.#context = context
  }

  /** What the application binds its listeners with. */
  get listeners(): Session['lifecycle'] {
    if (!this.#listeners) {
      const { on, once } = (this.#events = createEmitter<SessionEvents>(
        (error) => this.#context.report(error),
        SESSION_EVENTS,
      ))
      this.#listeners = { on, once }
    }
    return this.#listeners
  }

  connected(): void {
    this.#isToldConnected = true
    this.#events?.emit('connected', undefined)
  }

  disconnected(closeCode: number, closeReason: string): void {
    if (!this.#isToldConnected) return
    this.#isToldConnected = false
    this.#events?.emit('disconnected', { closeCode, closeReason })
  }

  ended(reason: EndReason): void {
    this.#events?.emit('ended', { reason })
  }
}
