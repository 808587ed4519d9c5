import type { MaybePromise } from '../../shared/maybe-promise.js'
import { answerOf } from '../../shared/provider.js'
import { check } from '../../shared/validate.js'
import type { DialContext, Dialect } from '../dialect.js'

/** Asked at each attempt for one subprotocol, or for a list of different ones; an empty list offers none. */
export type SubprotocolProvider = (context: DialContext) => MaybePromise<string | readonly string[]>

/** RFC 2616 section 2.2, to which RFC 6455 section 4.1 refers: a token has no control characters and no separators. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/

/** Whether a handshake can carry it: it is a token, and stands there for the first time. For `every` and `find`. */
export const isSubprotocol = (name: unknown, index: number, names: readonly unknown[]): boolean =>
  typeof name === 'string' && TOKEN.test(name) && names.indexOf(name) === index

/** @throws {TypeError} that shows `shown`, since an answer may be a credential, and errors are logged */
function listOf(given: unknown, shown: unknown = 'an answer'): readonly string[] {
  const names: readonly unknown[] = Array.isArray(given) ? given : [given]
  check('subprotocols', shown, 'a token, a list of different tokens or a function', names.every(isSubprotocol))
  return names as readonly string[] // Each has just been checked.
}

/**
 * What a dialect offers: a list is checked at the call, what a function answers at each attempt.
 *
 * @throws {TypeError} for what is neither one token, a list of different ones, nor a function
 */
export const offerOf = (given: string | readonly string[] | SubprotocolProvider): Dialect['subprotocols'] =>
  typeof given === 'function'
    ? (context) => answerOf('SUBPROTOCOLS', given, context, (answer) => listOf(answer))
    : listOf(given, given)
