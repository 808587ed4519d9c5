import { createClient, memoryStore, persistent } from '../dist/index.js'
import { median } from './statistics.mjs'

/**
 * What the outbox costs, and that it costs no more at a hundred thousand messages than at ten thousand. In Node, with a
 * WebSocket class that never connects: the client is offline throughout. Times are those of the processor, with the
 * collection of garbage in them, so that other work on the machine does not count.
 */
const LENGTHS = [10_000, 20_000, 40_000, 100_000]
const ROUNDS = 3
/** A measure that takes longer begins no further round. */
const MEASURE_MS = 20_000
const BODY = 'x'.repeat(200)
const KEYS = Array.from({ length: Math.max(...LENGTHS) }, (_, index) => `key-${index}`)
const US_MAX = 10
const STRETCH_MS_MAX = 50

const NoWebSocket = function () {
  throw new Error('the client is offline throughout')
}

/** A client that is never connected. */
const offline = (options) =>
  createClient({
    url: 'ws://127.0.0.1/',
    WebSocket: NoWebSocket,
    outboxMax: { messages: 1_000_000, bytes: 2 ** 30 },
    ...options,
  })

function fill(client, count, optionsOf = () => undefined) {
  for (let index = 0; index < count; index++) client.send('m', 'x', optionsOf(index))
}

/** Milliseconds of the processor so far. */
function cpuMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Milliseconds that a synchronous call takes. */
function time(act) {
  const start = cpuMs()
  act()
  return cpuMs() - start
}

/** The median of some rounds, each with a client of its own. */
async function rounds(measure) {
  const results = []
  const end = performance.now() + MEASURE_MS
  while (results.length < ROUNDS && (!results.length || performance.now() < end)) {
    globalThis.gc?.()
    results.push(await measure())
  }
  return median(results)
}

/**
 * The longest task of this thread until `isOver`: what was done at most between two immediates, which is what a frame or
 * a click would have waited for.
 */
async function longestTask(isOver, timeoutMs = 30_000) {
  const end = performance.now() + timeoutMs
  let longest = 0
  while (!isOver() && performance.now() < end) {
    const start = cpuMs()
    await new Promise((resolve) => setImmediate(resolve))
    longest = Math.max(longest, cpuMs() - start)
  }
  if (!isOver()) throw new Error(`not over after ${timeoutMs} ms`)
  return longest
}

/** A client with so many messages, and how many of them it has told to have failed. */
function filled(count, optionsOf) {
  const client = offline()
  const told = { failed: 0 }
  client.lifecycle.on('failed', () => told.failed++)
  fill(client, count, optionsOf)
  return { client, told }
}

// Per operation.

const sends = (count, optionsOf) =>
  rounds(async () => {
    const client = offline()
    const ms = time(() => fill(client, count, optionsOf))
    await client.close()
    return (ms / count) * 1_000
  })

const dropOldest = (count) =>
  rounds(async () => {
    const client = offline({ overflow: 'drop-oldest', outboxMax: { messages: 10_000, bytes: 2 ** 30 } })
    fill(client, 10_000)
    const ms = time(() => fill(client, count))
    await client.close()
    return (ms / count) * 1_000
  })

const removeEach = (count) =>
  rounds(async () => {
    const client = offline()
    fill(client, count)
    const ids = client.outbox.list().map(({ id }) => id)
    const ms = time(() => ids.forEach(client.outbox.remove))
    await client.close()
    return (ms / count) * 1_000
  })

// Stretches.

const massExpiry = (count) =>
  rounds(async () => {
    const { client, told } = filled(count, () => ({ ttlMs: 2_000 }))
    const task = await longestTask(() => told.failed === count)
    await client.close()
    return task
  })

async function clearing(count) {
  const slices = []
  const sync = await rounds(async () => {
    const { client, told } = filled(count)
    const ms = time(() => client.outbox.clear())
    slices.push(await longestTask(() => told.failed === count))
    await client.close()
    return ms
  })
  return { sync, slice: median(slices) }
}

/** Messages of pages that are gone, in a store of one's own. */
const adoption = (writers, each) =>
  rounds(async () => {
    const left = Array.from({ length: writers }, (_, writer) =>
      Array.from({ length: each }, (__, index) => ({
        writer: `writer-${writer}`,
        sequence: index + 1,
        event: 'm',
        body: BODY,
        enqueuedAt: Date.now(),
      })),
    )
    const store = { open: (_, adopt) => left.forEach((messages) => adopt(messages)), commit() {}, close() {} }
    const client = offline({ outbox: persistent(store) })
    const ms = time(() => client.send('m', 'x'))
    if (client.getState().pending !== writers * each + 1) throw new Error('not all were adopted')
    await client.close()
    return ms
  })

const memory = (count) =>
  rounds(async () => {
    const client = offline({ outbox: memoryStore(), dialect: undefined })
    const bodies = Array.from({ length: count }, (_, index) => String(index).padStart(8, '0') + BODY.slice(8))
    client.send('m', 'x')
    globalThis.gc()
    const before = process.memoryUsage().heapUsed
    for (const body of bodies) client.send('m', body)
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc()
    const after = process.memoryUsage().heapUsed
    // What the payload itself takes: the same frames in an array, which share nothing with the bodies.
    const frames = bodies.map((data) => JSON.stringify({ event: 'm', data }))
    globalThis.gc()
    const payload = process.memoryUsage().heapUsed - after
    if (frames.length !== client.getState().pending - 1) throw new Error('not all are queued')
    await client.close()
    return (after - before - payload) / count
  })

const perSend = (count) =>
  rounds(async () => {
    const client = offline()
    const ms = time(() => {
      for (let index = 0; index < count; index++) client.send('m', BODY)
    })
    await client.close()
    return (ms / count) * 1_000
  })

// The table.

const lines = []
function print(name, value, unit, target, isMet) {
  lines.push(isMet)
  const verdict = target ? `${isMet ? 'met   ' : 'MISSED'} ${target}` : ''
  console.log(`${name.padEnd(58)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(6)} ${verdict}`)
}

await sends(20_000) // Until the code is compiled.
await sends(20_000, (index) => ({ key: KEYS[index] }))

const perOperation = { 'send, no key': sends, 'drop-oldest, 10,000 held': dropOldest, 'remove(id) of each': removeEach }
const plainSends = new Map()
for (const [name, measure] of Object.entries(perOperation)) {
  const found = []
  for (const count of LENGTHS) {
    const us = await measure(count)
    found.push(us * count)
    if (measure === sends) plainSends.set(count, us)
    print(`${name}, ${count.toLocaleString('en')}`, us, 'µs', `<= ${US_MAX}`, us <= US_MAX)
  }
  const growth = found.at(-1) / found[0]
  print(`${name}, 100,000 beside 10,000`, growth, 'times', '<= 12', growth <= 12)
}
for (const count of LENGTHS) {
  const us = await sends(count, (index) => ({ key: KEYS[index] }))
  const ratio = us / plainSends.get(count)
  print(`send, distinct keys, ${count.toLocaleString('en')}`, us, 'µs', `<= ${US_MAX}`, us <= US_MAX)
  print('  beside no key', ratio, 'times', '<= 2', ratio <= 2)
}
for (const count of [20_000, 100_000]) {
  const ms = await massExpiry(count)
  print(`expiry of ${count.toLocaleString('en')}, longest task`, ms, 'ms', `<= ${STRETCH_MS_MAX}`, ms <= STRETCH_MS_MAX)
}
const { sync, slice } = await clearing(100_000)
print('clear() of 100,000, the call', sync, 'ms', `<= ${STRETCH_MS_MAX}`, sync <= STRETCH_MS_MAX)
print('clear() of 100,000, longest task after it', slice, 'ms', `<= ${STRETCH_MS_MAX}`, slice <= STRETCH_MS_MAX)
for (const [writers, each] of [
  [1, 150_000],
  [150, 1_000],
  [15_000, 10],
]) {
  const us = ((await adoption(writers, each)) / writers / each) * 1_000
  print(`adoption of 150,000 from ${writers.toLocaleString('en')} pages`, us, 'µs', `<= ${US_MAX}`, us <= US_MAX)
}
print('send of 200 bytes, 100,000', await perSend(100_000), 'µs', '')
if (globalThis.gc) print('heap per message beside its frame, 100,000 of 200 bytes', await memory(100_000), 'bytes', '')
