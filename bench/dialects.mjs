import { parseArgs } from 'node:util'
import { launchBrowser } from './browser.mjs'
import { bundleDialect } from './bundle.mjs'
import { startServer } from './start-server.mjs'
import { median, quantile } from './statistics.mjs'

/** The reliable dialect beside the plain one, in the same rounds, against handlers that are the same. */
const DIALECTS = ['plain', 'reliable']
const TIMEOUT_MS = 180_000

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } })
const rounds = Number(options.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError('--rounds must be from 1')

const cleanUps = []
const watchdog = setTimeout(() => void stop(new Error(`Not done after ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS)
try {
  await run()
  await stop()
} catch (error) {
  await stop(error)
}

async function stop(error) {
  clearTimeout(watchdog)
  if (error) console.error(error)
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await cleanUp()
  if (error) process.exit(1)
}

async function run() {
  const files = {}
  for (const name of DIALECTS) {
    files[`/${name}.js`] = await bundleDialect(name)
    files[`/${name}.html`] = `<!doctype html><title>${name}</title><script src="/${name}.js"></script>`
  }
  const server = await startServer(files, 'companion.mjs')
  cleanUps.push(() => server.close())
  const browser = await launchBrowser()
  cleanUps.push(() => browser.close())

  const pages = new Map()
  for (const name of DIALECTS) {
    const page = await browser.open(`http://${server.origin}/${name}.html`)
    pages.set(name, page)
    await page.evaluate(`bench.connect('ws://${server.origin}/${name}')`)
    await page.evaluate('bench.echo(500)')
    await page.evaluate('bench.send(3000)')
    await page.evaluate('bench.receive(5000)')
  }

  const figures = { receive: [], send: [], echo50: [], echo99: [] }
  for (let round = 0; round < rounds; round++) {
    const inTurn = round % 2 ? DIALECTS : DIALECTS.toReversed()
    for (const measure of ['receive(10000)', 'send(8000)', 'echo(400)']) {
      const result = {}
      for (const name of inTurn) result[name] = await pages.get(name).evaluate(`bench.${measure}`)
      if (measure.startsWith('echo')) {
        for (const [key, share] of [
          ['echo50', 0.5],
          ['echo99', 0.99],
        ]) {
          figures[key].push({ plain: quantile(result.plain, share), reliable: quantile(result.reliable, share) })
        }
      } else figures[measure.split('(')[0]].push(result)
    }
  }
  for (const [name, results] of Object.entries(figures)) {
    const of = (dialect) => median(results.map((result) => result[dialect]))
    const ratio = median(results.map(({ plain, reliable }) => reliable / plain))
    console.log(
      `${name.padEnd(8)} plain ${of('plain').toFixed(2)}, reliable ${of('reliable').toFixed(2)}, ratio ${ratio.toFixed(2)}`,
    )
  }
  console.log(`Medians of ${rounds} rounds; receive and send in messages/s, echo in ms.`)
}
