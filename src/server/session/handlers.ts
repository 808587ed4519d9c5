import { HoldfastError, isHoldfastError, ListenerError, textOf } from '../../shared/errors.js'
import { isThenable } from '../../shared/maybe-promise.js'
import { isError } from '../../shared/realms.js'
import type { Body } from '../../protocol/codec.js'
import { isObject, requireInteger, withDefaults } from '../../shared/validate.js'
import type { HandleOptions } from '../base/api.js'
import type { EngineContext } from '../base/context.js'
import type { RetryError } from '../base/handler-errors.js'
import { HandlerContext } from './handler-context.js'

/** How the handling of a message ended. */
export type Outcome =
  | { readonly status: 'done'; readonly payload: Body }
  | { readonly status: 'rejected'; readonly code: string; readonly message: string }
  /** The handler wants to be called again. */
  | { readonly status: 'later'; readonly afterMs: number }

/** What is to be handled. */
export interface Incoming {
  readonly event: string
  readonly data: unknown
  readonly isRequest: boolean
}

type Handler = (data: unknown, context: HandlerContext) => unknown
type AnyHandler = (event: string, data: unknown, context: HandlerContext) => unknown

/** One binding of a handler: a function that is bound twice is called twice. */
interface Binding<Bound> {
  readonly handler: Bound
}

interface Responder {
  readonly handler: Handler
  readonly concurrency: number
}

/** The longest error text that goes to a client, in characters. */
const MESSAGE_LENGTH_MAX = 1_000

const DONE: Outcome = { status: 'done', payload: '' }

/** The handlers of one session. */
export class Handlers {
  readonly #context: Pick<EngineContext, 'codec' | 'report' | 'options' | 'names'>
  readonly #listeners = new Map<string, Binding<Handler>[]>()
  readonly #responders = new Map<string, Responder>()
  #anyListeners: readonly Binding<AnyHandler>[] = []
  #anyResponder: AnyHandler | undefined = undefined

  /** @param context its `report` hears of each handler that threw no `HoldfastError`, and of names without a handler */
  constructor(context: Pick<EngineContext, 'codec' | 'report' | 'options' | 'names'>) {
    this.#context = context
  }

  on(event: string, handler: Handler): () => void {
    requireName(event)
    requireFunction(handler)
    this.#context.names.add(event)
    const binding = { handler }
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), binding])
    return () => {
      const left = (this.#listeners.get(event) ?? []).filter((one) => one !== binding)
      if (left.length) this.#listeners.set(event, left)
      else this.#listeners.delete(event)
    }
  }

  onAny(handler: AnyHandler): () => void {
    requireFunction(handler)
    const binding = { handler }
    this.#anyListeners = [...this.#anyListeners, binding]
    return () => {
      this.#anyListeners = this.#anyListeners.filter((one) => one !== binding)
    }
  }

  /** @throws {TypeError | RangeError} when there is one, or for wrong options */
  handle(request: string, handler: Handler, options?: HandleOptions): () => void {
    requireName(request)
    requireFunction(handler)
    const { concurrency } = withDefaults('handle', options, { concurrency: 1 }, requireInteger)
    if (this.#responders.has(request)) {
      throw new TypeError(`The request "${request}" has a handler; it must have only one`)
    }
    this.#context.names.add(request)
    const responder = { handler, concurrency }
    this.#responders.set(request, responder)
    return () => {
      if (this.#responders.get(request) === responder) this.#responders.delete(request)
    }
  }

  /** @throws {TypeError} when there is one */
  handleAny(handler: AnyHandler): () => void {
    requireFunction(handler)
    if (this.#anyResponder) throw new TypeError('There is a handler of any request; there must be only one')
    this.#anyResponder = handler
    return () => {
      if (this.#anyResponder === handler) this.#anyResponder = undefined
    }
  }

  /** How many of these requests may run beside each other. */
  concurrencyOf(request: string): number {
    return this.#responders.get(request)?.concurrency ?? 1
  }

  /** Whether something handles it. */
  has({ event, isRequest }: Incoming): boolean {
    if (isRequest) return this.#responders.has(event) || this.#anyResponder !== undefined
    return this.#listeners.has(event) || this.#anyListeners.length > 0
  }

  /** Calls the handlers; `ended` is called once, at once unless a handler gives a promise. */
  run(incoming: Incoming, context: HandlerContext, ended: (outcome: Outcome) => void): void {
    const { event } = incoming
    const results: unknown[] = []
    let thrown: { cause: unknown } | undefined
    let count = 0
    for (const call of this.#calls(incoming, context)) {
      count++
      try {
        results.push(call())
      } catch (cause) {
        thrown ??= { cause }
      }
    }
    if (!count) return ended(this.#unhandled(event))
    if (!results.some((result) => isThenable(result))) {
      return ended(thrown ? this.#rejection(event, thrown.cause, context) : this.#encoded(incoming, results[0]))
    }
    // All are awaited, so that none still runs when the next message is handled.
    void Promise.allSettled(results).then((settled) => {
      const failed = settled.find((one) => one.status === 'rejected')
      const cause = thrown ?? (failed && { cause: failed.reason as unknown })
      if (cause) return ended(this.#rejection(event, cause.cause, context))
      const [first] = settled
      ended(this.#encoded(incoming, first?.status === 'fulfilled' ? first.value : undefined))
    })
  }

  #calls({ event, data, isRequest }: Incoming, context: HandlerContext): (() => unknown)[] {
    if (isRequest) {
      const own = this.#responders.get(event)
      if (own) return [() => own.handler(data, context)]
      const any = this.#anyResponder
      return any ? [() => any(event, data, context)] : []
    }
    const own = this.#listeners.get(event)
    if (own)
      return own.map(
        ({ handler }) =>
          () =>
            handler(data, context),
      )
    return this.#anyListeners.map(
      ({ handler }) =>
        () =>
          handler(event, data, context),
    )
  }

  #unhandled(event: string): Outcome {
    const message = `There is no handler of "${event.slice(0, 80)}"`
    this.#context.report(new HoldfastError('NO_HANDLER', message), this.#context.names.adviceFor(event))
    return { status: 'rejected', code: 'NO_HANDLER', message }
  }

  #encoded({ event, isRequest }: Incoming, result: unknown): Outcome {
    if (!isRequest) return DONE
    try {
      return { status: 'done', payload: this.#context.codec.encode(event, result) }
    } catch (cause) {
      return this.#rejection(event, cause)
    }
  }

  #rejection(event: string, cause: unknown, context?: HandlerContext): Outcome {
    if (isRetry(cause)) return { status: 'later', afterMs: cause.afterMs }
    const isOurs = isHoldfastError(cause)
    // A handler that was aborted may throw the reason of its signal.
    if (!isOurs && !(context && HandlerContext.isAborted(context))) {
      const message = `A handler of "${event}" threw: ${textOf(cause)}`
      this.#context.report(new ListenerError('LISTENER_THREW', message, cause))
    }
    const isTold = isOurs || this.#context.options.exposeErrors
    const text = !isTold ? 'The handler failed' : isError(cause) ? textOf(cause.message) : textOf(cause)
    return { status: 'rejected', code: isOurs ? cause.code : 'REJECTED', message: text.slice(0, MESSAGE_LENGTH_MAX) }
  }
}

/** By code, not by class: two copies of this package have two sets of classes. */
const isRetry = (cause: unknown): cause is RetryError =>
  isObject(cause) && 'code' in cause && cause.code === 'RETRY_LATER' && 'afterMs' in cause

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
