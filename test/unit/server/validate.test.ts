import { describe, expect, test } from 'vitest'
import { isObject } from '../../../src/shared/validate.js'
import { checkFunction, checkGroup, checkInteger, refuse } from '../../../src/server/validate.js'

describe('checkInteger', () => {
  test.each([0, 7, 10])('passes %d', (value) => {
    expect(() => checkInteger('size', value, 0, 10)).not.toThrow()
  })

  test.each([
    [11, RangeError],
    [1.5, RangeError],
    [NaN, RangeError],
    ['7', TypeError],
  ])('refuses %o, naming the option, the value and the rule', (value, kind) => {
    expect(() => checkInteger('size', value, 0, 10)).toThrow(kind)
    expect(() => checkInteger('size', value, 0, 10)).toThrow(/^size is .*; it must be an integer from 0 to 10$/)
  })
})

describe('checkGroup', () => {
  const defaults = { interval: 25_000, timeout: 15_000 }

  test('puts what is given over the defaults', () => {
    expect(checkGroup<'interval' | 'timeout'>('beat', { timeout: 5 }, defaults)).toEqual({
      interval: 25_000,
      timeout: 5,
    })
    expect(checkGroup('beat', undefined, defaults)).toEqual(defaults)
  })

  test.each([
    [{ interval: 0 }, RangeError, 'beat.interval is 0; it must be an integer from 1 to 2147483647'],
    [{ interval: '1' }, TypeError, "beat.interval is '1'; it must be an integer"],
    [{ intervall: 1 }, TypeError, 'beat.intervall is 1; it must be absent; known are interval, timeout'],
    [7, TypeError, 'beat is 7; it must be an object'],
    [null, TypeError, 'beat is null; it must be an object'],
  ])('refuses %o', (given, kind, message) => {
    // What a caller without types may pass.
    const act = (): unknown => checkGroup('beat', given as Partial<typeof defaults>, defaults)

    expect(act).toThrow(kind)
    expect(act).toThrow(message)
  })
})

test('a function may be absent, and nothing else', () => {
  expect(() => checkFunction('onError', undefined)).not.toThrow()
  expect(() => checkFunction('onError', () => {})).not.toThrow()
  expect(() => checkFunction('onError', 1)).toThrow('onError is 1; it must be a function')
})

test('null is no object', () => {
  expect([{}, [], null, 'a', undefined].map(isObject)).toEqual([true, true, false, false, false])
})

test('refuse says what is wrong', () => {
  expect(() => refuse('host', '', 'a non-empty string')).toThrow("host is ''; it must be a non-empty string")
})
