import { isThenable, type MaybePromise } from '../../shared/maybe-promise.js'
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
import type { DialContext, Dialect, ProtocolEvent } from '../dialect.js'
import { createListenerWaits, LISTEN_WAIT_MS } from '../listener-waits.js'
import { createPlainProtocol } from './plain-protocol.js'
import { pingOf, saysPong } from './pongs.js'
import { offerOf, type SubprotocolProvider } from './subprotocols.js'

/** After so many bad frames in a row the peer is not believed to speak our codec; closing loses what is in flight. */
const BAD_FRAMES_MAX = 8

/** How to speak to a server that knows nothing of Holdfast. */
export interface PlainOptions {
  /** How messages are written. Default: `json()`. */
  codec?: Codec
  /**
   * The subprotocol to offer, or several, best first. A function is asked at every attempt, so that it can offer a token of
   * one use: a `RefusedError` that it throws stops the client, whatever else it throws fails the attempt.
   * Default: none, since Chromium fails the connection when the server selects none of those offered.
   */
  subprotocols?: string | readonly string[] | SubprotocolProvider
  /**
   * Makes the first frame of each connection, such as a login: it goes before all that waits and all that a listener
   * sends. Asked anew at every attempt, within its `connectTimeoutMs`. Where it throws, or answers no text or bytes, the
   * attempt fails with `AUTH_FAILED`; a `RefusedError` stops the client. Default: none.
   */
  hello?: (context: DialContext) => MaybePromise<Body>
  /**
   * The answer to wait for before the connection counts as connected and anything but `hello` is sent: a text, or a
   * function that says which frame it is. It is not handed to the application; without it the attempt fails with
   * `CONNECT_TIMEOUT`. The function may throw a `RefusedError` for a no, which stops the client; with the code `UNAUTHORIZED`
   * a second time in a row, after another `hello`. Default: none.
   */
  welcome?: string | ((frame: Received) => boolean)
  /**
   * The ping: text, or a function that makes each frame. Silence after it ends the connection.
   * Default: nothing is sent, and a silent link is never suspected, since an unknown server breaks on odd frames. Where
   * the client's `heartbeatMs` is given: the codec's event `ping` without a payload, or the text `ping` where the codec
   * has no such event. It goes out first on each connection, and again every `interval` once it was answered: until
   * then silence ends nothing, and the server that has not answered within `timeout` is reported once with `NO_PONG`.
   */
  ping?: string | (() => Body)
  /**
   * Which frames answer a ping; they are not handed to the application, and give the round trip time.
   * Default with a text `ping`, or with that of `heartbeatMs`: a frame equal to it (an echo), `pong`, or JSON with `pong`
   * for its `type`, `event` or `op` and no `data`. Otherwise only what the codec cannot read and is such a pong: any frame
   * is life.
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
 * @throws {TypeError} for an option of the wrong type, or a subprotocol that no handshake can carry, naming it
 * @example createClient({ url, dialect: plain({ codec: text(), ping: 'ping', pong: 'pong' }) })
 */
export function plain(options?: PlainOptions): Dialect {
  const {
    codec = json(),
    subprotocols = [],
    hello,
    welcome,
    ping,
    pong,
    listenWaitMs,
  } = withDefaults('plain', options, {
    codec: undefined,
    subprotocols: undefined,
    hello: undefined,
    welcome: undefined,
    ping: undefined,
    pong: undefined,
    listenWaitMs: LISTEN_WAIT_MS,
  })
  check('codec', codec, 'a codec such as json() or text()', typeof codec?.decode === 'function')
  check('hello', hello, 'a function', ['function', 'undefined'].includes(typeof hello))
  for (const [name, frame] of Object.entries({ welcome, ping, pong }))
    check(name, frame, 'a string or a function', ['string', 'function', 'undefined'].includes(typeof frame))
  return {
    name: 'plain',
    subprotocols: offerOf(subprotocols),
    acknowledges: false,
    hello: hello && (async (context) => checkedFrame('hello', await hello(context))),
    badFramesMax: BAD_FRAMES_MAX,
    encode: (event, data) => atOnce(codec.encode(event, data)),
    advise: closeAdvice,
    open({ audience, heartbeatMs }) {
      const asked = ping ?? (heartbeatMs && pingOf(codec))
      return createPlainProtocol({
        read: createReader(codec, asked, pong, asked !== ping),
        makePing:
          typeof asked === 'function' ? () => checkedFrame('ping', asked()) : asked === undefined ? asked : () => asked,
        pongWithinMs: asked === ping ? undefined : heartbeatMs?.timeout,
        isWelcome: matcher('welcome', welcome),
        waits: createListenerWaits(audience, listenWaitMs),
      })
    },
  }
}

const PONG: ProtocolEvent = { type: 'pong' }

/**
 * @param isOurs whether the ping is the one that the application has not given: then none of its echoes is a message
 */
function createReader(
  codec: Codec,
  ping: Body | (() => Body) | undefined,
  pong: PlainOptions['pong'],
  isOurs: boolean,
): (frame: Received) => ProtocolEvent {
  const isPong = answers(ping, pong)
  return (frame) => {
    if (isPong?.(frame)) return PONG
    try {
      const message = decoded(codec, frame)
      const { event, data = null } = message
      return isOurs && data === null && /^p[io]ng$/.test(event) ? PONG : { type: 'message', message }
    } catch (cause) {
      if (pong === undefined && saysPong(frame)) return PONG
      throw cause
    }
  }
}

/** @throws {RemoteProtocolError} `BAD_FRAME` for a frame of which the codec makes no message */
function decoded(codec: Codec, frame: Received): Message {
  const made: Partial<Message> | null | undefined = atOnce(codec.decode(frame))
  if (typeof made?.event === 'string') return made as Message
  throw badFrameFrom('server', `what codec.decode made ${show(made)} of, and no { event, data }`, frame)
}

/** @throws {TypeError} for what no socket sends */
function checkedFrame(name: string, frame: Body): Body {
  check(name, atOnce(frame), 'text or bytes', isBody(frame))
  return frame
}

/** @throws {TypeError} (the function) for a promise, which would be true of every frame */
function matcher(
  name: string,
  wanted: string | ((frame: Received) => boolean) | undefined,
): ((frame: Received) => boolean) | undefined {
  if (wanted === undefined) return undefined
  if (typeof wanted === 'string') return (frame) => frame === wanted
  return (frame) => {
    const answer = atOnce(wanted(frame))
    check(name, answer, 'true or false', !isThenable(answer))
    return answer
  }
}

function answers(
  ping: Body | (() => Body) | undefined,
  pong: PlainOptions['pong'],
): ((frame: Received) => boolean) | undefined {
  if (pong !== undefined) return matcher('pong', pong)
  if (ping === undefined || typeof ping === 'function') return undefined
  return (frame) => frame === ping || saysPong(frame)
}
