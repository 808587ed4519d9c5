import { check, requireText, withDefaults } from '../../shared/validate.js'
import { LocalProtocolError } from '../../shared/errors.js'
import { BAD_REQUEST, closeAdvice, NORMAL_CLOSURE, SUPERSEDED } from '../../protocol/close-codes.js'
import { jsonFrames, type CompanionCodec } from '../../protocol/frame-codec.js'
import { NAME_LENGTH_MAX } from '../../protocol/frames.js'
import { createRequests } from '../../outbox/requests.js'
import { sessionNotes } from '../../platform/session-notes.js'
import type { Dialect } from '../dialect.js'
import { createListenerWaits, LISTEN_WAIT_MS } from '../listener-waits.js'
import { createPlaceNote } from './place.js'
import { createReliableProtocol } from './reliable-protocol.js'

/** How to speak to Holdfast's companion server. */
export interface ReliableOptions {
  /**
   * Lets a reloaded page go on where it was: under this name it leaves its place in the server's stream in
   * `sessionStorage` when it is unloaded, frozen or out of view, and the next page in the same tab takes it up. A copy of a tab
   * in view has a session of its own; of a tab out of view and its copy one goes on, and the other is told of a gap. Each client
   * of a page needs a name of its own.
   * Default: none, a reloaded page starts a new session.
   */
  resumeKey?: string
  /**
   * How long, in milliseconds, the server's stream waits for a listener of a message whose event never had one in this
   * page: in order, and unacknowledged, so that a page that binds late or is reloaded misses nothing. Replies to requests
   * pass. Then the event is reported once with `NO_LISTENER`, and it is dropped from then on while it has no listener.
   * Default: 10,000.
   */
  listenWaitMs?: number
  /**
   * How frames are written: `msgpack()` of `holdfast/msgpack` carries bytes, dates and BigInts, to a server with the same
   * `codec`. Messages that were stored as JSON go on as what JSON made of them. Default: JSON.
   */
  codec?: CompanionCodec
}

/**
 * The companion server, `holdfast/server`, over the subprotocol `holdfast.1`, or that of the `codec`. Messages are
 * acknowledged when the server's handler has finished, handled once and in order, and sent again under the same ids until
 * they are; what the server sends comes once and in order, or one `gap` event says that it may not.
 *
 * Another server, even one that accepts the subprotocol, ends in `PROTOCOL_MISMATCH`.
 *
 * @throws {TypeError} | {RangeError} for a `resumeKey` that is not a non-empty string, a wrong number, or a `codec` of another kind
 * @example createClient<Chat>({ url, dialect: reliable({ resumeKey: 'chat' }), outbox: indexedDbStore({ name: 'chat' }) })
 */
export function reliable(options?: ReliableOptions): Dialect {
  const {
    resumeKey,
    listenWaitMs,
    codec: given,
  } = withDefaults('reliable', options, {
    resumeKey: undefined,
    listenWaitMs: LISTEN_WAIT_MS,
    codec: undefined,
  })
  if (resumeKey !== undefined) requireText('resumeKey', resumeKey)
  const codec = given === undefined ? jsonFrames : given?.frames
  check('codec', given, 'msgpack()', codec)

  return {
    name: 'reliable',
    subprotocols: [codec.subprotocol],
    acknowledges: true,
    createRequests,
    badFramesMax: 1,
    encode(event, data) {
      if (event.length <= NAME_LENGTH_MAX) return codec.encode(event, data)
      throw new LocalProtocolError(
        'NOT_ENCODABLE',
        `An event's name has at most ${NAME_LENGTH_MAX} characters: ${event}`,
      )
    },
    // One peer that misunderstood the other is better served by a new attempt than by silence. With 1000 the server's
    // application has ended the session.
    advise: (code) =>
      code === BAD_REQUEST || code === SUPERSEDED ? 'retry' : code === NORMAL_CLOSURE ? 'stop' : closeAdvice(code),
    open: ({ notes = sessionNotes, audience }) =>
      createReliableProtocol({
        codec,
        note: createPlaceNote(notes, resumeKey),
        waits: createListenerWaits(audience, listenWaitMs),
      }),
  }
}
