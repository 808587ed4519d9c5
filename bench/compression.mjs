import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { createServer } from '../dist/server.js'
import { median } from './statistics.mjs'

/**
 * What `compression` costs the companion server and what it saves, in messages of several lengths: bytes on the wire and
 * µs of the server's CPU time for each message that it sends, and KiB of its memory for each connection that has had one
 * long message in each direction. Both servers are in processes of their own, and take turns.
 */
const LENGTHS = [200, 1_000, 8_000, 48_000]
const MESSAGES = 300
const CONNECTIONS = 200
const ROUNDS = 3
const LONGEST = LENGTHS.at(-1)

if (process.argv[2] === 'server') serve(process.argv[3] === 'true')
else await main()

/** A list of records as an application would send it, of about so many bytes. */
function rows(length) {
  const list = []
  for (let id = 0; list.length * 79 < length - 80; id++) {
    list.push({
      id: id * 7919,
      user: `user-${(id * 31) % 97}`,
      text: 'to be or not to be',
      at: 1_700_000_000 + id * 61,
    })
  }
  return list
}

async function main() {
  const results = new Map()
  for (let round = 0; round < ROUNDS; round++) {
    for (const isCompressed of [false, true]) {
      for (const [key, value] of await measure(isCompressed)) {
        const name = `${key} ${isCompressed}`
        results.set(name, [...(results.get(name) ?? []), value])
      }
    }
  }
  const figure = (key, isCompressed) => median(results.get(`${key} ${isCompressed}`))
  console.log('message'.padEnd(10), 'bytes on the wire'.padEnd(22), 'µs CPU of the server')
  for (const length of LENGTHS) {
    const pair = (key, digits) => [false, true].map((on) => figure(`${key} ${length}`, on).toFixed(digits)).join(' → ')
    console.log(String(length).padEnd(10), pair('bytes', 0).padEnd(22), pair('micros', 0))
  }
  console.log(`KiB a connection, idle: ${[false, true].map((on) => figure('idle', on).toFixed(0)).join(' → ')}`)
  console.log(
    `the same after ${LONGEST} bytes each way: ${[false, true].map((on) => figure('used', on).toFixed(0)).join(' → ')}`,
  )
}

async function measure(isCompressed) {
  const server = fork(fileURLToPath(import.meta.url), ['server', String(isCompressed)], { execArgv: ['--expose-gc'] })
  const ask = async (question) => {
    server.send(question)
    const [answer] = await once(server, 'message')
    return answer
  }
  try {
    const [{ url }] = await once(server, 'message')
    const figures = []
    const one = await connect(url)
    for (const length of LENGTHS) {
      const data = rows(length)
      await one.receive({ data, count: 200 })
      const before = await ask('read')
      const bytes = await one.receive({ data, count: MESSAGES })
      const after = await ask('read')
      figures.push(
        [`bytes ${length}`, bytes / MESSAGES],
        [`micros ${length}`, (after.arrivedMicros - before.leftMicros) / MESSAGES],
      )
    }
    const longest = rows(LONGEST)
    const open = () => Promise.all(Array.from({ length: CONNECTIONS }, () => connect(url)))
    const exchange = async (clients) => {
      for (const client of clients) await client.exchange(longest)
    }
    // What the process allocates once is there after the first of them.
    await exchange(await open())
    const before = await ask('read')
    const clients = await open()
    const idle = await ask('read')
    await exchange(clients)
    const used = await ask('read')
    figures.push(['idle', (idle.kib - before.kib) / CONNECTIONS], ['used', (used.kib - before.kib) / CONNECTIONS])
    return figures
  } finally {
    server.kill()
  }
}

function serve(compression) {
  const server = createServer({ compression, limits: { messagesBurst: 1_000_000 } })
  server.on('error', (error) => console.error(error))
  server.on('session', (session) => {
    session.on('push', async ({ data, count }) => {
      for (let sent = 0; sent < count; sent++) {
        session.send('rows', data)
        if (sent % 20 === 19) await session.flush()
      }
    })
    session.on('rows', (data) => session.send('rows', data))
  })
  process.on('message', () => {
    const arrivedMicros = cpuMicros()
    for (let round = 0; round < 3; round++) globalThis.gc()
    process.send({ kib: process.memoryUsage().rss / 1024, arrivedMicros, leftMicros: cpuMicros() })
  })
  process.on('disconnect', () => process.exit())
  void server.listening.then(({ url }) => process.send({ url }))
}

function cpuMicros() {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** A client by hand, which offers compression as browsers do. */
async function connect(url) {
  const writer = randomUUID()
  const socket = new WebSocket(url, 'holdfast.1', { perMessageDeflate: true })
  const upgraded = once(socket, 'upgrade')
  let sequence = 0
  let left = 0
  let onDone = () => {}
  let onWelcome = () => {}
  const welcomed = new Promise((resolve) => (onWelcome = resolve))
  socket.on('message', (/** @type {Buffer} */ data) => {
    const frame = JSON.parse(data.toString())
    if (frame.t === 'welcome') onWelcome()
    if (frame.t !== 'm') return
    socket.send(`{"t":"a","s":${frame.s}}`)
    if (--left === 0) onDone()
  })
  const [[response]] = await Promise.all([upgraded, once(socket, 'open')])
  socket.send(JSON.stringify({ t: 'hello', writers: { [writer]: 1 } }))
  await welcomed
  const say = (event, data, count) => {
    left = count
    const before = response.socket.bytesRead
    socket.send(JSON.stringify({ t: 'm', w: writer, s: ++sequence, e: event, d: data }))
    return new Promise((resolve) => (onDone = () => resolve(response.socket.bytesRead - before)))
  }
  return {
    receive: ({ data, count }) => say('push', { data, count }, count),
    exchange: (data) => say('rows', data, 1),
  }
}
