import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createLane, FaultPipe, type Lane, noFaults } from './fault-pipe.js'
import { createRandom } from './random.js'

/** `up` is from the client to the target. */
export type Direction = 'up' | 'down'

/** What one direction has carried since the start. */
export interface DirectionStats {
  /** Handed to the receiving side's socket. */
  readonly forwardedBytes: number
  /** Read, and never to be forwarded: a cut, a reset or a receiver that went away came first. */
  readonly droppedBytes: number
}

/** A snapshot of what the proxy has done. */
export interface FaultProxyStats {
  readonly acceptedConnections: number
  readonly liveConnections: number
  readonly up: DirectionStats
  readonly down: DirectionStats
}

/**
 * A TCP proxy that breaks on demand. It knows nothing of WebSocket.
 *
 * `cut`, `reset` and `halfClose` happen once, to the connections of that moment. The others hold, for present and
 * later connections, until `heal`.
 */
export interface FaultProxy {
  readonly port: number
  /** `ws://127.0.0.1:<port>`, without a path. */
  readonly url: string
  /** Connections of which at least one side is still open. */
  readonly connections: number
  readonly stats: FaultProxyStats

  /** Sends FIN to both sides of every connection, as a process that exits does. Bytes not yet forwarded are dropped. */
  cut(): void
  /** Sends RST to both sides of every connection, as a crashed host or an impatient NAT does. */
  reset(): void
  /**
   * Sends FIN one way and lets bytes flow on the other way. `up`: the target reads the end of the stream, while the
   * client may go on sending, into nothing.
   */
  halfClose(direction: Direction): void
  /**
   * Silence, as from a pulled cable: nothing is forwarded or read, not even a FIN or RST. What is sent meanwhile fills
   * the sender's buffers and flows on after `heal`. New connections are accepted and hang.
   */
  blackhole(direction?: Direction | 'both'): void
  /** Stops listening: who dials is told ECONNREFUSED. Live connections go on. */
  refuse(): void
  /** Bytes, FIN and RST take `delayMs` plus up to `jitterMs` each way, never overtaking. The seed draws the jitter. */
  delay(delayMs: number, jitterMs?: number, seed?: number): void
  /** Each connection carries at most this much each way. */
  throttle(bytesPerSecond: number): void
  /** Each write is at most this long and has a turn of the event loop to itself, so that frames arrive in pieces. */
  slice(bytes: number): void
  /** Does as `cut`, once, right after exactly this many more bytes were forwarded, counted over all connections. */
  cutAfter(bytes: number, direction: Direction): void
  /** Ends every fault that holds; delayed bytes leave at once. Resolves when the proxy listens (again). */
  heal(): Promise<void>
  /** Stops listening and destroys every connection. Resolves when all handles are gone. */
  close(): Promise<void>
}

interface Connection {
  readonly client: Socket
  readonly upstream: Socket
  readonly up: FaultPipe
  readonly down: FaultPipe
}

/**
 * Starts a proxy on a free port of 127.0.0.1 that forwards every connection to `target`.
 * When the target cannot be reached, the client's connection is reset.
 *
 * @example
 * const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
 * proxy.blackhole('down')
 */
export async function createFaultProxy(options: { target: { host: string; port: number } }): Promise<FaultProxy> {
  const lanes = { up: createLane(), down: createLane() }
  const connections = new Set<Connection>()
  let acceptedConnections = 0
  let listener: Server | undefined = createListener()
  const port = await listen(listener, 0)
  lanes.up.onCut = lanes.down.onCut = cut

  function createListener(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, accept)
  }

  function accept(client: Socket): void {
    acceptedConnections += 1
    const upstream = connect({ ...options.target, allowHalfOpen: true, noDelay: true })
    const connection = {
      client,
      upstream,
      up: new FaultPipe(client, upstream, lanes.up),
      down: new FaultPipe(upstream, client, lanes.down),
    }
    connections.add(connection)
    const forget = (): void => {
      if (client.closed && upstream.closed) connections.delete(connection)
    }
    client.on('close', forget)
    upstream.on('close', forget)
  }

  /** Changes lanes, and lets the change take effect on live connections. */
  function change(faults: Partial<Lane>, direction: Direction | 'both' = 'both'): void {
    if (direction !== 'down') Object.assign(lanes.up, faults)
    if (direction !== 'up') Object.assign(lanes.down, faults)
    for (const { up, down } of connections) {
      up.update()
      down.update()
    }
  }

  function cut(): void {
    lanes.up.cutAtBytes = lanes.down.cutAtBytes = Infinity
    for (const { up, down } of connections) {
      up.cut()
      down.cut()
    }
  }

  function reset(): void {
    for (const { client, upstream, up, down } of connections) {
      up.drop()
      down.drop()
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }

  function refuse(): void {
    listener?.close()
    listener = undefined
  }

  async function heal(): Promise<void> {
    change(noFaults())
    if (listener !== undefined) return
    listener = createListener()
    await listen(listener, port)
  }

  async function close(): Promise<void> {
    refuse()
    const sockets = [...connections].flatMap(({ client, upstream }) => [client, upstream])
    const open = sockets.filter((socket) => !socket.closed)
    await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy())))
  }

  return {
    port,
    url: `ws://127.0.0.1:${port}`,
    get connections() {
      return connections.size
    },
    get stats() {
      return {
        acceptedConnections,
        liveConnections: connections.size,
        up: { forwardedBytes: lanes.up.forwardedBytes, droppedBytes: lanes.up.droppedBytes },
        down: { forwardedBytes: lanes.down.forwardedBytes, droppedBytes: lanes.down.droppedBytes },
      }
    },
    cut,
    reset,
    halfClose: (direction) => connections.forEach((connection) => connection[direction].cut()),
    blackhole: (direction) => change({ isBlackholed: true }, direction),
    refuse,
    delay(delayMs, jitterMs = 0, seed = 1) {
      change({ delayMs, jitterMs, random: createRandom(seed) }, 'up')
      change({ delayMs, jitterMs, random: createRandom(seed + 1) }, 'down')
    },
    throttle: (bytesPerSecond) => change({ bytesPerSecond: positive(bytesPerSecond) }),
    slice: (bytes) => change({ sliceBytes: positive(bytes) }),
    cutAfter: (bytes, direction) =>
      change({ cutAtBytes: lanes[direction].forwardedBytes + positive(bytes) }, direction),
    heal,
    close,
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError(`No TCP address: ${address}`)
  return address.port
}

function positive(value: number): number {
  if (value > 0) return value
  throw new RangeError(`A fault got ${value}; it must be above 0`)
}
