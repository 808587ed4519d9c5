import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { createServer } from '../dist/server.js'
import { besiege, MIB, SUBPROTOCOL } from './siege-attacks.mjs'

/**
 * Besets a companion server, which has the options that it has by default, and compression, with all that a hostile
 * client can do to it over real sockets, at the same time. Five honest clients go on beside that. It fails when the
 * server ends, when an honest client misses a reply or its connection, when a besieger is still connected after the
 * siege, or when memory has grown beyond the bound.
 */
const HELP = `Usage: npm run siege -- [options]

  --frames <n>   hostile frames in all (default: 1000000)
  --kept <mib>   the most that may be in use after it: the streams of all sessions may hold 256 (default: 384)
  --rss <mib>    the most that the process may have had at any time, with its garbage (default: 1536)
`
const HONEST = 5
const TIMEOUT_MS = 15 * 60_000

/** The server under siege, in a process of its own. */
function serve() {
  const http = createHttpServer()
  const server = createServer({ server: http, compression: true })
  const errors = {}
  server.on('error', ({ code }) => (errors[code] = (errors[code] ?? 0) + 1))
  server.on('session', (session) => {
    session.on('note', () => session.send('noted'))
    session.on('flood', () => {
      for (let count = 0; count < 100; count++) session.send('news', 'x'.repeat(50_000))
    })
    session.on('throw', () => {
      throw new Error('no')
    })
    session.handle('honest', (params) => params)
  })
  let peakRss = 0
  setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage.rss())), 50)
  process.on('message', () => {
    globalThis.gc()
    const { heapUsed, external } = process.memoryUsage()
    process.send({
      kept: heapUsed + external,
      peakRss,
      errors,
      connections: server.connectionCount,
      sessions: server.sessionCount,
    })
  })
  process.on('disconnect', () => process.exit())
  http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }))
}

async function main() {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '1000000' },
      kept: { type: 'string', default: '384' },
      rss: { type: 'string', default: '1536' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const child = fork(fileURLToPath(import.meta.url), ['server'], { execArgv: ['--expose-gc'] })
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  let ended
  child.once('exit', (code, killedBy) => (ended = killedBy ?? code))
  try {
    const [{ port }] = await once(child, 'message', { signal })
    const honest = await Promise.all(Array.from({ length: HONEST }, () => visit(port)))
    const startedAt = performance.now()
    const besiegers = besiege(port, Number(values.frames))
    const rows = await Promise.race([Promise.all(besiegers), once(child, 'exit'), once(signal, 'abort')])
    const seconds = (performance.now() - startedAt) / 1000
    const visits = await Promise.all(honest.map((one) => one.leave()))
    const state = ended === undefined && !signal.aborted ? await settle(child, signal) : undefined
    report({
      rows,
      seconds,
      visits,
      state,
      ended,
      keptMax: Number(values.kept) * MIB,
      rssMax: Number(values.rss) * MIB,
    })
  } finally {
    child.kill()
  }
}

/** The state of the server when all have left, or when they still have not after ten seconds. */
async function settle(child, signal) {
  for (let round = 0; ; round++) {
    const state = await read(child, signal)
    if (state.connections === 0 || round === 100) return state
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function read(child, signal) {
  child.send('read')
  const [state] = await once(child, 'message', { signal })
  return state
}

function report({ rows, seconds, visits, state, ended, keptMax, rssMax }) {
  const failures = []
  if (!state) failures.push(`the server ended (${ended ?? 'it took too long'})`)
  else {
    for (const { name, ends } of rows) console.log(name.padEnd(44), JSON.stringify(ends))
    console.log(`\nerrors at the server: ${JSON.stringify(state.errors)}`)
    if (state.peakRss > rssMax) failures.push(`memory grew to ${mib(state.peakRss)}`)
    if (state.kept > keptMax) failures.push(`${mib(state.kept)} are in use after it`)
    if (state.connections > 0) failures.push(`${state.connections} connections stay`)
  }
  const waits = visits.flatMap(({ waits: some }) => some).sort((one, other) => one - other)
  const missing = visits.reduce((sum, one) => sum + one.missing, 0)
  if (missing > 0) failures.push(`honest clients miss ${missing} replies`)
  if (visits.some(({ lost }) => lost)) failures.push('an honest client lost its connection')
  const quantile = (part) => waits[Math.floor(part * (waits.length - 1))]?.toFixed(1)
  console.log(
    `honest requests: ${waits.length}, replies after ${quantile(0.5)} ms (median), ${quantile(0.99)} ms (p99)`,
  )
  if (state)
    console.log(`memory: ${mib(state.peakRss)} at most, ${mib(state.kept)} in use after it; ${seconds.toFixed(0)} s`)
  console.log(failures.length > 0 ? `failed: ${failures.join('; ')}` : 'held')
  process.exitCode = failures.length > 0 ? 1 : 0
}

const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`

/** An honest client: it asks, waits for the reply, and asks again. */
async function visit(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, SUBPROTOCOL)
  const writer = randomUUID()
  const waits = []
  let asked = 0
  let askedAt = 0
  let isLeaving = false
  let lost = false
  const ask = () => {
    askedAt = performance.now()
    socket.send(JSON.stringify({ t: 'm', w: writer, s: ++asked, e: 'honest', d: asked, r: 1 }))
  }
  const left = once(socket, 'close').then(() => (lost = !isLeaving))
  const welcomed = new Promise((resolve) => {
    socket.on('message', (data) => {
      const frame = JSON.parse(data)
      if (frame.t === 'p') socket.send('{"t":"o"}')
      if (frame.t === 'welcome') resolve(ask())
      if (frame.t !== 'r' || frame.d !== asked) return
      waits.push(performance.now() - askedAt)
      socket.send(JSON.stringify({ t: 'a', s: frame.s }))
      if (isLeaving) socket.close(1000)
      else setTimeout(ask, 20)
    })
  })
  socket.on('error', () => {})
  socket.on('open', () => socket.send(JSON.stringify({ t: 'hello', writers: { [writer]: 1 } })))
  await welcomed
  return {
    async leave() {
      isLeaving = true
      const patience = setTimeout(() => socket.terminate(), 10_000)
      await left
      clearTimeout(patience)
      return { waits, missing: asked - waits.length, lost }
    },
  }
}

if (process.argv[2] === 'server') serve()
else await main()
