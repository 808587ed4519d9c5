import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const PAGE = 'docs/practices.md'
const page = readFileSync(PAGE, 'utf8')

/** Lines without their indentation: a sample stands further left than in the file that runs it. */
const plainly = (code: string): string => code.replace(/^\s+/gm, '').trim()

const running = ['e2e/core/practices.spec.ts', 'e2e/core/leaving.spec.ts', 'e2e/fixtures/practices.ts'].map((path) =>
  plainly(readFileSync(path, 'utf8')),
)

const samples = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => plainly(code ?? ''))

test('has a section for each practice, and a test in Chromium', () => {
  const sections = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title?.toLowerCase())
  const tests = [...readFileSync('e2e/core/practices.spec.ts', 'utf8').matchAll(/^test\('([\w ]+):/gm)].map(
    ([, name]) => name,
  )

  expect(sections).toEqual(['heartbeat', 'reconnection', 'queueing', 'authentication', 'rate limiting', 'compression'])
  expect(tests).toEqual(sections)
})

test.each(samples)('shows code that runs: %s', (sample) => {
  expect(running.some((code) => code.includes(sample))).toBe(true)
})

test('names files that are there', () => {
  const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => join(dirname(PAGE), path))
  const paths = [...page.matchAll(/`((?:e2e|test)\/[\w./-]+)`/g)].map(([, path = '']) => path)

  expect(links.length).toBeGreaterThan(2)
  expect([...links, ...paths].filter((path) => !existsSync(path))).toEqual([])
})
