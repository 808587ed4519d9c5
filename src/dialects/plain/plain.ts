import { isThenable } from '../../shared/maybe-promise.js'
import { check, show, withDefaults } from '../../shared/validate.js'
import { closeAdvice } from '../../protocol/close-codes.js'
import {
  atOnce,
  badFrameFrom,
  isBody,
  json,
  type Body,
  type Codec,
  type Message,
  type Received,
} from '../../protocol/codec.js'
import type { Dialect, ProtocolEvent } from '../dialect.js'
import { createListenerWaits, LISTEN_WAIT_MS } from '../listener-waits.js'
import { createPlainProtocol } from './plain-protocol.js'

/** After so many bad frames in a row the peer is not believed to speak our codec; closing loses what is in flight. */
const BAD_FRAMES_MAX = 8

/** How to speak to a server that knows nothing of Holdfast. */
export interface PlainOptions {
  /** How messages are written. Default: `json()`. */
  codec?: Codec
  /** Subprotocols to offer. Default: none, since Chromium fails the connection when the server selects none of those offered. */
  subprotocols?: readonly string[]
  /**
   * The ping: text, or a function that makes each frame.
   * Default: nothing is sent, and a silent link is never suspected, since an unknown server breaks on odd frames.
   */
  ping?: string | (() => Body)
  /**
   * Which frames answer a ping; they are not handed to the application, and give the round trip time.
   * Default with a text `ping`: a frame equal to it (an echo) or `"pong"`. With a function: none, any frame is life.
   */
  pong?: string | ((frame: Received) => boolean)
  /**
   * How long, in milliseconds, a message is kept for the first listener of its event, where the event never had one in
   * this page. Others pass it, and no more than 1 MiB is kept. Then, and when the connection ends, what is kept is dropped
   * without a word, since an application need not want all that its server sends. Default: 10,000.
   */
  listenWaitMs?: number
}

/**
 * Any WebSocket server at all. Order is kept. What was queued, or had not left the browser's buffer when the link
 * died, is sent again; what had left it is not known to have arrived.
 *
 * @throws {TypeError} for an option of the wrong type, naming it
 * @example createClient({ url, dialect: plain({ codec: text(), ping: 'ping', pong: 'pong' }) })
 */
export function plain(options?: PlainOptions): Dialect {
  const {
    codec = json(),
    subprotocols = [],
    ping,
    pong,
    listenWaitMs,
  } = withDefaults('plain', options, {
    codec: undefined,
    subprotocols: undefined,
    ping: undefined,
    pong: undefined,
    listenWaitMs: LISTEN_WAIT_MS,
  })
  check('codec', codec, 'a codec such as json() or text()', typeof codec?.decode === 'function')
  check('ping', ping, 'a string or a function', ['string', 'function', 'undefined'].includes(typeof ping))
  check('pong', pong, 'a string or a function', ['string', 'function', 'undefined'].includes(typeof pong))
  const isPong = answers(ping, pong)
  const PONG: ProtocolEvent = { type: 'pong' }
  const read = (frame: Received): ProtocolEvent =>
    isPong?.(frame) ? PONG : { type: 'message', message: decoded(codec, frame) }

  return {
    name: 'plain',
    subprotocols,
    acknowledges: false,
    badFramesMax: BAD_FRAMES_MAX,
    encode: (event, data) => atOnce(codec.encode(event, data)),
    advise: closeAdvice,
    open: ({ audience }) =>
      createPlainProtocol({
        read,
        makePing: typeof ping === 'function' ? () => checkedPing(ping()) : ping === undefined ? ping : () => ping,
        waits: createListenerWaits(audience, listenWaitMs),
      }),
  }
}

/** @throws {RemoteProtocolError} `BAD_FRAME` for a frame of which the codec makes no message */
function decoded(codec: Codec, frame: Received): Message {
  const made: Partial<Message> | null | undefined = atOnce(codec.decode(frame))
  if (typeof made?.event === 'string') return made as Message
  throw badFrameFrom('server', `what codec.decode made ${show(made)} of, and no { event, data }`, frame)
}

/** @throws {TypeError} for what no socket sends */
function checkedPing(frame: Body): Body {
  check('ping', atOnce(frame), 'text or bytes', isBody(frame))
  return frame
}

/** @throws {TypeError} for a promise, which would be true of every frame */
function checkedPong(answer: boolean): boolean {
  check('pong', atOnce(answer), 'true or false', !isThenable(answer))
  return answer
}

function answers(ping: PlainOptions['ping'], pong: PlainOptions['pong']): ((frame: Received) => boolean) | undefined {
  if (typeof pong === 'function') return (frame) => checkedPong(pong(frame))
  if (pong !== undefined) return (frame) => frame === pong
  return typeof ping === 'string' ? (frame) => frame === ping || frame === 'pong' : undefined
}
