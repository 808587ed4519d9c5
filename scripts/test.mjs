import { readFileSync, rmSync } from 'node:fs'
import { run } from './run.mjs'

const MINUTE_MS = 60_000
const TOTAL_MS = 18 * MINUTE_MS

const vitest = (project, ...options) => [
  'vitest',
  ['run', '--project', project, '--reporter=default', '--reporter=json'].concat(
    `--outputFile.json=test-results/${project}.json`,
    options,
  ),
]

/** In this order. A step without a `report` counts as one check; one whose `needs` failed is not run, and fails. */
const steps = [
  { name: 'format', command: ['prettier', ['--check', '.']] },
  { name: 'lint', command: ['oxlint', ['--type-aware', '--deny-warnings']] },
  { name: 'types', command: ['tsc', ['--noEmit']] },
  { name: 'unit', command: vitest('unit', '--coverage'), report: fromVitest, minutes: 5 },
  { name: 'simulation', command: vitest('simulation'), report: fromVitest, minutes: 5 },
  { name: 'build', command: ['npm', ['run', 'build']] },
  { name: 'publint', command: ['publint', ['--strict']], needs: 'build' },
  { name: 'type doors', command: ['attw', ['--pack', '--profile', 'esm-only']], needs: 'build' },
  { name: 'size', command: ['size-limit', []], needs: 'build' },
  { name: 'package', command: ['node', ['scripts/check-package.mjs']], needs: 'build', minutes: 4 },
  { name: 'browser', command: ['node', ['scripts/find-browser.mjs']], minutes: 9 },
  { name: 'programs', command: ['node', ['scripts/system-packages.mjs']], minutes: 9 },
  {
    name: 'e2e',
    command: ['playwright', ['test']],
    report: fromPlaywright,
    needs: ['build', 'browser', 'programs'],
    minutes: 13,
  },
]

rmSync('test-results', { recursive: true, force: true })
const deadline = Date.now() + TOTAL_MS
const results = []
for (const step of steps) results.push(await take(step))
summarize(results)

async function take({ name, command: [program, args], report, needs = [], minutes = 2 }) {
  const missing = [needs].flat().filter((need) => results.some((result) => result.name === need && result.failed > 0))
  if (missing.length > 0) {
    return { name, seconds: 0, passed: 0, failed: 1, skipped: 0, reason: `needs ${missing.join(' and ')}` }
  }

  console.log(`\n── ${name} ──`)
  const start = Date.now()
  const { ok, reason } = await run(program, args, { timeoutMs: Math.min(minutes * MINUTE_MS, deadline - start) })
  const seconds = (Date.now() - start) / 1000
  return { name, seconds, ...count(ok, reason, report && read(name, report)) }
}

/** A suite that ended badly has failed, whatever it counted; so has one that ran no test. */
function count(ok, reason, counts = { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }) {
  if (counts.passed + counts.failed === 0) return { ...counts, failed: 1, reason: reason || 'ran no test' }
  return { ...counts, failed: ok ? counts.failed : Math.max(1, counts.failed), reason }
}

function read(name, report) {
  try {
    return report(JSON.parse(readFileSync(`test-results/${name}.json`, 'utf8')))
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

function fromVitest({ numPassedTests, numFailedTests, numPendingTests, numTodoTests }) {
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests }
}

function fromPlaywright({ stats: { expected, unexpected, flaky, skipped } }) {
  return { passed: expected, failed: unexpected + flaky, skipped }
}

function summarize(rows) {
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0)
  console.log('\n── summary ──')
  for (const { name, seconds, passed, failed, reason } of rows) {
    const columns = [name.padEnd(12), `${seconds.toFixed(1)} s`.padStart(8), `${passed} passed`.padStart(12)]
    console.log([...columns, `${failed} failed`.padStart(10), failed > 0 ? reason : ''].join('  ').trimEnd())
  }
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}`)
  process.exitCode = sum('failed') > 0 ? 1 : 0
}
