import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Server as SocketIoServer } from 'socket.io'
import { WebSocket, WebSocketServer } from 'ws'
import { createServer } from '../dist/server.js'
import { median } from './statistics.mjs'

/**
 * What an idle connection costs a server: KiB of resident memory, and µs of CPU time from its request to its welcome.
 * Bare ws, Socket.IO's server and the companion server take turns, each with the options that it has by default and
 * in a process of its own, with the clients, which are alike, in another one. A reading of memory follows a garbage collection,
 * and none of the CPU time is spent in that.
 */
const HELP = `Usage: npm run bench:connections -- [options]

  --connections <n>  idle connections of each server (default: 2000)
  --rounds <n>       rounds, of which the median counts (default: 3)
`
const CONTESTANTS = ['ws', 'socket.io', 'holdfast']
const WARM_UP = 300
const AT_ONCE = 20
const TIMEOUT_MS = 120_000

/** How a client comes to be connected: what it dials, what it says, and what it hears last. */
const GREETINGS = {
  ws: { path: '/' },
  'socket.io': { path: '/socket.io/?EIO=4&transport=websocket', says: '40', hears: '40' },
  holdfast: { path: '/', subprotocol: 'holdfast.1', says: '{"t":"hello","writers":{}}', hears: '{"t":"welcome"' },
}

const ROLES = { ws: serveWs, 'socket.io': serveSocketIo, holdfast: serveHoldfast, clients: connectClients }
const role = process.argv[2]
if (Object.hasOwn(ROLES, role)) ROLES[role]()
else await main()

async function main() {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const results = Object.fromEntries(CONTESTANTS.map((name) => [name, []]))
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of CONTESTANTS) results[name].push(await measure(name, Number(values.connections)))
  }
  const figures = CONTESTANTS.map((name) => ({
    name,
    kib: median(results[name].map(({ kib }) => kib)),
    heapKib: median(results[name].map(({ heapKib }) => heapKib)),
    micros: median(results[name].map(({ micros }) => micros)),
  }))
  const [{ kib, heapKib, micros }] = figures
  const cell = (value, base) => `${value.toFixed(1)} (${(value / base).toFixed(1)} ×)`.padEnd(20)
  console.log('server'.padEnd(12), 'KiB RSS'.padEnd(20), 'KiB heap'.padEnd(20), 'µs CPU per connect')
  for (const one of figures) {
    const cells = [cell(one.kib, kib), cell(one.heapKib, heapKib), cell(one.micros, micros)]
    console.log(one.name.padEnd(12), ...cells)
  }
}

/** One server in a new process, and the difference that so many connections make to it. */
async function measure(name, connections) {
  const script = fileURLToPath(import.meta.url)
  const server = fork(script, [name], { execArgv: ['--expose-gc'] })
  const clients = fork(script, ['clients'])
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const ask = async (child, question) => {
    child.send(question)
    const [answer] = await once(child, 'message', { signal })
    return answer
  }
  try {
    const [{ port }] = await once(server, 'message', { signal })
    await ask(clients, { port, count: WARM_UP, name })
    const before = await ask(server, 'read')
    await ask(clients, { port, count: connections, name })
    const after = await ask(server, 'read')
    return {
      kib: (after.rss - before.rss) / 1024 / connections,
      heapKib: (after.heap - before.heap) / 1024 / connections,
      micros: (after.arrivedMicros - before.leftMicros) / connections,
    }
  } finally {
    server.kill()
    clients.kill()
  }
}

function serveWs() {
  serve((http) => new WebSocketServer({ server: http }))
}

function serveSocketIo() {
  serve((http) => new SocketIoServer(http))
}

function serveHoldfast() {
  serve((http) => createServer({ server: http }))
}

function serve(attach) {
  const http = createHttpServer()
  attach(http)
  process.on('message', () => {
    const arrivedMicros = cpuMicros()
    for (let round = 0; round < 3; round++) globalThis.gc()
    const { rss, heapUsed: heap } = process.memoryUsage()
    process.send({ rss, heap, arrivedMicros, leftMicros: cpuMicros() })
  })
  process.on('disconnect', () => process.exit())
  http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }))
}

function cpuMicros() {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Opens so many connections, and answers once each is open and welcome. */
function connectClients() {
  const connectAll = async ({ port, count, name }) => {
    let left = count
    const work = async () => {
      while (left-- > 0) await connect(port, GREETINGS[name])
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    process.send('done')
  }
  process.on('message', (question) => void connectAll(question))
  process.on('disconnect', () => process.exit())
}

async function connect(port, { path, subprotocol, says, hears }) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocol ?? [], { perMessageDeflate: false })
  const welcomed = new Promise((resolve) => {
    socket.on('message', (/** @type {Buffer} */ data) => {
      if (data.toString().startsWith(hears)) resolve()
    })
  })
  await once(socket, 'open')
  if (!says) return
  socket.send(says)
  await welcomed
}
