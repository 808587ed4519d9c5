/** A value, or a promise of one: a store in memory answers at once, one on disk later. */
export type MaybePromise<T> = T | Promise<T>
