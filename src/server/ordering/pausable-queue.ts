import { MessageWindow, type WindowMax } from '../../protocol/window.js'
import { Fifo } from './fifo.js'

/**
 * Hands items over one by one in order, or keeps them while an answer is awaited that must come first.
 *
 * @example
 * const queue = new PausableQueue<Frame>({ messages: 512, bytes: 2 ** 20 })
 * if (queue.enter(frame, bytes)) handle(frame)
 */
export class PausableQueue<Item> {
  readonly #room: MessageWindow
  readonly #items = new Fifo<{ readonly item: Item; readonly bytes: number }>()
  #isPaused = false

  /** @param max how much may wait; a single item may have more bytes */
  constructor(max: WindowMax) {
    this.#room = new MessageWindow(max)
  }

  /** `pass`: it is this item's turn now. `wait`: `next` will return it. `full`: there is no room for it. */
  enter(item: Item, bytes: number): 'pass' | 'wait' | 'full' {
    if (!this.#isPaused && this.#items.size === 0) return 'pass'
    if (!this.#room.fits(bytes)) return 'full'
    this.#room.take(bytes)
    this.#items.push({ item, bytes })
    return 'wait'
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
  }

  /** Takes the next item out that has waited; undefined when there is none, or while the queue is paused. */
  next(): Item | undefined {
    if (this.#isPaused) return undefined
    const first = this.#items.shift()
    if (!first) return undefined
    this.#room.give(first.bytes)
    return first.item
  }

  clear(): void {
    this.#items.clear()
    this.#room.clear()
  }
}
