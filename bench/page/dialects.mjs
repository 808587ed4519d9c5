import { createClient, memoryStore, plain, reliable } from 'holdfast'
import { payload } from './payload.mjs'

/** Makes `globalThis.bench` for one dialect, whose methods the runner calls over CDP. */
export function serve(name) {
  let client
  let onMessage = () => {}
  let onEcho = () => {}
  let onDone = () => {}

  globalThis.bench = {
    connect(url) {
      client = createClient({
        url,
        dialect: name === 'plain' ? plain() : reliable(),
        outbox: memoryStore(),
        outboxMax: { messages: 1_000_000, bytes: 2 ** 30 },
      })
      client.on('message', (data) => onMessage(data))
      client.on('echo', (data) => onEcho(data))
      client.on('done', (data) => onDone(data))
      client.connect()
    },

    /** Messages per second from the first to the last of `count`. */
    receive: (count) =>
      new Promise((resolve) => {
        let received = 0
        let start
        onMessage = () => {
          if (received === 0) start = performance.now()
          if (++received === count) resolve(((count - 1) * 1000) / (performance.now() - start))
        }
        client.send('push', { count })
      }),

    /** Messages per second from the first `send` until the server says that its handler has had the last. */
    send: (count) =>
      new Promise((resolve) => {
        client.send('count', { count })
        const start = performance.now()
        for (let id = 0; id < count; id++) client.send('message', payload(id))
        onDone = () => resolve((count * 1000) / (performance.now() - start))
      }),

    /** Round trips of one message at a time, in milliseconds, ascending. */
    echo: (count) =>
      new Promise((resolve) => {
        const times = []
        let start
        const ask = () => {
          start = performance.now()
          client.send('echo', payload(times.length))
        }
        onEcho = () => {
          times.push(performance.now() - start)
          if (times.length < count) ask()
          else resolve(times.sort((one, other) => one - other))
        }
        ask()
      }),
  }
}
