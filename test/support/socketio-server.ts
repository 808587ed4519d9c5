import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Server, type ServerOptions } from 'socket.io'

/** A Socket.IO server on a free port, as `socket.io` has it. */
export interface SocketIoServer {
  readonly io: Server
  readonly port: number
  /** Without a path: `http://127.0.0.1:…`. */
  readonly url: string
  close(): Promise<void>
}

/** Starts one; with a `port`, on that. */
export async function createSocketIoServer(
  options: Partial<ServerOptions> & { port?: number } = {},
): Promise<SocketIoServer> {
  const { port: wanted = 0, ...rest } = options
  const http = createServer()
  const io = new Server(http, rest)
  http.listen(wanted, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  return {
    io,
    port,
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => void io.close(() => resolve())),
  }
}
