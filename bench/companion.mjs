import { createServer as createHttpServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { createServer, memoryStreams } from '../dist/server.js'
import { payload } from './page/payload.mjs'

/**
 * Both dialects in one process: plain on the path `/plain`, where every message is parsed and handled by the same code,
 * reliable on `/reliable`. The pages come from the runner, path → body.
 */
let files = {}

const http = createHttpServer((request, response) => {
  const body = files[request.url]
  response.writeHead(body === undefined ? 404 : 200, {
    'Content-Type': request.url.endsWith('.js') ? 'text/javascript' : 'text/html',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  })
  response.end(body)
})

/** What each client asks for, whatever the dialect. */
function handlers(send) {
  let expected = 0
  let counted = 0
  return {
    message() {
      if (++counted === expected) send('done', counted)
    },
    echo: (data) => send('echo', data),
    push({ count }) {
      for (let id = 0; id < count; id++) send('message', payload(id))
    },
    count(data) {
      expected = data.count
      counted = 0
    },
  }
}

const plainSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
http.on('upgrade', (request, socket, head) => {
  if (request.url !== '/plain') return // The companion server's.
  plainSockets.handleUpgrade(request, socket, head, (client) => {
    const handle = handlers((event, data) => client.send(JSON.stringify({ event, data })))
    client.on('message', (/** @type {Buffer} */ frame) => {
      const { event, data } = JSON.parse(frame.toString())
      handle[event](data)
    })
  })
})

const limits = { messagesPerSecond: 1_000_000, messagesBurst: 1_000_000, bufferedBytesMax: 2 ** 30 }
const streams = memoryStreams({ messagesMax: 1_000_000, bytesMax: 2 ** 30 })
const server = createServer({ server: http, path: '/reliable', limits, streams, compression: false })
server.on('session', (session) => {
  const handle = handlers((event, data) => session.send(event, data))
  for (const event of Object.keys(handle)) session.on(event, handle[event])
})
server.on('error', (error) => console.error(error))

process.on('message', (message) => {
  files = message.files
  process.send({ port: http.address().port })
})
process.on('disconnect', () => process.exit())
http.listen(0, '127.0.0.1', () => process.send('ready'))
