import { DeliveryError, RemoteProtocolError, type HoldfastError } from '../../shared/errors.js'
import { ACKNOWLEDGED, type Entry } from '../../outbox/delivery.js'
import { SUPERSEDED } from '../../protocol/close-codes.js'
import { sizeOf, type Body, type Received } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import { downFrame, type DownFrame, type Rejection, type Sequences, type UpFrame } from '../../protocol/frames.js'
import { createAckSchedule, orderOf } from '../../protocol/acknowledgement.js'
import { foreign, helloTooLarge, rejection, unexpected } from './server-errors.js'
import { createWriters } from './writers.js'
import type { Channel, Gap, Host, Meaning } from '../dialect.js'
import { createIsolation } from '../oversized.js'
import { placeOf, type Place } from './place.js'

type Frame<Type extends DownFrame['t']> = Type extends unknown ? Extract<DownFrame, { t: Type }> : never

/**
 * By so many bytes a repeat may be longer than the first sending: it names its writer, and says that it is one. What
 * fits once must fit again, since the server may have handled it.
 */
const REPEAT_BYTES = 80

/**
 * `holdfast.1` as a client speaks it. The rules are those of PROTOCOL.md; section numbers refer to it.
 *
 * A connection goes through three stages: it is `greeted` (the server has yet to prove that it knows the protocol), then
 * `welcomed` (hello and the first flight are on their way), then `live`. Between connections it is `away`.
 */
export function createReliableChannel(host: Host, codec: FrameCodec, resumeKey: string | undefined): Channel {
  const { queue, link, now } = host
  const writers = createWriters(queue)
  const acks = createAckSchedule()
  const isolation = createIsolation(queue)
  let stage: 'away' | 'greeted' | 'welcomed' | 'live' = 'away'
  let greeting: Frame<'greeting'>
  let credential: unknown
  let place: Place | undefined
  /** Whether the note of the page's last life was looked for. */
  let hasRecalled = false
  /** Why a session that we had is gone, where we know it before the server says so. */
  let lostBy: string | undefined
  let isDraining = false

  /** What the server has rejected, until its turn in the queue comes: another writer's messages may stand before it. */
  const rejections = new Map<string, HoldfastError>()

  const say = (frame: UpFrame, payload?: Body): number | undefined => link().send(codec.write(frame, payload))

  function recall(): void {
    if (hasRecalled || resumeKey === undefined) return
    hasRecalled = true
    const note = host.recall(resumeKey)
    if (note !== undefined) place = placeOf(note)
  }

  /** The server has our hello. */
  const isIntroduced = (): boolean => stage === 'welcomed' || stage === 'live'

  // Section 2: connecting.

  function firstFrame(received: Received): Frame<'greeting'> {
    let frame: DownFrame
    try {
      frame = downFrame(codec.read(received))
    } catch (cause) {
      throw foreign('its first frame makes no sense', cause)
    }
    if (frame.t !== 'greeting') throw foreign(`its first frame is "${frame.t}"`)
    return frame
  }

  function greet(frame: Frame<'greeting'>): readonly Meaning[] {
    greeting = frame
    recall()
    if (place) place = { ...place, c: place.c + 1 }
    const hello = codec.write({
      t: 'hello',
      writers: writers.resume(),
      ...(credential !== undefined && { auth: credential }),
      ...(place && { stream: place }),
    })
    if (sizeOf(hello) > frame.frame) throw helloTooLarge(sizeOf(hello), frame.frame)
    link().send(hello)
    stage = 'welcomed'
    pump()
    return []
  }

  function welcome({ session, resumed, lost, cursors, no, held }: Frame<'welcome'>): readonly Meaning[] {
    if (resumed && place?.id !== session) throw new RemoteProtocolError('BAD_FRAME', `The server resumes "${session}"`)
    const hadPlace = place !== undefined || lostBy !== undefined
    const gap: Gap = {
      fromServer: hadPlace && !resumed,
      toServer: writers.isForgotten(cursors),
      reason: lostBy ?? lost ?? 'unknown',
    }
    lostBy = undefined
    if (!resumed) place = { id: session, s: 0, c: 0 }
    stage = 'live'
    settle(cursors, no)
    if (!resumed) queue.loseAnswers()
    if (held) {
      queue.rewind()
      say({ t: 'resume', writers: writers.resume() })
    }
    pump()
    const ready: Meaning = { type: 'ready', sessionId: session, recovered: resumed, heartbeat: greeting.heartbeat }
    return gap.fromServer || gap.toServer ? [ready, { type: 'gap', gap }] : [ready]
  }

  // Section 4: the way up.

  function pump(): void {
    if (!isIntroduced() || isDraining) return
    for (let entry = queue.peek(); entry; entry = queue.peek()) {
      if (!transmit(entry)) return
    }
  }

  /** Sends the message if the window has room for it; one that no server would take fails. */
  function transmit(entry: Entry): boolean {
    if (!fits(entry.bytes)) return false
    const { writer, sequence, event, body } = entry.message
    if (!codec.takes(body)) {
      queue.fail(entry, new DeliveryError('NOT_ENCODABLE', `"${event}" was stored by another dialect`))
      return true
    }
    const frame = write(entry)
    const bytes = sizeOf(frame)
    if (bytes + (entry.wasSent ? 0 : REPEAT_BYTES) > greeting.frame) {
      const rule = `the server takes frames of ${greeting.frame} bytes`
      queue.fail(entry, new DeliveryError('TOO_LARGE', `"${event}" makes a frame of ${bytes} bytes; ${rule}`))
      return true
    }
    if (!fits(bytes)) return false
    if (!writers.isNext(writer, sequence)) say({ t: 'skip', w: writer, s: sequence })
    const position = link().send(frame)
    if (position === undefined) return false
    writers.sent(writer, sequence)
    queue.sent(entry, position, bytes)
    return true
  }

  function fits(bytes: number): boolean {
    const { window } = greeting
    if (!queue.inFlight) return true
    return isolation.isOver && queue.inFlight < window.messages && queue.bytesInFlight + bytes <= window.bytes
  }

  function write({ message, wasSent, isRequest }: Entry): Body {
    const { writer, sequence, event, body } = message
    return codec.write(
      {
        t: 'm',
        ...(writer !== writers.current && { w: writer }),
        s: sequence,
        e: event,
        ...(wasSent && { u: 1 }),
        ...(isRequest && { r: 1 }),
      },
      body,
    )
  }

  function settle(cursors: Sequences, no: readonly Rejection[] = []): void {
    writers.acknowledged(cursors)
    for (const [writer, sequence, code, message] of no) {
      rejections.set(`${writer}:${sequence}`, rejection(code, message))
    }
    const isDone = ({ message }: Entry): boolean => message.sequence <= writers.cursor(message.writer)
    if (queue.settle(isDone, ACKNOWLEDGED, rejections)) isolation.acquit()
  }

  // Section 7: the way down.

  /** Whether the message is new. */
  function isNew(frame: Frame<'m' | 'r'>): boolean {
    mustBe('live', frame)
    const { s, g } = frame
    const last = place as Place
    const order = orderOf(s, last.s)
    if (order === 'gap') throw new RemoteProtocolError('SEQUENCE_GAP', `Message ${s} of the server follows ${last.s}`)
    acks.handled(now())
    if (order === 'repeat') return false
    place = { ...last, s, g }
    return true
  }

  function acknowledge(): void {
    if (stage !== 'live' || acks.deadline > now()) return
    acks.clear()
    if (place?.s) say({ t: 'a', s: place.s })
  }

  // Everything that comes while the connection is up.

  function hear(frame: DownFrame): readonly Meaning[] {
    switch (frame.t) {
      case 'm':
        return isNew(frame) ? [{ type: 'message', message: { event: frame.e, data: frame.d } }] : []
      case 'r':
        if (isNew(frame)) answer(frame)
        return []
      case 'a':
        mustBe('live', frame)
        settle(frame.w, frame.no)
        pump()
        return []
      case 'v':
        return [{ type: 'message', message: { event: frame.e, data: frame.d } }]
      case 'p':
        say({ t: 'o' })
        return []
      case 'o':
        return PONG
      case 'welcome':
        mustBe('welcomed', frame)
        return welcome(frame)
      case 'reauth':
        return [{ type: 'reauth' }]
      case 'drain':
        isDraining = true
        return [{ type: 'farewell', retryAfterMs: frame.after }]
      case 'error':
        return [{ type: 'farewell', words: `${frame.code}: ${frame.message}`, retryAfterMs: frame.after }]
      case 'greeting':
        throw unexpected(frame)
    }
  }

  function mustBe(wanted: typeof stage, frame: DownFrame): void {
    if (stage !== wanted) throw unexpected(frame)
  }

  function answer({ w, n, d, error }: Frame<'r'>): void {
    queue.answer(`${w}:${n}`, error ? { error: rejection(error.code, error.message) } : { data: d })
  }

  return {
    get deadline() {
      return acks.deadline
    },
    opened(given) {
      credential = given
      stage = 'greeted'
      return []
    },
    read(received) {
      return stage === 'greeted' ? greet(firstFrame(received)) : hear(downFrame(codec.read(received)))
    },
    handled: acknowledge,
    ping: () => codec.write({ t: 'p' }),
    pump,
    elapsed: acknowledge,
    pass(event, body) {
      const frame = codec.write({ t: 'v', e: event }, body)
      return stage === 'live' && sizeOf(frame) <= greeting.frame && link().send(frame) !== undefined
    },
    cancel({ message }) {
      if (isIntroduced()) say({ t: 'cancel', w: message.writer, s: message.sequence })
    },
    authenticate(auth) {
      if (stage === 'live' && auth !== undefined) say({ t: 'auth', auth })
    },
    unlink(closeCode) {
      stage = 'away'
      isDraining = false
      acks.clear()
      rejections.clear() // The next welcome names those that are not settled yet.
      if (closeCode === SUPERSEDED && place) {
        place = undefined
        lostBy = 'superseded'
      }
      isolation.rewind(closeCode)
    },
    bye() {
      if (isIntroduced()) say({ t: 'bye' })
      stage = 'away'
      place = lostBy = undefined
      writers.forget()
    },
    leave() {
      if (resumeKey !== undefined && place) host.keep(resumeKey, JSON.stringify(place))
    },
  }
}

const PONG: readonly Meaning[] = [{ type: 'pong' }]
