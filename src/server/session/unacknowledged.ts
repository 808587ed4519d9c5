import type { DeliveryError } from '../../shared/errors.js'
import type { Body } from '../../protocol/codec.js'
import type { WindowMax } from '../../protocol/window.js'
import { Fifo } from '../ordering/fifo.js'

/** What the messages of a stream weigh that its client has not acknowledged, and who waits for room. */
export class Unacknowledged {
  readonly #highWaterMark: WindowMax
  /** Of each message, oldest first. */
  readonly #sizes = new Fifo<number>()
  #bytes = 0
  #room: Room | undefined = undefined

  constructor(highWaterMark: WindowMax) {
    this.#highWaterMark = highWaterMark
  }

  get count(): number {
    return this.#sizes.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get isWritable(): boolean {
    return this.#isWithin(1)
  }

  add(payload: Body): void {
    // Text counts by its characters: to count its bytes would read it once more.
    const size = payload.length
    this.#sizes.push(size)
    this.#bytes += size
  }

  /** Counts anew, and tells nobody: what is not acknowledged is about to be added again. */
  clear(): void {
    this.#sizes.clear()
    this.#bytes = 0
  }

  /** The client has acknowledged all but the last `count` messages. */
  shrinkTo(count: number): void {
    while (this.#sizes.size > count) this.#bytes -= this.#sizes.shift() ?? 0
    // Not before half of it is free, so that whoever waits sends more than one message at a time.
    if (!this.#room || !this.#isWithin(0.5)) return
    this.#room.resolve()
    this.#room = undefined
  }

  /** Resolves when there is room; undefined while there is. Rejects when the stream ends first. */
  whenWritable(): Promise<void> | undefined {
    if (this.isWritable) return undefined
    this.#room ??= new Room()
    return this.#room.promise
  }

  end(error: DeliveryError): void {
    this.#room?.reject(error)
    this.#room = undefined
  }

  #isWithin(share: number): boolean {
    const { messages, bytes } = this.#highWaterMark
    return this.count < messages * share && this.#bytes < bytes * share
  }
}

class Room {
  readonly promise: Promise<void>
  resolve: () => void = () => {}
  reject: (error: DeliveryError) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Most senders await nothing: without one that does, a rejection harms nobody.
    this.promise.catch(() => {})
  }
}
