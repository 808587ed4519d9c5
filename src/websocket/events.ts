/** How a connection ended: what a `CloseEvent` says. */
export interface Ending {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

/** No close frame has come. Source: RFC 6455 section 7.1.5. */
export const ABNORMAL: Ending = { code: 1006, reason: '', wasClean: false }

/** A real `CloseEvent`; in Node before 23, which has none, an `Event` with the same attributes. */
export function closeEvent(ending: Ending): CloseEvent {
  if (typeof CloseEvent === 'function') return new CloseEvent('close', ending)
  return Object.assign(new Event('close'), ending) // It has all that people read of one.
}

type Callback = (event: never) => unknown

/**
 * The handlers of one target: `onopen` and so on. The listener for a handler is bound where the handler first became one,
 * keeps its turn when the handler is replaced, and loses it when it is set to null.
 * Source: HTML Standard, section 8.1.8.1, "Event handlers".
 */
export function createHandlers(target: EventTarget): {
  /** Null where there is none. */
  get(type: string): never
  set(type: string, value: unknown): void
} {
  const bound = new Map<string, { value: unknown; hear: (event: Event) => void }>()

  return {
    // What was set comes back as it was: whoever asks knows of what type that is.
    get: (type) => (bound.get(type)?.value ?? null) as never,
    set(type, value) {
      const handler = bound.get(type)
      if (Object(value) !== value) {
        // Web IDL, [LegacyTreatNonObjectAsNull].
        if (handler) target.removeEventListener(type, handler.hear)
        bound.delete(type)
      } else if (handler) handler.value = value
      else {
        const fresh = {
          value,
          hear(event: Event): void {
            if (typeof fresh.value === 'function') (fresh.value as Callback).call(target, event as never)
          },
        }
        bound.set(type, fresh)
        target.addEventListener(type, fresh.hear)
      }
    },
  }
}
