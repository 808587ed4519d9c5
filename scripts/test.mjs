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

/**
 * A step without a `report` counts as one check; one whose `needs` failed is not run, and fails. The steps of a lane
 * run in this order, and the lanes beside each other. The lane `e2e` follows alone: beside a compiler a browser is late,
 * and its tests would fail for that.
 */
const steps = [
  { lane: 'checks', name: 'format', command: ['prettier', ['--check', '.']] },
  { lane: 'checks', name: 'lint', command: ['oxlint', ['--type-aware', '--deny-warnings']] },
  { lane: 'checks', name: 'types', command: ['tsc', ['--noEmit']] },
  { lane: 'tests', name: 'unit', command: vitest('unit', '--coverage'), report: fromVitest, minutes: 8 },
  { lane: 'tests', name: 'simulation', command: vitest('simulation'), report: fromVitest, minutes: 8 },
  { lane: 'checks', name: 'build', command: ['npm', ['run', 'build']] },
  { lane: 'checks', name: 'publint', command: ['publint', ['--strict']], needs: 'build' },
  { lane: 'checks', name: 'type doors', command: ['attw', ['--pack']], needs: 'build' },
  { lane: 'checks', name: 'size', command: ['size-limit', []], needs: 'build' },
  { lane: 'checks', name: 'package', command: ['node', ['scripts/check-package.mjs']], needs: 'build' },
  { lane: 'machine', name: 'browser', command: ['node', ['scripts/find-browser.mjs']], minutes: 9 },
  { lane: 'machine', name: 'programs', command: ['node', ['scripts/system-packages.mjs']], minutes: 9 },
  {
    lane: 'e2e',
    name: 'e2e',
    command: ['playwright', ['test']],
    report: fromPlaywright,
    needs: ['build', 'browser', 'programs'],
    minutes: 13,
  },
]

rmSync('test-results', { recursive: true, force: true })
const deadline = Date.now() + TOTAL_MS
const results = new Map()
await Promise.all(['tests', 'checks', 'machine'].map((lane) => takeLane(lane, { capture: true })))
await takeLane('e2e', { capture: false })
summarize(steps.map(({ name }) => results.get(name)))

async function takeLane(lane, options) {
  for (const step of steps) if (step.lane === lane) results.set(step.name, await take(step, options))
}

/** With `capture` the output of the step is shown when it has ended, so that lanes do not mix theirs. */
async function take({ name, command: [program, args], report, needs = [], minutes = 4 }, { capture }) {
  const missing = [needs].flat().filter((need) => results.get(need).failed > 0)
  if (missing.length > 0) return notRun(name, `needs ${missing.join(' and ')}`)
  const start = Date.now()
  if (start >= deadline) return notRun(name, 'no time was left')

  const title = `\n── ${name} ──`
  if (!capture) console.log(title)
  const { ok, output, reason } = await run(program, args, {
    timeoutMs: Math.min(minutes * MINUTE_MS, deadline - start),
    capture,
    env: capture && process.stdout.hasColors?.() ? { FORCE_COLOR: '1' } : {},
  })
  if (capture) console.log(`${title}\n${output.trimEnd()}`)
  const seconds = (Date.now() - start) / 1000
  return { name, seconds, ...count(ok, reason, report && read(name, report)) }
}

function notRun(name, reason) {
  return { name, seconds: 0, passed: 0, failed: 1, skipped: 0, reason }
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
