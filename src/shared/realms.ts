/**
 * What a value from outside is, without `instanceof`: each frame, worker and test environment is a realm with classes of
 * its own, and libraries such as zone.js put others in their place.
 */

/** The name of its class, as the standard has it: `ArrayBuffer`, `Blob`, `Map`. */
export const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

export const isBuffer = (value: unknown): value is ArrayBuffer => tagOf(value) === 'ArrayBuffer'

/** Whether it is an error: by its words, since the browser's own have one tag and the language's another. */
export const isError = (value: unknown): value is Error =>
  typeof (value as Partial<Error> | null | undefined)?.message === 'string' // Any value but these two may be read so.
