import { createAckSchedule, orderOf } from '../../protocol/acknowledgement.js'
import { SUPERSEDED } from '../../protocol/close-codes.js'
import { isBody, sizeOf, type Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import { downFrame, type DownFrame, type Rejection, type Sequences, type UpFrame } from '../../protocol/frames.js'
import { messageId } from '../../protocol/writer-id.js'
import { DeliveryError, RemoteProtocolError, type HoldfastError } from '../../shared/errors.js'
import type { Outgoing } from '../../outbox/outbox-api.js'
import type { ClientProtocol, Gap, OutgoingFrame, ProtocolEvent } from '../dialect.js'
import type { ListenerWaits } from '../listener-waits.js'
import { answerFrame } from './answer-frame.js'
import { createAnswerWatch } from './answer-watch.js'
import { messageFrame, sized } from './message-frame.js'
import type { Place, PlaceNote } from './place.js'
import { greetingOf, type Greeting } from './greeting.js'
import { createHeldMessages } from './held-messages.js'
import { helloTooLarge, messageTooLarge, rejection, unexpected } from './server-errors.js'
import { eventOf, messageOf, unheard, type StreamFrame } from './stream-events.js'
import { createWriters } from './writers.js'

type Welcome = Extract<DownFrame, { t: 'welcome' }>

export interface ReliableRules {
  readonly codec: FrameCodec
  readonly note: PlaceNote
  readonly waits: ListenerWaits
}

/** A repeat, which names its writer and its age, may be so much longer. It must fit: the server may have handled it. */
const REPEAT_BYTES = 100

const NOTHING: readonly ProtocolEvent[] = []

/**
 * `holdfast.1` as a client speaks it. The rules are those of PROTOCOL.md; section numbers refer to it.
 *
 * A connection goes through four stages: `opened` (the server has yet to prove that it knows the protocol), `greeted` (our
 * hello is the next frame), `welcomed` (hello and the first flight are on their way), then `live`. Between connections it
 * is `away`.
 */
export function createReliableProtocol({ codec, note, waits }: ReliableRules): ClientProtocol {
  const heldMessages = createHeldMessages(waits)
  const writers = createWriters()
  const acks = createAckSchedule()
  const watch = createAnswerWatch()
  const answers = new Map<unknown, Body>() // Those that the server has not confirmed.
  let stage: 'away' | 'opened' | 'greeted' | 'welcomed' | 'live' = 'away'
  let greeting: Greeting
  let credential: unknown
  let place: Place | undefined
  /** How far the application was told: the next page goes on there. */
  let told: Place | undefined
  /** Why a session that we had is gone, where we know it before the server says so. */
  let lostBy: string | undefined
  let isDraining = false
  /** Frames that go before any message. */
  let owed: (UpFrame | Body)[] = []
  /** The server ignored what was in flight, and waits for `resume`. */
  let owesResume = false
  let owesAck = false
  /** What the server has rejected, until its turn in the queue comes: another writer's messages may stand before it. */
  const rejections = new Map<string, HoldfastError>()

  // Section 2: connecting.
  function hello(outbox: Outgoing, now: number): Body {
    place = note.recall(place)
    if (place) place = { ...place, c: place.c + 1 }
    const frame = codec.write({
      t: 'hello',
      writers: writers.resume(outbox),
      ...(credential !== undefined && { auth: credential }),
      ...(place && { stream: place }),
    })
    if (sizeOf(frame) > greeting.frame) throw helloTooLarge(sizeOf(frame), greeting.frame)
    stage = 'welcomed'
    watch.introduced(now)
    return frame
  }

  function welcome({ session, resumed, lost, cursors, no, held, spread }: Welcome, now: number): ProtocolEvent[] {
    if (resumed && place?.id !== session) throw new RemoteProtocolError('BAD_FRAME', `The server resumes "${session}"`)
    const fromServer = !resumed && (place !== undefined || lostBy !== undefined)
    const gap: Gap = { fromServer, toServer: writers.isForgotten(cursors), reason: lostBy ?? lost ?? 'unknown' }
    lostBy = undefined
    if (!resumed) place = { id: session, s: 0, c: 0 }
    stage = 'live'
    watch.start(now)
    const events: ProtocolEvent[] = [acknowledged(cursors, no, !resumed)]
    if (!resumed) events.push({ type: 'repliesLost' })
    if (!resumed) answers.clear()
    owed.push(...answers.values())
    if (held) {
      owesResume = true
      events.push({ type: 'rewind' })
    }
    const { heartbeat } = greeting
    events.push({ type: 'ready', sessionId: session, recovered: resumed, heartbeat, spreadMs: spread })
    if (fromServer || gap.toServer) events.push({ type: 'gap', gap })
    return events
  }

  /** The server has our hello. */
  const isIntroduced = (): boolean => stage === 'welcomed' || stage === 'live'

  /** The way up, section 4: the next message, if the window has room for it; a message that no server would take fails. */
  function nextMessage(outbox: Outgoing): OutgoingFrame | undefined {
    for (let entry = outbox.peek(); entry && fits(outbox, entry.frameBytes || entry.bytes); entry = outbox.peek()) {
      const { writer, sequence, event, body } = entry
      if (!codec.takes(body)) {
        outbox.fail(entry, new DeliveryError('NOT_ENCODABLE', `"${event}" was stored by another dialect`))
        continue
      }
      const frame = codec.write(messageFrame(entry, writer === writers.current, outbox.ageOf(entry)), body)
      const bytes = sizeOf(frame)
      if (bytes + (entry.wasSent ? 0 : REPEAT_BYTES) > greeting.frame) {
        outbox.fail(entry, messageTooLarge(event, bytes, greeting.frame))
        continue
      }
      entry.frameBytes = bytes // Not to encode it again each turn while the window has no room for it.
      if (!fits(outbox, bytes)) return undefined
      if (!writers.isNext(writer, sequence)) {
        writers.skipped(writer, sequence)
        return sized(codec.write({ t: 'skip', w: writer, s: sequence }))
      }
      writers.sent(writer, sequence)
      return { frame, bytes, entry }
    }
    return undefined
  }

  function fits({ inFlight, bytesInFlight }: Outgoing, bytes: number): boolean {
    const { window } = greeting
    return !inFlight || (inFlight < window.messages && bytesInFlight + bytes <= window.bytes)
  }

  function acknowledged(cursors: Sequences, no: readonly Rejection[] = [], areRepliesLost = false): ProtocolEvent {
    writers.acknowledged(cursors)
    for (const [writer, sequence, code, message] of no)
      rejections.set(messageId(writer, sequence), rejection(code, message))
    return { type: 'acknowledged', cursors: writers.cursors, rejections, areRepliesLost }
  }

  // Section 7: the way down.

  function take(frame: StreamFrame, now: number): readonly ProtocolEvent[] {
    mustBe('live', frame)
    const { s } = frame
    const last = heldMessages.last ?? (place as Place).s
    const order = orderOf(s, last)
    if (order === 'gap') throw new RemoteProtocolError('SEQUENCE_GAP', `Message ${s} of the server follows ${last}`)
    if (order === 'repeat') acks.handled(now)
    else if (!heldMessages.holds(frame, now)) return [pass(frame, now)]
    // A page that awaits a reply before it binds its listeners must not wait for itself.
    else if (frame.t === 'r') return [eventOf(frame)]
    return NOTHING
  }

  /** The application gets the frame now, so that it is acknowledged soon. A reply that it has had already is ignored. */
  function pass(frame: StreamFrame, now: number): ProtocolEvent {
    place = { ...(place as Place), s: frame.s, g: frame.g }
    acks.handled(now)
    return eventOf(frame)
  }

  /** Everything that comes while the connection is up. */
  function hear(frame: DownFrame, now: number): readonly ProtocolEvent[] {
    switch (frame.t) {
      case 'm':
      case 'r':
        return take(frame, now)
      case 'a':
        mustBe('live', frame)
        frame.r?.forEach((id) => answers.delete(id))
        return [acknowledged(frame.w, frame.no)]
      case 'v':
        return [messageOf(frame)]
      case 'p':
        owed.push({ t: 'o' })
        return [{ type: 'spread', spreadMs: frame.spread }]
      case 'o':
        if (!frame.next) watch.ponged(now)
        return [frame.next ? { type: 'announced', bytes: frame.next } : { type: 'pong' }]
      case 'welcome':
        mustBe('welcomed', frame)
        return welcome(frame, now)
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

  function nextControl(outbox: Outgoing): UpFrame | Body | undefined {
    if (owesResume) {
      owesResume = false
      return { t: 'resume', writers: writers.resume(outbox) }
    }
    if (owesAck) {
      owesAck = false
      if (place?.s) return { t: 'a', s: place.s }
    }
    return owed.shift()
  }

  return {
    get deadline() {
      return Math.min(acks.deadline, waits.deadline, watch.deadline)
    },
    bufferBytesMax: Infinity, // The window bounds it.
    opened(given) {
      credential = given
      stage = 'opened'
      return undefined
    },
    receive(received, now) {
      watch.received()
      if (stage !== 'opened') return hear(downFrame(codec.read(received)), now)
      greeting = greetingOf(codec, received)
      stage = 'greeted'
      return NOTHING
    },
    release(now) {
      const withinMs = watch.elapsed(now)
      const dropped = waits.elapsed(now).map(unheard)
      const events: ProtocolEvent[] = [...dropped, ...heldMessages.release(now).map((frame) => pass(frame, now))]
      if (withinMs !== undefined) events.push({ type: 'doubt', withinMs })
      return events
    },
    handled(now) {
      told = place
      note.update(place, told)
      if (acks.deadline > now) return false
      acks.clear()
      return (owesAck = stage === 'live')
    },
    nextFrame(outbox, _room, now) {
      note.update(place, told)
      if (stage === 'greeted') return sized(hello(outbox, now))
      if (!isIntroduced()) return undefined
      const control = nextControl(outbox)
      if (!isBody(control) && control?.t === 'p') watch.pinged(now)
      if (control) return sized(isBody(control) ? control : codec.write(control))
      const message = isDraining ? undefined : nextMessage(outbox)
      if (!message && stage === 'live') watch.owes(outbox.bytesInFlight + outbox.awaited, now)
      return message
    },
    ping: () => void owed.push({ t: 'p' }),
    volatileFrames(event, body) {
      const frame = codec.write({ t: 'v', e: event }, body)
      const bytes = sizeOf(frame)
      if (stage !== 'live' || bytes > greeting.frame) return undefined
      watch.wrote(bytes)
      return [frame]
    },
    reply(replyTo, answer, failure) {
      const frame = answerFrame(codec, String(replyTo), answer, failure, greeting.frame)
      answers.set(replyTo, frame)
      if (stage === 'live') owed.push(frame)
    },
    cancel({ writer, sequence }) {
      if (isIntroduced()) owed.push({ t: 'cancel', w: writer, s: sequence })
      return NOTHING
    },
    authenticate(auth) {
      if (stage === 'live' && auth !== undefined) owed.push({ t: 'auth', auth })
    },
    closed(closeCode) {
      stage = 'away'
      isDraining = owesResume = owesAck = false
      owed = []
      acks.clear()
      watch.received()
      heldMessages.clear() // The server sends on from our place.
      rejections.clear() // The next welcome names those that are not settled yet.
      if (closeCode === SUPERSEDED && place) {
        place = undefined
        lostBy = 'superseded'
      }
    },
    goodbye() {
      const frame = isIntroduced() ? codec.write({ t: 'bye' }) : undefined
      stage = 'away'
      place = lostBy = undefined
      note.update(place, told)
      writers.forget()
      waits.clear()
      return frame
    },
    leave: (presence) => note.leave(place, told, presence),
  }
}
