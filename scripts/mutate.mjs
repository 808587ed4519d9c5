import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { MUTANTS } from './mutants.mjs'

const COPIED = ['src', 'test/simulation', 'test/support', 'scripts/simulate.mjs', 'package.json', 'tsconfig.json']
const TIMEOUT_MS = 600_000

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '6000' }, only: { type: 'string', default: '' } },
})
const root = resolve(import.meta.dirname, '..')
const copy = mkdtempSync(join(tmpdir(), 'mutate-'))
try {
  for (const path of COPIED) cpSync(join(root, path), join(copy, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const { simulate } = await import(pathToFileURL(join(copy, 'scripts/simulate.mjs')).href)
  const run = (dialect) => simulate({ dialect, seeds: Number(values.seeds), isBrief: true, timeoutMs: TIMEOUT_MS })
  const mutants = MUTANTS.filter(({ name }) => name.includes(values.only))
  let survivors = 0
  for (const mutant of mutants) {
    const verdict = await judge(mutant, run)
    if (!verdict.isKilled) survivors++
    console.log(`${verdict.isKilled ? 'killed  ' : 'SURVIVED'}  ${verdict.words.padEnd(28)}  ${mutant.name}`)
  }
  console.log(`\n${mutants.length - survivors} of ${mutants.length} mutants killed`)
  process.exitCode = survivors ? 1 : 0
} finally {
  rmSync(copy, { recursive: true, force: true })
}

/** Puts the mutant into the copy, runs the simulation, and takes it out again. */
async function judge({ file, from, to, dialect }, run) {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  const times = text.split(from).length - 1
  if (times !== 1) return { isKilled: false, words: `pattern found ${times} times` }
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  try {
    const { failures, ran } = await run(dialect)
    const [first] = failures
    return { isKilled: failures.length > 0, words: first ? `seed ${first.seed} ${first.check}` : `${ran} seeds` }
  } finally {
    writeFileSync(path, text)
  }
}
