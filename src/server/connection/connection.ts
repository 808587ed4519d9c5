import { HoldfastError, isHoldfastError, textOf } from '../../shared/errors.js'
import * as closeCodes from '../../protocol/close-codes.js'
import { sizeOf, type Received } from '../../protocol/codec.js'
import { badFrame, upFrame, type UpFrame } from '../../protocol/frames.js'
import { IncomingMessages } from '../ordering/incoming-messages.js'
import type { IncomingMessage } from '../ordering/waiting-items.js'
import * as reasons from '../base/close-reasons.js'
import type { EngineContext, ReplyTarget } from '../base/context.js'
import type { Deadline, Timed } from '../base/deadlines.js'
import type { Upgrade } from '../base/upgrade-request.js'
import type { VolatileMessage, Wire } from '../base/wire.js'
import type { ServerSession } from '../session/session.js'
import type { SessionClient, SessionLink } from '../session/session-link.js'
import type { Attached, StreamMessage } from '../stores/stream-store.js'
import { Authenticator, type AuthenticationResult } from './authenticator.js'
import type { ConnectionHost, EngineConnection } from './connection-host.js'
import { FrameQueue } from './frame-queue.js'
import { FRAMES, type FrameEntry } from './frame-table.js'
import { ClientHeartbeat } from './heartbeat.js'
import { Receiver, type ReceiverHost } from './receiver.js'
import { Sender, type ServerSocket } from './sender.js'

/** One connection, from its greeting to its end. */
export class Connection implements EngineConnection, SessionLink, ReceiverHost, AuthenticationResult, Timed {
  readonly incoming: IncomingMessages<ReplyTarget>
  isDraining = false
  readonly #context: EngineContext
  readonly #host: ConnectionHost
  readonly #socket: ServerSocket
  readonly #wire: Wire
  readonly #sender: Sender
  readonly #authenticator: Authenticator
  readonly #heartbeat: ClientHeartbeat
  readonly #queue: FrameQueue
  readonly #deadline: Deadline
  #helloBy: number
  #status: 'greeted' | 'authenticating' | 'attached' | 'closed' = 'greeted'
  #hello: (UpFrame & { t: 'hello' }) | undefined = undefined
  #session: ServerSession | undefined = undefined
  #receiver: Receiver | undefined = undefined

  constructor(context: EngineContext, host: ConnectionHost, socket: ServerSocket, upgrade: Upgrade) {
    const { limits, heartbeat } = context.options
    const now = context.platform.now()
    this.#context = context
    this.#host = host
    this.#socket = socket
    this.#wire = context.wireOf(upgrade.subprotocol)
    this.incoming = new IncomingMessages(limits.window)
    this.#sender = new Sender(context, socket, this.#wire)
    this.#authenticator = new Authenticator(context, upgrade)
    this.#heartbeat = new ClientHeartbeat(heartbeat, socket, now)
    this.#queue = new FrameQueue(context, this.incoming)
    this.#deadline = context.deadlines.create(this)
    this.#helloBy = now + limits.helloTimeoutMs
    socket.send(this.#wire.greeting)
    this.schedule()
  }

  receive(received: Received, bytes = typeof received === 'string' ? sizeOf(received) : received.byteLength): void {
    if (!this.#isAlive()) return
    const { options, platform } = this.#context
    this.#heartbeat.received(platform.now())
    try {
      if (bytes > options.limits.frameBytesMax) throw reasons.tooLarge(bytes, options.limits.frameBytesMax)
      this.#take(upFrame(this.#wire.codec.read(received)), bytes)
    } catch (cause) {
      this.fail(cause)
    }
    this.#sender.pump()
    this.schedule()
  }

  closed(code: number, reason: string): void {
    if (!this.#isAlive()) return
    const [session, receiver] = [this.#session, this.#receiver]
    this.#status = 'closed'
    // The socket may be in memory for longer, and this object with it.
    this.#session = this.#receiver = undefined
    this.#queue.clear()
    this.#sender.close()
    this.#deadline.set(Infinity)
    this.#authenticator.close()
    this.#host.gone(this)
    session?.detach(this, code, reason)
    receiver?.close()
  }

  close(code: number, reason: string, error?: HoldfastError, afterMs?: number): void {
    if (this.#status === 'closed') return
    if (this.#status === 'attached') this.#acknowledge()
    const after = afterMs === undefined ? {} : { after: afterMs }
    if (error) this.#sender.write({ t: 'error', code: error.code, message: error.message.slice(0, 1_000), ...after })
    this.#socket.close(code, reason)
    this.closed(code, reason)
  }

  drain(afterMs: number): void {
    if (this.#status === 'closed') return
    this.isDraining = true
    this.#sender.write({ t: 'drain', after: afterMs })
    if (this.#session) this.#session.work()
    else this.close(closeCodes.SERVICE_RESTART, 'drained')
  }

  idle(): void {
    if (this.isDraining) this.close(closeCodes.SERVICE_RESTART, 'drained')
  }

  deliver(message: StreamMessage): void {
    if (!this.#isAttached()) return
    const { deadline } = this.#sender
    this.#sender.deliver(message)
    // It moves only where the socket is full, or no longer is.
    if (this.#sender.deadline !== deadline) this.schedule()
  }

  writeVolatile(message: VolatileMessage): void {
    if (this.#isAttached()) this.#sender.writeVolatile(this.#wire.volatile(message))
    this.schedule()
  }

  repeated(message: IncomingMessage): void {
    if (this.#isAttached()) this.#receiver?.repeated(message)
    this.schedule()
  }

  get client(): SessionClient {
    return this.#authenticator
  }

  get isSending(): boolean {
    return this.#sender.isSending
  }

  schedule(): void {
    if (this.#status === 'closed') return
    const hello = this.#status === 'greeted' ? this.#helloBy : Infinity
    const { ackDeadline } = this.incoming
    this.#deadline.set(
      Math.min(hello, ackDeadline, this.#heartbeat.deadline, this.#sender.deadline, this.#authenticator.deadline),
    )
  }

  elapsed(now: number): void {
    if (!this.#isAlive()) return
    const { helloTimeoutMs } = this.#context.options.limits
    if (this.#status === 'greeted' && now >= this.#helloBy) {
      return this.close(closeCodes.HELLO_TIMEOUT, 'HELLO_TIMEOUT', reasons.noHello(helloTimeoutMs))
    }
    if (now >= this.incoming.ackDeadline) this.#acknowledge()
    if (this.#sender.elapsed(now) === 'stalled') {
      return this.#abandon(reasons.notReading(this.#authenticator.peer, this.#socket.bufferedAmount))
    }
    const life = this.#heartbeat.elapsed(now)
    if (life === 'dead')
      return this.#abandon(reasons.silent(this.#authenticator.peer, now - this.#heartbeat.receivedAt))
    if (life === 'ping') this.#sender.write({ t: 'p', ...this.#spread() })
    const credential = now >= this.#authenticator.deadline ? this.#authenticator.elapsed(now) : undefined
    if (credential && 'error' in credential) return this.refused(credential)
    if (credential) this.#sender.write({ t: 'reauth', within: credential.within })
    this.schedule()
  }

  authenticate(auth: unknown): void {
    this.#authenticator.check(auth, this)
  }

  pause(): void {
    this.#queue.pause()
  }

  resume(next: () => void): void {
    if (!this.#isAlive()) return
    try {
      next()
      this.#queue.resume()
      for (let waiting = this.#queue.next(); waiting; waiting = this.#queue.next()) this.#handle(...waiting)
    } catch (cause) {
      this.fail(cause)
    }
    this.schedule()
  }

  charge(): void {
    this.#queue.charge()
  }

  fail(cause: unknown): void {
    if (!this.#isAlive()) return
    const isKnown = isHoldfastError(cause) && /^(RemoteProtocol|Storage)Error$/.test(cause.name)
    const error = isKnown
      ? cause
      : new HoldfastError('SERVER_FAILED', `A frame could not be handled: ${textOf(cause)}`, cause)
    this.#context.report(error)
    const { code, told } = reasons.closingOf(error)
    this.close(code, error.code, told)
  }

  accepted({ user }: SessionClient['identity']): void {
    const hello = this.#hello
    this.#hello = undefined
    if (hello) this.#attach(user, hello)
    else this.schedule()
  }

  refused({ error, reason }: reasons.Refusal): void {
    if (reason === 'failed') this.#context.report(error)
    this.close(reasons.REFUSAL_CODES[reason], error.code, reason === 'failed' ? reasons.closingOf(error).told : error)
  }

  /** Also false once the engine has stopped: nothing has any effect then. */
  #isAlive(): boolean {
    return this.#status !== 'closed' && !this.#context.isStopped()
  }

  #isAttached(): boolean {
    return this.#status === 'attached' && !this.#context.isStopped()
  }

  /** Closes without an error frame: the client would not receive it. */
  #abandon(error: ReturnType<typeof reasons.silent>): void {
    this.#context.report(error)
    this.close(error.closeCode, error.closeReason)
  }

  #spread(): { spread?: number } {
    const { spreadMs } = this.#host
    return spreadMs === undefined ? {} : { spread: spreadMs }
  }

  #acknowledge(): void {
    const frame = this.incoming.acknowledgement()
    if (frame) this.#sender.write(frame)
  }

  #take(frame: UpFrame, bytes: number): void {
    if (this.#status === 'greeted') return this.#greet(frame)
    if (frame.t === 'hello') throw badFrame('a second hello')
    if (this.#queue.enter(frame, bytes)) this.#handle(frame, bytes)
  }

  #handle(frame: UpFrame, bytes: number): void {
    if (frame.t === 'p') return this.#sender.write({ t: 'o' })
    if (frame.t === 'bye') return this.#bye()
    if (frame.t === 'o') return this.#heartbeat.ponged()
    if (this.#status !== 'attached' || !this.#receiver) throw badFrame(`"${frame.t}" before the welcome`)
    // The entry is that of the frame's own type.
    const { handle } = FRAMES[frame.t] as FrameEntry
    handle?.(this.#receiver, frame, bytes)
  }

  #bye(): void {
    if (this.#session) this.#session.end('bye')
    else this.close(closeCodes.NORMAL_CLOSURE, 'bye')
  }

  #greet(frame: UpFrame): void {
    if (frame.t === 'bye') return this.#bye()
    if (frame.t !== 'hello') throw badFrame(`"${frame.t}" before hello`)
    this.#status = 'authenticating'
    this.#hello = frame
    this.pause()
    this.authenticate(frame.auth)
  }

  #attach(user: string, hello: UpFrame & { t: 'hello' }): void {
    this.#host.attach(user, hello, {
      attached: (attached) => {
        if (this.#context.isStopped()) return
        if (this.#status === 'closed') this.#host.attachedTooLate(attached)
        else this.resume(() => this.#welcome(hello, attached))
      },
      refused: (...closing) => {
        if (!this.#context.isStopped()) this.close(...closing)
      },
      failed: (cause) => {
        if (hello.stream) this.#host.attachFailed(hello.stream.id)
        this.fail(reasons.storeFailed(cause))
      },
    })
  }

  #welcome(hello: UpFrame & { t: 'hello' }, attached: Attached): void {
    const { id, resumed, lost } = attached
    const handled = resumed ? (hello.stream?.s ?? 0) : 0
    const session = this.#host.openSession(this.client, hello, attached, this.#wire)
    if (!session) return this.close(closeCodes.TRY_AGAIN_LATER, 'no session', reasons.noSession())
    const receiver = new Receiver(this.#context, this, session, this.#sender)
    this.#status = 'attached'
    this.#session = session
    this.#receiver = receiver
    this.#sender.start(handled)
    const known = receiver.hello(hello.writers, attached)
    this.#sender.write({ t: 'welcome', session: id, resumed, ...(lost && { lost }), ...known, ...this.#spread() })
    session.attach(this, attached, handled)
    this.#host.announce(session)
    session.work()
  }
}
