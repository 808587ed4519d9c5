/** A value, or a promise of one: a store in memory answers at once, one on disk later. */
export type MaybePromise<T> = T | Promise<T>

/**
 * Whether a value is awaited: also a promise of another realm or of a library. True where reading `then` throws, so
 * that `Promise.resolve` gives the error as a rejection.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  try {
    return typeof (value as Partial<PromiseLike<T>>).then === 'function' // Any object may be read so.
  } catch {
    return true
  }
}
