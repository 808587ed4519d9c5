import { RemoteProtocolError } from '../../shared/errors.js'
import { Fifo } from './fifo.js'

/** A message from the client that was received and is not done. */
export interface IncomingMessage {
  readonly writer: string
  readonly sequence: number
  readonly event: string
  readonly data: unknown
  /** In milliseconds since 1970. */
  readonly enqueuedAt: number
  /** It may have been on a wire before. */
  readonly isRetransmitted: boolean
  readonly isRequest: boolean
  /** The length of its frame. */
  readonly bytes: number
}

/** What waits for its turn: a message, or a leap over sequences that never come. */
export type IncomingItem =
  | { readonly type: 'message'; readonly message: IncomingMessage; isCancelled: boolean }
  | { readonly type: 'skip'; readonly writer: string; readonly sequence: number }

/** The items of one connection that wait for their turn, in the order in which they came. */
export class WaitingItems {
  readonly #skipsMax: number
  readonly #items = new Fifo<IncomingItem>()
  /** How many items of each writer wait, where there are any. */
  readonly #counts = new Map<string, number>()
  #skips = 0

  constructor(skipsMax: number) {
    this.#skipsMax = skipsMax
  }

  get size(): number {
    return this.#items.size
  }

  get first(): IncomingItem | undefined {
    return this.#items.first
  }

  has(writer: string): boolean {
    return this.#counts.has(writer)
  }

  push(message: IncomingMessage): void {
    this.#add({ type: 'message', message, isCancelled: false })
  }

  /**
   * A skip right behind another one of the same writer replaces it.
   *
   * @throws {RemoteProtocolError} `RATE_LIMITED` when too many skips wait
   */
  skip(writer: string, sequence: number): void {
    const before = this.#items.last
    if (before?.type === 'skip' && before.writer === writer) return this.#items.replaceLast({ ...before, sequence })
    if (this.#skips >= this.#skipsMax) {
      throw new RemoteProtocolError('RATE_LIMITED', `The peer sent more than ${this.#skipsMax} skips that must wait`)
    }
    this.#add({ type: 'skip', writer, sequence })
  }

  /** Marks a request, if it waits. */
  cancel(writer: string, sequence: number): void {
    for (const item of this.#items) {
      if (item.type !== 'message' || item.message.writer !== writer || item.message.sequence !== sequence) continue
      item.isCancelled ||= item.message.isRequest
    }
  }

  shift(): void {
    const item = this.#items.shift()
    if (item) this.#count(item, -1)
  }

  /** Takes out what waits of the writer up to `sequence`, and returns the messages among it. */
  takeUpTo(sequence: number, writer: string): IncomingMessage[] {
    if (!this.has(writer)) return []
    // Each writer's items are in order, and almost always none is taken out: that must cost nothing.
    const first = this.#items.find((item) => writerOf(item) === writer)
    if (!first || lastOf(first) > sequence) return []
    const taken = this.#items.takeOut((item) => writerOf(item) === writer && lastOf(item) <= sequence)
    for (const item of taken) this.#count(item, -1)
    return taken.flatMap((item) => (item.type === 'message' ? item.message : []))
  }

  clear(): void {
    this.#items.clear()
    this.#counts.clear()
    this.#skips = 0
  }

  #add(item: IncomingItem): void {
    this.#items.push(item)
    this.#count(item, 1)
  }

  #count(item: IncomingItem, change: 1 | -1): void {
    const writer = writerOf(item)
    const count = (this.#counts.get(writer) ?? 0) + change
    if (count) this.#counts.set(writer, count)
    else this.#counts.delete(writer)
    if (item.type === 'skip') this.#skips += change
  }
}

const writerOf = (item: IncomingItem): string => (item.type === 'message' ? item.message.writer : item.writer)

/** The last sequence that the item takes the writer to. */
const lastOf = (item: IncomingItem): number => (item.type === 'message' ? item.message.sequence : item.sequence - 1)
