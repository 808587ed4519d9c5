import type { UpFrame } from '../../protocol/frames.js'
import { crowded, tooFrequent } from '../base/close-reasons.js'
import type { EngineContext } from '../base/context.js'
import { PausableQueue } from '../ordering/pausable-queue.js'
import { TokenBucket } from '../ordering/token-bucket.js'
import type { IncomingMessages } from '../ordering/incoming-messages.js'
import { FRAMES } from './frame-table.js'

type Waiting = readonly [frame: UpFrame, bytes: number]

/** The frames of one connection on their way to it: each is bounded by a window or a rate, and some wait. */
export class FrameQueue {
  readonly #context: Pick<EngineContext, 'platform' | 'options'>
  readonly #incoming: Pick<IncomingMessages<never>, 'take' | 'writerOf'>
  readonly #rate: TokenBucket
  /** Paused while the store or `authenticate` has not answered. */
  readonly #queue: PausableQueue<Waiting>

  constructor(
    context: Pick<EngineContext, 'platform' | 'options'>,
    incoming: Pick<IncomingMessages<never>, 'take' | 'writerOf'>,
  ) {
    this.#context = context
    this.#incoming = incoming
    this.#rate = new TokenBucket(context.options.frameRate)
    this.#queue = new PausableQueue(context.options.queueMax)
  }

  /** Counts a frame that no window bounds. @throws {RemoteProtocolError} `RATE_LIMITED` */
  charge(): void {
    if (this.#rate.take(this.#context.platform.now())) return
    throw tooFrequent(this.#context.options.frameRate.perSecond)
  }

  /**
   * Whether it is the turn of the frame now; if not, `next` returns it later.
   *
   * @throws {RemoteProtocolError} `RATE_LIMITED`, `BAD_FRAME`
   */
  enter(frame: UpFrame, bytes: number): boolean {
    const { bound, waits } = FRAMES[frame.t]
    if (bound === 'window') this.#incoming.take(bytes)
    else if (bound === 'rate') this.charge()
    // Here, since a frame that waits is the one before the next for the client.
    if (frame.t === 'm' || frame.t === 'skip') frame.w = this.#incoming.writerOf(frame.w)
    if (!waits) return true
    // The bytes of a message are counted in the window already.
    const place = this.#queue.enter([frame, bytes], bound === 'window' ? 0 : bytes)
    // A volatile message is dropped where there is no room.
    if (place === 'full' && frame.t !== 'v') throw crowded(this.#context.options.limits.window.bytes)
    return place === 'pass'
  }

  pause(): void {
    this.#queue.pause()
  }

  resume(): void {
    this.#queue.resume()
  }

  /** Takes the next frame out that has waited; undefined when there is none, or while the queue is paused. */
  next(): Waiting | undefined {
    return this.#queue.next()
  }

  clear(): void {
    this.#queue.clear()
  }
}
