import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { plain } from '../src/dialects/plain/plain.js'
import { resolveOptions } from '../src/client/options.js'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('documents every error code once, and none that does not exist', () => {
  const declared = [...read('src/shared/errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'$/gm)].map(([, code]) => code)
  const documented = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` +\|/gm)].map(([, code]) => code)

  expect(declared.length).toBeGreaterThan(10)
  expect(new Set(documented)).toEqual(new Set(declared))
  expect(documented.length).toBe(declared.length)
})

test('documents every client option with its true default', () => {
  const readme = read('README.md')
  const defaults = resolveOptions({ url: 'ws://127.0.0.1' }, plain)

  const rows = new Map(
    [...readme.matchAll(/^\| `([a-zA-Z.]+)` +\| ([^|]*?) +\|/gm)].map(([, name, value]) => [name, value]),
  )
  const documented = (name: string): number =>
    Number(
      rows
        .get(name)
        ?.replace(/[`,_]/g, '')
        .replace('16 MiB', String(2 ** 24))
        .replace('1 MiB', String(2 ** 20)),
    )

  for (const name of ['maxAttempts', 'stableAfterMs', 'connectTimeoutMs', 'frameBytesMax'] as const) {
    expect(documented(name), name).toBe(defaults[name])
  }
  for (const group of ['retryDelayMs', 'heartbeatMs', 'outboxMax'] as const) {
    for (const [name, value] of Object.entries(defaults[group])) {
      expect(documented(`${group}.${name}`), `${group}.${name}`).toBe(value)
    }
  }
})
