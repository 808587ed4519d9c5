import type { Failure } from '../test/simulation/worker.js'

/** Lives through so many seeds, spread over the machine's cores, each worker up to its first failure. */
export function simulate(options?: {
  dialect?: 'plain' | 'reliable'
  seeds?: number
  from?: number
  workers?: number
  isBrief?: boolean
  timeoutMs?: number
}): Promise<{
  readonly ran: number
  readonly seconds: number
  readonly failures: readonly Failure[]
  /** What has happened how often, in all runs together. */
  readonly counts: Readonly<Record<string, number>>
}>
