import type { ConnectionLostError } from '../../shared/errors.js'
import { HoldfastError, RemoteProtocolError, StorageError, textOf } from '../../shared/errors.js'
import * as closeCodes from '../../protocol/close-codes.js'
import { sizeOf, type Body, type Received } from '../../protocol/codec.js'
import { upFrame, type UpFrame } from '../../protocol/frames.js'
import { createLiveness } from '../../protocol/heartbeat.js'
import { createBucket } from '../ordering/token-bucket.js'
import { createInbox } from '../ordering/inbox.js'
import { createTurnstile } from '../ordering/pausable-queue.js'
import {
  badFrame,
  closingOf,
  crowded,
  noHello,
  noSession,
  notReading,
  type Refusal,
  REFUSAL_CODES,
  silent,
  superseded,
  tooLarge,
} from '../base/close-reasons.js'
import type { Core } from '../base/context.js'
import type { ConnectionHost, ServerConnection } from './connection-host.js'
import { createDownlink, type ServerSocket } from './sender.js'
import { createGate } from './authenticator.js'
import { createIntake, type Intake } from './frame-handlers.js'
import type { UpgradeRequest } from '../base/options.js'
import type { ServerSession, SessionLink } from '../session/session.js'
import { settle } from '../base/when-done.js'
import type { Attached } from '../stores/stream-store.js'
import { createUplink, repliesIn, type Uplink } from './uplink.js'

type State =
  | { readonly status: 'greeted' | 'authenticating' | 'closed' }
  | { readonly status: 'attached'; readonly session: ServerSession; readonly uplink: Uplink; readonly intake: Intake }

/** One connection, from its greeting to its end. */
export function createConnection(
  core: Core,
  host: ConnectionHost,
  socket: ServerSocket,
  request: UpgradeRequest,
): ServerConnection {
  const { platform, codec, streams, options } = core
  const { limits, heartbeat } = options
  const liveness = createLiveness(heartbeat)
  const frames = createBucket({ perSecond: limits.framesPerSecond, burst: limits.framesBurst }, platform.now())
  const inbox = createInbox(limits.window)
  const downlink = createDownlink(socket, codec, limits, platform.now)
  const gate = createGate(core, request)
  const deadline = core.deadlines.create(elapsed)
  const helloBy = platform.now() + limits.helloTimeoutMs
  const peer = request.remoteAddress ?? 'a client'
  let state: State = { status: 'greeted' }
  let lastWriter: string | undefined
  /** Closed while the store or `authenticate` is asked. */
  const turnstile = createTurnstile<readonly [frame: UpFrame, bytes: number]>(
    (entered) => dispatch(...entered),
    { messages: limits.window.messages + limits.framesBurst, bytes: limits.window.bytes },
    // A message has its place in the window already.
    ([{ t }, bytes]) => (t === 'm' ? 0 : bytes),
  )
  let isDraining = false

  const isClosed = (): boolean => state.status === 'closed'

  function schedule(): void {
    if (state.status === 'closed') return
    const hello = state.status === 'greeted' ? helloBy : Infinity
    const uplink = state.status === 'attached' ? state.uplink.deadline : Infinity
    deadline.set(Math.min(hello, uplink, liveness.deadline, downlink.deadline, gate.deadline))
  }

  function receive(received: Received): void {
    if (isClosed() || core.isStopped()) return
    liveness.received(platform.now())
    try {
      const bytes = typeof received === 'string' ? sizeOf(received) : received.byteLength
      if (bytes > limits.frameBytesMax) throw tooLarge(bytes, limits.frameBytesMax)
      take(upFrame(codec.read(received)), bytes)
    } catch (cause) {
      broken(cause)
    }
    downlink.pump()
    schedule()
  }

  function broken(cause: unknown): void {
    if (cause instanceof RemoteProtocolError) return fail(cause)
    fail(new HoldfastError('SERVER_FAILED', `A frame could not be taken: ${textOf(cause)}`, cause))
  }

  /** Reports an error and closes with it. */
  function fail(error: HoldfastError): void {
    if (isClosed()) return
    core.report(error)
    const { code, told } = closingOf(error)
    close(code, error.code, told)
  }

  /** What holds for every frame, whenever it comes. */
  function take(frame: UpFrame, bytes: number): void {
    if (state.status === 'greeted') return greet(frame)
    if (frame.t === 'hello') throw badFrame('a second hello')
    if (frame.t === 'm') inbox.take(bytes)
    else if (frame.t !== 'a' && frame.t !== 'bye') charge()
    const named = withWriter(frame)
    // These do not depend on what came before them.
    if (['p', 'o', 'a', 'bye'].includes(frame.t)) dispatch(named, bytes)
    // A volatile message is dropped where there is no room.
    else if (!turnstile.enter([named, bytes]) && frame.t !== 'v') throw crowded(limits.window.bytes)
  }

  /** Frames that no window bounds have a rate of their own. */
  function charge(): void {
    if (frames.take(platform.now())) return
    throw new RemoteProtocolError('RATE_LIMITED', `The peer sent more than ${limits.framesPerSecond} frames per second`)
  }

  /** A message without a writer has that of the one before, or of the skip before it. */
  function withWriter(frame: UpFrame): UpFrame {
    if (frame.t !== 'm' && frame.t !== 'skip') return frame
    lastWriter = frame.w ?? lastWriter
    if (lastWriter === undefined) throw badFrame('a first message without a writer')
    return frame.w === undefined ? { ...frame, w: lastWriter } : frame
  }

  function dispatch(frame: UpFrame, bytes: number): void {
    if (frame.t === 'p') return downlink.write({ t: 'o' })
    if (frame.t === 'o') return void liveness.pong(platform.now())
    if (frame.t === 'bye') return bye()
    if (state.status !== 'attached') throw badFrame(`"${frame.t}" before the welcome`)
    if (isDraining && (frame.t === 'm' || frame.t === 'skip')) return ignore(frame, bytes)
    state.intake.take(frame, bytes)
  }

  /** A message will come again. A leap does too: heeded now, it would pass over what was ignored. */
  function ignore({ t }: UpFrame, bytes: number): void {
    if (t === 'm') inbox.give(bytes)
  }

  function bye(): void {
    if (state.status === 'attached') state.session.end('bye')
    else close(closeCodes.NORMAL_CLOSURE, 'bye')
  }

  /** Goes on with an answer, and then with what came meanwhile. */
  function resumed<T>(next: (value: T) => void): (value: T) => void {
    return (value) => {
      if (isClosed() || core.isStopped()) return
      try {
        next(value)
        turnstile.open()
      } catch (cause) {
        broken(cause)
      }
      schedule()
    }
  }

  const storeFailed = (cause: unknown): void =>
    fail(new StorageError('STORAGE_FAILED', 'The store failed; closing the connection', cause))

  function greet(frame: UpFrame): void {
    if (frame.t === 'bye') return bye()
    if (frame.t !== 'hello') throw badFrame(`"${frame.t}" before hello`)
    state = { status: 'authenticating' }
    turnstile.close()
    gate.check(frame.auth, (user) => attach(user, frame), refuse)
  }

  function attach(user: string, hello: UpFrame & { t: 'hello' }): void {
    const welcomed = resumed<Attached>((attached) => welcome(user, hello, attached))
    settle(
      () => streams.attach({ user, stream: hello.stream, writers: Object.keys(hello.writers) }),
      (attached) => {
        if (core.isStopped()) return
        if (attached === 'superseded') close(closeCodes.SUPERSEDED, attached, superseded())
        else if (isClosed()) host.tooLate(attached)
        else welcomed(attached)
      },
      (cause) => {
        if (hello.stream) host.failed(hello.stream.id)
        storeFailed(cause)
      },
    )
  }

  function welcome(user: string, hello: UpFrame & { t: 'hello' }, attached: Attached): void {
    const { id, resumed: isResumed, lost, cursors } = attached
    const handled = isResumed ? (hello.stream?.s ?? 0) : 0
    const session = host.session(user, hello, attached)
    if (!session) return close(closeCodes.TRY_AGAIN_LATER, 'no session', noSession())
    const replies = isResumed ? repliesIn(attached.messages) : undefined
    const uplink = createUplink(core, session, inbox, replies, schedule)
    const intake = createIntake(
      core,
      { session, uplink, inbox, downlink },
      { turnstile, charge, resumed, storeFailed, check: (auth) => gate.check(auth, () => schedule(), refuse) },
    )
    state = { status: 'attached', session, uplink, intake }
    downlink.start(handled)
    const known = uplink.hello(hello.writers, cursors)
    downlink.write({ t: 'welcome', session: id, resumed: isResumed, ...(lost && { lost }), ...known })
    session.attach(link, attached, handled)
    host.introduce(session)
    session.work()
  }

  function refuse({ error, reason }: Refusal): void {
    if (reason === 'failed') core.report(error)
    close(REFUSAL_CODES[reason], error.code, reason === 'failed' ? closingOf(error).told : error)
  }

  function elapsed(now: number): void {
    if (isClosed() || core.isStopped()) return
    if (state.status === 'greeted' && now >= helloBy)
      return close(closeCodes.HELLO_TIMEOUT, 'HELLO_TIMEOUT', noHello(limits.helloTimeoutMs))
    if (state.status === 'attached' && now >= state.uplink.deadline) acknowledge(state.uplink)
    if (downlink.elapsed(now) === 'stalled') return giveUp(notReading(peer, socket.bufferedAmount))
    const life = liveness.elapsed(now)
    if (life === 'dead') return giveUp(silent(peer, now - liveness.receivedAt))
    if (life === 'ping') downlink.write({ t: 'p' })
    const credential = now >= gate.deadline ? gate.elapsed(now) : undefined
    if (credential && 'error' in credential) return refuse(credential)
    if (credential) downlink.write({ t: 'reauth', within: credential.within })
    schedule()
  }

  function acknowledge(uplink: Uplink): void {
    const frame = uplink.acks()
    if (frame) downlink.write(frame)
  }

  /** The client's fault, and no word would reach it. */
  function giveUp(error: ConnectionLostError): void {
    core.report(error)
    close(error.closeCode, error.closeReason)
  }

  function close(code: number, reason: string, error?: HoldfastError, afterMs?: number): void {
    if (isClosed()) return
    if (state.status === 'attached') acknowledge(state.uplink)
    const after = afterMs === undefined ? {} : { after: afterMs }
    if (error) downlink.write({ t: 'error', code: error.code, message: error.message.slice(0, 1_000), ...after })
    socket.close(code, reason)
    closed(code, reason)
  }

  function closed(code: number, reason: string): void {
    if (isClosed() || core.isStopped()) return
    const last = state
    state = { status: 'closed' }
    turnstile.clear()
    deadline.set(Infinity)
    gate.close()
    host.gone(connection)
    if (last.status !== 'attached') return
    last.session.detach(link, code, reason)
    last.uplink.leave()
  }

  const whenOpen = (act: (uplink: Uplink) => void): void => {
    if (state.status === 'attached' && !core.isStopped()) act(state.uplink)
    schedule()
  }

  const link: SessionLink = {
    inbox,
    lane: (writer) => (state.status === 'attached' ? state.uplink.lane(writer) : undefined),
    repeated: (message) => whenOpen((uplink) => uplink.repeated(message)),
    deliver: (sent) => whenOpen(() => downlink.deliver(sent)),
    writeVolatile: (frame: Body) => whenOpen(() => downlink.writeVolatile(frame)),
    idle() {
      if (isDraining) close(closeCodes.SERVICE_RESTART, 'drained')
    },
    close,
  }

  const connection: ServerConnection = {
    receive,
    closed,
    close,
    drain(afterMs) {
      if (isClosed()) return
      isDraining = true
      downlink.write({ t: 'drain', after: afterMs })
      if (state.status === 'attached') state.session.work()
      else close(closeCodes.SERVICE_RESTART, 'drained')
    },
  }

  downlink.write({ t: 'greeting', v: 1, frame: limits.frameBytesMax, window: limits.window, heartbeat })
  liveness.start(platform.now())
  schedule()
  return connection
}
