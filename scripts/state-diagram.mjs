import { readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const TABLE = resolve(import.meta.dirname, '../src/connection/state.ts')
const DOCUMENT = resolve(import.meta.dirname, '../ARCHITECTURE.md')
const MARKED = /(<!-- state-diagram:begin -->\n).*?(<!-- state-diagram:end -->)/s

/**
 * The transitions as a Mermaid diagram. Triggers that lead from one state to the same other state share an arrow.
 *
 * @param {Record<string, Record<string, string>>} transitions from, by, to
 */
export function diagramOf(transitions) {
  const arrows = Object.entries(transitions).flatMap(([from, row]) =>
    [...new Set(Object.values(row))].map((to) => {
      const triggers = Object.keys(row).filter((trigger) => row[trigger] === to)
      return `  ${from} --> ${to}: ${triggers.join(', ')}`
    }),
  )
  const [start] = Object.keys(transitions)
  return ['```mermaid', 'stateDiagram-v2', `  [*] --> ${start}`, ...arrows, '```', ''].join('\n')
}

/**
 * The text with the diagram between its two markers.
 *
 * @throws {Error} where the markers are missing
 */
export function withDiagram(markdown, diagram) {
  if (!MARKED.test(markdown)) throw new Error('The text has no markers <!-- state-diagram:begin --> and :end -->')
  return markdown.replace(MARKED, (_, begin, end) => `${begin}\n${diagram}\n${end}`)
}

/** Writes the diagram of src/connection/state.ts into ARCHITECTURE.md. */
async function main() {
  const { outputFiles } = await build({ entryPoints: [TABLE], bundle: true, format: 'esm', write: false })
  const source = Buffer.from(outputFiles[0].contents).toString('base64')
  const { TRANSITIONS } = await import(`data:text/javascript;base64,${source}`)
  writeFileSync(DOCUMENT, withDiagram(readFileSync(DOCUMENT, 'utf8'), diagramOf(TRANSITIONS)))
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main()
