import { ConnectError, isRefusal, RefusedError, textOf } from './errors.js'
import type { MaybePromise } from './maybe-promise.js'

/**
 * What a function of the application answers to an attempt, as `parse` reads it. Without an answer another attempt may have
 * one; a wrong answer would be given again, and a `RefusedError` of its own is taken at its word.
 *
 * @throws {ConnectError} as a rejection, `URL_FAILED` or `SUBPROTOCOLS_FAILED`, where it throws or answers `undefined`
 * @throws {RefusedError} as a rejection: its own, or `BAD_URL` or `BAD_SUBPROTOCOLS` where `parse` throws
 */
export async function answerOf<Context, Answer, Value>(
  what: 'URL' | 'SUBPROTOCOLS',
  provider: (context: Context) => MaybePromise<Answer>,
  context: Context,
  parse: (answer: Answer) => Value,
): Promise<Value> {
  let answer: Answer | undefined
  try {
    answer = await provider(context)
    return parse(answer)
  } catch (cause) {
    if (isRefusal(cause)) throw cause
    const message = `No ${what === 'URL' ? what : 'subprotocols'} to connect with: ${textOf(cause)}`
    throw answer === undefined
      ? new ConnectError(`${what}_FAILED`, message, cause)
      : new RefusedError(`BAD_${what}`, message, cause)
  }
}
