import { summarize } from './statistics.mjs'

/** Figures as they come in: measure → contestant → a value for each round. */
export function createReport(measures) {
  const figures = new Map(measures.map(({ name }) => [name, new Map()]))

  return {
    add(measure, contestant, value) {
      const series = figures.get(measure)
      if (!series.has(contestant)) series.set(contestant, [])
      series.get(contestant).push(value)
    },

    /** Every measure that was taken, with its summary for each contestant. */
    results: () =>
      measures
        .filter(({ name }) => figures.get(name).size > 0)
        .map((measure) => {
          const series = figures.get(measure.name)
          const floor = series.get(measure.floor)
          return Object.assign({}, measure, {
            contestants: Object.fromEntries([...series].map(([name, values]) => [name, summarize(values, floor)])),
          })
        }),
  }
}

export function print(results) {
  for (const { title, unit, floor, target, contestants } of results) {
    console.log(`\n${title}, ${unit}`)
    const rows = Object.entries(contestants).map(([name, figure]) => [
      name,
      show(figure.median),
      `${show(figure.min)}–${show(figure.max)}`,
      ...(figure.ratio === undefined
        ? []
        : [figure.ratio.toFixed(2), `${figure.ratioMin.toFixed(2)}–${figure.ratioMax.toFixed(2)}`]),
      ...(name === 'holdfast' && target ? [verdict(figure, target)] : []),
    ])
    printTable([['', 'median', 'min–max', ...(floor ? [`to ${floor}`, 'min–max'] : [])], ...rows])
  }
}

/** `>= 0.95` or `<= 1.03`: of the ratio. */
function verdict({ ratio }, target) {
  const [sign, bound] = target.split(' ')
  const isMet = sign === '>=' ? ratio >= Number(bound) : ratio <= Number(bound)
  return `${isMet ? 'meets' : 'MISSES'} ${target}`
}

function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  for (const row of rows) {
    const cells = row.map((cell, column) => (column ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[0])))
    console.log(`  ${cells.join('  ')}`.trimEnd())
  }
}

function show(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3)
}
