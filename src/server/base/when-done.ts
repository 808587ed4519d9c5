import { isThenable, type MaybePromise } from '../../shared/maybe-promise.js'

/**
 * Continues with the result of an operation: at once where it is no promise, so that a synchronous store keeps everything
 * synchronous. Exactly one of the two functions is called.
 *
 * @example whenDone(() => store.attach(request), welcome, fail)
 */
export function whenDone<T>(
  run: () => MaybePromise<T>,
  onValue: (value: T) => void,
  onError: (cause: unknown) => void,
): void {
  let result: MaybePromise<T>
  try {
    result = run()
  } catch (cause) {
    return onError(cause)
  }
  if (isThenable(result)) Promise.resolve(result).then(onValue, onError)
  else onValue(result)
}
