/** How many empty places at the front of the array are worth a copy. */
const EMPTY_MAX = 64

/** A queue over an array: each operation at its ends takes constant time. It holds no item that was taken. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  /** Where the first item is. Taking from the front of an array would move all the others. */
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get first(): Item | undefined {
    return this.#items[this.#head]
  }

  get last(): Item | undefined {
    return this.size ? this.#items.at(-1) : undefined
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  /** Puts another item in the place of the last one. */
  replaceLast(item: Item): void {
    if (this.size) this.#items[this.#items.length - 1] = item
  }

  shift(): Item | undefined {
    const item = this.first
    if (this.size === 0) return undefined
    this.#items[this.#head++] = undefined
    if (this.size === 0) this.clear()
    else if (this.#head >= EMPTY_MAX && this.#head >= this.size) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  find(isWanted: (item: Item) => boolean): Item | undefined {
    for (const item of this) if (isWanted(item)) return item
    return undefined
  }

  /** Takes the items out for which it holds, and returns them in order. */
  takeOut(isWanted: (item: Item) => boolean): Item[] {
    const all = [...this]
    const wanted = all.filter((item) => isWanted(item))
    if (!wanted.length) return wanted
    const taken = new Set(wanted)
    this.#items = all.filter((item) => !taken.has(item))
    this.#head = 0
    return wanted
  }

  clear(): void {
    // A queue is empty most of the time: an array that has grown would stay as large as it was.
    this.#items = []
    this.#head = 0
  }

  *[Symbol.iterator](): Iterator<Item> {
    // From the head on, every place holds an item.
    for (let index = this.#head; index < this.#items.length; index++) yield this.#items[index] as Item
  }
}
