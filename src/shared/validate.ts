import { textOf } from './errors.js'

/**
 * The longest delay that a timer holds, in milliseconds: a longer one fires at once. As a limit in bytes it is out of
 * reach anyway. Source: HTML Standard, "timers".
 */
export const NUMBER_MAX = 2 ** 31 - 1

/** @throws {TypeError} or a `Kind`, which names the option by its path, the rule and the value */
export function check(path: string, value: unknown, rule: string, isMet: unknown, Kind = TypeError): void {
  if (!isMet) throw new Kind(`${path} must be ${rule}, got ${show(value)}`)
}

/** @throws {TypeError} | {RangeError} unless it is a number from 1 to `max` */
export function requireNumber(path: string, value: unknown, max: number = NUMBER_MAX): void {
  const isNumber = typeof value === 'number'
  const isMet = isNumber && value >= 1 && value <= max
  check(path, value, `a number from 1 to ${max}`, isMet, isNumber ? RangeError : TypeError)
}

/** @throws {TypeError} | {RangeError} unless it is a whole number from `min` to `max` */
export function requireInteger(path: string, value: unknown, max = NUMBER_MAX, min = 1): void {
  const isNumber = typeof value === 'number'
  const isMet = isNumber && Number.isInteger(value) && value >= min && value <= max
  check(path, value, `an integer from ${min} to ${max}`, isMet, isNumber ? RangeError : TypeError)
}

/** @throws {TypeError} unless it is a string with something in it */
export function requireText(path: string, value: unknown): asserts value is string {
  check(path, value, 'a non-empty string', typeof value === 'string' && value)
}

/** A value with nothing left out of it. */
type Full<Value> = Value extends object
  ? Value extends (...values: never[]) => unknown
    ? Value
    : { readonly [Name in keyof Value]-?: Full<Exclude<Value[Name], undefined>> }
  : Value

/** Every option by its name, with the value that holds where none is given. */
export type Defaults<Options> = { readonly [Name in keyof Options]-?: Full<Options[Name]> | undefined }

/** Options with the defaults in the gaps. */
export type Filled<Options, Known extends Defaults<Options>> = {
  readonly [Name in keyof Options]-?: undefined extends Known[Name]
    ? Options[Name] | undefined
    : Full<Exclude<Options[Name], undefined>>
}

/**
 * The given options over the defaults, which name every option that there is and say what it must be: in the place of a
 * number `requireOne` wants a number, in that of a boolean stands a boolean, and in that of an object a group of options.
 * A value of `undefined` counts as not given. Without options the defaults come back as they are.
 *
 * @param where the function that is called, or the path of the group
 * @throws {TypeError} | {RangeError} for a value that is wrong, and a TypeError for a name that is not known
 * @example const { spread } = withDefaults('socketIo', options, { spread: false, path: undefined })
 */
export function withDefaults<Options extends object, const Known extends Defaults<Options>>(
  where: string,
  given: Options | undefined,
  defaults: Known,
  requireOne: typeof requireNumber = requireNumber,
  group = '',
): Filled<Options, Known> {
  // Nothing is given: what holds are the defaults.
  if (given === undefined) return defaults as Filled<Options, Known>
  check(group || 'options', given, 'an object', isObject(given))
  const filled: Record<string, unknown> = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    requireKnown(where, name, 'option', defaults)
    const path = group ? `${group}.${name}` : name
    const preset = filled[name]
    if (typeof preset === 'number') requireOne(path, value, Math.max(preset, NUMBER_MAX))
    check(path, value, 'a boolean', typeof preset !== 'boolean' || typeof value === 'boolean')
    filled[name] = isObject(preset) ? withDefaults(path, value as object, preset, requireOne, path) : value
  }
  // Each name is one of the defaults, and each value is theirs or was given for it.
  return filled as Filled<Options, Known>
}

/**
 * The known name with the most letters in the same place, from the start or from the end, is the nearest. It is advised
 * where it begins with the same letter or holds the name: what is alike by chance would lead astray.
 *
 * @param where the function that is called, or the path of the group
 * @param kind what the name is one of: `option`, `event`
 * @throws {TypeError} unless `known` has it
 */
export function requireKnown(where: string, name: string, kind: string, known: object): void {
  if (Object.hasOwn(known, name)) return
  const alike = (one: string): number =>
    Array.from(one).filter((letter, at) => letter === name[at] || letter === name[at + name.length - one.length]).length
  const names = Object.keys(known)
  const [nearest = ''] = names.sort((one, other) => alike(other) - alike(one))
  const [one, other] = [nearest.toLowerCase(), name.toLowerCase()]
  const isNear = alike(nearest) * 2 >= name.length && (one[0] === other[0] || one.includes(other))
  const advice = isNear ? `did you mean "${nearest}"?` : `known are ${names.join(', ')}`
  throw new TypeError(`${where}: "${name}" is no ${kind}; ${advice}`)
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Whether it is an object with fields, and no list. */
export const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !Array.isArray(value)

/** A value as an error message has it. */
export const show = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : textOf(value))
