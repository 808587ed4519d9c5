import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { slim, slimPackages } from '../scripts/slim-packages.mjs'

const packages = [
  {
    name: 'partysocket',
    entry: 'partysocket/ws',
    without: ['console.', 'dispatchEvent', 'send(', 'this._'],
  },
  { name: 'idb', entry: 'idb', without: ['replaceTraps((', 'getCursorAdvanceMethods().includes'] },
] as const

const sourceOf = (entry: string): string => readFileSync(fileURLToPath(import.meta.resolve(entry)), 'utf8')

describe.each(packages)('$name', ({ name, entry, without }) => {
  test('is left without what is never reached', () => {
    const left = slim(name, sourceOf(entry))

    for (const text of without) expect(left).not.toContain(text)
  })

  test('of another version stops the build, naming the rule that no longer fits', () => {
    const other = sourceOf(entry).replaceAll(/this\._debug\(|replaceTraps\(/g, 'renamed(')

    expect(() => slim(name, other)).toThrow(
      /^slim-packages: the rule ".+" of \w+ matches \d+ times instead of \d+: cut/,
    )
  })
})

test('unit tests run on the packages as they ship', async () => {
  const { default: Supervisor } = await import('partysocket/ws')

  expect(Object.getOwnPropertyNames(Supervisor.prototype)).not.toContain('send')
})

test.each(['/p/node_modules/ws/index.js', '/p/src/idb/index.js'])('%s passes as it is', (id) => {
  const { transform } = slimPackages() as { transform: (code: string, id: string) => unknown }

  expect(transform('code', id)).toBeNull()
})
