import { describe, expect, test } from 'vitest'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { resolveOptions, type EngineOptions } from '../../../src/server/base/options.js'
import { requestReader, type Upgrade } from '../../../src/server/base/upgrade-request.js'

const SECRETS = { cookie: 'sid=1', authorization: 'Basic YQ==' }

function read(upgrade: Partial<Upgrade>, options: EngineOptions = {}) {
  const errors: HoldfastError[] = []
  const requestOf = requestReader(resolveOptions(options), (error) => errors.push(error))
  const request = requestOf({ url: '/', ...upgrade, headers: { host: 'example.com', ...upgrade.headers } })
  return { request, requestOf, errors }
}

describe('a request', () => {
  test('is a frozen copy', () => {
    const headers: Record<string, string> = { 'x-tenant': 'a' }
    const { request } = read({ headers })
    headers['x-tenant'] = 'b'

    expect(request.headers['x-tenant']).toBe('a')
    for (const part of [request, request.headers, request.cookies, request.query])
      expect(Object.isFrozen(part)).toBe(true)
    expect(JSON.parse(JSON.stringify(request))).toMatchObject({ url: '/', headers: { 'x-tenant': 'a' } })
  })

  test('has path and query', () => {
    const { request } = read({ url: '/live?room=7&name=J%C3%B6rg+M&room=8&flag' })

    expect(request).toMatchObject({ path: '/live', query: { room: '7', name: 'Jörg M', flag: '' } })
    expect(request.query['constructor']).toBeUndefined()
  })

  test('has the cookies', () => {
    const cookie = 'sid=1; theme="dark"; name=J%C3%B6rg; sid=2; broken=%E0%A4%A; a=b=c; __proto__=x; alone'
    const { request } = read({ headers: { cookie } })

    expect({ ...request.cookies }).toEqual({
      sid: '1',
      theme: 'dark',
      name: 'Jörg',
      broken: '%E0%A4%A',
      a: 'b=c',
      ['__proto__']: 'x',
    })
    expect(request.cookies['toString']).toBeUndefined()
  })

  test('has what trusted proxies say of the way', () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
    }
    const upgrade = { remoteAddress: '127.0.0.1', headers }

    expect(read(upgrade, { trustProxy: 1 }).request).toMatchObject({
      address: '203.0.113.9',
      remoteAddress: '127.0.0.1',
      isSecure: true,
      host: 'shop.example',
    })
    expect(read(upgrade).request).toMatchObject({ address: '127.0.0.1', isSecure: false, host: 'example.com' })
    expect(read({ isSecure: true }).request.isSecure).toBe(true)
  })
})

describe('cookies', () => {
  test.each([
    ['a program without an origin', undefined, {}, {}],
    ['a page of the host', 'https://example.com', {}, {}],
    ['a page of the host, in the clear', 'http://example.com', {}, {}],
    ['a page of the host with its port', 'https://example.com', { headers: { host: 'example.com:443' } }, {}],
    ['a page of another port of both', 'http://localhost:8080', { headers: { host: 'localhost:8080' } }, {}],
    ['a page over TLS', 'https://example.com', { isSecure: true }, {}],
    [
      'a page of the host that a trusted proxy has heard',
      'https://shop.example',
      { headers: { 'x-forwarded-host': 'shop.example' } },
      { trustProxy: 1 },
    ],
    ['a listed page', 'https://shop.example', {}, { origins: ['https://shop.example'] }],
    ['a page that a function lets in', 'https://shop.example', {}, { origins: () => true }],
  ] as [string, string | undefined, Partial<Upgrade>, EngineOptions][])(
    'are handed to %s',
    (_name, origin, upgrade, options) => {
      const { request, errors } = read({ ...upgrade, origin, headers: { ...upgrade.headers, ...SECRETS } }, options)

      expect(request).toMatchObject({ isForeign: false, cookies: { sid: '1' }, headers: SECRETS })
      expect(errors).toEqual([])
    },
  )

  test.each([
    ['a page of another host', 'https://evil.example', {}, {}],
    ['a page of a subdomain', 'https://evil.example.com', {}, {}],
    ['a page whose name begins like the host', 'https://example.com.evil.example', {}, {}],
    ['a page of another port', 'https://example.com:8443', {}, {}],
    ['a page in a sandbox', 'null', {}, {}],
    ['an extension', 'chrome-extension://example.com', {}, {}],
    ['a page that anybody on the way can write', 'http://example.com', { isSecure: true }, {}],
    [
      'a page of a host that a stranger claims',
      'https://evil.example',
      { headers: { 'x-forwarded-host': 'evil.example' } },
      {},
    ],
    ['a page where nobody says the host', 'https://example.com', { headers: { host: undefined } }, {}],
    ['a page where the host is none', 'https://example.com', { headers: { host: '/' } }, {}],
  ] as [string, string, Partial<Upgrade>, EngineOptions][])('are kept from %s', (_name, origin, upgrade, options) => {
    const headers = { ...upgrade.headers, ...SECRETS, 'user-agent': 'a browser' }
    const { request } = read({ ...upgrade, origin, headers }, options)

    expect(request.isForeign).toBe(true)
    expect(Object.keys(request.cookies)).toEqual([])
    expect(request.headers).not.toHaveProperty('cookie')
    expect(request.headers).not.toHaveProperty('authorization')
    expect(request.headers['user-agent']).toBe('a browser')
    expect(JSON.stringify(request)).not.toContain('sid')
  })

  test('are missed aloud, once', () => {
    const { requestOf, errors } = read({ origin: 'https://app.example.com', headers: SECRETS })
    requestOf({ url: '/', origin: 'https://b.example', headers: SECRETS })

    expect(errors).toMatchObject([{ code: 'COOKIES_WITHHELD' }])
    expect(errors[0]?.message).toContain('https://app.example.com')
    expect(errors[0]?.message).toContain('"example.com"')
  })

  test('are not missed where there are none', () => {
    expect(read({ origin: 'https://evil.example' }).errors).toEqual([])
  })
})
