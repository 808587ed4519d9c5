import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const README = join(import.meta.dirname, '../README.md')
const MARKS = /(<!-- bench -->\n)[^]*?(<!-- end of bench -->)/
const ROWS = [
  ['receive', 'receive, messages/s'],
  ['receiveCpu', 'main-thread CPU per received message'],
  ['send', 'send until the server has it, messages/s'],
  ['sendCpu', 'main-thread CPU per sent message'],
  ['echo50', 'echo, median time'],
  ['echoCpu', 'main-thread CPU per echo'],
  ['queueCall', '`send` while disconnected, time of a call'],
  ['drain', 'drain of 10,000 queued, messages/s'],
]

/** Puts the ratios to `contestants[0]` between the two marks in README, with the machine and the options in words. */
export function writeReadme(results, contestants, about) {
  const found = new Map(results.map(({ name, contestants: figures }) => [name, figures]))
  const missing = ROWS.find(([measure]) => !found.has(measure))
  if (missing) throw new Error(`README needs every part, and ${missing[0]} was not measured`)

  const cell = (figure) => (figure === undefined ? '–' : figure.ratio.toFixed(2))
  const table = [
    ['', ...contestants.map(({ label }) => label)],
    ['---', ...contestants.map(() => '---:')],
    ...ROWS.map(([measure, title]) => [title, ...contestants.map(({ name }) => cell(found.get(measure)[name]))]),
  ]
  const lines = table.map((cells) => `| ${cells.join(' | ')} |`)
  const tuned = contestants.filter((contestant) => contestant.tuned).map(({ label, tuned: how }) => `${label}: ${how}`)
  const text = `${about}\n\n${lines.join('\n')}\n\nTuned, all else as it is by default: ${tuned.join('; ')}.\n\n`
  const before = readFileSync(README, 'utf8')
  if (!MARKS.test(before)) throw new Error('README.md has no marks <!-- bench --> and <!-- end of bench -->')
  writeFileSync(
    README,
    before.replace(MARKS, (_, start, end) => `${start}\n${text}${end}`),
  )
}
