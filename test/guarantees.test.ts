import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/guarantees.md', 'utf8')

/** Promise, then the tests that hold it, as `file`: title. */
const rows = [...page.matchAll(/^\| (?!promise|-)(.+?)\s*\| (.+?)\s*\|$/gm)].map(([, promise = '', held = '']) => ({
  promise,
  tests: held
    .split('<br>')
    .map((one) => /^`(?<file>[^`]+)`: (?<title>.+)$/.exec(one)?.groups ?? { file: '', title: one }),
}))

/** The titles of the tests in a file. */
const titlesIn = (text: string): Set<string> =>
  new Set([...text.matchAll(/\btest(?:\.each)?\b[^'"`]*?\((['"`])(.*?)\1,/g)].map(([, , title = '']) => title))

function missing(file = '', title = ''): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return [`there is no file "${file}" for: ${title}`]
  }
  return titlesIn(text).has(title) ? [] : [`${file} has no test "${title}"`]
}

test.each(rows)('the test is there that holds: $promise', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0)
  expect(tests.flatMap(({ file, title }) => missing(file, title))).toEqual([])
})

test('finds a promise that no test holds', () => {
  expect(rows.length).toBeGreaterThan(25)
  expect(missing('test/guarantees.test.ts', 'holds what nobody has promised')).toHaveLength(1)
  expect(missing('test/none.test.ts', 'anything')).toHaveLength(1)
})
