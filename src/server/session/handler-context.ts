import { RemoteProtocolError } from '../../shared/errors.js'
import type { MessageContext } from '../base/api.js'

/** What a handler is told beside the payload. The controller behind its signal is made only for a handler that reads it. */
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

  /** Not methods: handlers have no business with them. */
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
