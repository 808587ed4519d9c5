import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MUTANTS, type Mutant } from '../scripts/mutants.mjs'

// A run of all mutants takes hours, and would be the first to notice that one of them breaks nothing.

/** What keeps a mutant from breaking its rule; undefined where nothing does. */
function faultOf({ file, from, to }: Mutant): string | undefined {
  if (!existsSync(file)) return `${file} does not exist`
  const text = readFileSync(file, 'utf8')
  const times = text.split(from).length - 1
  if (times !== 1) return `its text stands ${times} times in ${file}`
  return text.replace(from, () => to) === text ? 'it changes nothing' : undefined
}

test('each mutant finds its text exactly once', () => {
  const stale = MUTANTS.map((mutant) => [mutant.name, faultOf(mutant)]).filter(([, fault]) => fault)

  expect(MUTANTS.length).toBeGreaterThan(40)
  expect(stale).toEqual([])
})

test('each mutant has a name of its own', () => {
  const names = MUTANTS.map(({ name }) => name)

  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

const file = 'scripts/mutants.mjs'

test.each<[fault: string, mutant: Omit<Mutant, 'name'>]>([
  ['does not exist', { file: 'src/none.ts', from: 'a', to: 'b' }],
  ['0 times', { file, from: ['nowhere', 'to be found'].join(' '), to: '' }],
  [`${MUTANTS.length} times`, { file, from: '    name: ', to: '' }],
  ['changes nothing', { file, from: 'export const MUTANTS', to: 'export const MUTANTS' }],
])('finds fault: %s', (fault, mutant) => {
  expect(faultOf({ name: 'a', ...mutant })).toContain(fault)
})
