import { describe, expect, test } from 'vitest'
import { check, isObject, isRecord, requireNumber, requireText, show } from '../../../src/shared/validate.js'

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
    expect(requireNumber('n', value)).toBe(value)
  })

  test.each([0, -1, NaN, 2 ** 31, Infinity])('may not be %s', (value) => {
    expect(() => requireNumber('n', value)).toThrow(new RangeError(`n must be from 1 to 2147483647, got ${value}`))
  })

  test('has the bound that it is given, and is a number at all', () => {
    expect(requireNumber('n', Infinity, Infinity)).toBe(Infinity)
    expect(() => requireNumber('n', '5' as never)).toThrow(new TypeError('n must be a number, got "5"'))
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
