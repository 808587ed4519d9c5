import { describe, expect, test } from 'vitest'
import { farewellOf, messageOf, socketUrl, subprotocolsOf } from '../../../src/websocket/arguments.js'

const PAGE = 'https://page.example/app/index.html'

/** What is thrown: its class and, of a DOMException, its name. */
function thrownBy(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return error instanceof DOMException ? `DOMException ${error.name}` : (error as Error).constructor.name
  }
  return 'nothing'
}

describe('socketUrl', () => {
  test.each([
    ['ws://example.com', 'ws://example.com/'],
    ['wss://EXAMPLE.com:443/a?b', 'wss://example.com/a?b'],
    ['http://example.com:80/', 'ws://example.com/'],
    ['HTTPS://example.com/ ä', 'wss://example.com/%20%C3%A4'],
    ['/chat', 'wss://page.example/chat'],
    ['chat?room=1', 'wss://page.example/app/chat?room=1'],
    ['', 'wss://page.example/app/index.html'],
    ['//other.example', 'wss://other.example/'],
  ])('makes of "%s" on a page %s', (url, expected) => {
    expect(socketUrl(url, PAGE)).toBe(expected)
  })

  test('takes a URL object', () => {
    expect(socketUrl(new URL('http://example.com/a'), undefined)).toBe('ws://example.com/a')
  })

  test.each([
    'ws://',
    'wss://a b',
    'ftp://example.com',
    'javascript:1',
    'ws://example.com/#',
    '/chat#top',
    'http://:0',
  ])('refuses "%s" with a SyntaxError', (url) => {
    expect(thrownBy(() => socketUrl(url, PAGE))).toBe('DOMException SyntaxError')
  })

  test.each([undefined, null, 5, {}, Promise.resolve('ws://example.com')])('refuses %s with a TypeError', (url) => {
    expect(thrownBy(() => socketUrl(url, PAGE))).toBe('TypeError')
  })

  test('refuses a relative URL where there is no page', () => {
    expect(thrownBy(() => socketUrl('/chat', undefined))).toBe('DOMException SyntaxError')
  })
})

describe('subprotocolsOf', () => {
  test.each<[protocols: unknown, expected: string[]]>([
    [undefined, []],
    [[], []],
    ['chat', ['chat']],
    [
      ['chat', 'Chat', "!#$%&'*+-.^_`|~09"],
      ['chat', 'Chat', "!#$%&'*+-.^_`|~09"],
    ],
    [new Set(['a', 1]), ['a', '1']],
    [null, ['null']],
    [5, ['5']],
  ])('takes %s', (protocols, expected) => {
    expect(subprotocolsOf(protocols)).toEqual(expected)
  })

  test.each<[protocols: unknown]>([
    [''],
    ['a b'],
    ['a,b'],
    ['ä'],
    ['a\u007F'],
    [{}],
    [['a', 'a']],
    [['a', '']],
    ...Array.from('()<>@,;:\\"/[]?={}\t\0').map((separator): [string] => [`a${separator}`]),
  ])('refuses %j with a SyntaxError', (protocols) => {
    expect(thrownBy(() => subprotocolsOf(protocols))).toBe('DOMException SyntaxError')
  })

  test('refuses what is no string with a TypeError', () => {
    expect(thrownBy(() => subprotocolsOf([Symbol('a')]))).toBe('TypeError')
  })
})

describe('farewellOf', () => {
  test.each<[given: [unknown?, unknown?], expected: unknown[]]>([
    [[], []],
    [[1000], [1000, '']],
    [
      [3000, ''],
      [3000, ''],
    ],
    [
      [4999, 'ä'.repeat(61)],
      [4999, 'ä'.repeat(61)],
    ],
    [['4000'], [4000, '']],
    [[4999.9], [4999, '']],
    [
      [1000, null],
      [1000, 'null'],
    ],
    [
      [undefined, 'bye'],
      [1000, 'bye'],
    ],
  ])('takes %j', ([code, reason], expected) => {
    expect(farewellOf(code, reason)).toEqual(expected)
  })

  test.each([0, 999, 999.9, 1001, 1005, 1006, 2999, 5000, NaN, -1, Infinity, null, 'x', 3000 + 65536])(
    'refuses the code %s with an InvalidAccessError',
    (code) => {
      expect(thrownBy(() => farewellOf(code, undefined))).toBe('DOMException InvalidAccessError')
    },
  )

  test('refuses more than 123 bytes of reason, and the code first', () => {
    expect(thrownBy(() => farewellOf(1000, 'x'.repeat(124)))).toBe('DOMException SyntaxError')
    expect(thrownBy(() => farewellOf(undefined, 'ä'.repeat(62)))).toBe('DOMException SyntaxError')
    expect(thrownBy(() => farewellOf(1, 'x'.repeat(124)))).toBe('DOMException InvalidAccessError')
  })
})

describe('messageOf', () => {
  test.each<[data: unknown, expected: string]>([
    ['', ''],
    ['text', 'text'],
    [5, '5'],
    [null, 'null'],
    [undefined, 'undefined'],
    [{}, '[object Object]'],
    [[1, 2], '1,2'],
  ])('makes of %j the text "%s"', (data, expected) => {
    expect(messageOf(data)).toBe(expected)
  })

  test('copies bytes at the call', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4)
    const copies = [messageOf(bytes.buffer), messageOf(bytes.subarray(1, 3)), messageOf(new DataView(bytes.buffer, 2))]
    bytes.fill(9)

    expect(copies).toEqual([Uint8Array.of(1, 2, 3, 4), Uint8Array.of(2, 3), Uint8Array.of(3, 4)])
  })

  test('finds nothing in a buffer that was given away', () => {
    const buffer = new ArrayBuffer(8)
    structuredClone(buffer, { transfer: [buffer] })

    expect(messageOf(buffer)).toEqual(new Uint8Array(0))
  })

  test('leaves a Blob as it is', () => {
    const blob = new Blob(['a'])

    expect(messageOf(blob)).toBe(blob)
  })

  test('knows a Blob of another frame', () => {
    const blob = { [Symbol.toStringTag]: 'Blob' } // Node has them in one realm only.

    expect(messageOf(blob)).toBe(blob)
  })

  test('refuses a symbol, and a view on shared memory', () => {
    expect(thrownBy(() => messageOf(Symbol('a')))).toBe('TypeError')
    expect(thrownBy(() => messageOf(new Uint8Array(new SharedArrayBuffer(4))))).toBe('TypeError')
  })
})
