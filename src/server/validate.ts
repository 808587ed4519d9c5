import { inspect } from 'node:util'
import { isObject } from '../shared/validate.js'

/** The longest delay that a timer holds, in milliseconds; ws keeps sizes in as many bits. */
export const INTEGER_MAX = 2 ** 31 - 1

/** @throws {TypeError | RangeError} that names the option, the value and the rule */
export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  const rule = `an integer from ${min} to ${max}`
  if (typeof value !== 'number') refuse(name, value, rule)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} is ${value}; it must be ${rule}`)
  }
}

/**
 * A group of whole numbers, each at least 1: what is given over the defaults.
 *
 * @throws {TypeError | RangeError} that names the option, the value and the rule
 * @example checkGroup('heartbeatMs', options.heartbeatMs, { interval: 25_000, timeout: 15_000 })
 */
export function checkGroup<Keys extends string>(
  name: string,
  given: Partial<Record<Keys, number>> | undefined,
  defaults: Record<Keys, number>,
): Record<Keys, number> {
  if (given !== undefined && !isObject(given)) refuse(name || 'options', given, 'an object')
  const result = { ...defaults }
  for (const [key, value] of Object.entries(given ?? {})) {
    const path = name ? `${name}.${key}` : key
    if (!Object.hasOwn(defaults, key)) refuse(path, value, `absent; known are ${Object.keys(defaults).join(', ')}`)
    if (value === undefined) continue
    const max = (defaults[key as Keys] > INTEGER_MAX ? Number.MAX_SAFE_INTEGER : INTEGER_MAX) satisfies number
    checkInteger(path, value, 1, max)
    // It is one of the defaults' keys, and an integer.
    result[key as Keys] = value as number
  }
  return result
}

/** @throws {TypeError} unless the option is absent or a function */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') refuse(name, value, 'a function')
}

/** @throws {TypeError} that names the option, the value and the rule */
export function refuse(name: string, value: unknown, rule: string): never {
  throw new TypeError(`${name} is ${inspect(value, { depth: 0 })}; it must be ${rule}`)
}
