import type { Contract } from '../../shared/contract.js'
import { createEmitter, type EventNames, type Events } from '../../shared/emitter.js'
import type { HoldfastError } from '../../shared/errors.js'
import { isThenable } from '../../shared/maybe-promise.js'
import { check } from '../../shared/validate.js'
import type { RoomEvent, ServerEvents, Session } from '../base/api.js'
import type { Identity } from '../base/options.js'
import type { ServerPlatform } from '../base/platform.js'
import type { Reception } from '../session/readiness.js'

interface Payloads {
  session: { readonly session: Session; readonly reception: Reception }
  error: HoldfastError
  join: RoomEvent
  leave: RoomEvent
}

type Listener<Payload> = (payload: Payload) => unknown

const SERVER_EVENTS: EventNames<ServerEvents> = { session: true, error: true, join: true, leave: true }

/** The listeners of one server, and its errors: counted, told, and printed where nobody hears them. */
export class ServerEmitter {
  readonly #platform: ServerPlatform
  readonly #events: Events<Payloads>
  readonly #warned = new Set<string>()
  #errorCount = 0

  /** @param onBound is told of each event that a listener was bound to */
  constructor(platform: ServerPlatform, onBound: (event: string) => void) {
    this.#platform = platform
    const onThrow = (error: HoldfastError, event: string): void => {
      // Never report an error thrown by an `error` listener to the `error` listeners: it would loop.
      if (event !== 'error') return void this.report(error)
      this.#errorCount++
      this.#warnOnce(error)
    }
    this.#events = createEmitter<Payloads>(onThrow, SERVER_EVENTS, onBound)
  }

  get errorCount(): number {
    return this.#errorCount
  }

  /** Whether somebody listens to `session`. */
  get isMeeting(): boolean {
    return this.#events.count('session') > 0
  }

  on<C extends Contract, I extends Identity, Name extends keyof ServerEvents<C, I>>(
    event: Name,
    listener: Listener<ServerEvents<C, I>[Name]>,
  ): () => void {
    // The listener is that of the event: its name says which.
    if (event !== 'session') return this.#events.on<'error'>(event as 'error', listener as Listener<HoldfastError>)
    check('listener', listener, 'a function', typeof listener === 'function')
    return this.#events.on('session', ({ session, reception }) => {
      try {
        const result = (listener as Listener<Session>)(session)
        if (isThenable(result)) reception.promised.push(result)
        return result
      } catch (thrown) {
        reception.hasFailed = true
        throw thrown
      }
    })
  }

  /** Tells the listeners of a session. */
  meet(session: Session): Reception {
    const reception: Reception = { promised: [], hasFailed: false }
    this.#events.emit('session', { session, reception })
    return reception
  }

  /** Tells of a user in a room. */
  tell(event: 'join' | 'leave', detail: RoomEvent): void {
    this.#events.emit(event, detail)
  }

  /**
   * @param advice is printed too, also where somebody listens
   * @param kind what is printed once where nobody does; default: the code
   * @returns whether a listener took it
   */
  report(error: HoldfastError, advice?: string, kind: string = error.code): boolean {
    this.#errorCount++
    const isHeard = this.#events.emit('error', error) > 0
    if (advice) this.#platform.warn?.(`Holdfast server: ${advice}. This name is printed once.`, error)
    else if (!isHeard) this.#warnOnce(error, kind)
    return isHeard
  }

  /** An error that nobody hears is not lost; one that comes with every message floods nobody. */
  #warnOnce(error: HoldfastError, kind: string = error.code): void {
    if (this.#warned.has(kind)) return
    this.#warned.add(kind)
    this.#platform.warn?.(
      `Holdfast server: ${error.code}, and server.on('error') has no listener that took it. This kind is printed once.`,
      error,
    )
  }
}
