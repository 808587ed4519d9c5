import type { SendOptions } from '../shared/contract.js'
import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import type { Body } from '../protocol/codec.js'
import { createAgingClock } from '../shared/aging-clock.js'
import { adopt } from './adoption.js'
import { Entry, type Receipt } from './delivery.js'
import { createFailures } from './failures.js'
import type { Forerunners, Make } from './forerunners.js'
import type { Outbox, OutboxListener } from './outbox-api.js'
import { show } from './outbox-item.js'
import { roomFor, type OutboxOptions } from './overflow.js'
import { createOversizedMessageDetector } from './oversized.js'
import { createQueue, entriesFrom, firstsOf, wantedOf } from './queue.js'
import { createRemovals } from './removals.js'
import { createStaleness } from './staleness.js'
import type { StorageClock } from './storage.js'

interface Clock extends StorageClock {
  wallNow(): number
  readonly isHidden?: boolean | undefined
}

const NONE: ReadonlySet<Entry> = new Set()

export function createOutbox(
  { outbox: storage, outboxMax: max, overflow, dialect }: OutboxOptions,
  platform: Clock,
  { tell, progressed, isHolding }: OutboxListener,
): Outbox {
  const queue = createQueue()
  const agingNow = createAgingClock(platform)
  const oversized = createOversizedMessageDetector(dialect.acknowledges)
  /** Entries that are settled and keep their place in flight only until the server, which counts them, is done with them. */
  let released = 0
  let isParting = false
  const failures = createFailures((delivery) => tell({ type: 'failed', delivery }))
  const forget = (entry: Entry): void => store.remove(entry)
  const removals = createRemovals({ queue, failures, acknowledges: dialect.acknowledges, forget })
  const { isRemovable, waiting, discard, refuse, supersede, removeAll } = removals
  const store = storage.attach(platform, {
    adopted(adoption) {
      adopt({ queue, writer: store.writer, now: agingNow, wallNow: platform.wallNow }, adoption)
      progressed()
    },
    stored(entries) {
      for (const entry of entries) {
        if (!entry.error) keep(entry) // Else it failed while it was being written; its removal follows.
      }
      progressed()
    },
    refused(entries, error) {
      const wanted = entries.filter((entry) => !entry.error)
      if (!wanted.length) report(error)
      for (const entry of wanted) refuse(entry, error)
      progressed() // Others have waited behind them.
    },
    unavailable(error) {
      report(error)
      for (const entry of entriesFrom(queue.first)) if (!entry.isRequest) refuse(entry, error) // Requests need no store.
      progressed()
    },
    deleted() {
      for (const entry of entriesFrom(queue.first)) {
        if (entry.place === 'waiting') removeAll([entry])
        else if (!entry.isRequest) store.remove(entry) // It goes its way, from memory.
      }
      failures.clear()
      progressed()
    },
    report(error) {
      report(error)
      progressed()
    },
  })

  /** A page that ends, or is out of view, may not live to hear the store's answer. */
  function isReady({ isStored, keptOut }: Entry): boolean {
    // Until the store is open, what others have left may come first.
    const mayEnd = isParting || (platform.isHidden === true && store.durability.durable)
    return isStored || keptOut !== undefined || mayEnd
  }

  if (dialect.acknowledges) store.linkLost() // There is none yet.
  const staleness = createStaleness({ queue, failures, now: agingNow, isReady, isRemovable, discard, report })

  function report(error: HoldfastError): void {
    tell({ type: 'error', error })
  }

  function keep(entry: Entry): void {
    entry.keep()
    tell({ type: 'stored', delivery: entry })
  }

  function enter<E extends Entry>(bytes: number, make: Make<E>, key?: string, first?: Forerunners): E {
    store.open()
    const superseded = key === undefined ? NONE : new Set([...queue.withKey(key)].filter(isRemovable))
    const candidates = overflow === 'drop-oldest' ? waiting() : []
    const dropped = roomFor({ bytes, queue, max, leaving: superseded, candidates })
    if (!dropped) {
      const error = new DeliveryError('OUTBOX_FULL', `The outbox holds ${queue.size} messages, ${queue.bytes} bytes`)
      if (overflow === 'reject') throw error
      const turnedAway = make(platform.createId(), 0)
      turnedAway.fail(error)
      failures.record(turnedAway)
      return turnedAway
    }
    const entry = first ? first.make(make) : make(store.writer, store.nextSequence())
    for (const older of superseded) supersede(older)
    for (const oldest of dropped) discard(oldest, failures.shared('OUTBOX_FULL', 'Gave way to a newer message'))
    const expiresAt = entry.ttlMs === undefined ? Infinity : agingNow() + entry.ttlMs
    queue.insert(entry, expiresAt, first?.anchor(queue.next))
    if (!entry.isStored && store.append(entry)) keep(entry)
    return entry
  }

  function add(event: string, body: Body, bytes: number, { ttlMs, key, validWhile }: SendOptions = {}): Entry {
    const make = (writer: string, sequence: number): Entry => {
      const entry = new Entry(writer, sequence, event, body, bytes, platform.wallNow(), ttlMs, key)
      entry.validWhile = validWhile
      return entry
    }
    return enter(bytes, make, key)
  }

  /** Takes an entry out that is done with: delivered, or failed. */
  function complete(entry: Entry, receipt: Receipt, error?: HoldfastError): void {
    const isOldest = entry === queue.first
    queue.remove(entry)
    if (entry.isDone) released--
    if (entry.isRequest) return entry.deliver(receipt)
    if (isOldest) store.settle(entry)
    else store.remove(entry)
    if (error) {
      entry.fail(error)
      failures.record(entry)
    } else {
      entry.deliver(receipt)
      tell({ type: 'delivered', delivery: entry })
    }
  }

  return {
    get writer() {
      return store.writer
    },
    get pending() {
      return queue.size - released
    },
    get bytes() {
      return queue.bytes
    },
    awaited: 0,
    get inFlight() {
      return queue.inFlight
    },
    get bytesInFlight() {
      return queue.bytesInFlight
    },
    get durability() {
      return store.durability
    },
    get deadline() {
      return Math.min(queue.soonest ? platform.now() + queue.soonest.at - agingNow() : Infinity, store.deadline)
    },
    ageOf: ({ enqueuedAt }) => Math.floor(platform.wallNow() - enqueuedAt),
    open: store.open,
    flush: () => store.flush(isParting),
    part: (given) => void (isParting = given),
    add,
    enter: (bytes, make, first) => enter(bytes, make, undefined, first),
    firstPending: () => firstsOf(queue),
    peek() {
      if (queue.soonest && queue.soonest.at <= agingNow() && !staleness.expire()) return undefined
      if ((oversized.isSearching && queue.inFlight) || isHolding?.()) return undefined
      const next = staleness.next()
      return !dialect.acknowledges || store.mayHandOver(next) ? next : undefined
    },
    sent(entry, frameBytes, position) {
      queue.take(frameBytes)
      entry.position = position
      entry.isFirstSending = !entry.wasSent
      entry.wasSent = true
      entry.status = 'sent'
    },
    settle(isDone, receipt, rejections) {
      const { first } = queue
      for (let entry = queue.first; entry && isDone(entry); entry = queue.first) {
        const { id } = entry
        complete(entry, receipt, rejections?.get(id))
        rejections?.delete(id)
      }
      if (first === queue.first) return false
      oversized.acquit()
      return true
    },
    finish(entry, receipt, error) {
      if (entry.place === 'out') return
      complete(entry, receipt, error)
      oversized.acquit()
    },
    release(entry) {
      if (entry.place !== 'in flight') return queue.remove(entry)
      released++
    },
    rewind(closeCode) {
      if (closeCode !== undefined && dialect.acknowledges) store.linkLost()
      const { inFlight } = queue
      const old: Entry[] = []
      for (let entry = queue.first; entry && entry !== queue.next; entry = entry.after) old.push(entry)
      const outdated = queue.rewind()
      for (const entry of old) {
        entry.status = entry.isStored ? 'stored' : 'queued'
        // Nobody will ask whether a message has arrived that only the browser confirms: it may be taken back, and expire.
        if (entry.position !== Infinity) entry.wasSent = false
        // The link is there: its server has ignored what was in flight.
        if (closeCode === undefined && entry.isFirstSending) entry.wasSent = false
        // A request that is settled kept its place only as long as the server may have counted it.
        if (entry.isDone) queue.remove(entry)
      }
      released = 0
      const oldest = old.find(({ isDone }) => !isDone)
      for (const entry of outdated) if (isRemovable(entry)) supersede(entry)
      const culprit = oversized.closed(closeCode, inFlight, oldest)
      if (culprit?.place === 'waiting')
        discard(culprit, new DeliveryError('TOO_LARGE', 'It alone was in flight when 1009 closed the link'))
    },
    elapsed() {
      staleness.expire()
      store.elapsed()
    },
    fail: (entry, error) => discard(entry, error),
    list: () => wantedOf(queue).map(show),
    remove(id) {
      const entry = queue.byId(id)
      return entry?.place === 'waiting' && isRemovable(entry) && removeAll([entry]) > 0
    },
    clear: () => removeAll(waiting()),
    failed: failures.list,
    close() {
      const entries = wantedOf(queue)
      queue.clear()
      released = 0
      const error = new DeliveryError('CLIENT_CLOSED', 'The client was closed; what was stored stays in the store')
      for (const entry of entries) entry.abandon(error)
      return store.close(entries)
    },
  }
}
