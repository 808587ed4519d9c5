import { RemoteProtocolError, type HoldfastError } from '../../shared/errors.js'
import { messageId } from '../../protocol/writer-id.js'
import type { MessageContext } from '../base/api.js'
import type { IncomingMessage } from '../ordering/waiting-items.js'

/** Where a message came from; of a volatile one, the writer is empty. */
type Origin = Pick<IncomingMessage, 'writer' | 'sequence' | 'isRetransmitted' | 'enqueuedAt'>

/** The second argument of a handler. The controller behind its signal is made only when a handler reads it. */
export class HandlerContext implements MessageContext {
  readonly id: string
  readonly isRetransmitted: boolean
  readonly maybeDuplicate: boolean
  readonly enqueuedAt: number
  #controller: AbortController | undefined = undefined
  #isAborted = false
  #reason: HoldfastError | undefined = undefined

  constructor({ writer, sequence, isRetransmitted, enqueuedAt }: Origin, maybeDuplicate: boolean) {
    this.id = writer && messageId(writer, sequence)
    this.isRetransmitted = isRetransmitted
    this.maybeDuplicate = maybeDuplicate
    this.enqueuedAt = enqueuedAt
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  static ofVolatile(enqueuedAt: number): HandlerContext {
    return new HandlerContext({ writer: '', sequence: 0, isRetransmitted: false, enqueuedAt }, false)
  }

  /** Static, so that handlers do not see it. */
  static isAborted(context: HandlerContext): boolean {
    return context.#isAborted
  }

  static abort(context: HandlerContext, reason: HoldfastError = cancelled(context.id)): void {
    context.#isAborted = true
    context.#reason = reason
    context.#controller?.abort(reason)
  }
}

const cancelled = (id: string): HoldfastError =>
  new RemoteProtocolError('REQUEST_ABORTED', `The client has cancelled ${id}`)
