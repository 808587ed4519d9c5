import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'

const CROWD = 200
export const MIB = 2 ** 20
export const SUBPROTOCOL = 'holdfast.1'

/** All that is done at once: each entry ends by itself, and says how its connections ended. */
export function besiege(port, frames) {
  const crowd = (count, attack) => tally(Array.from({ length: count }, (_, index) => attack(port, index)))
  return [
    say(port, frames),
    titled('half a request, a byte a second', crowd(CROWD, dribbleRequest)),
    titled('no hello', crowd(CROWD, sayNothing)),
    titled('half a frame, a byte a second', crowd(CROWD, dribbleFrame)),
    titled('fragments of a byte without an end', crowd(4, sendFragments)),
    titled('bombs of 256 MiB', crowd(20, sendBomb)),
    titled('pings without a rest', crowd(4, sendPings)),
    titled('noise instead of frames', crowd(CROWD, makeNoise)),
    titled('nothing is read of 5 MB', crowd(40, readNothing)),
    titled('a stream of somebody else', crowd(CROWD, steal)),
  ]
}

async function titled(name, ends) {
  return { name, ends: await ends }
}

async function tally(attempts) {
  const ends = {}
  for (const end of await Promise.all(attempts)) ends[end] = (ends[end] ?? 0) + 1
  return ends
}

/** Frames that a client may say, and more often may not, over 20 connections that come again when they are closed. */
async function say(port, frames) {
  let left = frames
  const ends = {}
  const speak = async () => {
    while (left > 0) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, SUBPROTOCOL)
      socket.on('error', () => {})
      const closed = once(socket, 'close')
      const isOpen = await Promise.race([once(socket, 'open').then(() => true), closed.then(() => false)]).catch(
        () => false,
      )
      if (isOpen && Math.random() < 0.9) socket.send('{"t":"hello","writers":{"a":1}}')
      for (let round = 0; isOpen && left > 0 && round < 20 && socket.readyState === WebSocket.OPEN; round++) {
        for (let count = 0; count < 100 && left > 0; count++, left--) socket.send(hostileFrame())
        await new Promise((resolve) => setImmediate(resolve))
      }
      // Who was not sent away goes without a word, or by the rules.
      if (Math.random() < 0.5) socket.terminate()
      else socket.close(1000)
      const patience = setTimeout(() => socket.terminate(), 5_000)
      const code = await closed.then(([first]) => first).catch(() => 1006)
      clearTimeout(patience)
      ends[code] = (ends[code] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 20 }, speak))
  return { name: `${frames} frames`, ends }
}

const one = (...values) => values[Math.floor(Math.random() * values.length)]

let sequence = 0
const number = () => one(1, 1, 2, 3, ++sequence, 0, -1, 0.5, 2 ** 53, '1', null)
const writer = () => one('a', 'a', 'b', '__proto__', 'constructor', '', 'x'.repeat(65), 5)
const event = () => one('note', 'note', 'flood', 'throw', 'honest', 'unknown', '__proto__', 'x'.repeat(257))
const volatile = () => JSON.stringify({ t: 'v', e: event(), d: one(null, [], {}, 'x'.repeat(1_000)) })

const ALLOWED = [
  volatile,
  volatile,
  () => '{"t":"p"}',
  () => '{"t":"o"}',
  () => JSON.stringify({ t: 'a', s: one(0, 0, 1, 2 ** 53, -1) }),
  () => JSON.stringify({ t: 'm', w: 'a', s: 1, e: event(), d: 'again', r: one(1, undefined) }),
]
const ANY = [
  ...ALLOWED,
  () => JSON.stringify({ t: one('m', 'skip', 'cancel'), w: writer(), s: number(), e: event() }),
  () =>
    JSON.stringify({ t: one('auth', 'resume', 'hello', 'bye', 'welcome', 'toString', 5), writers: { a: number() } }),
  () =>
    one(
      '',
      'null',
      '[]',
      '{"t":"m"',
      '['.repeat(20_000),
      '{"t":"v","e":"note","d":{"__proto__":{"x":1}}}',
      randomBytes(50),
    ),
]

/** Most of what is said is allowed: a connection that ends at its first frame proves nothing. */
const hostileFrame = () => one(...(Math.random() < 11 / 12 ? ALLOWED : ANY))()

/** A TCP connection, what the server has said on it, and the time until it ends. */
function openTcp(port) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

const REQUEST = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
]

/** A connection of raw bytes that was accepted; its pings are not answered. */
async function openRaw(port, ...headers) {
  const { socket, closed } = openTcp(port)
  socket.write([...REQUEST, ...headers, '', ''].join('\r\n'))
  await Promise.race([once(socket, 'data').catch(() => {}), closed])
  let last = Buffer.alloc(0)
  socket.on('data', (bytes) => (last = Buffer.concat([last, bytes]).subarray(-200)))
  return { socket, end: closed.then(() => endOf(last)) }
}

/** The code of the close frame that ends what was heard, or that there was none. */
function endOf(heard) {
  const at = heard.lastIndexOf(0x88)
  return at >= 0 && heard.length - at === 2 + heard[at + 1] && heard[at + 1] >= 2 ? heard.readUInt16BE(at + 2) : 'cut'
}

/** A ping as a client masks it, with a mask of zeros. */
const PING = Buffer.from([0x89, 0x80 | 100, ...Array(4 + 100).fill(0)])

/** A message, or a part of one. */
function rawFrame(first, payload, length = payload.length) {
  const header = Buffer.alloc(14)
  header.writeUInt8(first)
  header.writeUInt8(0xff, 1)
  header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}

const HELLO = rawFrame(0x81, Buffer.from('{"t":"hello","writers":{"a":1}}'))

async function dribble(socket, ended, bytes) {
  let isOver = false
  void ended.then(() => (isOver = true))
  for (let at = 0; !isOver; at++) {
    socket.write(bytes.subarray(at % bytes.length, (at % bytes.length) + 1))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

async function dribbleRequest(port) {
  const { socket, closed } = openTcp(port)
  const heard = once(socket, 'data')
    .then(([bytes]) => bytes.toString('latin1').slice(9, 12))
    .catch(() => 'cut')
  await dribble(socket, closed, Buffer.from(`${REQUEST.join('\r\n')}\r\nX-More: ${'x'.repeat(10_000)}`))
  return Promise.race([heard, closed.then(() => 'cut')])
}

async function dribbleFrame(port) {
  const { socket, end } = await openRaw(port)
  socket.write(HELLO)
  socket.write(rawFrame(0x81, Buffer.alloc(0), 500_000))
  await dribble(socket, end, Buffer.from('x'))
  return end
}

async function sayNothing(port) {
  return (await openRaw(port)).end
}

async function sendFragments(port) {
  const { socket, end } = await openRaw(port)
  socket.write(HELLO)
  const some = Buffer.concat(Array.from({ length: 1_000 }, () => rawFrame(0x00, Buffer.from('x'))))
  socket.write(rawFrame(0x01, Buffer.from('x')))
  for (let count = 0; count < 2_000 && socket.writable; count++) if (!socket.write(some)) await drained(socket)
  return end
}

const bomb = deflateRawSync(Buffer.alloc(256 * MIB), { level: 9 })

async function sendBomb(port) {
  const { socket, end } = await openRaw(port, 'Sec-WebSocket-Extensions: permessage-deflate')
  socket.write(rawFrame(0xc1, bomb))
  return end
}

/** For two seconds; the pongs are not read either. */
async function sendPings(port) {
  const { socket, end } = await openRaw(port)
  socket.write(HELLO)
  const some = Buffer.concat(Array(1_000).fill(PING))
  const stopAt = performance.now() + 2_000
  while (performance.now() < stopAt && socket.writable) if (!socket.write(some)) await drained(socket)
  socket.destroy()
  return end
}

async function makeNoise(port) {
  const { socket, end } = await openRaw(port)
  socket.write(randomBytes(1_000))
  const patience = setTimeout(() => socket.destroy(), 90_000)
  return end.finally(() => clearTimeout(patience))
}

async function readNothing(port) {
  const { socket, end } = await openRaw(port)
  const w = randomUUID()
  socket.write(rawFrame(0x81, Buffer.from(JSON.stringify({ t: 'hello', writers: { [w]: 1 } }))))
  socket.write(rawFrame(0x81, Buffer.from(JSON.stringify({ t: 'm', w, s: 1, e: 'flood' }))))
  socket.pause()
  const silence = setTimeout(() => socket.resume(), 60_000)
  return end.finally(() => clearTimeout(silence))
}

/** Asks for sessions that it has guessed. */
async function steal(port, index) {
  const { socket, end } = await openRaw(port)
  const stream = { id: index % 2 === 0 ? 'a'.repeat(22) : '', s: 1, g: 'a', c: 1 }
  socket.write(rawFrame(0x81, Buffer.from(JSON.stringify({ t: 'hello', writers: { a: 1 }, stream }))))
  socket.write(rawFrame(0x81, Buffer.from('{"t":"nonsense"}')))
  return end
}

/** The server may have ended what was to drain. */
const drained = (socket) => Promise.race([once(socket, 'drain').catch(() => {}), once(socket, 'close').catch(() => {})])
