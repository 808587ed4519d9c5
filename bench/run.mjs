import { readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { launchBrowser } from './browser.mjs'
import { bundleSilence, bundleStorage, bundleTraffic } from './bundle.mjs'
import { writeReadme } from './readme.mjs'
import { createReport, print } from './report.mjs'
import { startServer } from './start-server.mjs'
import { median, quantile } from './statistics.mjs'

const USAGE = `npm run bench -- [options]
  --quick             fewer rounds and messages: under a minute
  --rounds N          how often each contestant is measured (default 15, quick 5)
  --only A,B          of: traffic, own, storage, queue
  --also NAME=FOLDER  another build or source folder of Holdfast as a contestant; may be repeated
  --json FILE         write all figures there too
  --write             write the table of README.md`

const MEASURES = [
  { name: 'receive', title: 'Receive, sent by the library of the server', unit: 'messages/s', floor: 'native' },
  { name: 'receiveCpu', title: 'Main thread, per received message', unit: 'CPU µs', floor: 'native' },
  {
    name: 'receiveRaw',
    title: 'Receive, sent as bytes that are ready',
    unit: 'messages/s',
    floor: 'native',
    target: '>= 0.95',
  },
  { name: 'receiveRawCpu', title: 'Main thread, per message of those', unit: 'CPU µs', floor: 'native' },
  { name: 'send', title: 'Send, until the server has them', unit: 'messages/s', floor: 'native', target: '>= 0.90' },
  { name: 'sendCall', title: 'One call of send', unit: 'µs', floor: 'native' },
  { name: 'sendCpu', title: 'Main thread, per sent message', unit: 'CPU µs', floor: 'native' },
  { name: 'echo50', title: 'Echo p50', unit: 'ms', floor: 'native', target: '<= 1.03' },
  { name: 'echo99', title: 'Echo p99', unit: 'ms', floor: 'native' },
  { name: 'echoCpu', title: 'Main thread, per echo', unit: 'CPU µs', floor: 'native' },
  { name: 'ownReceive', title: 'Own code, per received message, best of many', unit: 'µs', floor: 'native' },
  { name: 'ownSend', title: 'Own code, per call of send, best of many', unit: 'µs', floor: 'native' },
  { name: 'store', title: 'Durable append, strict', unit: 'messages/s', floor: '100 records a transaction' },
  { name: 'storeAlone', title: 'Durable append of one message, until it is stored', unit: 'ms', floor: 'strict' },
  { name: 'queueCall', title: 'One call of send while disconnected', unit: 'µs', floor: 'native' },
  { name: 'queueHeap', title: 'Heap per queued message beyond its frame in an array', unit: 'bytes' },
  { name: 'drain', title: 'Drain of what was queued', unit: 'messages/s', floor: 'native' },
  { name: 'drainTask', title: 'Longest main-thread task of that (0: none over 50)', unit: 'ms' },
]
/** A part that has used up its time begins no further round; on a busy machine there are fewer. */
const PART_MS = { traffic: 200_000, own: 20_000, storage: 20_000, queue: 70_000 }
const TIMEOUT_MS = 400_000
/** Of echoes in a round. */
const HELPINGS = 4

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: 'traffic,own,storage,queue' },
    also: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(USAGE)
  process.exit()
}

/** Many short rounds rather than few long ones: noise that lasts then hits everybody. */
const sizes = options.quick
  ? { rounds: 5, slowRounds: 2, receive: 8_000, send: 5_000, echo: 500, store: 3_000, queue: 30_000, drain: 10_000 }
  : { rounds: 15, slowRounds: 5, receive: 12_000, send: 8_000, echo: 800, store: 5_000, queue: 100_000, drain: 10_000 }
if (options.rounds) {
  sizes.rounds = Number(options.rounds)
  sizes.slowRounds = Math.ceil(sizes.rounds / 3)
}
if (!Number.isSafeInteger(sizes.rounds) || sizes.rounds < 1) throw new RangeError(`--rounds must be from 1\n${USAGE}`)
const isWanted = (part) => options.only.split(',').includes(part)

/**
 * Each has a page, and so a renderer process, of its own, and every option at its default but for what `tuned` says.
 * Who is `isPlain` speaks to bare ws.
 */
const contestants = [
  { name: 'native', label: 'native', isPlain: true },
  { name: 'partysocket', label: `partysocket ${versionOf('partysocket')}`, isPlain: true },
  {
    name: 'reconnecting-websocket',
    label: `reconnecting-websocket ${versionOf('reconnecting-websocket')}`,
    isPlain: true,
  },
  { name: 'socket.io-client', label: `Socket.IO ${versionOf('socket.io')}`, path: 'socket.io/' },
  {
    name: 'socket.io-client-retries',
    label: 'Socket.IO with retries',
    path: 'socket.io/',
    tuned: '`retries: 10`, `ackTimeout: 10_000`',
    isSlow: true,
  },
  { name: 'holdfast', label: 'Holdfast, `plain()`', isPlain: true },
  { name: 'holdfast-reliable', label: 'Holdfast, `reliable()`', path: 'reliable' },
  ...options.also.map((also) => {
    const [name, folder] = also.split('=')
    return { name, label: name, folder, isHoldfast: true, isPlain: true }
  }),
]

function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

const report = createReport(MEASURES)
/** How much of the time in which a page received the server was busy: it must not be the bottleneck. */
const serverLoads = []
const cleanUps = []
const watchdog = setTimeout(() => void stop(new Error(`Not done after ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop(new Error(signal)))
const startedAt = performance.now()
try {
  await run()
  await stop()
} catch (error) {
  await stop(error)
}

/** Whatever happens, no process and no folder is left. */
async function stop(error) {
  clearTimeout(watchdog)
  if (error) console.error(error)
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await cleanUp()
  if (error) process.exit(1)
}

async function run() {
  const files = {}
  const page = (name, script) => {
    files[`/${name}.js`] = script
    files[`/${name}.html`] = `<!doctype html><title>${name}</title><script src="/${name}.js"></script>`
  }
  for (const contestant of contestants) {
    const { name, folder, isHoldfast } = contestant
    const kind = isHoldfast ? 'holdfast' : name
    page(name, await bundleTraffic(kind, folder))
    if (isSilent(contestant)) page(`silent-${name}`, await bundleSilence(kind, folder))
  }
  page('storage', await bundleStorage())

  const server = await startServer(files)
  cleanUps.push(() => server.close())
  const browser = await launchBrowser()
  cleanUps.push(() => browser.close())
  const { product } = browser.version
  console.log(`${product}, Node ${process.versions.node}, ${os.cpus().length} × ${os.cpus()[0]?.model}`)
  console.log(`Medians of up to ${sizes.rounds} rounds in which all contestants take turns; ratios are within a round.`)
  console.log(`Load of the machine: ${os.loadavg()[0]?.toFixed(1)}.`)
  for (const { name, tuned } of contestants) if (tuned) console.log(`Tuned: ${name} (${tuned}).`)

  const open = (name) => browser.open(`http://${server.origin}/${name}.html`)
  if (isWanted('traffic')) await measureTraffic(open, server)
  if (isWanted('own')) await measureOwn(open)
  if (isWanted('storage')) await measureStorage(open)
  if (isWanted('queue')) await measureQueue(open, server)

  const results = report.results()
  print(results)
  const serverLoad = serverLoads.length ? median(serverLoads) : undefined
  if (serverLoad !== undefined) {
    console.log(`\nThe server was busy ${(serverLoad * 100).toFixed(1)} % of the time in which a page received.`)
  }
  console.log(`Took ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`)
  if (options.write) {
    const about = `${product.replace('/', ' ')}, Node ${process.versions.node}, ${os.cpus().length} cores, ${contestants.length} contestants in turn, medians of up to ${sizes.rounds} rounds; ratios to the browser's own WebSocket with bare ws in the same round.`
    writeReadme(results, contestants, about)
  }
  if (options.json) {
    const { version, platform } = process
    const about = { at: new Date().toISOString(), product, node: version, platform, sizes, serverLoad }
    writeFileSync(options.json, `${JSON.stringify({ ...about, results }, null, 2)}\n`)
  }
}

/** Rounds from 0, at least one. */
function* rounds(part, count) {
  const endsAt = performance.now() + PART_MS[part] / (options.quick ? 5 : 1)
  for (let round = 0; round < count && (!round || performance.now() < endsAt); round++) yield round
}

/** Another one starts in each round, so that nobody always follows the same one. */
function turns(round, list = contestants) {
  return [...list.slice(round % list.length), ...list.slice(0, round % list.length)]
}

async function measureTraffic(open, server) {
  const pages = new Map()
  for (const { name, path = '', isPlain, isSlow } of contestants) {
    const page = await open(name)
    pages.set(name, page)
    await page.evaluate(`bench.connect('ws://${server.origin}/${path}')`)
    await page.evaluate('bench.echo(500)')
    await page.evaluate(`bench.send(${isSlow ? 300 : 3000})`)
    await page.evaluate('bench.receive(5000)')
    if (isPlain) await page.evaluate("bench.receive(10000, 'push')")
  }
  for (const round of rounds('traffic', sizes.rounds)) {
    await measureReceiving(round, pages, server)
    for (const { name, isSlow } of turns(round)) {
      const page = pages.get(name)
      const count = isSlow ? sizes.send / 10 : sizes.send
      const { result, microseconds } = await page.withCpuTime(() => page.evaluate(`bench.send(${count})`))
      report.add('send', name, result.perSecond)
      report.add('sendCall', name, result.callMicroseconds)
      report.add('sendCpu', name, microseconds / count)
    }
    await measureEchoes(round, pages)
  }
  for (const page of pages.values()) await page.close()
}

async function measureReceiving(round, pages, server) {
  for (const { name, isPlain } of turns(round)) {
    const page = pages.get(name)
    const { result, microseconds } = await page.withCpuTime(() => page.evaluate(`bench.receive(${sizes.send})`))
    report.add('receive', name, result.perSecond)
    report.add('receiveCpu', name, microseconds / sizes.send)
    if (!isPlain) continue
    const raw = await page.withCpuTime(() => page.evaluate(`bench.receive(${sizes.receive}, 'push')`))
    report.add('receiveRaw', name, raw.result.perSecond)
    report.add('receiveRawCpu', name, raw.microseconds / sizes.receive)
    serverLoads.push(server.pushedMs / raw.result.ms)
  }
}

async function measureEchoes(round, pages) {
  const echoes = new Map(contestants.map(({ name }) => [name, { times: [], cpu: 0 }]))
  for (let helping = 0; helping < HELPINGS; helping++) {
    for (const { name } of turns(round + helping)) {
      const page = pages.get(name)
      const { result, microseconds } = await page.withCpuTime(() =>
        page.evaluate(`bench.echo(${sizes.echo / HELPINGS})`),
      )
      const echo = echoes.get(name)
      echo.times.push(...result)
      echo.cpu += microseconds
    }
  }
  for (const [name, { times, cpu }] of echoes) {
    times.sort((one, other) => one - other)
    report.add('echo50', name, quantile(times, 0.5))
    report.add('echo99', name, quantile(times, 0.99))
    report.add('echoCpu', name, cpu / times.length)
  }
}

/** On a socket that costs nothing; the peers, which copy events, need a real one. */
async function measureOwn(open) {
  const silent = contestants.filter(isSilent)
  for (const _ of rounds('own', sizes.slowRounds)) {
    for (const { name } of silent) {
      const page = await open(`silent-${name}`)
      await page.evaluate('bench.connect()')
      report.add('ownReceive', name, await page.evaluate('bench.receive()'))
      report.add('ownSend', name, await page.evaluate('bench.send()'))
      await page.close()
    }
  }
}

async function measureStorage(open) {
  const page = await open('storage')
  const ways = [
    { name: '100 records a transaction', call: 'records' },
    { name: '100 in one record', call: 'arrays' },
    { name: 'holdfast, all at once', call: 'burst' },
    { name: 'holdfast, 100 a task', call: 'turns' },
    { name: 'holdfast, 100 a task, relaxed', call: 'relaxedTurns' },
  ]
  const durabilities = [
    { name: 'strict', call: 'strict' },
    { name: 'relaxed', call: 'relaxed' },
  ]
  for (const { call } of ways) await page.evaluate(`bench.${call}(1000)`)
  for (const round of rounds('storage', sizes.slowRounds)) {
    for (const { name, call } of turns(round, ways)) {
      report.add('store', name, await page.evaluate(`bench.${call}(${sizes.store})`))
    }
    for (const { name, call } of turns(round, durabilities)) {
      report.add('storeAlone', name, await page.evaluate(`bench.${call}()`))
    }
  }
  await page.close()
}

function isSilent({ name, isHoldfast }) {
  return isHoldfast || ['native', 'holdfast'].includes(name)
}

/** A fresh page each time: neither what was queued before nor how the heap has grown may matter. */
async function measureQueue(open, server) {
  const queueing = contestants.filter(({ isSlow }) => !isSlow)
  for (const round of rounds('queue', sizes.slowRounds)) {
    let floorBytes = 0
    // The floor first: its heap, an array of frames, is what the others are compared to.
    for (const { name, path = '' } of [queueing[0], ...turns(round, queueing.slice(1))]) {
      const page = await open(name)
      await page.evaluate(`bench.hold('ws://${server.origin}/${path}')`)
      await page.evaluate('bench.queue(2000)')
      const before = await page.heapBytes()
      report.add('queueCall', name, await page.evaluate(`bench.queue(${sizes.queue})`))
      const bytes = ((await page.heapBytes()) - before) / sizes.queue
      if (name === contestants[0].name) floorBytes = bytes
      else report.add('queueHeap', name, bytes - floorBytes)
      await page.close()

      const fresh = await open(name)
      await fresh.evaluate(`bench.hold('ws://${server.origin}/${path}')`)
      await fresh.evaluate(`bench.queue(${sizes.drain})`)
      const { perSecond, longestTaskMs } = await fresh.evaluate('bench.drain()')
      report.add('drain', name, perSecond)
      report.add('drainTask', name, longestTaskMs)
      await fresh.close()
    }
  }
}
