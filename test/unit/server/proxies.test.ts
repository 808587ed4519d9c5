import { describe, expect, test } from 'vitest'
import { wayFinder, type TrustProxy } from '../../../src/server/base/proxies.js'

const addressOf = (trustProxy: TrustProxy | undefined, peer: string | undefined, forwardedFor?: string) =>
  wayFinder(trustProxy)(peer, { 'x-forwarded-for': forwardedFor }).address

describe('the address of a client', () => {
  test('is that of the socket by default, whatever the headers say', () => {
    expect(addressOf(undefined, '127.0.0.1', '203.0.113.9')).toBe('127.0.0.1')
    expect(addressOf(false, '10.0.0.1', '203.0.113.9')).toBe('10.0.0.1')
  })

  test.each([
    [1, '203.0.113.9', '203.0.113.9'],
    [1, '6.6.6.6, 203.0.113.9', '203.0.113.9'],
    [2, '6.6.6.6, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [2, '203.0.113.9', '203.0.113.9'],
    [1, undefined, '10.0.0.1'],
    [1, '', '10.0.0.1'],
  ])('behind %i proxies that have written %o is %s', (hops, forwardedFor, address) => {
    expect(addressOf(hops, '10.0.0.1', forwardedFor)).toBe(address)
  })

  test.each([
    ['6.6.6.6, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['203.0.113.9, 198.51.100.7, 10.1.2.3', '198.51.100.7'],
    ['10.9.9.9, 10.1.2.3', '10.9.9.9'],
  ])('behind proxies of a list that have written %o is the first stranger, %s', (forwardedFor, address) => {
    expect(addressOf(['10.0.0.0/8', 'loopback'], '127.0.0.1', forwardedFor)).toBe(address)
  })

  test('is that of a stranger who dials past the proxies', () => {
    expect(addressOf(['10.0.0.0/8'], '203.0.113.66', '127.0.0.1')).toBe('203.0.113.66')
  })

  test.each([
    ['loopback', '127.8.8.8'],
    ['loopback', '::1'],
    ['loopback', undefined],
    ['linklocal', 'fe80::1'],
    ['linklocal', '169.254.1.1'],
    ['uniquelocal', 'fd00::1'],
    ['uniquelocal', '192.168.1.1'],
    ['203.0.113.1', '203.0.113.1'],
    ['2001:db8::/32', '2001:db8:1::1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
  ])('is believed of a peer in %s: %s', (entry, peer) => {
    expect(addressOf([entry], peer, '203.0.113.9')).toBe('203.0.113.9')
  })

  test.each([
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['2001:DB8:0::7', '2001:db8::7'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('is written as ever where a proxy writes %s', (forwardedFor, address) => {
    expect(addressOf(1, '127.0.0.1', forwardedFor)).toBe(address)
  })

  test.each(['unknown', '_hidden', '999.1.1.1', '203.0.113.9; DROP TABLE'])(
    'ends at the proxy that has written %o',
    (forwardedFor) => {
      expect(addressOf(2, '127.0.0.1', `203.0.113.9, ${forwardedFor}`)).toBe('127.0.0.1')
    },
  )

  test('is unknown on a local socket', () => {
    expect(addressOf(false, undefined)).toBeUndefined()
    expect(addressOf(['10.0.0.0/8'], undefined, '203.0.113.9')).toBeUndefined()
    expect(addressOf(1, undefined, '203.0.113.9')).toBe('203.0.113.9')
  })
})

describe('protocol and host', () => {
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'example.com' }

  test('are believed of a trusted proxy alone', () => {
    expect(wayFinder(1)('127.0.0.1', headers)).toMatchObject({ protocol: 'https', host: 'example.com' })
    expect(wayFinder(false)('127.0.0.1', headers)).toEqual({ address: '127.0.0.1' })
    expect(wayFinder(['10.0.0.1'])('127.0.0.1', headers)).toEqual({ address: '127.0.0.1' })
  })

  test('are what the proxy has appended, not what the client has made up', () => {
    const forged = {
      'x-forwarded-for': '6.6.6.6, 203.0.113.9',
      'x-forwarded-proto': 'https, http',
      'x-forwarded-host': 'bank.example, example.com',
    }

    expect(wayFinder(1)('127.0.0.1', forged)).toMatchObject({ protocol: 'http', host: 'example.com' })
  })

  test('are those of the outermost proxy that is trusted', () => {
    const both = { 'x-forwarded-for': '203.0.113.9, 10.0.0.2', 'x-forwarded-proto': 'https, http' }

    expect(wayFinder(2)('127.0.0.1', both)).toMatchObject({ protocol: 'https', host: undefined })
  })
})

test.each([true, 'loopback', 0, 1.5, 101, null, ['all'], ['10.0.0.0/33'], ['10.0.0'], ['10.0.0.0/8/8'], [7]])(
  'refuses %o',
  (trustProxy) => {
    expect(() => wayFinder(trustProxy as TrustProxy)).toThrow(
      /^trustProxy must be false, a number of proxies from 1 to 100, or a list of addresses/,
    )
  },
)
