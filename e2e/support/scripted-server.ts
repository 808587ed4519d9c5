import { once } from 'node:events'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'

/** A server that does with each connection as a test tells it. */
export interface ScriptedServer {
  readonly url: string
  /** The path that each connection asked for, in order. */
  readonly paths: readonly string[]
  /** The close code that the server heard from each connection that has ended. */
  readonly closeCodes: readonly number[]
  /** Resolves when so many connections have ended. */
  ended(count: number): Promise<void>
  close(): Promise<void>
}

/** @param script is called with each connection and its number, from 1 */
export async function createScriptedServer(
  script: (socket: WebSocket, connection: number) => void,
): Promise<ScriptedServer> {
  const paths: string[] = []
  const closeCodes: number[] = []
  const watchers = new Set<() => void>()
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket, { url = '' }) => {
    paths.push(url)
    socket.on('error', () => {}) // 'close' follows.
    socket.on('close', (code) => {
      closeCodes.push(code)
      watchers.forEach((watch) => watch())
    })
    script(socket, paths.length)
  })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError(`No TCP address: ${address}`)
  return {
    url: `ws://127.0.0.1:${address.port}`,
    paths,
    closeCodes,
    ended: (count) =>
      new Promise((resolve) => {
        const watch = (): void => {
          if (closeCodes.length < count) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch()
      }),
    async close() {
      server.clients.forEach((client) => client.terminate())
      server.close()
      await once(server, 'close')
    },
  }
}

/** What a message says; ws gives a Buffer unless it is told to do otherwise. */
export const textOf = (data: RawData): string => (Buffer.isBuffer(data) ? data.toString() : '')
