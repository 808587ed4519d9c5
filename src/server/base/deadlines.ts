import { createAlarm } from '../../shared/deadline-timer.js'
import type { ServerPlatform } from './platform.js'

/** One thing's deadline. */
export interface Deadline {
  /** Rings at `at`, on the monotonic clock, and then no more until it is set anew; `Infinity`: never. */
  set(at: number): void
}

/** The deadlines of many things, in a binary heap over a single timer. */
export interface Deadlines {
  create(ring: (now: number) => void): Deadline
  /** Nothing rings any more. */
  cancel(): void
}

interface Node {
  at: number
  /** Where it stands in the heap; -1: nowhere. */
  index: number
  readonly ring: (now: number) => void
}

/** @example const deadline = createDeadlines(platform).create((now) => sendPing(now)) */
export function createDeadlines(platform: ServerPlatform): Deadlines {
  const heap: Node[] = []
  /** Those that ring in this round. */
  const due = new Set<Node>()
  let isCancelled = false
  const alarm = createAlarm(platform, elapsed)

  const put = (node: Node, index: number): void => {
    heap[index] = node
    node.index = index
  }

  const rise = (node: Node): void => {
    let { index } = node
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (!above || above.at <= node.at) break
      put(above, index)
      index = parent
    }
    put(node, index)
  }

  const sink = (node: Node): void => {
    let { index } = node
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const child = left && right && right.at < left.at ? right : left
      if (!child || child.at >= node.at) break
      const below = child.index
      put(child, index)
      index = below
    }
    put(node, index)
  }

  const remove = (node: Node): void => {
    const { index } = node
    if (index < 0) return
    node.index = -1
    const last = heap.pop()
    if (!last || last === node) return
    put(last, index)
    rise(last)
    sink(last)
  }

  function elapsed(now: number): void {
    for (let node = heap[0]; node && node.at <= now; node = heap[0]) {
      remove(node)
      due.add(node)
    }
    // One that sets itself into the past again rings in the next round: it must not keep everybody else from his turn.
    for (const node of due) {
      due.delete(node)
      node.ring(now)
    }
    arm()
  }

  const arm = (): void => {
    if (heap[0] && !isCancelled) alarm.by(heap[0].at)
  }

  return {
    create(ring) {
      const node: Node = { at: Infinity, index: -1, ring }
      return {
        set(at) {
          if (node.index >= 0 && node.at === at) return
          remove(node)
          due.delete(node)
          if (at === Infinity || isCancelled) return
          node.at = at
          node.index = heap.length
          heap.push(node)
          rise(node)
          arm()
        },
      }
    },
    cancel() {
      isCancelled = true
      heap.length = 0
      due.clear()
      alarm.cancel()
    },
  }
}
