import { run } from './run.mjs'

const HOUR_MS = 3_600_000

/** `npm run simulate -- 50000` runs so many seeds; `SEED=123 npm run simulate` replays one. */
const SEEDS = process.argv[2] ?? process.env.SEEDS ?? '20000'

const { ok, reason } = await run('vitest', ['run', '--project', 'simulation', '--testTimeout', `${HOUR_MS}`], {
  timeoutMs: HOUR_MS,
  env: { SEEDS },
})
if (!ok) console.error(`The simulation ${reason}`)
process.exitCode = ok ? 0 : 1
