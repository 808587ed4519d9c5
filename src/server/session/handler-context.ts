import { RemoteProtocolError } from '../../shared/errors.js'
import type { MessageContext } from '../base/api.js'

/** The second argument of a handler. The controller behind its signal is made only when a handler reads it. */
export class HandlerContext implements MessageContext {
  readonly id: string
  readonly isRetransmitted: boolean
  readonly maybeDuplicate: boolean
  #controller: AbortController | undefined = undefined
  #isAborted = false

  constructor(id: string, isRetransmitted: boolean, maybeDuplicate: boolean) {
    this.id = id
    this.isRetransmitted = isRetransmitted
    this.maybeDuplicate = maybeDuplicate
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort(this.#reason())
    return this.#controller.signal
  }

  /** Static, so that handlers do not see it. */
  static isAborted(context: HandlerContext): boolean {
    return context.#isAborted
  }

  static abort(context: HandlerContext): void {
    context.#isAborted = true
    context.#controller?.abort(context.#reason())
  }

  #reason(): RemoteProtocolError {
    return new RemoteProtocolError('REQUEST_ABORTED', `The client has cancelled ${this.id}`)
  }
}
