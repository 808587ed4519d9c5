import { expect, test } from 'vitest'
import { originsCheck, type Origins } from '../../../src/server/base/origins.js'

test('lets every page in where nothing is said', () => {
  expect(originsCheck(undefined)('https://anywhere.example')).toBe(true)
})

test.each<[entry: string, sent: string]>([
  ['https://example.com', 'https://example.com'],
  ['https://Example.COM', 'https://example.com'],
  ['HTTPS://example.com', 'https://example.com'],
  ['https://example.com:443', 'https://example.com'],
  ['http://example.com:80', 'http://example.com'],
  ['http://example.com:8080', 'http://example.com:8080'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ['http://[::1]:5173', 'http://[::1]:5173'],
  ['chrome-extension://abcdefgh', 'chrome-extension://abcdefgh'],
  ['capacitor://localhost', 'capacitor://localhost'],
  ['null', 'null'],
])('lets in with %s who comes from %s', (entry, sent) => {
  expect(originsCheck([entry])(sent)).toBe(true)
})

test.each<[entry: string, sent: string, isAllowed: boolean]>([
  ['https://*.example.com', 'https://a.example.com', true],
  ['https://*.example.com', 'https://a.b.example.com', true],
  ['https://*.Bücher.example:443', 'https://a.xn--bcher-kva.example', true],
  ['http://*.localhost:3000', 'http://a.localhost:3000', true],
  ['https://*.example.com', 'https://example.com', false],
  ['https://*.example.com', 'https://.example.com', false],
  ['https://*.example.com', 'https://evilexample.com', false],
  ['https://*.example.com', 'http://a.example.com', false],
  ['https://*.example.com', 'https://a.example.com:8443', false],
  ['https://*.example.com', 'https://a.example.com.evil.example', false],
])('with %s, %s: %s', (entry, sent, isAllowed) => {
  expect(originsCheck([entry])(sent)).toBe(isAllowed)
})

test('asks a function', () => {
  const isAllowed = originsCheck((origin) => origin.endsWith('.example'))

  expect([isAllowed('https://a.example'), isAllowed('https://a.test')]).toEqual([true, false])
})

test('takes no promise of a function for a yes', () => {
  // What a caller without types may pass.
  const isAllowed = originsCheck((() => Promise.resolve(true)) as unknown as Origins)

  expect(() => isAllowed('https://a.example')).toThrow('origins gave [object Promise]; it must give true or false')
})

const RULE = 'origins must have an origin such as https://example.com or https://*.example.com, as browsers send it'

test.each<[entry: unknown, advice: string]>([
  ['https://example.com/', '; did you mean "https://example.com"?'],
  ['https://example.com/live?a=1', '; did you mean "https://example.com"?'],
  ['https://*.example.com/live', '; did you mean "https://*.example.com"?'],
  ['https://ann@example.com', '; did you mean "https://example.com"?'],
  ['wss://Example.com', '; did you mean "https://example.com"?'],
  ['ws://localhost:8080', '; did you mean "http://localhost:8080"?'],
  ['example.com', '; did you mean "https://example.com"?'],
  ['*.example.com', '; did you mean "https://*.example.com"?'],
  ['https://*example.com', '; did you mean "https://*.example.com"?'],
  ['https://app-*.example.com', '; did you mean "https://*.example.com"?'],
  ['https://a.*.example.com', '; did you mean "https://*.example.com"?'],
  ['https://*.*.example.com', '; did you mean "https://*.example.com"?'],
  ['https://example.com:*', '; did you mean "https://example.com"?'],
  ['https://example.*', ''],
  ['file:///home/ann/page.html', '; did you mean "null"?'],
  ['*', '; leave origins out to let every page connect'],
  ['https://', ''],
  ['', ''],
])('refuses %o, which no browser sends, and says what is nearest', (entry, advice) => {
  // What a caller without types may pass.
  const act = (): unknown => originsCheck([entry] as readonly string[])

  expect(act).toThrow(TypeError)
  expect(act).toThrow(`${RULE}, got "${String(entry)}"${advice}`)
})

test.each<[origins: unknown, message: string]>([
  ['https://example.com', 'origins must be an array of origins or a function, got "https://example.com"'],
  [[7], `${RULE}, got 7`],
  [[/example/], `${RULE}, got {}`],
])('refuses %o', (origins, message) => {
  // What a caller without types may pass.
  expect(() => originsCheck(origins as Origins)).toThrow(message)
})
