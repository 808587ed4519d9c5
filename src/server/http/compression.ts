import type { PerMessageDeflateOptions, WebSocket } from 'ws'
import { isObject } from '../../shared/validate.js'

/** From how many bytes on a message is compressed: a shorter one costs more time than it saves on the wire. */
const COMPRESSED_BYTES_MIN = 1024

/**
 * How many messages of the process zlib works on at the same time. libuv has four threads, which files and names need
 * too. ws takes the limit of the first server of a process.
 */
const CONCURRENCY_MAX = 2

/** The part of the extension of ws that is called for each message. */
interface Deflater {
  compress(data: unknown, isLast: boolean, callback: Callback): void
  decompress(data: unknown, isLast: boolean, callback: Callback): void
  /** Frees what zlib holds. */
  cleanup(): void
}

type Callback = (error: Error | null, data?: Buffer) => void

/** The options of ws for permessage-deflate; false where it is declined. */
export const deflateOptions = (compression = false): false | PerMessageDeflateOptions =>
  // Without context takeover a message needs nothing of those before it, and clients on ws keep to the threshold too.
  // RFC 7692 section 7.1.1 lets a server ask this of every client, whatever it has offered.
  compression && {
    threshold: COMPRESSED_BYTES_MIN,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    concurrencyLimit: CONCURRENCY_MAX,
  }

/**
 * Frees the memory of zlib whenever a connection compresses and inflates nothing. Without context takeover ws resets its
 * streams between messages and keeps them: more than 300 KiB for each connection that has had a long message each way.
 *
 * @example webSocketServer.on('connection', (client) => freeBetweenMessages(client))
 */
export function freeBetweenMessages(client: WebSocket): void {
  // ws has no public way from a connection to its extension, whose methods are public.
  const extensions: unknown = Reflect.get(client, '_extensions')
  const deflater: unknown = isObject(extensions) ? Reflect.get(extensions, 'permessage-deflate') : undefined
  if (!isDeflater(deflater)) return
  let running = 0
  /** The fragments of one message share a context. */
  let isInMessage = false
  const whenDone = (callback: Callback, afterwards: () => void): Callback => {
    running++
    return (error, data) => {
      running--
      afterwards()
      if (running === 0 && !isInMessage) deflater.cleanup()
      callback(error, data)
    }
  }
  const { compress, decompress } = deflater
  deflater.compress = (data, isLast, callback) =>
    compress.call(
      deflater,
      data,
      isLast,
      whenDone(callback, () => {}),
    )
  deflater.decompress = (data, isLast, callback) =>
    decompress.call(
      deflater,
      data,
      isLast,
      whenDone(callback, () => (isInMessage = !isLast)),
    )
}

function isDeflater(value: unknown): value is Deflater {
  if (!isObject(value)) return false
  return ['compress', 'decompress', 'cleanup'].every((name) => typeof Reflect.get(value, name) === 'function')
}
