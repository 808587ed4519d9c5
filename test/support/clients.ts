import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type ClientOptions, WebSocket } from 'ws'

/** The class of ws as our docs want it for clients in Node: without compression. */
export class PlainWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false })
  }
}

/** A WebSocket of ws that is open, and the TCP socket under it. */
export interface OpenClient {
  readonly client: WebSocket
  readonly socket: Socket
}

/** Resolves when the client is open; rejects with ws's error when it cannot connect. */
export async function openClient(
  url: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<OpenClient> {
  const client = new WebSocket(url, options.protocols ?? [], options)
  const upgraded = new Promise<Socket>((resolve) => client.once('upgrade', (response) => resolve(response.socket)))
  await once(client, 'open')
  // A later reset emits 'error' just before 'close', which is what tests look at.
  client.on('error', () => {})
  return { client, socket: await upgraded }
}

/** The next message: a string when it is text, bytes when it is binary. */
export async function nextMessage(client: WebSocket): Promise<string | Buffer> {
  const [data, isBinary]: unknown[] = await once(client, 'message')
  if (!Buffer.isBuffer(data)) throw new TypeError('ws gave no Buffer')
  return isBinary === true ? data : data.toString()
}

/** How the connection ended: 1006 when it broke off without a close frame. */
export async function nextClose(client: WebSocket): Promise<{ closeCode: unknown; reason: string }> {
  const [closeCode, reason]: unknown[] = await once(client, 'close')
  return { closeCode, reason: Buffer.isBuffer(reason) ? reason.toString() : '' }
}
