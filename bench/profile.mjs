import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { launchBrowser } from './browser.mjs'
import { bundleTraffic } from './bundle.mjs'
import { startServer } from './start-server.mjs'

const USAGE = `node bench/profile.mjs [options]
  --contestant NAME  native, partysocket, reconnecting-websocket or holdfast (default)
  --measure NAME     receive (default), send, echo or queue
  --count N          messages (default 100,000; echo 10,000)
  --from FOLDER      a build or source folder of Holdfast (default dist)
  --save FILE        keep the CPU profile, for the performance panel of the developer tools`

const { values: options } = parseArgs({
  options: {
    contestant: { type: 'string', default: 'holdfast' },
    measure: { type: 'string', default: 'receive' },
    count: { type: 'string' },
    from: { type: 'string' },
    save: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(USAGE)
  process.exit()
}

const { contestant, measure } = options
const count = Number(options.count ?? (measure === 'echo' ? 10_000 : 100_000))
const server = await startServer({
  '/page.js': await bundleTraffic(contestant, options.from, false),
  '/page': '<!doctype html><script src="/page.js"></script>',
})
const browser = await launchBrowser()
try {
  const page = await browser.open(`http://${server.origin}/page`)
  await page.evaluate(`bench.${measure === 'queue' ? 'hold' : 'connect'}('ws://${server.origin}/')`)
  await page.evaluate(`bench.${measure}(5000)`)
  await page.call('Profiler.enable')
  await page.call('Profiler.setSamplingInterval', { interval: 100 })
  await page.call('Profiler.start')
  const { microseconds } = await page.withCpuTime(() => page.evaluate(`bench.${measure}(${count})`))
  const { profile } = await page.call('Profiler.stop')
  if (options.save) writeFileSync(options.save, JSON.stringify(profile))
  console.log(`${contestant}, ${measure}: ${(microseconds / count).toFixed(2)} CPU µs per message while profiled`)
  printProfile(profile)
} finally {
  await browser.close()
  await server.close()
}

/** Time by function and by line, in the function itself, per message. */
function printProfile({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const byFunction = new Map()
  const byLine = new Map()
  const add = (map, key, value) => map.set(key, (map.get(key) ?? 0) + value)
  const ticksOf = new Map()
  samples.forEach((id, index) => {
    const { callFrame } = byId.get(id)
    const name = `${callFrame.functionName || '(anonymous)'}:${callFrame.lineNumber + 1}`
    add(byFunction, name, timeDeltas[index])
    add(ticksOf, id, timeDeltas[index])
  })
  for (const [id, microseconds] of ticksOf) {
    const { callFrame, positionTicks = [] } = byId.get(id)
    const total = positionTicks.reduce((sum, { ticks }) => sum + ticks, 0)
    for (const { line, ticks } of positionTicks) {
      add(byLine, `line ${line} (${callFrame.functionName || 'anonymous'})`, (microseconds * ticks) / total)
    }
  }
  print('By function', byFunction)
  print('By line of the bundle', byLine)
}

function print(title, microsecondsByName) {
  console.log(`\n${title}, wall µs per message`)
  const rows = Array.from(microsecondsByName).sort(([, one], [, other]) => other - one)
  for (const [name, microseconds] of rows.slice(0, 22)) {
    console.log(`  ${(microseconds / count).toFixed(3).padStart(8)}  ${name}`)
  }
}
