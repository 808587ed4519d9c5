import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { parseUrl, resolveOptions, type ClientOptions } from '../../../src/client/options.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { plain } from '../../../src/dialects/plain/plain.js'

const resolve = (options: ClientOptions): ReturnType<typeof resolveOptions> => resolveOptions(options, plain)

const URL_OK = 'wss://example.com/live'

/** What is thrown for these options. */
function thrownFor(options: unknown): unknown {
  try {
    return resolve(options as ClientOptions)
  } catch (error) {
    return error
  }
}

const numbers = ['maxAttempts', 'stableAfterMs', 'connectTimeoutMs', 'frameBytesMax']
const grouped: [string, string][] = [
  ['outboxMax', 'messages'],
  ['outboxMax', 'bytes'],
  ['retryDelayMs', 'min'],
  ['retryDelayMs', 'max'],
  ['heartbeatMs', 'interval'],
  ['heartbeatMs', 'timeout'],
]
const wrongTypes: [unknown, string][] = [
  ['5', '"5"'],
  [null, 'null'],
  [{}, '[object Object]'],
  [5n, '5'],
  [true, 'true'],
]
const wrongRanges = [0, -1, NaN, -Infinity]

describe('resolveOptions', () => {
  test('fills in the defaults', () => {
    const options = resolve({ url: URL_OK })

    expect(options).toMatchObject({
      overflow: 'reject',
      outboxMax: { messages: 10_000, bytes: 16 * 1024 * 1024 },
      retryDelayMs: { min: 500, max: 30_000 },
      maxAttempts: Infinity,
      stableAfterMs: 5_000,
      connectTimeoutMs: 10_000,
      heartbeatMs: { interval: 25_000, timeout: 15_000 },
      frameBytesMax: 1024 * 1024,
      shouldReconnect: undefined,
      dialect: { name: 'plain' },
    })
    expect(resolve({ url: URL_OK }).outbox).not.toBe(options.outbox)
  })

  test('puts what is given of a group over its defaults', () => {
    const options = resolve({
      url: URL_OK,
      retryDelayMs: { max: 60_000 },
      heartbeatMs: { interval: 5_000 },
      outboxMax: { messages: 5 },
    })

    expect(options.retryDelayMs).toEqual({ min: 500, max: 60_000 })
    expect(options.heartbeatMs).toEqual({ interval: 5_000, timeout: 15_000 })
    expect(options.outboxMax).toEqual({ messages: 5, bytes: 16 * 1024 * 1024 })
  })

  test('takes undefined for "not given"', () => {
    const options = {
      url: URL_OK,
      ...Object.fromEntries(
        [...numbers, 'overflow', 'dialect', 'outbox', 'shouldReconnect'].map((name) => [name, undefined]),
      ),
      retryDelayMs: { min: undefined },
      heartbeatMs: undefined,
    }

    expect(resolve(options as unknown as ClientOptions).retryDelayMs).toEqual({ min: 500, max: 30_000 })
  })

  test.each(numbers.flatMap((name) => wrongTypes.map((wrong) => [name, ...wrong] as const)))(
    'refuses for %s what is no number: %s',
    (name, value, shown) => {
      const error = thrownFor({ url: URL_OK, [name]: value })

      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toMatch(
        new RegExp(`^TypeError: ${name} must be a number from 1 to (2147483647|Infinity), got `),
      )
      expect(String(error).endsWith(`, got ${shown}`)).toBe(true)
    },
  )

  test.each(numbers.flatMap((name) => wrongRanges.map((value) => [name, value] as const)))(
    'refuses for %s the number %s',
    (name, value) => {
      const error = thrownFor({ url: URL_OK, [name]: value })

      expect(error).toBeInstanceOf(RangeError)
      expect(String(error)).toMatch(new RegExp(`^RangeError: ${name} must be a number from 1 to \\w+, got ${value}$`))
    },
  )

  test.each(numbers.filter((name) => name !== 'maxAttempts'))('refuses for %s what no timer can hold', (name) => {
    expect(thrownFor({ url: URL_OK, [name]: 2 ** 31 })).toBeInstanceOf(RangeError)
    expect(thrownFor({ url: URL_OK, [name]: Infinity })).toBeInstanceOf(RangeError)
    expect(thrownFor({ url: URL_OK, [name]: 2 ** 31 - 1 })).not.toBeInstanceOf(Error)
    expect(thrownFor({ url: URL_OK, [name]: 1 })).not.toBeInstanceOf(Error)
  })

  test.each(grouped.flatMap(([group, key]) => wrongTypes.map((wrong) => [group, key, ...wrong] as const)))(
    'refuses for %s.%s what is no number: %s',
    (group, key, value, shown) => {
      const error = thrownFor({ url: URL_OK, [group]: { [key]: value } })

      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toBe(`TypeError: ${group}.${key} must be a number from 1 to 2147483647, got ${shown}`)
    },
  )

  test.each(
    grouped.flatMap(([group, key]) => [...wrongRanges, Infinity, 2 ** 31].map((value) => [group, key, value] as const)),
  )('refuses for %s.%s the number %s', (group, key, value) => {
    const error = thrownFor({ url: URL_OK, [group]: { [key]: value } })

    expect(error).toBeInstanceOf(RangeError)
    expect(String(error)).toMatch(
      new RegExp(`^RangeError: ${group}\\.${key} must be a number from 1 to 2147483647, got `),
    )
  })

  test.each(['outboxMax', 'retryDelayMs', 'heartbeatMs'])(
    'refuses for %s what is no group, and what is not in it',
    (name) => {
      for (const wrong of [5, 'x', null, true]) {
        const error = thrownFor({ url: URL_OK, [name]: wrong })
        expect(error).toBeInstanceOf(TypeError)
        expect(String(error)).toContain(`${name} must be an object`)
      }
      const error = thrownFor({ url: URL_OK, [name]: { maximum: 5 } })
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toMatch(new RegExp(`^TypeError: ${name}: "maximum" is no option; `))
    },
  )

  test('refuses a longest wait that is shorter than the shortest', () => {
    const error = thrownFor({ url: URL_OK, retryDelayMs: { min: 1_000, max: 999 } })

    expect(String(error)).toBe('RangeError: retryDelayMs.max must be at least min, 1000, got 999')
    expect(thrownFor({ url: URL_OK, retryDelayMs: { min: 1_000, max: 1_000 } })).not.toBeInstanceOf(Error)
    expect(thrownFor({ url: URL_OK, retryDelayMs: { min: 40_000 } })).toBeInstanceOf(RangeError)
  })

  test.each([
    ['overflow', 'drop', RangeError],
    ['overflow', 5, RangeError],
    ['dialect', {}, TypeError],
    ['dialect', 'plain', TypeError],
    ['dialect', null, TypeError],
    ['outbox', {}, TypeError],
    ['outbox', () => {}, TypeError],
    ['shouldReconnect', true, TypeError],
    ['shouldReconnect', null, TypeError],
    ['WebSocket', 'ws', TypeError],
    ['WebSocket', {}, TypeError],
  ])('refuses for %s the value %s', (name, value, type) => {
    const error = thrownFor({ url: URL_OK, [name]: value })

    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toMatch(new RegExp(`^${name} must be .*, got `))
  })

  test.each([[undefined], [null], ['wss://example.com'], [5]])('refuses %s for options', (options) => {
    const error = thrownFor(options)

    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/^options must be an object, got /)
  })

  test('is asked by createClient at the call', () => {
    expect(() => createClient({ url: URL_OK, heartbeatMs: { interval: 0 } })).toThrow(/^heartbeatMs\.interval /)
  })

  test('asks nothing of a provider yet', () => {
    let calls = 0
    resolve({ url: () => (calls++, 'nowhere') })

    expect(calls).toBe(0)
  })
})

describe('a credential', () => {
  test('comes from a function, with a dialect that carries it', () => {
    const auth = (): string => 'ticket'

    expect(resolve({ url: URL_OK, auth, dialect: reliable() }).auth).toBe(auth)
    expect(resolve({ url: URL_OK, dialect: reliable() }).auth).toBeUndefined()
  })

  test.each(['ticket', null, {}])('cannot be %s itself', (auth) => {
    const error = thrownFor({ url: URL_OK, auth, dialect: reliable() })

    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(/auth must be a function, got /)
  })

  test('is refused where nothing carries it, and is not repeated in the error', () => {
    const error = thrownFor({ url: URL_OK, auth: () => 'secret' })

    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toContain('"plain"')
    expect(String(error)).not.toContain('secret')
  })
})

describe('a url', () => {
  test.each([
    ['wss://example.com', 'wss://example.com/'],
    ['ws://example.com:8080/a?b=c#d', 'ws://example.com:8080/a?b=c'],
    ['https://example.com/live', 'wss://example.com/live'],
    ['http://example.com/live', 'ws://example.com/live'],
    ['HTTPS://EXAMPLE.com/Live', 'wss://example.com/Live'],
    ['wss://example.com/#', 'wss://example.com/'],
    ['wss://example.com/?q=http', 'wss://example.com/?q=http'],
    ['ws://[::1]:80/', 'ws://[::1]/'],
    ['wss://bücher.example/ü', 'wss://xn--bcher-kva.example/%C3%BC'],
    [' wss://example.com/ ', 'wss://example.com/'],
  ])('%s means %s', (url, meant) => {
    expect(parseUrl(url, undefined)).toBe(meant)
    expect(parseUrl(new URL(url), undefined)).toBe(meant)
  })

  test.each([
    ['/live', 'wss://page.example/live'],
    ['/live?a#b', 'wss://page.example/live?a'],
    ['//other.example/live', 'wss://other.example/live'],
    ['ws://other.example/', 'ws://other.example/'],
  ])('%s on a page means %s', (url, meant) => {
    expect(parseUrl(url, 'https://page.example/app/?x#y')).toBe(meant)
  })

  test('follows an insecure page', () => {
    expect(parseUrl('/live', 'http://localhost:5173/app')).toBe('ws://localhost:5173/live')
  })

  test.each([
    ['', '""'],
    ['example.com/live', '"example.com/live"'],
    ['http//bad', '"http//bad"'],
    ['ws:/', '"ws:/"'],
    ['wss//example.com', '"wss//example.com"'],
    ['wsss://example.com', '"wsss://example.com"'],
    ['ftp://example.com', '"ftp://example.com"'],
    ['localhost:8080', '"localhost:8080"'],
    ['live', '"live"'],
    ['ws://example.com:99999', '"ws://example.com:99999"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [{}, '[object Object]'],
    [new URL('file:///x'), 'file:///x'],
  ])('%s is refused with the rule', (url, shown) => {
    const error = thrownFor({ url, platform: createFakePlatform() })

    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toBe(
      `url must be a ws: or wss: URL, or on a page a path that starts with "/", got ${shown}`,
    )
  })

  test('that is no path is not taken as relative to the page either', () => {
    expect(() => parseUrl('live', 'https://page.example/')).toThrow(TypeError)
    expect(() => parseUrl('/live', 'file:///index.html')).toThrow(TypeError)
    expect(() => parseUrl('/live', undefined)).toThrow(TypeError)
  })
})
