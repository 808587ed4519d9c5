import { describe, expect, test, vi } from 'vitest'
import * as errors from '../../../src/shared/errors.js'

const {
  ConnectError,
  ConnectionLostError,
  DeliveryError,
  HoldfastError,
  isHoldfastError,
  ListenerError,
  LocalProtocolError,
  RefusedError,
  RemoteProtocolError,
  StorageError,
  textOf,
} = errors

const family = [
  ['ConnectError', ConnectError, 'UNREACHABLE'],
  ['RefusedError', RefusedError, 'UNAUTHORIZED'],
  ['LocalProtocolError', LocalProtocolError, 'TOO_LARGE'],
  ['RemoteProtocolError', RemoteProtocolError, 'BAD_FRAME'],
  ['DeliveryError', DeliveryError, 'EXPIRED'],
  ['StorageError', StorageError, 'STORAGE_FULL'],
  ['ListenerError', ListenerError, 'LISTENER_THREW'],
] as const

describe('the error family', () => {
  test.each(family)('%s has a name, a code, a message and a cause', (name, Class, code) => {
    const cause = new Error('deeper')
    const error = new Class(code, 'what happened', cause)

    expect(error).toBeInstanceOf(HoldfastError)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name, code, message: 'what happened', cause })
    expect(String(error)).toBe(`${name}: what happened`)
    expect(error.stack).toContain('what happened')
  })

  test('ConnectionLostError says how the connection was closed', () => {
    const error = new ConnectionLostError('CONNECTION_CLOSED', 'gone', 1012, 'restart')

    expect(error).toBeInstanceOf(HoldfastError)
    expect(error).toMatchObject({ name: 'ConnectionLostError', closeCode: 1012, closeReason: 'restart' })
  })

  test('has no cause where there is none', () => {
    expect('cause' in new DeliveryError('EXPIRED', 'late')).toBe(false)
    expect(new DeliveryError('EXPIRED', 'late', null).cause).toBeNull()
  })

  test('is known to these tests', () => {
    const names = Object.keys(errors).filter((name) => /^[A-Z].*Error$/.test(name))

    expect(names.sort()).toEqual(['ConnectionLostError', 'HoldfastError', ...family.map(([name]) => name)].sort())
  })
})

describe('isHoldfastError', () => {
  test('is true of the errors of another copy of the package too, whatever they are derived from', async () => {
    vi.resetModules()
    const copy = await import('../../../src/shared/errors.js')
    class Derived extends copy.DeliveryError {}

    expect(copy.HoldfastError).not.toBe(HoldfastError)
    expect([new copy.StorageError('STORAGE_FULL', ''), new Derived('EXPIRED', '')].map(isHoldfastError)).toEqual([
      true,
      true,
    ])
  })

  test.each([undefined, null, 'HoldfastError', new Error('no'), { name: 'HoldfastError', code: 'EXPIRED' }])(
    'is false of %j',
    (thrown) => {
      expect(isHoldfastError(thrown)).toBe(false)
    },
  )
})

describe('textOf', () => {
  test.each([
    [new RangeError('oops'), 'RangeError: oops'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [{}, '[object Object]'],
  ])('says %s in words', (thrown, words) => {
    expect(textOf(thrown)).toBe(words)
  })

  test.each([
    ['nothing to print it with', Object.create(null)],
    [
      'a toString that throws',
      {
        toString() {
          throw new Error('no')
        },
      },
    ],
  ])('finds words even for what has %s', (_, thrown) => {
    expect(textOf(thrown)).toMatch(/\w/)
  })
})
