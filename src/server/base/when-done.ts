import type { MaybePromise } from '../stores/stream-store.js'

/**
 * Goes on with what an operation gives: at once where it is no promise, so that a synchronous store keeps everything
 * synchronous. Exactly one of the two is called.
 *
 * @example settle(() => store.attach(request), welcome, fail)
 */
export function settle<T>(
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
  if (result instanceof Promise) result.then(onValue, onError)
  else onValue(result)
}
