import { live, type Outcome } from './life.js'
import type { Plan, Setup, Step } from './plan.js'

/** So many runs are spent on making a plan smaller. */
const RUNS_MAX = 600

/** What a setup is tried with, one field after another: the plainest. */
const PLAIN_SETUP: Partial<Setup> = {
  pages: 1,
  delayMaxMs: 1,
  commitMaxMs: 0,
  storeMaxMs: 0,
  authTtlMs: 0,
  frameBytesMax: 1_000_000,
  streamMessagesMax: 1_000,
  streamTtlMs: 60_000,
  window: { messages: 512, bytes: 1_000_000 },
}

/** A smaller plan that breaks the same promise. Delta debugging: Zeller and Hildebrandt, 2002. */
export async function shrink(plan: Plan, check: string): Promise<Plan> {
  let best = plan
  let runs = 0

  async function isEnough(candidate: Plan): Promise<boolean> {
    if (runs++ >= RUNS_MAX) return false
    const { violation }: Outcome = await live(candidate)
    if (violation?.check !== check) return false
    best = candidate
    return true
  }

  async function dropSteps(): Promise<void> {
    for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < best.steps.length;) {
        const steps = best.steps.filter((_, index) => index < start || index >= start + size)
        if (!(await isEnough({ ...best, steps }))) start += size
      }
    }
  }

  async function simplifySetup(): Promise<void> {
    for (const [field, value] of Object.entries(PLAIN_SETUP)) {
      if (JSON.stringify(best.setup[field as keyof Setup]) === JSON.stringify(value)) continue
      await isEnough({ ...best, setup: { ...best.setup, [field]: value } })
    }
  }

  async function simplifySteps(): Promise<void> {
    for (const { id } of best.steps) {
      for (const simplify of SIMPLER) {
        const steps = best.steps.map((step) => (step.id === id ? simplify(step) : step))
        if (JSON.stringify(steps) !== JSON.stringify(best.steps)) await isEnough({ ...best, steps })
      }
    }
  }

  await dropSteps()
  await simplifySetup()
  await simplifySteps()
  await dropSteps()
  return best
}

const SIMPLER: ((step: Step) => Step)[] = [
  (step) => ('count' in step ? { ...step, count: 1 } : step),
  (step) => ('wish' in step ? { ...step, wish: { handlerMs: 0, isBad: false, padding: 0 } } : step),
  (step) => ('isSilent' in step ? { ...step, isSilent: false } : step),
  (step) => ('downMs' in step ? { ...step, downMs: 0 } : step),
]
