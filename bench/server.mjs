import { createServer } from 'node:http'
import { Sender, WebSocketServer } from 'ws'
import { payload } from './page/payload.mjs'

/**
 * The other side, in a process of its own. It serves the pages that the runner sends it, and speaks text frames
 * `{"event": …, "data": …}`; the first letter of the event says what is wanted, since parsing would cost as much as
 * receiving:
 *
 * - `push`: send `count` messages as fast as the socket takes them
 * - `count`: answer `done` once so many messages have come, with the milliseconds from the first to the last
 * - `message`: is counted
 * - `echo`: is sent back as it is
 */
const LETTER_AT = '{"event":"'.length
const [PUSH, COUNT, MESSAGE, ECHO] = Buffer.from('pcme')

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

const http = createServer((request, response) => {
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
      case COUNT:
        expected = countIn(data)
        counted = 0
    }
  })
  const answer = (data) => socket.send(JSON.stringify({ event: 'done', data }))
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

process.on('message', (message) => {
  files = message.files
  process.send({ port: http.address().port })
})
process.on('disconnect', () => process.exit())
http.listen(0, '127.0.0.1', () => process.send('ready'))
