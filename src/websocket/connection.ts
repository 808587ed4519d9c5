import type { Notice } from '../client/core-api.js'
import { createCore } from '../client/core.js'
import { resolveOptions } from '../client/options.js'
import type { ClientState } from '../client/snapshot.js'
import { nativeClass, systemPlatform } from '../platform/platform.js'
import { sizeOf, type Body, type Received } from '../protocol/codec.js'
import type { Farewell } from './arguments.js'
import { ABNORMAL, type Ending } from './events.js'
import type { Plan } from './options.js'

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** What a connection tells the object that it works for. `readyState` and the rest are up to date by then. */
export interface ConnectionListener {
  opened(): void
  message(data: Received): void
  error(): void
  closed(ending: Ending): void
}

/** One WebSocket as its user sees it, over one link after another. */
export interface Connection {
  /** The one that was dialled last; of a url provider nothing is known before its first answer. */
  readonly url: string
  readonly readyState: 0 | 1 | 2 | 3
  readonly protocol: string
  readonly extensions: string
  readonly bufferedAmount: number
  /** @throws {DeliveryError} `OUTBOX_FULL` with `overflow: 'reject'` */
  send(message: Body | Blob): void
  close(farewell: Farewell): void
}

/**
 * A client whose native socket we look at, since the interface wants to know more of it than a client tells: what the
 * server has selected, whether it failed and whether it was closed in good order; and since the user's close code must
 * go out behind all that was sent.
 */
export function createConnection(
  { client: options, url, dialect, reconnect, closeTimeoutMs }: Plan,
  listener: ConnectionListener,
): Connection {
  // A function call may change it, which the compiler does not expect of a narrower type.
  let readyState = CONNECTING as Connection['readyState']
  /** No connection follows this one. */
  let isLast = !reconnect
  /** What `close` was called with, until the native socket is told. */
  let farewell: Farewell | undefined
  let cancelTimer = (): void => {}

  // The native socket.

  const Native = nativeClass(options.WebSocket)
  let socket: WebSocket | undefined
  let hasFailed = false
  let ending: Ending | undefined
  let protocol = ''
  let extensions = ''

  /** Bound before the transport's, so that we know how it ended when the client tells that it has. */
  const platform = systemPlatform(function (target: string, offered?: string[]) {
    hasFailed = false
    ending = socket = undefined
    const native = (socket = new Native((url = target), offered))
    native.addEventListener('error', () => {
      if (native === socket) hasFailed = true
    })
    native.addEventListener('close', ({ code, reason, wasClean }) => {
      if (native === socket) ending = { code, reason, wasClean }
    })
    return native
  } as unknown as new (url: string) => WebSocket) // A function that returns an object is a constructor too.

  // The client.

  const core = createCore(
    resolveOptions({ ...options, platform }, () => dialect),
    {
      tell,
      isWatched: () => false,
      notify() {},
    },
  )

  function tell(notice: Notice): void {
    switch (notice.type) {
      case 'message':
        if (readyState === OPEN) listener.message(notice.message.data as Received)
        return
      case 'stored':
      case 'failed':
        return part()
      case 'state':
        return changed(notice.state)
      case 'delivered':
      case 'error':
      case 'session':
      case 'gap':
      case 'rtt':
        // The interface has no words for these.
        return undefined
    }
  }

  function changed(state: ClientState): void {
    if (state.status === 'connected') opened()
    // Without an error we have closed it ourselves.
    if (state.status === 'closed' && state.error) lost(true)
    if (state.status === 'waiting' || state.status === 'suspended') lost(false)
  }

  function opened(): void {
    readyState = OPEN
    protocol = socket?.protocol ?? ''
    extensions = socket?.extensions ?? ''
    listener.opened()
  }

  function lost(isRefused: boolean): void {
    isLast ||= isRefused
    readyState = CLOSED
    if (hasFailed || !ending) listener.error()
    listener.closed(ending ?? ABNORMAL)
    // A listener may have called close().
    if (isLast) stop()
    else {
      readyState = CONNECTING
      socket = ending = undefined
      protocol = extensions = ''
    }
  }

  /** Leaves nothing running. */
  function stop(): void {
    cancelTimer()
    spent = bufferedAmount()
    farewell = undefined
    line.length = lineBytes = 0
    core.setUnbounded(false)
    // A store that cannot let go has nobody left to tell.
    core.close(0).catch(() => {})
  }

  // Sending.

  /** Blobs that are being read, and what was sent after them. */
  const line: { message: Body | Blob; bytes: number }[] = []
  let lineBytes = 0
  /** Bytes that will never leave: they stay in `bufferedAmount`. */
  let spent = 0

  const bufferedAmount = (): number => spent + lineBytes + core.unsentBytes

  function send(message: Body | Blob): void {
    const bytes = isBody(message) ? sizeOf(message) : message.size
    if (readyState >= CLOSING && isLast) spent += bytes
    else if (isBody(message) && !line.length) enqueue(message, bytes)
    else {
      lineBytes += bytes
      if (line.push({ message, bytes }) === 1) void advance()
    }
  }

  /** @throws {DeliveryError} `OUTBOX_FULL` */
  function enqueue(body: Body, bytes: number): void {
    core.outbox.add('message', body, bytes)
    core.progressed()
  }

  /** Reads one Blob after the other, and sends in turn. */
  async function advance(): Promise<void> {
    for (let head = line[0]; head; head = line[0]) {
      const { message, bytes } = head
      const body = isBody(message) ? message : await message.arrayBuffer().then(bytesOf, ignore)
      if (head !== line[0]) return // It is all over meanwhile.
      line.shift()
      lineBytes -= bytes
      try {
        if (body === undefined) throw new TypeError('A Blob cannot be read')
        enqueue(body, bytes)
      } catch {
        listener.error() // Its turn has come too late for an exception.
      }
    }
    part()
  }

  // Closing.

  function close(words: Farewell): void {
    if (readyState === CLOSING) return
    isLast = true
    if (readyState === CLOSED) return // From a listener, or when it is all over.
    if (readyState === OPEN) {
      readyState = CLOSING
      farewell = words
      watch()
      core.setUnbounded(true)
      return part()
    }
    // "Fail the WebSocket connection": what was queued for it does not go out.
    readyState = CLOSING
    socket = ending = undefined
    stop()
    cancelTimer = platform.setTimer(() => lost(true), 0)
  }

  /** Says goodbye once the native socket has all that was sent. */
  function part(): void {
    if (!farewell || line.length) return
    core.progressed()
    if (core.pending > core.outbox.inFlight) return // A store is still writing.
    const words = farewell
    farewell = undefined
    socket?.close(...words)
  }

  /** A dead link would hold us up for a minute: whoever closes waits only while bytes are leaving. */
  function watch(): void {
    const before = bufferedAmount()
    cancelTimer = platform.setTimer(() => (bufferedAmount() < before ? watch() : lost(true)), closeTimeoutMs)
  }

  core.connect()
  return {
    get url() {
      return url
    },
    get readyState() {
      return readyState
    },
    get protocol() {
      return protocol
    },
    get extensions() {
      return extensions
    },
    get bufferedAmount() {
      return bufferedAmount()
    },
    send,
    close,
  }
}

const isBody = (message: Body | Blob): message is Body => typeof message === 'string' || ArrayBuffer.isView(message)
const bytesOf = (buffer: ArrayBuffer): Uint8Array<ArrayBuffer> => new Uint8Array(buffer)
const ignore = (): undefined => undefined
