import { describe, expect, test } from 'vitest'
import { checkedOffers, isExtensionList } from '../../../src/server/http/extensions.js'

describe('the grammar of RFC 6455 section 9.1', () => {
  test.each(['a', 'a, b', 'a;b', 'a; b=c', 'a; b="c"', 'a; b="\\c"', 'a ; b ;c,\td', 'permessage-deflate; x=15'])(
    'takes %s',
    (header) => {
      expect(isExtensionList(header)).toBe(true)
    },
  )

  test.each([
    '',
    ';',
    ',',
    'a,',
    ',a',
    'a;',
    'a; =',
    'a; b=',
    'a b',
    'a; b=""',
    'a; b="c d"',
    'a; b="c',
    'a; b = c',
    'é',
  ])('refuses %s', (header) => {
    expect(isExtensionList(header)).toBe(false)
  })

  test('is read in one pass, whatever comes', () => {
    const startedAt = performance.now()

    expect(isExtensionList(`${'a; b="\\c", '.repeat(20_000)}=`)).toBe(false)
    expect(isExtensionList(`a${' '.repeat(200_000)}=`)).toBe(false)

    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

test('offers of other extensions stay as they are', () => {
  expect(checkedOffers('a; b=c,\td')).toBe('a; b=c, d')
  expect(checkedOffers(undefined)).toBeUndefined()
})

test('of permessage-deflate only offers stay that can be accepted', () => {
  const offers = ['x; y', 'permessage-deflate; x', 'permessage-deflate; server_max_window_bits="1\\0"']

  expect(checkedOffers(offers.join(', '))).toBe('x; y, permessage-deflate; server_max_window_bits="1\\0"')
  expect(checkedOffers('permessage-deflate; client_max_window_bits=07')).toBeUndefined()
  expect(checkedOffers('permessage-deflate; toString')).toBeUndefined()
})
