import type { SendOptions } from '../shared/contract.js'
import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import { sizeOf, type Body } from '../protocol/codec.js'
import { Entry, type Receipt } from './delivery.js'
import { show } from './outbox-item.js'
import { createJournal } from './persistence.js'
import { roomFor, type OutboxOptions } from './overflow.js'
import { Request } from './request.js'
import { createRequests } from './requests.js'
import type { MessageReference, StoredMessage } from './store.js'
import type { Outbox, OutboxListener } from './outbox-api.js'

interface Clock {
  now(): number
  wallNow(): number
  createId(): string
}

/** How many failed messages `failed()` remembers. */
const FAILED_MAX = 100

export function createOutbox(
  { outbox: store, outboxMax: max, overflow, dialect }: OutboxOptions,
  platform: Clock,
  listener: OutboxListener,
): Outbox {
  /** Those on their way, then those that wait. */
  let entries: Entry[] = []
  let inFlight = 0
  let bytesInFlight = 0
  let bytes = 0
  const requests = createRequests()
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
      listener.ready() // Others have waited behind them.
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
      entry.isAdopted = entry.wasSent = true
      bytes += entry.bytes
      expiresAt = Math.min(expiresAt, entry.expiresAt)
      return entry
    })
    const own = entries.findIndex(({ message }) => message.writer === journal.writer)
    // Requests need no store, and may be on their way already.
    entries.splice(isOpen || own < 0 ? entries.length : Math.max(own, inFlight), 0, ...found)
    listener.changed()
    if (isOpen) listener.ready()
  }

  function add(event: string, body: Body, size: number, { ttlMs, key }: SendOptions): Entry {
    const details = { ...(ttlMs !== undefined && { ttlMs }), ...(key !== undefined && { key }) }
    return enter(size, key, (reference) => {
      const message = { ...reference, event, body, enqueuedAt: platform.wallNow(), ...details }
      return new Entry(message, size, ttlMs === undefined ? Infinity : platform.now() + ttlMs)
    })
  }

  function ask(event: string, body: Body, size: number): Request {
    const request = enter(size, undefined, (reference) => {
      return new Request({ ...reference, event, body, enqueuedAt: platform.wallNow() }, size)
    }) as Request
    if (!request.isDone) requests.add(request)
    return request
  }

  function enter(size: number, key: string | undefined, make: (reference: MessageReference) => Entry): Entry {
    journal.open()
    const superseded = key === undefined ? [] : waiting().filter(({ message }) => message.key === key)
    const held = { messages: entries.length, bytes }
    const candidates = overflow === 'drop-oldest' ? waiting() : []
    const dropped = roomFor({ size, held, max, leaving: superseded, candidates })
    if (!dropped && overflow === 'reject') throw full()

    const entry = make(dropped ? journal.assign() : { writer: platform.createId(), sequence: 0 })
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
    bytes += entry.bytes
    expiresAt = Math.min(expiresAt, entry.expiresAt)
    listener.changed()
    if (!entry.isRequest) journal.append(entry)
    // Told last: whoever hears of it may send, and that message comes after this one.
    for (const gone of [...superseded, ...dropped]) bury(gone)
    journal.flush()
    if (entry.isRequest) listener.ready()
    return entry
  }

  const full = (): DeliveryError =>
    new DeliveryError('OUTBOX_FULL', `The outbox holds ${entries.length} messages, ${bytes} bytes`)

  /** Those that can still be taken back: what a server may have handled must be sent again, to be known. */
  const waiting = (): Entry[] => entries.slice(inFlight).filter((entry) => !isUncertain(entry))
  /** Requests that are settled and keep their place only until the server, which counts them, is done with them. */
  const ghosts = (): number => (dialect.acknowledges ? entries.slice(0, inFlight).filter(isDone).length : 0)
  const isDone = (entry: Entry): boolean => entry.isDone
  const isUncertain = (entry: Entry): boolean => dialect.acknowledges && entry.wasSent && !entry.isAdopted

  /** Takes a waiting entry out; `isKept` where the store may have it. False if a listener has seen to that already. */
  function takeOut(entry: Entry, error: HoldfastError, isKept = true): boolean {
    const index = entries.indexOf(entry, inFlight)
    if (index < 0) return false
    entries.splice(index, 1)
    bytes -= entry.bytes
    if (isKept && !entry.isRequest) journal.remove(entry)
    if (!(entry instanceof Request && requests.withdraw(entry, error))) entry.fail(error)
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
    if (entry.isRequest) return // Whoever asked has been told.
    failures.push(entry)
    if (failures.length > FAILED_MAX) failures.shift()
    listener.failed(entry)
  }

  function expire(): void {
    const late = waiting().filter((entry) => entry.expiresAt <= platform.now())
    for (const entry of late) discard(entry, new DeliveryError('EXPIRED', `Not sent within ${entry.message.ttlMs} ms`))
    expiresAt = waiting().reduce((soonest, entry) => Math.min(soonest, entry.expiresAt), Infinity)
  }

  function removeAll(found: Entry[]): number {
    const removed = found.filter((entry) => discard(entry, new DeliveryError('REMOVED', 'Removed from the outbox')))
    listener.ready()
    return removed.length
  }

  /** Takes so many out of the queue: delivered, or failed if `rejections` names them. */
  function conclude(from: number, count: number, receipt: Receipt, rejections?: Map<string, HoldfastError>): void {
    const done = entries.splice(from, count)
    const sent = done.slice(0, Math.max(0, inFlight - from))
    inFlight -= sent.length
    for (const { frameBytes } of sent) bytesInFlight -= frameBytes
    for (const entry of done) {
      bytes -= entry.bytes
      const error = rejections?.get(entry.id)
      rejections?.delete(entry.id)
      if (entry instanceof Request) requests.acknowledged(entry)
      else {
        if (from) journal.remove(entry)
        else journal.settle(entry)
        if (error) entry.fail(error)
        else entry.deliver(receipt)
      }
    }
    journal.flush()
    listener.changed()
    for (const entry of done) {
      if (entry.error) bury(entry)
      else if (!entry.isRequest) listener.delivered(entry)
    }
  }

  return {
    get writer() {
      return journal.writer
    },
    get pending() {
      return entries.length - ghosts() + requests.awaited
    },
    get bytes() {
      return bytes
    },
    get inFlight() {
      return inFlight
    },
    get bytesInFlight() {
      return bytesInFlight
    },
    get deadline() {
      return Math.min(expiresAt, journal.deadline)
    },
    open: journal.open,
    add,
    ask,
    heads() {
      const heads = new Map<string, number>()
      for (const { message } of entries) if (!heads.has(message.writer)) heads.set(message.writer, message.sequence)
      return heads
    },
    peek() {
      if (expiresAt !== Infinity && platform.now() >= expiresAt) expire()
      const entry = entries[inFlight]
      return entry?.isStored ? entry : undefined
    },
    sent(entry, position, frameBytes) {
      inFlight++
      bytesInFlight += frameBytes
      entry.position = position
      entry.frameBytes = frameBytes
      entry.wasSent = true
      entry.status = 'sent'
    },
    settle(isSettled, receipt, rejections) {
      let count = 0
      while (count < entries.length && isSettled(entries[count] as Entry)) count++
      if (count) conclude(0, count, receipt, rejections)
      return count > 0
    },
    finish(entry, receipt, error) {
      const index = entries.indexOf(entry)
      if (index >= 0) conclude(index, 1, receipt, error && new Map([[entry.id, error]]))
    },
    answer(id, { data, error }) {
      requests.answer(id, data, error)
      listener.changed()
    },
    loseAnswers() {
      requests.lose()
      listener.changed()
    },
    withdraw(request, error) {
      if (entries.indexOf(request, inFlight) >= 0) return discard(request, error)
      const wasAwaited = requests.withdraw(request, error)
      listener.changed()
      return wasAwaited
    },
    rewind() {
      for (const entry of entries.slice(0, inFlight)) {
        entry.status = 'stored'
        entry.position = Infinity
        expiresAt = Math.min(expiresAt, entry.expiresAt)
      }
      inFlight = bytesInFlight = 0
      // A request that was answered or given up kept its place only as long as the server may have counted it.
      const left = entries.filter((entry) => !entry.isDone)
      if (left.length === entries.length) return
      entries = left
      bytes = left.reduce((sum, entry) => sum + entry.bytes, 0)
      listener.changed()
    },
    elapsed() {
      expire()
      listener.ready()
      journal.elapsed()
    },
    fail: (entry, error) => discard(entry, error),
    list: () => entries.filter((entry) => !entry.isDone).map(show),
    remove: (id) => removeAll(waiting().filter((entry) => entry.id === id)) > 0,
    clear: () => removeAll(waiting()),
    failed: () => failures.map(show),
    close() {
      const left = entries
      entries = []
      inFlight = bytesInFlight = bytes = 0
      expiresAt = Infinity
      const error = new DeliveryError('CLIENT_CLOSED', 'The client was closed; what was stored stays in the store')
      requests.close(error)
      for (const entry of left) if (!entry.isDone) entry.abandon(error)
      const closed = journal.close()
      listener.changed()
      return closed
    },
  }
}
