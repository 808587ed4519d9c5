import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The nonce of RFC 6455 section 1.3, and what the server must make of it. */
export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const SAMPLE_ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** Header lines by name; a list becomes a line each, undefined none. */
export type HeaderLines = Readonly<Record<string, string | readonly string[] | undefined>>

/** The text of an opening handshake (RFC 6455 section 4.1), changed as a test wants it. */
export function handshake(changes: HeaderLines = {}, requestLine = 'GET / HTTP/1.1'): string {
  return requestText(requestLine, {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...changes,
  })
}

/** The text of a request without a body. */
export function requestText(requestLine: string, headers: HeaderLines): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    values === undefined ? [] : [values].flat().map((value) => `${name}: ${value}`),
  )
  return [requestLine, ...lines, '', ''].join('\r\n')
}

/** The head of a response. */
export interface RawResponse {
  /** As it came, with the empty line that ends it. */
  readonly head: string
  readonly status: number
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** One frame as it came. */
export interface RawFrame {
  readonly fin: boolean
  /** The three reserved bits as a number: 4 is RSV1. */
  readonly rsv: number
  readonly opcode: number
  readonly payload: Buffer
}

/** A TCP connection to a WebSocket server, of which nothing is hidden. */
export interface RawConnection {
  readonly socket: Socket
  readonly response: RawResponse
  /** What came behind the head and is no frame yet, or never was one: the body of a refusal. */
  readonly unread: () => string
  write(...bytes: readonly Uint8Array[]): void
  /** The next frame. Rejects when the connection ends without it. */
  frame(): Promise<RawFrame>
  /** All frames that were not asked for, once the server has ended the connection. */
  rest(): Promise<RawFrame[]>
}

/** Sends the text to a port of 127.0.0.1 and resolves with the head of the response. End the socket when done. */
export async function openRaw(port: number, request: string): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  const frames: RawFrame[] = []
  const watchers = new Set<() => void>()
  let bytes = Buffer.alloc(0)
  let response: RawResponse | undefined
  let isOver = false

  socket.on('error', () => {}) // 'close' follows.
  socket.on('close', () => {
    isOver = true
    watchers.forEach((watch) => watch())
  })
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    const end = response ? -1 : bytes.indexOf('\r\n\r\n')
    if (end >= 0) {
      response = responseOf(bytes.toString('latin1', 0, end + 4))
      bytes = bytes.subarray(end + 4)
    }
    if (response?.status === 101) {
      for (let read = readFrame(bytes); read; read = readFrame(bytes)) {
        frames.push(read.frame)
        bytes = bytes.subarray(read.length)
      }
    }
    watchers.forEach((watch) => watch())
  })

  /** Resolves with the first answer that is not undefined, asked again whenever something came. */
  const when = <Value>(answer: () => Value | undefined): Promise<Value> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        const value = answer()
        if (value === undefined && !isOver) return
        watchers.delete(watch)
        if (value === undefined) reject(new Error(`The connection ended; unread is ${bytes.toString('latin1')}`))
        else resolve(value)
      }
      watchers.add(watch)
      watch()
    })

  await once(socket, 'connect')
  socket.write(request)
  return {
    socket,
    response: await when(() => response),
    unread: () => bytes.toString('latin1'),
    write: (...parts) => void socket.write(Buffer.concat(parts)),
    frame: () => when(() => frames.shift()),
    rest: () => when(() => (isOver ? frames.splice(0) : undefined)),
  }
}

/** What a client's frame is made of. RFC 6455 section 5.2. */
export interface FrameParts {
  readonly opcode: number
  readonly payload?: string | Uint8Array
  /** Default: true. */
  readonly fin?: boolean
  /** Default: 0. */
  readonly rsv?: number
  /** Default: true. */
  readonly isMasked?: boolean
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

/** The bytes of a frame. */
export function frameBytes({ opcode, payload = '', fin = true, rsv = 0, isMasked = true }: FrameParts): Buffer {
  const body = Buffer.from(payload)
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  const second = isMasked ? 0x80 : 0
  const length = lengthBytes(body.length)
  length[0]! |= second
  if (isMasked) body.forEach((byte, index) => (body[index] = byte ^ MASK[index % 4]!))
  return Buffer.concat([Buffer.from([first]), length, isMasked ? MASK : Buffer.alloc(0), body])
}

function lengthBytes(length: number): Buffer {
  if (length < 126) return Buffer.from([length])
  const bytes = Buffer.alloc(length < 2 ** 16 ? 3 : 9)
  bytes[0] = length < 2 ** 16 ? 126 : 127
  if (length < 2 ** 16) bytes.writeUInt16BE(length, 1)
  else bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

/** The frame that the bytes begin with, once it is complete. A server's frames are not masked. */
function readFrame(bytes: Buffer): { frame: RawFrame; length: number } | undefined {
  if (bytes.length < 2) return undefined
  const [first = 0, second = 0] = bytes
  if (second & 0x80) throw new Error('A server must not mask its frames: RFC 6455 section 5.1')
  const start = second === 126 ? 4 : second === 127 ? 10 : 2
  if (bytes.length < start) return undefined
  const size = start === 4 ? bytes.readUInt16BE(2) : start === 10 ? Number(bytes.readBigUInt64BE(2)) : second
  if (bytes.length < start + size) return undefined
  const payload = bytes.subarray(start, start + size)
  return {
    frame: { fin: Boolean(first & 0x80), rsv: (first >> 4) & 7, opcode: first & 0x0f, payload },
    length: start + size,
  }
}

function responseOf(head: string): RawResponse {
  const [statusLine = '', ...lines] = head.trimEnd().split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { head, status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers) }
}
