import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Server as SocketIoServer } from 'socket.io'
import { io } from 'socket.io-client'
import { WebSocket, WebSocketServer } from 'ws'
import { createClient } from '../dist/reliable.js'
import { createServer } from '../dist/server.js'
import { payload } from './page/payload.mjs'
import { median } from './statistics.mjs'

/**
 * What a message to a room costs its server: µs of CPU time per member that gets it, and the most memory the process
 * had. Each library takes turns with its own server and its own clients, all options at their defaults; Socket.IO's
 * clients begin with a WebSocket. Servers have a process of their own each time, and so have the clients.
 */
const HELP = `Usage: npm run bench:broadcast -- [options]

  --clients <n>   members of the room (default: 500)
  --messages <n>  messages to the room (default: 400)
  --rounds <n>    rounds, of which the median counts (default: 3)
`
const CONTESTANTS = ['ws', 'socket.io', 'holdfast']
const BETWEEN_MS = 10
const AT_ONCE = 20
const TIMEOUT_MS = 120_000

/** Each answers how to send to everybody. */
const SERVERS = {
  ws(http) {
    const server = new WebSocketServer({ server: http })
    return (data) => {
      const frame = JSON.stringify({ event: 'message', data })
      for (const client of server.clients) client.send(frame)
    }
  },
  'socket.io'(http) {
    const server = new SocketIoServer(http)
    server.on('connection', (socket) => socket.join('everybody'))
    return (data) => server.to('everybody').emit('message', data)
  },
  holdfast(http) {
    const server = createServer({ server: http })
    server.on('session', (session) => session.join('everybody'))
    return (data) => server.to('everybody').send('message', data)
  },
}

/** Each resolves when the client is there, and calls `heard` for each message. */
const CLIENTS = {
  async ws(port, heard) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    socket.on('message', (/** @type {Buffer} */ data) => heard(JSON.parse(data.toString()).data))
    await once(socket, 'open')
  },
  async 'socket.io'(port, heard) {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true })
    socket.on('message', heard)
    await new Promise((resolve) => socket.once('connect', resolve))
  },
  async holdfast(port, heard) {
    const client = createClient({ url: `ws://127.0.0.1:${port}`, WebSocket })
    client.on('message', heard)
    client.connect()
    await new Promise((resolve) => {
      client.lifecycle.on('state', ({ status }) => status === 'connected' && resolve())
    })
  },
}

const [role, contestant] = process.argv.slice(2)
if (role === 'server') serve(SERVERS[contestant])
else if (role === 'clients') beClients(CLIENTS[contestant])
else await main()

async function main() {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '500' },
      messages: { type: 'string', default: '400' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const [clients, messages, rounds] = [values.clients, values.messages, values.rounds].map(Number)
  const results = Object.fromEntries(CONTESTANTS.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of CONTESTANTS) results[name].push(await measure(name, clients, messages))
  }
  console.log('server'.padEnd(12), 'µs CPU per delivery'.padEnd(22), 'MiB at most')
  const floor = median(results.ws.map(({ micros }) => micros))
  for (const name of CONTESTANTS) {
    const micros = median(results[name].map((result) => result.micros))
    const cpu = `${micros.toFixed(2)} (${(micros / floor).toFixed(1)} ×)`
    console.log(name.padEnd(12), cpu.padEnd(22), median(results[name].map(({ mib }) => mib)).toFixed(0))
  }
}

async function measure(name, clients, messages) {
  const script = fileURLToPath(import.meta.url)
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const server = fork(script, ['server', name])
  const members = fork(script, ['clients', name])
  const ask = async (child, question) => {
    child.send(question)
    const [answer] = await once(child, 'message', { signal })
    return answer
  }
  try {
    const [{ port }] = await once(server, 'message', { signal })
    await ask(members, { port, clients })
    const heard = ask(members, { expected: clients * messages })
    const before = await ask(server, { messages })
    await heard
    const after = await ask(server, {})
    return { micros: (after.micros - before.micros) / clients / messages, mib: after.mib }
  } finally {
    server.kill()
    members.kill()
  }
}

function serve(attach) {
  const http = createHttpServer()
  const broadcast = attach(http)
  const read = () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    process.send({ micros: userCPUTime + systemCPUTime, mib: maxRSS / 1024 })
  }
  process.on('message', ({ messages = 0 }) => {
    read()
    let sent = 0
    const timer = setInterval(() => {
      if (sent === messages) clearInterval(timer)
      else broadcast(payload(sent++))
    }, BETWEEN_MS)
  })
  process.on('disconnect', () => process.exit())
  http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }))
}

/** Opens so many clients; then answers once they have heard so many messages. */
function beClients(connect) {
  let heard = 0
  let expected = Infinity
  const hear = () => {
    if (++heard === expected) process.send('heard')
  }
  const open = async ({ port, clients }) => {
    let left = clients
    const work = async () => {
      while (left-- > 0) await connect(port, hear)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    process.send('connected')
  }
  process.on('message', (question) => {
    if (question.port) void open(question)
    else expected = question.expected
  })
  process.on('disconnect', () => process.exit())
}
