import { createServer as createHttpServer } from 'node:http'
import { Server as SocketIoServer } from 'socket.io'
import { Sender, WebSocketServer } from 'ws'
import { createServer } from '../dist/server.js'
import { payload } from './page/payload.mjs'

/**
 * The other side, in a process of its own, which serves the pages that the runner sends it: on `/` bare ws, on
 * `/reliable` the companion server, on `/socket.io/` Socket.IO's own, each with the options that it has by default.
 * Whoever speaks to it may send
 *
 * - `stream`: send `count` messages with the library's own `send`
 * - `push`: the same with bytes that are ready, past the package; on bare ws only
 * - `count`: answer `done` once so many messages have come, with the milliseconds from the first to the last
 * - `message`: is counted
 * - `echo`: is sent back as it is
 *
 * Bare ws speaks text frames `{"event": …, "data": …}`. It looks at the first letter of the event only, since parsing
 * would cost as much as receiving.
 */
const LETTER_AT = '{"event":"'.length
const [PUSH, STREAM, COUNT, MESSAGE, ECHO] = Buffer.from('pscme')

const FRAMES_PER_WRITE = 500
const writes = [0, 1, 2, 3, 4, 5, 6, 7].map((write) =>
  Buffer.concat(Array.from({ length: FRAMES_PER_WRITE }, (_, index) => frame(write * FRAMES_PER_WRITE + index)).flat()),
)

function frame(id) {
  const text = Buffer.from(JSON.stringify({ event: 'message', data: payload(id) }))
  return Sender.frame(text, { fin: true, opcode: 1, mask: false, readOnly: true, rsv1: false })
}

/** Path → body, from the runner. */
let files = {}

const http = createHttpServer((request, response) => {
  const body = files[request.url]
  response.writeHead(body === undefined ? 404 : 200, {
    'Content-Type': request.url.endsWith('.js') ? 'text/javascript' : 'text/html',
    // Cross-origin isolated, so that performance.now() ticks every 5 µs instead of every 100.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  })
  response.end(body)
})

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
http.on('upgrade', (request, tcp, head) => {
  if (request.url !== '/') return
  tcp.setNoDelay(true)
  sockets.handleUpgrade(request, tcp, head, (socket) => serve(socket, tcp))
})

function serve(socket, tcp) {
  let expected = 0
  let counted = 0
  let start = 0

  socket.on('message', (data) => {
    switch (data[LETTER_AT]) {
      case MESSAGE:
        if (++counted === 1) start = performance.now()
        if (counted === expected) answer({ count: counted, ms: performance.now() - start })
        return
      case ECHO:
        socket.send(data, { binary: false })
        return
      case PUSH:
        void push(tcp, countIn(data))
        return
      case STREAM:
        stream(socket, countIn(data))
        return
      case COUNT:
        expected = countIn(data)
        counted = 0
    }
  })
  const answer = (data) => socket.send(JSON.stringify({ event: 'done', data }))
}

function stream(socket, count) {
  for (let id = 0; id < count; id++) socket.send(JSON.stringify({ event: 'message', data: payload(id) }))
}

const countIn = (data) => JSON.parse(data.toString()).data.count

/** Whole writes of ready-made bytes, past the package; `count` is a multiple of what is in one. */
async function push(tcp, count) {
  const start = performance.now()
  let waitedMs = 0
  for (let sent = 0, write = 0; sent < count; sent += FRAMES_PER_WRITE, write++) {
    if (tcp.write(writes[write % writes.length])) continue
    const full = performance.now()
    await new Promise((resolve) => tcp.once('drain', resolve).once('close', resolve))
    waitedMs += performance.now() - full
    if (tcp.destroyed) return
  }
  process.send({ busyMs: performance.now() - start - waitedMs })
}

/** What each client of a library with events asks for, by name; `send` is the library's. */
function handlers(send) {
  let expected = 0
  let counted = 0
  let start = 0
  return {
    message() {
      if (++counted === 1) start = performance.now()
      if (counted === expected) send('done', { count: counted, ms: performance.now() - start })
    },
    echo: (data) => send('echo', data),
    stream({ count }) {
      for (let id = 0; id < count; id++) send('message', payload(id))
    },
    count(data) {
      expected = data.count
      counted = 0
    },
  }
}

const companion = createServer({ server: http, path: '/reliable' })
companion.on('session', (session) => {
  for (const [event, handle] of Object.entries(handlers(session.send))) session.on(event, handle)
})
companion.on('error', (error) => console.error(error))

const socketIo = new SocketIoServer(http)
socketIo.on('connection', (socket) => {
  for (const [event, handle] of Object.entries(handlers((name, data) => socket.emit(name, data)))) {
    socket.on(event, (data, acknowledge) => {
      handle(data)
      acknowledge?.()
    })
  }
})

process.on('message', (message) => {
  files = message.files
  process.send({ port: http.address().port })
})
process.on('disconnect', () => process.exit())
http.listen(0, '127.0.0.1', () => process.send('ready'))
