import type { SendOptions } from '../contract.js'
import { DeliveryError, type HoldfastError } from '../errors.js'
import { sizeOf, type Body } from '../protocol/codec.js'
import { Entry, type Receipt } from './delivery.js'
import { show, type OutboxItem } from './item.js'
import { createJournal } from './journal.js'
import type { OutboxOptions } from './policy.js'
import type { StoredMessage } from './store.js'

/** What the outbox tells its client. */
export interface OutboxListener {
  /** There may be something to transmit. */
  ready(): void
  stored(entry: Entry): void
  delivered(entry: Entry): void
  failed(entry: Entry): void
  /** The store failed, and no message fails with it. */
  report(error: HoldfastError): void
  /** The number of messages has changed. */
  changed(): void
}

interface Clock {
  now(): number
  wallNow(): number
  createId(): string
}

/**
 * The queue of messages that are not yet delivered, in the order in which they were accepted: first those on their way,
 * then those that wait. A message is transmitted only after it is stored, and forgotten by the store only after it was
 * delivered, so that at every moment at least one of us has it.
 */
export interface Outbox {
  /** How many messages are not yet delivered. */
  readonly pending: number
  /** How many of those are on their way. */
  readonly inFlight: number
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** Opens the store, if it is not open. */
  open(): void
  /** @throws {DeliveryError} `OUTBOX_FULL` */
  add(event: string, body: Body, size: number, options: SendOptions): Entry
  /** The next message to transmit, without taking it. */
  peek(): Entry | undefined
  /** It was transmitted, up to `position` of the connection. */
  sent(entry: Entry, position: number): void
  /** Messages on their way are delivered, from the oldest on while `isDelivered`. Says whether there were any. */
  settle(isDelivered: (entry: Entry) => boolean, receipt: Receipt): boolean
  /** The connection is gone: what was on its way waits again, in its old place. */
  rewind(): void
  elapsed(): void
  /** Fails a message that waits. */
  fail(entry: Entry, error: HoldfastError): void
  list(): OutboxItem[]
  remove(id: string): boolean
  clear(): number
  failed(): OutboxItem[]
  /** Gives the messages back to the store; settles when it has them. Their deliveries fail with `CLIENT_CLOSED`. */
  close(): Promise<void>
}

/** How many failed messages `failed()` remembers. */
const FAILED_MAX = 100

export function createOutbox(
  { outbox: store, outboxMax: max, overflow }: OutboxOptions,
  platform: Clock,
  listener: OutboxListener,
): Outbox {
  /** Those on their way, then those that wait. */
  let entries: Entry[] = []
  let inFlight = 0
  let bytes = 0
  /** When the next waiting message expires. */
  let expiresAt = Infinity
  const failures: Entry[] = []

  const journal = createJournal(store, platform, {
    adopted: adopt,
    stored(found) {
      for (const entry of found) {
        if (entry.error) continue // It failed while it was being written; its removal follows.
        entry.keep()
        listener.stored(entry)
      }
      listener.ready()
    },
    refused(found, error) {
      const wanted = found.filter((entry) => !entry.error)
      if (!wanted.length) listener.report(error)
      for (const entry of wanted) discard(entry, error, false)
    },
    unavailable(error) {
      listener.report(error)
      for (const entry of [...entries]) discard(entry, error, false)
    },
    report: listener.report,
  })

  /** Before our own messages while none of them was sent, behind them later. */
  function adopt(messages: StoredMessage[], isOpen: boolean): void {
    const found = messages.map((message) => {
      const { ttlMs = Infinity, enqueuedAt } = message
      const leftMs = Math.min(ttlMs, enqueuedAt + ttlMs - platform.wallNow())
      const entry = new Entry(message, sizeOf(message.body), platform.now() + leftMs)
      entry.keep()
      count(entry)
      return entry
    })
    const own = entries.findIndex(({ message }) => message.writer === journal.writer)
    entries.splice(isOpen || own < 0 ? entries.length : own, 0, ...found)
    listener.changed()
    if (isOpen) listener.ready()
  }

  function add(event: string, body: Body, size: number, { ttlMs, key }: SendOptions): Entry {
    journal.open()
    const superseded = key === undefined ? [] : waiting().filter(({ message }) => message.key === key)
    const dropped = giveWay(size, superseded)
    if (!dropped && overflow === 'reject') throw full()

    const message: StoredMessage = {
      ...(dropped ? journal.assign() : { writer: platform.createId(), sequence: 0 }),
      event,
      body,
      enqueuedAt: platform.wallNow(),
      ...(ttlMs !== undefined && { ttlMs }),
      ...(key !== undefined && { key }),
    }
    const entry = new Entry(message, size, ttlMs === undefined ? Infinity : platform.now() + ttlMs)
    if (!dropped) {
      entry.fail(full())
      bury(entry)
      return entry
    }
    for (const older of superseded) {
      takeOut(older, new DeliveryError('SUPERSEDED', `A newer message has the key "${key}"`))
    }
    for (const oldest of dropped) takeOut(oldest, new DeliveryError('OUTBOX_FULL', 'Gave way to a newer message'))
    entries.push(entry)
    count(entry)
    listener.changed()
    journal.append(entry)
    // Told last: whoever hears of it may send, and that message comes after this one.
    for (const gone of [...superseded, ...dropped]) bury(gone)
    journal.flush()
    return entry
  }

  function count(entry: Entry): void {
    bytes += entry.bytes
    expiresAt = Math.min(expiresAt, entry.expiresAt)
  }

  const full = (): DeliveryError =>
    new DeliveryError('OUTBOX_FULL', `The outbox holds ${entries.length} messages, ${bytes} bytes`)

  /** Who else gives way to `size` bytes once `leaving` have gone; undefined where that makes no room. */
  function giveWay(size: number, leaving: Entry[]): Entry[] | undefined {
    const dropped: Entry[] = []
    let messagesLeft = max.messages - entries.length + leaving.length
    let bytesLeft = leaving.reduce((sum, entry) => sum + entry.bytes, max.bytes - bytes - size)
    for (let index = inFlight; messagesLeft < 1 || bytesLeft < 0; index++) {
      const oldest = entries[index]
      if (!oldest || overflow !== 'drop-oldest') return undefined
      if (leaving.includes(oldest)) continue
      dropped.push(oldest)
      messagesLeft++
      bytesLeft += oldest.bytes
    }
    return dropped
  }

  const waiting = (): Entry[] => entries.slice(inFlight)

  /** Takes a waiting entry out; `isKept` where the store may have it. False if a listener has seen to that already. */
  function takeOut(entry: Entry, error: HoldfastError, isKept = true): boolean {
    const index = entries.indexOf(entry, inFlight)
    if (index < 0) return false
    entries.splice(index, 1)
    bytes -= entry.bytes
    if (isKept) journal.remove(entry)
    entry.fail(error)
    listener.changed()
    return true
  }

  function discard(entry: Entry, error: HoldfastError, isKept = true): boolean {
    if (!takeOut(entry, error, isKept)) return false
    journal.flush()
    bury(entry)
    return true
  }

  function bury(entry: Entry): void {
    failures.push(entry)
    if (failures.length > FAILED_MAX) failures.shift()
    listener.failed(entry)
  }

  function expire(): void {
    const now = platform.now()
    for (const entry of waiting()) {
      if (entry.expiresAt <= now)
        discard(entry, new DeliveryError('EXPIRED', `Not sent within ${entry.message.ttlMs} ms`))
    }
    expiresAt = waiting().reduce((soonest, entry) => Math.min(soonest, entry.expiresAt), Infinity)
  }

  const removeAll = (found: Entry[]): number =>
    found.filter((entry) => discard(entry, new DeliveryError('REMOVED', 'Removed from the outbox'))).length

  return {
    get pending() {
      return entries.length
    },
    get inFlight() {
      return inFlight
    },
    get deadline() {
      return Math.min(expiresAt, journal.deadline)
    },
    open: journal.open,
    add,
    peek() {
      if (expiresAt !== Infinity && platform.now() >= expiresAt) expire()
      const entry = entries[inFlight]
      return entry?.isStored ? entry : undefined
    },
    sent(entry, position) {
      inFlight++
      entry.position = position
      entry.status = 'sent'
    },
    settle(isDelivered, receipt) {
      let settled = 0
      while (settled < inFlight && isDelivered(entries[settled] as Entry)) settled++
      if (!settled) return false
      inFlight -= settled
      const delivered = entries.splice(0, settled)
      for (const entry of delivered) {
        bytes -= entry.bytes
        journal.settle(entry)
        entry.deliver(receipt)
      }
      journal.flush()
      listener.changed()
      for (const entry of delivered) listener.delivered(entry)
      return true
    },
    rewind() {
      for (const entry of entries.slice(0, inFlight)) {
        entry.status = 'stored'
        expiresAt = Math.min(expiresAt, entry.expiresAt)
      }
      inFlight = 0
    },
    elapsed() {
      expire()
      journal.elapsed()
    },
    fail: (entry, error) => discard(entry, error),
    list: () => entries.map(show),
    remove: (id) => removeAll(waiting().filter((entry) => entry.id === id)) > 0,
    clear: () => removeAll(waiting()),
    failed: () => failures.map(show),
    close() {
      const left = entries
      entries = []
      inFlight = bytes = 0
      expiresAt = Infinity
      for (const entry of left) {
        entry.abandon(
          new DeliveryError('CLIENT_CLOSED', 'The client was closed first; what was stored stays in the store'),
        )
      }
      const closed = journal.close()
      listener.changed()
      return closed
    },
  }
}
