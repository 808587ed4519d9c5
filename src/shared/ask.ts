import { ListenerError, textOf } from './errors.js'

/** Asks a function of the application; one that throws is reported, and has not answered. */
export function ask<Answer>(
  name: string,
  question: () => Answer,
  report: (error: ListenerError) => void,
): Answer | undefined {
  try {
    return question()
  } catch (cause) {
    report(new ListenerError('LISTENER_THREW', `The function "${name}" threw: ${textOf(cause)}`, cause))
    return undefined
  }
}
