import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createEchoServer } from '../../src/server/echo/echo-server.js'
import { nextClose, nextMessage, openClient } from './clients.js'
import { createFaultProxy, type FaultProxy } from './fault-proxy.js'

/** One end of a connection, and what it has seen so far. */
interface End {
  readonly socket: Socket
  /** Every byte that arrived. */
  readonly bytes: Buffer
  /** The pieces in which they arrived. */
  readonly chunks: Buffer[]
  hasEnded: boolean
  errorCode: string | undefined
}

/** A proxy in front of a TCP server that does nothing by itself. */
interface Rig {
  readonly proxy: FaultProxy
  /** Dials the proxy, and waits until the target has accepted. */
  dial(): Promise<{ client: End; target: End }>
  /** A full round trip to the target that does not pass the proxy: whatever was on its way has had its time. */
  roundTrip(): Promise<void>
  /** Stops the target's server. */
  stopTarget(): void
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp()
})

async function createRig(): Promise<Rig> {
  const accepted: End[] = []
  const target = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => accepted.push(watch(socket)))
  cleanups.push(() => target.close())
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const address = target.address()
  if (address === null || typeof address === 'string') throw new TypeError('No TCP address')
  const { port } = address
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
  cleanups.push(() => proxy.close())

  async function dialPort(to: number): Promise<{ client: End; target: End }> {
    const before = accepted.length
    const client = watch(connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }))
    await once(client.socket, 'connect')
    await vi.waitUntil(() => accepted.length > before, { interval: 1 })
    const end = accepted.at(-1)
    if (end === undefined) throw new TypeError('Nothing was accepted')
    return { client, target: end }
  }

  return {
    proxy,
    dial: () => dialPort(proxy.port),
    async roundTrip() {
      const direct = await dialPort(port)
      direct.client.socket.write('ping')
      await until(() => direct.target.bytes.length === 4)
      direct.target.socket.write('pong')
      await until(() => direct.client.bytes.length === 4)
    },
    stopTarget: () => target.close(),
  }
}

function watch(socket: Socket): End {
  const chunks: Buffer[] = []
  const end: End = {
    socket,
    get bytes() {
      return Buffer.concat(chunks)
    },
    chunks,
    hasEnded: false,
    errorCode: undefined,
  }
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => (end.hasEnded = true))
  socket.on('error', (error: NodeJS.ErrnoException) => (end.errorCode = error.code))
  cleanups.push(() => socket.destroy())
  return end
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { interval: 1, timeout: 10_000 })
}

/** Bytes of which each run of four is different, so that any change of order shows. */
function numbered(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let offset = 0; offset + 4 <= length; offset += 4) bytes.writeUInt32BE(offset, offset)
  return bytes
}

describe('without faults', () => {
  test('carries bytes both ways, unchanged and counted', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    client.socket.write(numbered(300_000))
    target.socket.write('down')
    await until(() => target.bytes.length === 300_000 && client.bytes.length === 4)

    expect(target.bytes.equals(numbered(300_000))).toBe(true)
    expect(String(client.bytes)).toBe('down')
    expect(proxy.stats).toEqual({
      acceptedConnections: 1,
      liveConnections: 1,
      up: { forwardedBytes: 300_000, droppedBytes: 0 },
      down: { forwardedBytes: 4, droppedBytes: 0 },
    })
  })

  test('passes a FIN on, after the bytes before it, and keeps the other way open', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    client.socket.end('last words')
    await until(() => target.hasEnded)
    target.socket.end('heard')
    await until(() => client.hasEnded && proxy.connections === 0)

    expect(String(target.bytes)).toBe('last words')
    expect(String(client.bytes)).toBe('heard')
  })

  test('passes a reset on', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    client.socket.resetAndDestroy()
    await until(() => target.errorCode !== undefined && proxy.connections === 0)

    expect(target.errorCode).toBe('ECONNRESET')
  })

  test('resets a client whose target cannot be reached', async () => {
    const { proxy, stopTarget } = await createRig()
    stopTarget()

    const client = watch(connect(proxy.port, '127.0.0.1'))
    await until(() => client.socket.closed)

    expect(client.errorCode).toBe('ECONNRESET')
  })

  test('lets back-pressure through from a receiver that does not read', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    const { client, target } = await dial()
    const total = 32 * 1024 * 1024

    target.socket.pause()
    client.socket.write(Buffer.alloc(total))
    for (let count = 0; count < 20; count += 1) await roundTrip()
    const forwardedEarly = proxy.stats.up.forwardedBytes
    target.socket.resume()
    await until(() => target.socket.bytesRead === total)

    expect(forwardedEarly).toBeLessThan(total)
    expect(proxy.stats.up).toEqual({ forwardedBytes: total, droppedBytes: 0 })
  })
})

test('holds about 1 MiB at most for a receiver that does not read', async () => {
  const { proxy, dial, roundTrip } = await createRig()
  const { client, target } = await dial()

  target.socket.pause()
  client.socket.write(Buffer.alloc(32 * 1024 * 1024))
  for (let count = 0; count < 20; count += 1) await roundTrip()
  proxy.reset()

  // What a reset drops is what was held; one read is at most 64 KiB.
  expect(proxy.stats.up.droppedBytes).toBeGreaterThan(0)
  expect(proxy.stats.up.droppedBytes).toBeLessThan(1024 * 1024 + 64 * 1024)
})

describe('cut', () => {
  test('sends FIN to both sides of every connection', async () => {
    const { proxy, dial } = await createRig()
    const first = await dial()
    const second = await dial()

    proxy.cut()
    const ends = [first.client, first.target, second.client, second.target]
    await until(() => ends.every(({ hasEnded }) => hasEnded))

    expect(ends.map(({ errorCode }) => errorCode)).toEqual([undefined, undefined, undefined, undefined])
  })

  test('drops what was not forwarded yet, and counts it', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.delay(60_000)
    const sent = 'never to arrive'
    client.socket.write(sent)
    target.socket.end()
    await until(() => proxy.connections === 1 && client.socket.bytesWritten === sent.length)

    proxy.cut()
    client.socket.end()
    await until(() => target.hasEnded && proxy.connections === 0)

    expect(target.bytes).toHaveLength(0)
    expect(proxy.stats.up).toEqual({ forwardedBytes: 0, droppedBytes: sent.length })
  })

  test('leaves later connections alone', async () => {
    const { proxy, dial } = await createRig()
    await dial()
    proxy.cut()

    const { client, target } = await dial()
    client.socket.write('again')
    await until(() => String(target.bytes) === 'again')

    expect(proxy.stats.acceptedConnections).toBe(2)
  })

  test('is an abnormal closure to a WebSocket', async () => {
    const server = createEchoServer()
    cleanups.push(() => server.close())
    const { port } = await server.listening
    const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
    cleanups.push(() => proxy.close())
    const { client } = await openClient(proxy.url)
    client.send('through the proxy')
    const echoed = await nextMessage(client)
    const closed = nextClose(client)

    proxy.cut()

    expect(echoed).toBe('through the proxy')
    expect(await closed).toMatchObject({ closeCode: 1006 })
  })
})

describe('reset', () => {
  test('sends RST to both sides', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    proxy.reset()
    await until(() => client.socket.closed && target.socket.closed)

    expect([client.errorCode, target.errorCode]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(proxy.connections).toBe(0)
  })
})

describe('halfClose', () => {
  test('ends the way up and carries on down', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    proxy.halfClose('up')
    await until(() => target.hasEnded)
    client.socket.write('into nothing')
    target.socket.write('still here')
    await until(() => String(client.bytes) === 'still here' && proxy.stats.up.droppedBytes === 12)

    expect(target.bytes).toHaveLength(0)
    expect(client.hasEnded).toBe(false)
  })

  test('ends the way down and carries on up', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    proxy.halfClose('down')
    await until(() => client.hasEnded)
    client.socket.write('still here')
    await until(() => String(target.bytes) === 'still here')

    expect(target.hasEnded).toBe(false)
  })
})

describe('blackhole', () => {
  test('carries nothing either way, and everything after heal', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    const { client, target } = await dial()

    proxy.blackhole()
    client.socket.write('up')
    target.socket.write('down')
    await roundTrip()
    const { up, down } = proxy.stats
    await proxy.heal()
    await until(() => String(target.bytes) === 'up' && String(client.bytes) === 'down')

    expect([up.forwardedBytes, down.forwardedBytes]).toEqual([0, 0])
  })

  test('works one way only when told so', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    const { client, target } = await dial()

    proxy.blackhole('down')
    target.socket.write('lost')
    client.socket.write('arrives')
    await until(() => String(target.bytes) === 'arrives')
    await roundTrip()

    expect(client.bytes).toHaveLength(0)
  })

  test('hides FIN and RST until heal', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    const finished = await dial()
    const broken = await dial()

    proxy.blackhole()
    finished.client.socket.end()
    broken.client.socket.resetAndDestroy()
    await roundTrip()
    const before = [finished.target.hasEnded, broken.target.errorCode]
    await proxy.heal()
    await until(() => finished.target.hasEnded && broken.target.errorCode === 'ECONNRESET')

    expect(before).toEqual([false, undefined])
  })

  test('reads nothing, from old connections or new ones', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    const old = await dial()
    proxy.blackhole('up')
    const late = await dial()

    old.client.socket.write(Buffer.alloc(100_000))
    late.client.socket.write(Buffer.alloc(100_000))
    await roundTrip()
    proxy.reset()

    // A reset counts what the proxy had read as dropped.
    expect(proxy.stats.up).toEqual({ forwardedBytes: 0, droppedBytes: 0 })
  })

  test('lets new connections hang', async () => {
    const { proxy, dial, roundTrip } = await createRig()
    proxy.blackhole()

    const { client, target } = await dial()
    client.socket.write('anyone?')
    await roundTrip()
    const before = target.bytes.length
    await proxy.heal()
    await until(() => String(target.bytes) === 'anyone?')

    expect(before).toBe(0)
  })
})

describe('refuse', () => {
  test('refuses who dials, keeps who is connected, and listens on the same port after heal', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()

    proxy.refuse()
    const refused = watch(connect(proxy.port, '127.0.0.1'))
    await until(() => refused.errorCode !== undefined)
    client.socket.write('still here')
    await until(() => String(target.bytes) === 'still here')
    await proxy.heal()
    await dial()

    expect(refused.errorCode).toBe('ECONNREFUSED')
    expect(proxy.stats.acceptedConnections).toBe(2)
  })
})

describe('delay', () => {
  test('holds bytes back both ways', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.delay(40)
    const startedAt = performance.now()

    client.socket.write('ping')
    await until(() => target.bytes.length === 4)
    const arrivedAt = performance.now()
    target.socket.write('pong')
    await until(() => client.bytes.length === 4)

    expect(arrivedAt - startedAt).toBeGreaterThanOrEqual(39)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(78)
  })

  test('keeps the order under jitter, with the FIN last', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    const sent = numbered(4000)
    proxy.delay(1, 10, 42)

    for (let offset = 0; offset < sent.length; offset += 40) {
      const piece = sent.subarray(offset, offset + 40)
      await new Promise((resolve) => client.socket.write(piece, resolve))
    }
    client.socket.end()
    await until(() => target.hasEnded)

    expect(target.bytes.equals(sent)).toBe(true)
  })

  test('lets delayed bytes go at once when healed', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.delay(60_000)
    client.socket.write('late')

    await proxy.heal()
    await until(() => String(target.bytes) === 'late')

    expect(proxy.stats.up.droppedBytes).toBe(0)
  })
})

describe('throttle', () => {
  test('carries no more than it is told', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.throttle(100_000)
    const startedAt = performance.now()

    client.socket.write(numbered(20_000))
    await until(() => target.bytes.length === 20_000)

    // 20,000 bytes at 100,000 a second take 200 ms, less the first step, which is free.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(180)
    expect(target.bytes.equals(numbered(20_000))).toBe(true)
  })
})

describe('slice', () => {
  test('writes pieces of at most that length', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.slice(7)

    client.socket.write(numbered(700))
    await until(() => target.bytes.length === 700)

    expect(target.bytes.equals(numbered(700))).toBe(true)
    // The receiver's kernel may put neighbours together, but not many: it is read from between them.
    expect(target.chunks.length).toBeGreaterThan(10)
    expect(target.chunks.filter(({ length }) => length % 7 !== 0)).toEqual([])
  })
})

describe('cutAfter', () => {
  test('cuts after exactly so many bytes, counts the rest as dropped, and only once', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    client.socket.write('before')
    await until(() => target.bytes.length === 6)

    proxy.cutAfter(10, 'up')
    client.socket.write('0123456789abc')
    await until(() => target.hasEnded && client.hasEnded && proxy.stats.up.droppedBytes === 3)
    const later = await dial()
    later.client.socket.write('more than ten bytes')
    await until(() => later.target.bytes.length === 19)

    expect(String(target.bytes)).toBe('before0123456789')
  })

  test('counts each direction by itself', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.cutAfter(4, 'down')

    client.socket.write('many bytes up')
    await until(() => target.bytes.length === 13)
    const hadEnded = client.hasEnded
    target.socket.write('down')
    await until(() => client.hasEnded)

    expect(hadEnded).toBe(false)
    expect(String(client.bytes)).toBe('down')
  })
})

describe('close', () => {
  test('ends every connection, whatever the faults, and stops listening', async () => {
    const { proxy, dial } = await createRig()
    const { client, target } = await dial()
    proxy.delay(60_000)
    client.socket.write('held back')
    proxy.blackhole()

    await proxy.close()
    // A FIN, or an RST where bytes were left unread.
    await until(() => [client, target].every((end) => end.hasEnded || end.errorCode !== undefined))
    const refused = watch(connect(proxy.port, '127.0.0.1'))
    await until(() => refused.errorCode !== undefined)

    expect(refused.errorCode).toBe('ECONNREFUSED')
    expect(proxy.connections).toBe(0)
  })
})

test('refuses a fault that makes no sense', async () => {
  const { proxy } = await createRig()

  expect(() => proxy.throttle(0)).toThrow(new RangeError('A fault got 0; it must be above 0'))
  expect(() => proxy.slice(-1)).toThrow(RangeError)
  expect(() => proxy.cutAfter(Number.NaN, 'up')).toThrow(RangeError)
})
