import { RemoteProtocolError } from '../../shared/errors.js'
import { orderOf } from '../../protocol/acknowledgement.js'
import { createWindow, type WindowMax } from '../../protocol/window.js'

/** A message from the client that was received and is not done with. */
export interface UpMessage {
  readonly writer: string
  readonly sequence: number
  readonly event: string
  readonly data: unknown
  /** It may have been on a wire before. */
  readonly isRetransmitted: boolean
  readonly isRequest: boolean
  /** Of its frame. */
  readonly bytes: number
}

/** What waits for its turn: a message, or the leap over sequences that never come. */
export type InboxItem =
  | { readonly type: 'message'; readonly message: UpMessage; isCancelled: boolean }
  | { readonly type: 'skip'; readonly writer: string; readonly sequence: number }

/**
 * What one connection has received and not handled yet, in order. It checks that each writer's sequences follow on one
 * another, and that no more is unacknowledged than the window allows.
 */
export interface Inbox {
  /** How many items wait. */
  readonly size: number
  /** How many writers are known. */
  readonly writers: number
  /** The highest sequence of a writer that was received or done with; undefined for one that is not known here. */
  last(writer: string): number | undefined
  /** From now on the writer's next message is the one after `last`. */
  introduce(writer: string, last: number): void
  /** Forgets a writer of which nothing waits and that nobody wants, the one introduced first; returns it. */
  forgetOldest(isWanted?: (writer: string) => boolean): string | undefined
  /** @throws {RemoteProtocolError} `RATE_LIMITED` when the window is full */
  take(bytes: number): void
  /** A message is done with, or was not to be counted. */
  give(bytes: number): void
  /** @throws {RemoteProtocolError} `SEQUENCE_GAP` */
  receive(message: UpMessage): 'queued' | 'repeat'
  /** @throws {RemoteProtocolError} `RATE_LIMITED` when as many wait as the window has messages */
  skip(writer: string, sequence: number): void
  /** The writer is done with up to `sequence`, by way of another connection: takes out what waits of it, and gives it back. */
  settle(writer: string, sequence: number): UpMessage[]
  /** Marks a request that waits; false when it does not wait. */
  cancel(writer: string, sequence: number): boolean
  first(): InboxItem | undefined
  /** Takes the first item out; its bytes stay counted until they are given back. */
  shift(): void
  clear(): void
}

export function createInbox(max: WindowMax): Inbox {
  const window = createWindow(max)
  const lasts = new Map<string, number>()
  let items: InboxItem[] = []
  // Taking from the front of an array moves all the others.
  let head = 0

  /** How many items of each writer wait, where there are any. */
  const counts = new Map<string, number>()
  let skips = 0

  const waiting = (): InboxItem[] => items.slice(head)

  function firstOf(writer: string): InboxItem | undefined {
    if (!counts.has(writer)) return undefined
    return items.find((item, index) => index >= head && writerOf(item) === writer)
  }

  function count(item: InboxItem, change: 1 | -1): void {
    const writer = writerOf(item)
    const total = (counts.get(writer) ?? 0) + change
    if (total) counts.set(writer, total)
    else counts.delete(writer)
    if (item.type === 'skip') skips += change
  }

  function push(item: InboxItem): void {
    items.push(item)
    count(item, 1)
  }

  return {
    get size() {
      return items.length - head
    },
    get writers() {
      return lasts.size
    },
    last: (writer) => lasts.get(writer),
    introduce(writer, last) {
      lasts.set(writer, last)
    },
    forgetOldest(isWanted = () => false) {
      for (const writer of lasts.keys()) {
        if (counts.has(writer) || isWanted(writer)) continue
        lasts.delete(writer)
        return writer
      }
      return undefined
    },
    take(bytes) {
      if (!window.fits(bytes)) {
        throw new RemoteProtocolError(
          'RATE_LIMITED',
          `The peer sent more than the window of ${max.messages} messages and ${max.bytes} bytes allows`,
        )
      }
      window.take(bytes)
    },
    give: (bytes) => window.give(bytes),
    receive(message) {
      const { writer, sequence } = message
      const last = lasts.get(writer) ?? 0
      const order = orderOf(sequence, last)
      if (order === 'gap') {
        throw new RemoteProtocolError('SEQUENCE_GAP', `The peer sent ${writer}:${sequence} after ${writer}:${last}`)
      }
      if (order === 'repeat') return 'repeat'
      lasts.set(writer, sequence)
      push({ type: 'message', message, isCancelled: false })
      return 'queued'
    },
    skip(writer, sequence) {
      if (sequence <= (lasts.get(writer) ?? 0) + 1) return
      const before = head < items.length ? items.at(-1) : undefined
      if (before?.type === 'skip' && before.writer === writer) {
        items[items.length - 1] = { ...before, sequence }
      } else {
        if (skips >= max.messages) {
          throw new RemoteProtocolError('RATE_LIMITED', `The peer sent more than ${max.messages} skips that must wait`)
        }
        push({ type: 'skip', writer, sequence })
      }
      lasts.set(writer, sequence - 1)
    },
    settle(writer, sequence) {
      // Each writer's items stand in order, and almost always none is done: that must cost nothing.
      const first = firstOf(writer)
      if (!first || lastOf(first) > sequence) return []
      const isDone = (item: InboxItem): boolean => writerOf(item) === writer && lastOf(item) <= sequence
      const done = waiting().filter(isDone)
      items = waiting().filter((item) => !isDone(item))
      head = 0
      for (const item of done) count(item, -1)
      const messages = done.flatMap((item) => (item.type === 'message' ? item.message : []))
      for (const { bytes } of messages) window.give(bytes)
      return messages
    },
    cancel(writer, sequence) {
      const item = waiting().find(
        (one) => one.type === 'message' && one.message.writer === writer && one.message.sequence === sequence,
      )
      if (item?.type !== 'message' || !item.message.isRequest) return false
      item.isCancelled = true
      return true
    },
    first: () => items[head],
    shift() {
      const item = items[head]
      if (!item) return
      count(item, -1)
      head++
      if (head < 64 && head < items.length) return
      items = waiting()
      head = 0
    },
    clear() {
      items = []
      head = 0
      counts.clear()
      skips = 0
    },
  }
}

const writerOf = (item: InboxItem): string => (item.type === 'message' ? item.message.writer : item.writer)

/** The last sequence that the item takes the writer to. */
const lastOf = (item: InboxItem): number => (item.type === 'message' ? item.message.sequence : item.sequence - 1)
