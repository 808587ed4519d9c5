import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'

/** One message as the server got it. */
export interface RecordedMessage {
  /** 1 for the first connection since the server was made, 2 for the next; restarts do not count anew. */
  readonly connection: number
  /** The text; of a binary message its bytes read as UTF-8. */
  readonly text: string
  readonly isBinary: boolean
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A server that does as a test tells it, and remembers what it was sent. */
export interface RecordingServer {
  /** Free when first started, and the same after each restart. */
  readonly port: number
  readonly url: string
  /** Every message since the server was made, in the order of arrival. */
  readonly messages: readonly RecordedMessage[]
  /** How many connections were opened since the server was made. */
  readonly acceptedConnections: number
  /** How many connections are open now. */
  readonly liveConnections: number
  /** Whether each message is also sent back. Starts as the option says; may be changed at any time. */
  isEchoing: boolean
  /** Sends to every open connection. */
  send(data: string | Uint8Array): void
  /** Closes every open connection in the orderly way. */
  disconnect(closeCode: number, reason?: string): void
  /** Drops every open connection without a close frame: clients see 1006. */
  terminate(): void
  /** Stops reading from every open connection, and from later ones, until `resume`: a server that hangs. */
  pause(): void
  resume(): void
  /** Resolves when the condition holds; it is asked again after each message, connection and disconnection. */
  when(condition: (server: RecordingServer) => boolean): Promise<void>
  /** Crashes: drops every connection and stops listening, so that dialling is refused. Keeps what it recorded. */
  stop(): Promise<void>
  /** Listens again on the same port, after `stop`. */
  start(): Promise<void>
}

/**
 * Starts a recording server on a free port of 127.0.0.1. `stop` it when the test is over.
 *
 * @example
 * const server = await createRecordingServer({ isEchoing: true })
 * await server.when(({ messages }) => messages.length === 3)
 */
export async function createRecordingServer(options: { isEchoing?: boolean } = {}): Promise<RecordingServer> {
  const messages: RecordedMessage[] = []
  const watchers = new Set<() => void>()
  let acceptedConnections = 0
  let isPaused = false
  const clients = new Set<WebSocket>()
  let http = await listen(0)
  const port = portOf(http)

  async function listen(wanted: number): Promise<Server> {
    const opened = createServer()
    new WebSocketServer({ server: opened, clientTracking: false }).on('connection', record)
    opened.listen(wanted, '127.0.0.1')
    await once(opened, 'listening')
    return opened
  }

  function record(client: WebSocket): void {
    const connection = (acceptedConnections += 1)
    clients.add(client)
    if (isPaused) client.pause()
    // ws has closed the connection by then; 'close' follows.
    client.on('error', () => {})
    client.on('close', () => {
      clients.delete(client)
      notify()
    })
    client.on('message', (data, isBinary) => {
      assert(Buffer.isBuffer(data)) // ws's default binaryType
      messages.push({ connection, text: data.toString(), isBinary, at: Date.now() })
      if (server.isEchoing) client.send(data, { binary: isBinary })
      notify()
    })
    notify()
  }

  function notify(): void {
    for (const watch of watchers) watch()
  }

  const server: RecordingServer = {
    port,
    url: `ws://127.0.0.1:${port}`,
    messages,
    isEchoing: options.isEchoing ?? false,
    get acceptedConnections() {
      return acceptedConnections
    },
    get liveConnections() {
      return clients.size
    },
    send: (data) => clients.forEach((client) => client.send(data)),
    disconnect: (closeCode, reason) => clients.forEach((client) => client.close(closeCode, reason)),
    terminate: () => clients.forEach((client) => client.terminate()),
    pause() {
      isPaused = true
      for (const client of clients) client.pause()
    },
    resume() {
      isPaused = false
      for (const client of clients) client.resume()
    },
    when: (condition) =>
      new Promise((resolve) => {
        const watch = (): void => {
          if (!condition(server)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch()
      }),
    async stop() {
      server.terminate()
      if (!http.listening) return
      const closed = once(http, 'close')
      http.close()
      // Also those that have not asked for a WebSocket yet: through a black hole they never would.
      http.closeAllConnections()
      await closed
    },
    async start() {
      http = await listen(port)
    },
  }
  return server
}

function portOf(http: Server): number {
  const address = http.address()
  if (address === null || typeof address === 'string') throw new TypeError(`No TCP address: ${address}`)
  return address.port
}
