import { describe, expect, test } from 'vitest'
import {
  check,
  isObject,
  isRecord,
  requireInteger,
  requireNumber,
  requireText,
  show,
  withDefaults,
} from '../../../src/shared/validate.js'

describe('a check', () => {
  test('names what is checked, the rule and the value', () => {
    expect(() => check('colour', 'red', 'blue', false)).toThrow(new TypeError('colour must be blue, got "red"'))
    expect(() => check('colour', 'blue', 'blue', true)).not.toThrow()
  })

  test('prints even a value that refuses to be printed', () => {
    expect(show(Object.create(null))).toBe('something without words')
    expect(show(Symbol('s'))).toBe('Symbol(s)')
  })
})

describe('a number', () => {
  test.each([1, 0.5 + 0.5, 2 ** 31 - 1])('may be %s', (value) => {
    expect(() => requireNumber('n', value)).not.toThrow()
  })

  test.each([0, -1, NaN, 2 ** 31, Infinity])('may not be %s', (value) => {
    expect(() => requireNumber('n', value)).toThrow(
      new RangeError(`n must be a number from 1 to 2147483647, got ${value}`),
    )
  })

  test('has the bound that it is given, and is a number at all', () => {
    expect(() => requireNumber('n', Infinity, Infinity)).not.toThrow()
    expect(() => requireNumber('n', '5')).toThrow(new TypeError('n must be a number from 1 to 2147483647, got "5"'))
  })
})

describe('an integer', () => {
  test.each([0, 7, 10])('may be %d', (value) => {
    expect(() => requireInteger('size', value, 10, 0)).not.toThrow()
  })

  test.each([
    [11, RangeError, '11'],
    [-1, RangeError, '-1'],
    [1.5, RangeError, '1.5'],
    [NaN, RangeError, 'NaN'],
    ['7', TypeError, '"7"'],
    [undefined, TypeError, 'undefined'],
  ])('may not be %o', (value, kind, shown) => {
    const act = (): void => requireInteger('size', value, 10, 0)

    expect(act).toThrow(kind)
    expect(act).toThrow(`size must be an integer from 0 to 10, got ${shown}`)
  })

  test('is from 1 to what a timer holds where nothing else is said', () => {
    expect(() => requireInteger('n', 1)).not.toThrow()
    expect(() => requireInteger('n', 2 ** 31 - 1)).not.toThrow()
    expect(() => requireInteger('n', 0)).toThrow('n must be an integer from 1 to 2147483647, got 0')
    expect(() => requireInteger('n', 2 ** 31)).toThrow(RangeError)
  })
})

describe('withDefaults', () => {
  interface Options {
    name?: string
    sizeMax?: number
    isLoud?: boolean
    beatMs?: { interval?: number; timeout?: number }
  }
  const defaults = { name: undefined, sizeMax: 5, isLoud: false, beatMs: { interval: 25, timeout: 15 } }
  // What a caller without types may pass.
  const fill = (given?: unknown) => withDefaults('make', given as Options | undefined, defaults)

  test('puts what is given over the defaults, in groups too', () => {
    expect(fill({ name: 'a', beatMs: { timeout: 1 } })).toEqual({
      name: 'a',
      sizeMax: 5,
      isLoud: false,
      beatMs: { interval: 25, timeout: 1 },
    })
    expect(fill({})).toEqual(defaults)
    expect(fill()).toBe(defaults)
    expect(defaults).toEqual({ name: undefined, sizeMax: 5, isLoud: false, beatMs: { interval: 25, timeout: 15 } })
  })

  test('takes undefined for "not given", under any name', () => {
    expect(fill({ sizeMax: undefined, beatMs: undefined, unknown: undefined })).toEqual(defaults)
    expect(fill({ beatMs: { interval: undefined, unknown: undefined } })).toEqual(defaults)
  })

  test.each([
    [null, TypeError, 'options must be an object, got null'],
    ['big', TypeError, 'options must be an object, got "big"'],
    [{ sizeMax: '1' }, TypeError, 'sizeMax must be a number from 1 to 2147483647, got "1"'],
    [{ sizeMax: 0 }, RangeError, 'sizeMax must be a number from 1 to 2147483647, got 0'],
    [{ isLoud: 1 }, TypeError, 'isLoud must be a boolean, got 1'],
    [{ beatMs: 7 }, TypeError, 'beatMs must be an object, got 7'],
    [{ beatMs: null }, TypeError, 'beatMs must be an object, got null'],
    [{ beatMs: { timeout: '1' } }, TypeError, 'beatMs.timeout must be a number from 1 to 2147483647, got "1"'],
    [{ beatMs: { intervall: 1 } }, TypeError, 'beatMs: "intervall" is no option; did you mean "interval"?'],
    [{ sizeMx: 1 }, TypeError, 'make: "sizeMx" is no option; did you mean "sizeMax"?'],
    [{ loud: true }, TypeError, 'make: "loud" is no option; did you mean "isLoud"?'],
    [{ constructor: 1 }, TypeError, 'make: "constructor" is no option; known are '],
    [JSON.parse('{ "__proto__": 1 }'), TypeError, 'make: "__proto__" is no option; known are '],
    [{ qqq: 1 }, TypeError, 'make: "qqq" is no option; known are name, sizeMax, isLoud, beatMs'],
  ])('refuses %j', (given, kind, message) => {
    expect(() => fill(given)).toThrow(kind)
    expect(() => fill(given)).toThrow(message)
  })

  test('holds numbers against the rule that it is given, in groups too', () => {
    const act = (given: Options): unknown => withDefaults('make', given, defaults, requireInteger)

    expect(() => act({ sizeMax: 1.5 })).toThrow('sizeMax must be an integer from 1 to 2147483647, got 1.5')
    expect(() => act({ beatMs: { timeout: 1.5 } })).toThrow('beatMs.timeout must be an integer from 1 to 2147483647')
    expect(fill({ sizeMax: 1.5 })).toMatchObject({ sizeMax: 1.5 })
  })

  test('has no bound where the default has none', () => {
    expect(withDefaults('make', { triesMax: 2 ** 40 }, { triesMax: Infinity })).toEqual({ triesMax: 2 ** 40 })
  })
})

test.each(['', 7, null, undefined])('%s is no text', (value) => {
  expect(() => requireText('name', value)).toThrow(TypeError)
  expect(() => requireText('name', 'x')).not.toThrow()
})

test('objects and records are told apart', () => {
  const values = [{}, [], null, 'a', undefined, () => {}]

  expect(values.map(isObject)).toEqual([true, true, false, false, false, false])
  expect(values.map(isRecord)).toEqual([true, false, false, false, false, false])
})
