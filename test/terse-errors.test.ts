import { expect, test } from 'vitest'
import { terse } from '../scripts/terse-errors.mjs'

const terseOf = (code: string): string => terse(code).text.toString()

test.each([
  [
    'values stay, in their order',
    'new DeliveryError("TOO_LARGE", `"${event}" has ${bytes} bytes; at most ${max}`, cause)',
    'new DeliveryError("TOO_LARGE", `${event} ${bytes} ${max}`, cause)',
  ],
  ['values side by side are parted', 'new StorageError(code, `${a}${b}`)', 'new StorageError(code, `${a} ${b}`)'],
  [
    'an expression stays as it is',
    'new ConnectError("A", `No ${b ? `x ${c}` : ""}`)',
    'new ConnectError("A", `${b ? `x ${c}` : ""}`)',
  ],
  ['words alone go', "new DeliveryError('REMOVED', 'Removed from the outbox')", "new DeliveryError('REMOVED', '')"],
  [
    'a function that makes the error counts',
    'badFrameFrom$1("server", "invalid JSON", frame)',
    'badFrameFrom$1("server", \'\', frame)',
  ],
  [
    'so does a method',
    'failures.shared("EXPIRED", `Not sent within ${ttlMs} ms`)',
    'failures.shared("EXPIRED", `${ttlMs}`)',
  ],
  ['a name that Rollup has changed counts', 'new RefusedError$1("A", `No ${b}`)', 'new RefusedError$1("A", `${b}`)'],
])('%s', (_, code, expected) => {
  expect(terseOf(code)).toBe(expected)
})

test.each([
  ['what another function is given', "tell('BAD_FRAME', 'words')"],
  ['what is made elsewhere', 'new DeliveryError(code, message)'],
  ['what a wrong option throws', 'new TypeError(`${name} must be ${rule}`)'],
  ['the errors of others', "new OtherError('CODE', 'words')"],
])('%s stays', (_, code) => {
  expect(terseOf(code)).toBe(code)
})

test('the base class adds the code', () => {
  const code = `class HoldfastError extends Error {
    constructor(code, message, cause) { super(message, { cause }); this.code = code }
  }
  return [new HoldfastError('TOO_LARGE', \`It has \${5} bytes\`), new HoldfastError('REMOVED', 'Removed')]`
  const { text, found } = terse(`export const make = () => { ${code} }`)
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- the code is above
  const make = new Function(`${text.toString().replace('export ', '')}; return make()`) as () => Error[]

  expect(found).toBe(1)
  expect(make().map(({ message }) => message)).toEqual(['TOO_LARGE 5', 'REMOVED'])
})
