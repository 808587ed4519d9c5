import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { expect, test } from 'vitest'
import { resolveOptions } from '../src/client/options.js'
import { plain } from '../src/dialects/plain/plain.js'
import { resolveOptions as resolveServerOptions } from '../src/server/base/options.js'

const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
}).split('\n')

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

test("names the sizes that package.json's budgets allow", () => {
  const budgets: { name: string; limit: string }[] = JSON.parse(read('package.json'))['size-limit']
  const sentence = /has to pay for it is size: (.*?) \(`npm run size`\)/.exec(read('README.md'))?.[1]
  const named = [...(sentence ?? '').matchAll(/(\d+\.\d) kB/g)].map(([, size]) => size)
  const wanted = ['createClient with plain', 'createClient with reliable', 'sample', 'script tag', 'script tag, plain']

  expect(named).toEqual(
    wanted.map((part) => {
      const budget = budgets.find(({ name }) => name === part) ?? budgets.find(({ name }) => name.includes(part))
      return (Math.ceil(parseFloat(budget?.limit ?? '') * 10) / 10).toFixed(1)
    }),
  )
})

/** For people who read the repository. */
const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'src/protocol/PROTOCOL.md'].concat(
  ['bench/README.md', 'test/vectors/README.md'],
  readdirSync('docs').flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : [])),
)

test.each(PAGES)('%s names only files that exist', (page) => {
  const text = read(page)
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => join(dirname(page), path))
  const named = [...text.matchAll(/(?<![\w./-])(?:src|test|e2e|scripts|docs|bench|demo|\.ci)\/[\w.*-][\w./*-]*/g)].map(
    ([path]) => path.replace(/\.$/, ''),
  )

  expect([...links, ...named].filter((path) => !isThere(path))).toEqual([])
})

test.each(PAGES)('%s names only scripts that exist', (page) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: object }
  const named = [...read(page).matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name = '']) => name)

  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([])
})

test('finds names that do not exist', () => {
  expect(['test/server', 'src/client/core.tsx', 'e2e/core/*.py'].filter(isThere)).toEqual([])
  expect(['test/unit', 'test/unit/server/hand', 'e2e/core/*.spec.ts'].filter((path) => !isThere(path))).toEqual([])
})

test('documents every limit with its true default', () => {
  const { handlerTimeoutMs, listenerTimeoutMs, authTimeoutMs, storeTimeoutMs, ...options } = resolveServerOptions({})
  const { window, highWaterMark, ...limits } = options.limits
  const inGroups = Object.entries({ window, highWaterMark }).flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]): [string, number] => [`${group}.${name}`, value as number]),
  )
  const inCode: [string, number][] = [
    ...[...Object.entries(limits), ...inGroups].map(([name, value]): [string, number] => [`limits.${name}`, value]),
    ...Object.entries({ handlerTimeoutMs, listenerTimeoutMs, authTimeoutMs, storeTimeoutMs }),
    ...memoryStreamsDefaults(),
  ]
  const documented = [...read('SECURITY.md').matchAll(/^\| `([\w.]+)` +\| ([\d,]+) +\|/gm)].map(
    ([, name = '', value = '']): [string, number] => [name, Number(value.replaceAll(',', ''))],
  )

  expect(new Map(documented)).toEqual(new Map(inCode))
})

test('gives sizes that are near their budgets', () => {
  const budgets = (JSON.parse(read('package.json')) as { 'size-limit': { name: string; limit: string }[] })[
    'size-limit'
  ]
  const budget = (name: string): number => parseFloat(budgets.find((one) => one.name === name)?.limit ?? '')
  const [, sentence = ''] = /is size: (.*?)\(`npm run size`\)/s.exec(read('README.md')) ?? []
  const sizes = [...sentence.matchAll(/([\d.]+) kB/g)].map(([, size]) => Number(size))
  const ratios = [
    'createClient with plain',
    'createClient with reliable',
    "README's first sample: reliable and IndexedDB",
    'script tag',
    'script tag, plain',
  ].map((name, index) => (sizes[index] ?? 0) / budget(name))

  expect(sizes).toHaveLength(5)
  expect(ratios.filter((ratio) => !(ratio > 0.9 && ratio < 1.1))).toEqual([])
})

/** They are not exported: read where they are written, as products such as `4 * 2 ** 20`. */
function memoryStreamsDefaults(): [string, number][] {
  const source = read('src/server/stores/memory-streams.ts')
  const [, table = ''] = /^const DEFAULTS: Limits = \{\n(.*?)^\}/ms.exec(source) ?? []
  const lines = [...table.matchAll(/^ {2}(\w+): (.*),$/gm)]
  expect(lines.length).toBeGreaterThan(5)
  return lines.map(([, name = '', product = '']) => {
    const factors = product
      .replaceAll('_', '')
      .replace('2 ** 20', String(2 ** 20))
      .split(' * ')
    return [name, factors.reduce((all, factor) => all * Number(factor), 1)]
  })
}

/** Whether there is such a file or folder, or one whose name begins so; `*` stands for any part of a name. */
function isThere(path: string): boolean {
  if (existsSync(path)) return true
  const pattern = new RegExp(`^${path.replace(/[.+]/g, '\\$&').replaceAll('*', '[\\w.-]*')}`)
  return FILES.some((file) => pattern.test(file))
}
