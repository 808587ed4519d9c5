import { RemoteProtocolError } from '../../shared/errors.js'
import type { UpFrame } from '../../protocol/frames.js'
import type { Inbox } from '../ordering/inbox.js'
import type { Turnstile } from '../ordering/pausable-queue.js'
import { badFrame } from '../base/close-reasons.js'
import type { Core } from '../base/context.js'
import type { Downlink } from './sender.js'
import type { ServerSession } from '../session/session.js'
import { settle } from '../base/when-done.js'
import type { Attached } from '../stores/stream-store.js'
import type { Uplink } from './uplink.js'

/** What the frames of a client do that has been welcomed. */
export interface Intake {
  /**
   * A message has its writer by now.
   *
   * @throws {RemoteProtocolError} `SEQUENCE_GAP`, `BAD_ACK`, `RATE_LIMITED`, `BAD_FRAME`
   */
  take(frame: UpFrame, bytes: number): void
}

/** What a connection consists of. */
export interface IntakeParts {
  readonly session: ServerSession
  readonly uplink: Uplink
  readonly inbox: Inbox
  readonly downlink: Downlink
}

/** What the connection does on the intake's behalf. */
export interface IntakeHost {
  readonly turnstile: Pick<Turnstile<never>, 'close'>
  /** Counts a frame that no window bounds. Throws `RATE_LIMITED`. */
  charge(): void
  /** Goes on with an answer of the store, unless the connection is gone, and opens the turnstile. */
  resumed<T>(next: (value: T) => void): (value: T) => void
  storeFailed(cause: unknown): void
  /** Checks a fresh credential. */
  check(auth: unknown): void
}

export function createIntake(
  { streams, options }: Core,
  { session, uplink, inbox, downlink }: IntakeParts,
  { turnstile, charge, resumed, storeFailed, check }: IntakeHost,
): Intake {
  let repeats = 0

  function message({ w: writer, s, e, d, u, r }: UpFrame & { t: 'm' }, bytes: number): void {
    if (writer === undefined) return inbox.give(bytes)
    known(writer, s, () => {
      const isRetransmitted = u === 1
      const received = { writer, sequence: s, event: e, data: d, isRetransmitted, isRequest: r === 1, bytes }
      // As many repeats as a window holds are an honest rewind.
      if (uplink.receive(received) === 'repeat' && ++repeats > options.limits.window.messages) charge()
    })
  }

  /** Goes on once the writer's cursor is known. */
  function known(writer: string, sequence: number, next: () => void): void {
    if (uplink.isHeld || !uplink.unknown([writer]).length) return next()
    lookUp([writer], (cursors) => {
      uplink.introduce(writer, sequence, cursors.get(writer))
      next()
    })
  }

  function lookUp(writers: readonly string[], next: (cursors: Attached['cursors']) => void): void {
    turnstile.close()
    settle(() => streams.cursors(session.user, uplink.unknown(writers)), resumed(next), storeFailed)
  }

  function resume(writers: Readonly<Record<string, number>>): void {
    if (!uplink.isHeld) throw badFrame('a resume without a hold')
    turnstile.close()
    const lifted = resumed<void>(() => session.work())
    settle(
      () => streams.cursors(session.user, uplink.unknown(Object.keys(writers))),
      (cursors) => uplink.resume(writers, cursors, () => lifted(), storeFailed),
      storeFailed,
    )
  }

  function acknowledge(sequence: number): void {
    if (sequence > downlink.sequence) {
      const text = `The peer acknowledged ${sequence}, and ${downlink.sequence} was sent`
      throw new RemoteProtocolError('BAD_ACK', text)
    }
    // One that says something new is bounded by what it acknowledges.
    if (!session.acknowledge(sequence)) charge()
  }

  return {
    take(frame, bytes) {
      switch (frame.t) {
        case 'm':
          return message(frame, bytes)
        case 'skip':
          return known(frame.w, frame.s, () => uplink.skip(frame.w, frame.s))
        case 'cancel':
          return uplink.cancel(frame.w, frame.s)
        case 'a':
          return acknowledge(frame.s)
        case 'v':
          return session.receiveVolatile(frame.e, frame.d)
        case 'resume':
          return resume(frame.writers)
        case 'auth':
          return check(frame.auth)
        case 'hello':
        case 'p':
        case 'o':
        case 'bye':
          // The connection has dealt with them.
          return undefined
      }
    },
  }
}
