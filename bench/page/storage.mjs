import { createClient } from 'holdfast'
import { indexedDbStore } from 'holdfast/indexeddb'

/** About 200 bytes, encoded. */
const payload = (id) => ({ id, user: `user-${id % 97}`, text: 'to be or not to be, that is the question: '.repeat(3) })

const database = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore('log')
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })

const forget = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.addEventListener('success', resolve)
    request.addEventListener('error', () => reject(request.error))
  })

/** Messages per second of writing `count` in groups, one strict transaction for each, by `put(store, first, frames)`. */
async function write(count, groupSize, put) {
  const handle = await database('floor')
  const start = performance.now()
  for (let first = 0; first < count; first += groupSize) {
    const frames = Array.from({ length: groupSize }, (_, index) =>
      JSON.stringify({ event: 'message', data: payload(first + index) }),
    )
    await new Promise((resolve, reject) => {
      const transaction = handle.transaction('log', 'readwrite', { durability: 'strict' })
      transaction.addEventListener('complete', resolve)
      transaction.addEventListener('abort', () => reject(transaction.error))
      put(transaction.objectStore('log'), first, frames)
    })
  }
  const ms = performance.now() - start
  handle.close()
  await forget('floor')
  return (count * 1000) / ms
}

/** The same through a client that is not connected, `turnSize` messages to a task, until all are stored. */
async function keep(count, turnSize, durability = 'strict') {
  const name = `bench-${crypto.randomUUID()}`
  const client = createClient({
    url: 'ws://127.0.0.1:9',
    outbox: indexedDbStore({ name, durability }),
    outboxMax: { messages: 1_000_000, bytes: 2 ** 30 },
  })
  await client.send('message', payload(0)).stored
  let stored = 0
  const { port1, port2 } = new MessageChannel()
  const ms = await new Promise((resolve) => {
    const start = performance.now()
    client.lifecycle.on('stored', () => {
      if (++stored === count) resolve(performance.now() - start)
    })
    let sent = 0
    port1.addEventListener('message', () => {
      for (const end = Math.min(count, sent + turnSize); sent < end; sent++) client.send('message', payload(sent))
      if (sent < count) port2.postMessage(null)
    })
    port1.start()
    port2.postMessage(null)
  })
  port1.close()
  await client.close()
  await forget(`holdfast:${name}`)
  return (count * 1000) / ms
}

/** How long one message takes to be stored, in milliseconds, sent alone: the median of `count`. */
async function alone(count, durability) {
  const name = `bench-${crypto.randomUUID()}`
  const client = createClient({ url: 'ws://127.0.0.1:9', outbox: indexedDbStore({ name, durability }) })
  const times = []
  for (let id = 0; id < count; id++) {
    const start = performance.now()
    await client.send('message', payload(id)).stored
    times.push(performance.now() - start)
  }
  await client.close()
  await forget(`holdfast:${name}`)
  return times.sort((one, other) => one - other)[count >> 1]
}

/** Makes `globalThis.bench`, whose methods the runner calls over CDP. */
export function serve() {
  globalThis.bench = {
    records: (count) =>
      write(count, 100, (rows, first, frames) => frames.forEach((frame, index) => rows.put(frame, first + index))),
    arrays: (count) => write(count, 100, (rows, first, frames) => rows.put(frames, first)),
    burst: (count) => keep(count, count),
    turns: (count) => keep(count, 100),
    relaxedTurns: (count) => keep(count, 100, 'relaxed'),
    strict: () => alone(200, 'strict'),
    relaxed: () => alone(200, 'relaxed'),
  }
}
