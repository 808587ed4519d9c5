/** Something that has a deadline. */
export interface Timed {
  /** On the monotonic clock. */
  at: number
  /** Of those with the same deadline, the lowest comes first. */
  readonly sequence: number
  /** The position in the heap; -1: not in it. */
  index: number
}

/** Many deadlines, the soonest first: a binary heap. Each operation takes O(log n). */
export interface DeadlineHeap<Item extends Timed> {
  /** The item whose deadline is the soonest; of several, the one with the lowest sequence. */
  readonly first: Item | undefined
  /** Puts in an item that is not in it. */
  add(item: Item): void
  /** Takes an item out, if it is in. */
  remove(item: Item): void
  clear(): void
}

/**
 * @example
 * const heap = createDeadlineHeap()
 * const item = { at: now + 1_000, sequence: 1, index: -1 }
 * heap.add(item)
 * heap.first === item
 */
export function createDeadlineHeap<Item extends Timed>(): DeadlineHeap<Item> {
  const heap: Item[] = []

  function put(item: Item, index: number): void {
    heap[index] = item
    item.index = index
  }

  function rise(item: Item): void {
    let { index } = item
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (!above || !isBefore(item, above)) break
      put(above, index)
      index = parent
    }
    put(item, index)
  }

  function sink(item: Item): void {
    let { index } = item
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const child = left && right && isBefore(right, left) ? right : left
      if (!child || !isBefore(child, item)) break
      const below = child.index
      put(child, index)
      index = below
    }
    put(item, index)
  }

  function remove(item: Item): void {
    const { index } = item
    if (index < 0) return
    item.index = -1
    const last = heap.pop()
    if (!last || last === item) return
    put(last, index)
    rise(last)
    sink(last)
  }

  return {
    get first() {
      return heap[0]
    },
    add(item) {
      item.index = heap.push(item) - 1
      rise(item)
    },
    remove,
    clear() {
      for (const item of heap) item.index = -1
      heap.length = 0
    },
  }
}

const isBefore = (one: Timed, other: Timed): boolean =>
  one.at < other.at || (one.at === other.at && one.sequence < other.sequence)
