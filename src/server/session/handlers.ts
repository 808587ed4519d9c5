import { HoldfastError, ListenerError, textOf } from '../../shared/errors.js'
import type { Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { MessageContext } from '../base/api.js'

/** How the handling of a message ended. */
export type Outcome =
  | { readonly status: 'done'; readonly payload: Body }
  | { readonly status: 'rejected'; readonly code: string; readonly message: string }

/** What is to be handled. */
export interface Incoming {
  readonly event: string
  readonly data: unknown
  readonly isRequest: boolean
}

type Handler = (data: unknown, context: MessageContext) => unknown
type AnyHandler = (event: string, data: unknown, context: MessageContext) => unknown

/** The handlers of one session. */
export interface Handlers {
  on(event: string, handler: Handler): () => void
  onAny(handler: AnyHandler): () => void
  /** @throws {TypeError} when there is one */
  handle(request: string, handler: Handler): () => void
  /** @throws {TypeError} when there is one */
  handleAny(handler: AnyHandler): () => void
  /** Calls who is bound; `ended` is called once, at once unless a handler gives a promise. */
  run(incoming: Incoming, context: MessageContext, ended: (outcome: Outcome) => void): void
}

/** The longest error text that goes to a client, in characters. */
const MESSAGE_LENGTH_MAX = 1_000

const DONE: Outcome = { status: 'done', payload: '' }

/** @param report told of each handler that threw something other than a `HoldfastError`, and of names without a handler */
export function createHandlers(codec: FrameCodec, report: (error: HoldfastError) => void): Handlers {
  const listeners = new Map<string, Handler[]>()
  const responders = new Map<string, Handler>()
  const anyListeners: AnyHandler[] = []
  let anyResponder: AnyHandler | undefined

  const bound = ({ event, isRequest }: Incoming): Handler[] => {
    const own = isRequest ? responders.get(event) : listeners.get(event)
    if (own) return [own].flat()
    const any = isRequest ? [anyResponder].flatMap((one) => one ?? []) : anyListeners
    return any.map((handler) => (data, context) => handler(event, data, context))
  }

  const rejection = (event: string, cause: unknown, isAborted: boolean): Outcome => {
    if (!(cause instanceof HoldfastError) && !isAborted) {
      report(new ListenerError('LISTENER_THREW', `A handler of "${event}" threw: ${textOf(cause)}`, cause))
    }
    const code = cause instanceof HoldfastError ? cause.code : 'REJECTED'
    const message = cause instanceof Error ? textOf(cause.message) : textOf(cause)
    return { status: 'rejected', code, message: message.slice(0, MESSAGE_LENGTH_MAX) }
  }

  const encoded = ({ event, isRequest }: Incoming, result: unknown): Outcome => {
    if (!isRequest) return DONE
    try {
      return { status: 'done', payload: codec.encode(event, result) }
    } catch (cause) {
      return rejection(event, cause, false)
    }
  }

  return {
    on(event, handler) {
      requireName(event)
      requireFunction(handler)
      // A function bound twice is bound twice.
      const own: Handler = (data, context) => handler(data, context)
      listeners.set(event, [...(listeners.get(event) ?? []), own])
      return () => {
        const left = (listeners.get(event) ?? []).filter((one) => one !== own)
        if (left.length) listeners.set(event, left)
        else listeners.delete(event)
      }
    },
    onAny(handler) {
      requireFunction(handler)
      const own: AnyHandler = (event, data, context) => handler(event, data, context)
      anyListeners.push(own)
      return () => {
        const index = anyListeners.indexOf(own)
        if (index >= 0) anyListeners.splice(index, 1)
      }
    },
    handle(request, handler) {
      requireName(request)
      requireFunction(handler)
      if (responders.has(request)) throw new TypeError(`The request "${request}" has a handler; it must have only one`)
      responders.set(request, handler)
      return () => void (responders.get(request) === handler && responders.delete(request))
    },
    handleAny(handler) {
      requireFunction(handler)
      if (anyResponder) throw new TypeError('There is a handler of any request; there must be only one')
      anyResponder = handler
      return () => {
        if (anyResponder === handler) anyResponder = undefined
      }
    },
    run(incoming, context, ended) {
      const { event, data } = incoming
      const handlers = bound(incoming)
      if (!handlers.length) {
        const message = `Nobody handles "${event.slice(0, 80)}"`
        report(new HoldfastError('NO_HANDLER', message))
        return ended({ status: 'rejected', code: 'NO_HANDLER', message })
      }
      const results: unknown[] = []
      let thrown: { cause: unknown } | undefined
      for (const handler of handlers) {
        try {
          results.push(handler(data, context))
        } catch (cause) {
          thrown ??= { cause }
        }
      }
      const isSynchronous = !results.some(isThenable)
      if (isSynchronous)
        return ended(thrown ? rejection(event, thrown.cause, context.signal.aborted) : encoded(incoming, results[0]))
      // All are awaited, so that none still runs when the next message is handled.
      void Promise.allSettled(results).then((settled) => {
        const failed = settled.find((one) => one.status === 'rejected')
        const cause = thrown ?? (failed && { cause: failed.reason as unknown })
        const [first] = settled
        ended(
          cause
            ? rejection(event, cause.cause, context.signal.aborted)
            : encoded(incoming, first?.status === 'fulfilled' ? first.value : undefined),
        )
      })
    },
  }
}

/** @throws {TypeError} unless it is text of 1 to 256 characters */
export function requireName(event: unknown): void {
  if (typeof event !== 'string' || event === '' || event.length > 256) {
    throw new TypeError(`event must be a string of 1 to 256 characters, got ${textOf(event).slice(0, 80)}`)
  }
}

/** @throws {TypeError} unless it is a function */
export function requireFunction(handler: unknown): void {
  if (typeof handler !== 'function') throw new TypeError(`handler must be a function, got ${textOf(handler)}`)
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
