import { textOf } from './errors.js'

/** The longest delay that a timer holds, in milliseconds; as a limit in bytes it is out of reach anyway. */
const NUMBER_MAX = 2 ** 31 - 1

/** @throws {TypeError} that names the option, the value and the rule */
export function check(name: string, value: unknown, rule: string, isMet: unknown): void {
  if (!isMet) throw new TypeError(`${name} must be ${rule}, got ${show(value)}`)
}

/** @throws {TypeError} | {RangeError} unless it is a number from 1 to `max` */
export function requireNumber(name: string, value: number, max: number = NUMBER_MAX): number {
  check(name, value, 'a number', typeof value === 'number')
  if (!(value >= 1 && value <= max)) throw new RangeError(`${name} must be from 1 to ${max}, got ${value}`)
  return value
}

/** @throws {TypeError} unless it is a string with something in it */
export function requireText(name: string, value: unknown): void {
  check(name, value, 'a non-empty string', typeof value === 'string' && value)
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Whether it is an object with fields, and no list. */
export const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !Array.isArray(value)

/** A value as an error message has it. */
export const show = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : textOf(value))
