import { textOf } from '../../src/shared/errors.js'
import { simulate as simulatePlain } from './run.js'
import { live } from './reliable/life.js'
import { drawPlan, type Plan } from './reliable/plan.js'
import { shrink } from './reliable/shrink.js'

/** What one worker is to do: `seeds` seeds from `from` on, each `stride` apart. */
export interface Task {
  readonly dialect: 'plain' | 'reliable'
  readonly from: number
  readonly seeds: number
  readonly stride: number
  /** Leave out the smallest plan and the timeline of a failure: which seed fails is enough. */
  readonly isBrief: boolean
}

/** A seed that broke a promise. */
export interface Failure {
  readonly seed: number
  readonly check: string
  /** What was broken; then, unless it was to be brief, the smallest plan that breaks it, and what happened. */
  readonly report: string
}

/** What a worker has found. It stops at the first failure. */
export interface Result {
  readonly ran: number
  readonly failure: Failure | undefined
  /** What has happened how often. */
  readonly counts: Record<string, number>
}

/** How many lines of a timeline are printed; the end matters most. */
const LINES_MAX = 400

async function run({ dialect, from, seeds, stride, isBrief }: Task): Promise<Result> {
  const counts: Record<string, number> = {}
  const attempt = dialect === 'plain' ? tryPlain : tryReliable
  let escaped: string | undefined
  process.on('unhandledRejection', (error) => (escaped ??= textOf(error)))
  // Making a stack trace costs more than most events.
  Error.stackTraceLimit = 0
  for (let ran = 0; ran < seeds; ran++) {
    const seed = from + ran * stride
    const failure = await attempt(seed, isBrief, counts)
    await new Promise((resolve) => setImmediate(resolve))
    if (failure) return { ran: ran + 1, failure, counts }
    if (escaped !== undefined) {
      const report = `An unhandled rejection: ${escaped}`
      return { ran: ran + 1, failure: { seed, check: 'unhandled', report }, counts }
    }
  }
  return { ran: seeds, failure: undefined, counts }
}

async function tryPlain(seed: number): Promise<Failure | undefined> {
  try {
    await simulatePlain(seed)
    return undefined
  } catch (error) {
    return { seed, check: 'plain', report: (error as Error).message }
  }
}

async function tryReliable(
  seed: number,
  isBrief: boolean,
  counts: Record<string, number>,
): Promise<Failure | undefined> {
  const plan = drawPlan(seed)
  const outcome = await live(plan)
  for (const [what, count] of outcome.counts) counts[what] = (counts[what] ?? 0) + count
  if (!outcome.violation) return undefined
  const { check, message } = outcome.violation
  return { seed, check, report: isBrief ? message : await tell(plan, check) }
}

async function tell(plan: Plan, check: string): Promise<string> {
  const smallest = await shrink(plan, check)
  Error.stackTraceLimit = 20
  const { violation, trace } = await live(smallest, true)
  return [
    violation?.message ?? 'not seen again: the run is not repeatable',
    `${smallest.steps.length} of ${plan.steps.length} steps are enough:`,
    `  setup ${JSON.stringify(smallest.setup)}`,
    ...smallest.steps.map((step) => `  ${JSON.stringify({ ...step, id: undefined })}`),
    'What happened, by milliseconds:',
    ...trace.slice(-LINES_MAX),
  ].join('\n')
}

const task = process.argv[2]
if (task) process.send?.(await run(JSON.parse(task) as Task))
