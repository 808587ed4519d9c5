import { execFileSync } from 'node:child_process'

/**
 * The seed of every test that draws its faults: the same for each run of a commit, so that a red build is red again.
 * HOLDFAST_SEED=17 replays a failure, HOLDFAST_SEED=random looks for new ones.
 *
 * @param commit the hash of the commit, or an empty text where there is no Git
 * @throws {RangeError} where the setting is neither `random` nor an integer from 0 to 2^32 - 1
 */
export function chooseSeed(setting: string | undefined, commit: string): number {
  if (setting === 'random') return Date.now() % 2 ** 31
  if (!setting) return parseInt(commit.slice(0, 7), 16) || 1
  const seed = Number(setting)
  if (/^\d+$/.test(setting) && seed < 2 ** 32) return seed
  throw new RangeError(`HOLDFAST_SEED is "${setting}"; it must be "random" or an integer from 0 to ${2 ** 32 - 1}`)
}

function currentCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}

/** Chooses the seed of this run and prints it. */
export function announceSeed(): number {
  const seed = chooseSeed(process.env['HOLDFAST_SEED'], currentCommit())
  console.log(`HOLDFAST_SEED=${seed}`)
  return seed
}
