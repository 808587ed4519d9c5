import { fork } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const WORKER = resolve(import.meta.dirname, '../test/simulation/worker.ts')

/**
 * Lives through so many seeds, spread over the machine's cores, each worker up to its first failure; all of them up to
 * the first failure of any where it is to be brief.
 *
 * @returns {Promise<{ ran: number, seconds: number, failures: object[], counts: Record<string, number> }>}
 */
export async function simulate({
  dialect = 'reliable',
  seeds = 20_000,
  from = 1,
  workers = availableParallelism(),
  isBrief = false,
  timeoutMs = 24 * 3_600_000,
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'simulation-'))
  const outfile = join(folder, 'worker.mjs')
  // As one file, without a transformer at run time, it is twice as fast.
  await build({ entryPoints: [WORKER], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  const startedAt = performance.now()
  try {
    const stride = Math.min(workers, seeds)
    const tasks = Array.from({ length: stride }, (_, index) => ({
      dialect,
      from: from + index,
      seeds: Math.ceil((seeds - index) / stride),
      stride,
      isBrief,
    }))
    const enough = new AbortController()
    const results = await Promise.all(
      tasks.map(async (task) => {
        const result = await work(outfile, task, timeoutMs, enough.signal)
        if (isBrief && result.failure) enough.abort()
        return result
      }),
    )
    return { ...merge(results), seconds: (performance.now() - startedAt) / 1000 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function work(file, task, timeoutMs, enough) {
  return new Promise((settle, fail) => {
    // Each worker has a core of its own, and makes much garbage that lives for a moment.
    const child = fork(file, [JSON.stringify(task)], { execArgv: ['--single-threaded', '--max-semi-space-size=32'] })
    const stop = (failure) => {
      settle({ ran: 0, failure, counts: {} })
      child.kill('SIGKILL')
    }
    const hang = { seed: task.from, check: 'hang', report: `No end within ${timeoutMs} ms` }
    const timer = setTimeout(() => stop(hang), timeoutMs)
    enough.addEventListener('abort', () => stop(undefined))
    child.on('message', settle)
    child.on('error', fail)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      fail(new Error(`A worker ended with ${signal ?? `code ${code}`} and no result`))
    })
  })
}

function merge(results) {
  const counts = {}
  for (const result of results) {
    for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count
  }
  return {
    ran: results.reduce((sum, { ran }) => sum + ran, 0),
    failures: results.flatMap(({ failure }) => failure ?? []).sort((one, other) => one.seed - other.seed),
    counts,
  }
}

const USAGE = 'npm run simulate -- [--dialect plain|reliable] [--seeds 20000] [--from 1] [--seed 123] [--counts]'

async function main() {
  const { values } = parseArgs({
    options: {
      dialect: { type: 'string', default: 'reliable' },
      seeds: { type: 'string', default: '20000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      counts: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || !['plain', 'reliable'].includes(values.dialect)) return console.log(USAGE)
  const single = values.seed !== undefined
  const { ran, seconds, failures, counts } = await simulate({
    dialect: values.dialect,
    seeds: single ? 1 : Number(values.seeds),
    from: Number(values.seed ?? values.from),
    workers: Number(values.workers),
  })
  if (values.counts)
    console.log(
      Object.entries(counts)
        .map(([what, count]) => `${count} ${what}`)
        .join('\n'),
    )
  for (const { seed, report } of failures) {
    console.error(`\n${report}\n\nAgain: npm run simulate -- --dialect ${values.dialect} --seed ${seed}`)
  }
  const speed = `${seconds.toFixed(1)} s, ${Math.round(ran / seconds)} seeds/s`
  console.log(`${values.dialect}: ${ran} seeds, ${failures.length} failed, ${speed}`)
  process.exitCode = failures.length ? 1 : 0
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main()
