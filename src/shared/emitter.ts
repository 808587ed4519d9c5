import { createNanoEvents } from 'nanoevents'
import { check, requireKnown, requireNumber, requireText, withDefaults, type Defaults } from './validate.js'
import { HoldfastError, ListenerError, textOf } from './errors.js'
import { isThenable } from './maybe-promise.js'

/** How a listener is bound. */
export interface ListenOptions {
  /** Unbinds the listener when it aborts. */
  signal?: AbortSignal
}

/** How events are read in a loop. */
export interface IterateOptions extends ListenOptions {
  /** How many events may wait for a slow loop; one more ends the loop with `ITERATOR_OVERFLOW`. Default: 10,000. */
  bufferMax?: number
}

const LISTEN_DEFAULTS: Defaults<ListenOptions> = { signal: undefined }
const ITERATE_DEFAULTS: Defaults<IterateOptions> = { signal: undefined, bufferMax: undefined }

/** Why there is no answer: the reason of a listener that failed, or none where nobody listens. */
export interface AnswerFailure {
  readonly reason?: unknown
}

/** Takes what the listeners have answered. It may throw, where that cannot be sent. */
export type Answer = (data: unknown, failure?: AnswerFailure) => void

type Listener<Payload> = (payload: Payload) => unknown

/** An emitter over a map of event → payload. Any event name is safe, `constructor` and `__proto__` included. */
export interface Events<Map> {
  on<Name extends keyof Map & string>(event: Name, listener: Listener<Map[Name]>, options?: ListenOptions): () => void
  once<Name extends keyof Map & string>(event: Name, listener: Listener<Map[Name]>, options?: ListenOptions): () => void
  events<Name extends keyof Map & string>(event: Name, options?: IterateOptions): AsyncGenerator<Map[Name], void>
  /** How many listeners there are. */
  count(event: keyof Map & string): number
  /**
   * Calls the listeners in the order they were bound; returns how many there are. Where somebody waits for an `answer`,
   * they get what the first of them returned that returned something, once all have finished, or why there is nothing.
   */
  emit<Name extends keyof Map & string>(event: Name, payload: Map[Name], answer?: Answer): number
}

/** Every event of a map, so that the compiler says which is forgotten. */
export type EventNames<Map> = { readonly [Name in keyof Map & string]: true }

/**
 * Listeners by event name, on nanoevents. A listener that throws, or whose promise is rejected, stops nobody else:
 * `report` is told, and of which event. A listener that is unbound while an event is emitted is not called any more; one that is bound
 * meanwhile waits for the next event. Binding one function twice makes two bindings.
 *
 * @param known where no other events than these exist, so that another name is refused; a set of names to `true`
 * @param onBound is told of each event that a listener was bound to
 */
export function createEmitter<Map>(
  report: (error: ListenerError, event: string) => void,
  known?: EventNames<Map>,
  onBound?: (event: string) => void,
): Events<Map> {
  const emitter = createNanoEvents<Record<string, (payload: never, results?: unknown[]) => void>>()
  // nanoevents starts with a plain object, in which a name such as "constructor" finds an inherited function.
  const listeners = (emitter.events = Object.create(null) as typeof emitter.events)

  const blame =
    (event: string) =>
    (cause: unknown): void =>
      report(new ListenerError('LISTENER_THREW', `A listener of "${event}" threw: ${textOf(cause)}`, cause), event)

  const events: Events<Map> = {
    on(event, listener, options) {
      requireText('event', event)
      if (known) requireKnown('on', event, 'event', known)
      check('listener', listener, 'a function', typeof listener === 'function')
      const { signal } = withDefaults('on', options, LISTEN_DEFAULTS)
      if (signal?.aborted) return () => {}
      let isBound = true
      const blameThis = blame(event)
      const unbind = emitter.on(event, (payload, results) => {
        if (!isBound) return
        try {
          const result = listener(payload)
          if (isThenable(result)) Promise.resolve(result).catch(blameThis)
          results?.push(result)
        } catch (thrown) {
          blameThis(thrown)
          results?.push(Promise.reject(thrown))
        }
      })
      const off = (): void => {
        if (!isBound) return
        isBound = false
        unbind()
        if (!listeners[event]?.length) delete listeners[event]
        signal?.removeEventListener('abort', off)
      }
      signal?.addEventListener('abort', off)
      onBound?.(event)
      return off
    },

    once(event, listener, options) {
      check('listener', listener, 'a function', typeof listener === 'function')
      withDefaults('once', options, LISTEN_DEFAULTS)
      const off = events.on(
        event,
        (payload) => {
          off()
          return listener(payload)
        },
        options,
      )
      return off
    },

    events(event, options) {
      const { signal, bufferMax = 10_000 } = withDefaults('events', options, ITERATE_DEFAULTS)
      requireNumber('bufferMax', bufferMax, Infinity)
      return iterate((listener) => events.on(event, listener, signal && { signal }), signal, bufferMax)
    },

    count: (event) => listeners[event]?.length ?? 0,

    emit(event, payload, answer) {
      const bound = listeners[event]
      const results: unknown[] | undefined = answer && []
      emitter.emit(event, payload as never, results)
      if (answer && results) answerWith(results, answer).catch(blame(event))
      return bound ? bound.length : 0
    },
  }
  return events
}

/** What the listeners returned, or promised to. Throws what `answer` throws, which may be unable to send it. */
async function answerWith(results: unknown[], answer: Answer): Promise<void> {
  const outcomes = await Promise.allSettled(results)
  const finished = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  const [first = {}] = outcomes
  answer(finished.find(({ value }) => value !== undefined)?.value, finished.length ? undefined : first)
}

/** Binds at once and buffers what it hears until the loop asks for it. Leaving the loop unbinds. */
function iterate<Payload>(
  bind: (listener: Listener<Payload>) => () => void,
  signal: AbortSignal | undefined,
  bufferMax: number,
): AsyncGenerator<Payload, void> {
  const buffer: Payload[] = []
  let isFull = false
  let isLeft = false
  let wake = (): void => {}
  const off = bind((payload) => {
    isFull ||= buffer.length >= bufferMax
    if (isFull) off()
    else buffer.push(payload)
    wake()
  })
  const stop = (): void => wake()
  signal?.addEventListener('abort', stop)

  async function* loop(): AsyncGenerator<Payload, void> {
    try {
      for (;;) {
        while (buffer.length) yield buffer.shift() as Payload
        if (isFull) throw new HoldfastError('ITERATOR_OVERFLOW', `More than ${bufferMax} events waited for their loop`)
        if (isLeft || signal?.aborted) return
        await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      leave()
    }
  }

  function leave(): void {
    isLeft = true
    off()
    signal?.removeEventListener('abort', stop)
  }

  const generator = loop()
  const finish = generator.return.bind(generator)
  // By itself a generator that waits for an event is left only once it has come, and one that has not begun not at all.
  generator.return = (value) => {
    leave()
    wake()
    return finish(value)
  }
  return generator
}
