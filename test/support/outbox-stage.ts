import type { RequestOptions, SendOptions } from '../../src/shared/contract.js'
import type { HoldfastError } from '../../src/shared/errors.js'
import { Entry, type Receipt } from '../../src/outbox/delivery.js'
import { createOutbox } from '../../src/outbox/outbox.js'
import type { Outbox } from '../../src/outbox/outbox-api.js'
import type { OutboxOptions } from '../../src/outbox/overflow.js'
import { persistent } from '../../src/outbox/persistence.js'
import { createRequests, Request } from '../../src/outbox/requests.js'
import type { OutboxStorage } from '../../src/outbox/storage.js'
import { createFakeClock } from './fake-platform.js'
import { createFakeStore, stored, type FakeStore } from './fake-store.js'

export const RECEIPT: Receipt = { confirmedBy: 'browser' }

/** An entry in short: its writer, its sequence and what may differ. */
export function makeEntry(
  writer: string,
  sequence: number,
  { bytes = 1, ...extra }: Parameters<typeof stored>[2] & { bytes?: number } = {},
): Entry {
  const { event, body, enqueuedAt, ttlMs, key } = stored(writer, sequence, extra)
  return new Entry(writer, sequence, event, body, bytes, enqueuedAt, ttlMs, key)
}

export interface OutboxSetUp extends Partial<Omit<OutboxOptions, 'outbox'>> {
  /** Default: a fake store that answers at once. */
  store?: FakeStore
  /** What becomes of messages that the store does not take. Default: they fail. */
  whenUnavailable?: 'memory' | 'fail'
  /** Kept in this instead of the store. */
  storage?: OutboxStorage
  /** Called when the store has answered. */
  progressed?: () => void
}

/**
 * An outbox without a client, and everything that it says. Each call ends its turn as the client does: the store is
 * given what has changed.
 */
export function setUpOutbox({ storage, progressed, ...given }: OutboxSetUp = {}) {
  const { store = createFakeStore(), whenUnavailable = 'fail', ...options } = given
  const clock = createFakeClock()
  const log: string[] = []
  const reports: HoldfastError[] = []
  let ids = 0
  const platform = { now: () => clock.now, wallNow: () => clock.wallNow(), createId: () => `w${++ids}` }
  const inner = createOutbox(
    {
      outbox: storage ?? persistent(store, { whenUnavailable }),
      outboxMax: { messages: 100, bytes: 1_000 },
      overflow: 'reject',
      dialect: { acknowledges: false },
      ...options,
    },
    platform,
    {
      tell(notice) {
        if (notice.type === 'error') return void reports.push(notice.error)
        const { body, error } = notice.delivery
        log.push(`${notice.type} ${String(body)}${notice.type === 'failed' ? ` ${error?.code}` : ''}`)
      },
      progressed() {
        inner.flush()
        progressed?.()
      },
    },
  )
  inner.peek() // There is a link, until a `rewind` with its close code.
  const outbox = endingTurns(inner)
  let asked: Entry | undefined
  const requests = createRequests({
    outbox: {
      ...outbox,
      get awaited() {
        return outbox.awaited
      },
      set awaited(count) {
        outbox.awaited = count
      },
      enter(bytes, make) {
        const entry = outbox.enter(bytes, make)
        asked = entry
        return entry
      },
    },
    platform,
    cancel() {},
    progressed: inner.flush,
  })
  let position = 0
  return {
    store,
    clock,
    log,
    reports,
    outbox,
    requests,
    settle: () => clock.settle(),
    add: (body: string, sendOptions: SendOptions = {}): Entry => outbox.add('m', body, body.length, sendOptions),
    /** Asks; the test may leave the result alone. */
    ask(body: string, requestOptions?: RequestOptions): { result: Promise<unknown>; request: Request } {
      const result = requests.ask('ask', body, body.length, requestOptions)
      result.catch(() => {})
      if (!(asked instanceof Request)) throw new Error('nothing was asked')
      return { result, request: asked }
    },
    /** Transmits all that may be, at most so many, and says what it was. */
    transmit(most = Infinity): string[] {
      const bodies: string[] = []
      for (let entry = outbox.peek(); entry && bodies.length < most; entry = outbox.peek()) {
        const end = options.dialect?.acknowledges ? Infinity : ++position
        outbox.sent(entry, entry.bytes, end)
        bodies.push(String(entry.body))
      }
      return bodies
    },
    /** The oldest so many in flight arrive. */
    arrive(count = Infinity): void {
      let left = Math.min(count, outbox.inFlight)
      outbox.settle(() => left-- > 0, RECEIPT)
    },
    waiting: (): string[] => outbox.list().map(({ body }) => String(body)),
    failures: (): string[] => outbox.failed().map(({ body, error }) => `${String(body)} ${error?.code}`),
    /** What the store keeps. */
    kept: (): string[] => store.kept.map(({ body }) => String(body)),
  }
}

/** The outbox, with `flush` after every call. */
function endingTurns(outbox: Outbox): Outbox {
  const wrapped = Object.entries(outbox)
    .filter((pair): pair is [string, (...given: unknown[]) => unknown] => typeof pair[1] === 'function')
    .map(([name, act]) => [
      name,
      (...given: unknown[]) => {
        try {
          return act(...given)
        } finally {
          outbox.flush()
        }
      },
    ])
  // The getters stay those of the outbox, so it has all that an Outbox has.
  return Object.assign(Object.create(outbox) as Outbox, Object.fromEntries(wrapped))
}
