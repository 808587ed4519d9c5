import { DeliveryError, StorageError } from '../../shared/errors.js'
import type { EndReason } from '../base/api.js'
import type { Core } from '../base/context.js'
import { settle } from '../base/when-done.js'
import type { Attached, StreamEntry, StreamMessage } from '../stores/stream-store.js'

/** One session's stream, from the side of the server that has it. */
export interface StreamWriter {
  /** Puts an entry at the end. Entries keep their order, whatever becomes of the session's connections. */
  append(entry: StreamEntry): void
  /** The client has handled everything up to here; false when that is no news. */
  acknowledge(sequence: number): boolean
  /** The stream is wanted for another while. */
  touch(): void
  /** Resolves when everything appended so far is acknowledged; rejects when the stream ends first. */
  flush(): Promise<void>
  /** A connection was attached: what was appended under the older epoch had no effect, and is appended anew. */
  renew(attached: Pick<Attached, 'epoch'>, handled: number): void
  /** Attaching failed, and nobody knows whether it took effect: what fails now may still succeed at the next attach. */
  doubt(): void
  /** Whether the store holds less than was appended: it went back in time. */
  isBehind(sequence: number): boolean
  /** No entry is taken any more. Unless the store keeps the stream, it is ended there too. */
  end(reason: EndReason): void
}

/** What the writer tells its session. */
export interface StreamWriterEvents {
  appended(message: StreamMessage): void
  /** The stream cannot go on. */
  over(reason: EndReason): void
  /** The store failed, and nothing is lost by it: the client should come back. */
  failed(): void
  /** The store may still resume this stream, and must not: something is missing in it. */
  condemned(): void
}

interface Pending {
  readonly entry: StreamEntry
  readonly epoch: number
}

interface Flush {
  readonly sequence: number
  resolve(): void
  reject(error: DeliveryError): void
}

/** The store has forgotten these streams by itself, has another's now, or shall keep them. */
const KEPT_IN_STORE: ReadonlySet<EndReason> = new Set<EndReason>(['overflow', 'lost', 'superseded', 'stopped'])

/** How many entries may wait for an attach of which nobody knows whether it succeeded. */
const PENDING_MAX = 10_000

/** @param start the last message in the stream, and the last that is acknowledged */
export function createStreamWriter(
  { streams, report, isStopped }: Pick<Core, 'streams' | 'report' | 'isStopped'>,
  id: string,
  start: { readonly sequence: number; readonly acknowledged: number },
  events: StreamWriterEvents,
): StreamWriter {
  let epoch = 0
  let { sequence: stored, acknowledged } = start
  let isDoubted = false
  let hasEnded = false
  /** What the store has not answered. */
  let pending: Pending[] = []
  const flushes: Flush[] = []

  const broken = (what: string) => (cause: unknown) =>
    report(new StorageError('STORAGE_FAILED', `The store failed to ${what} a stream`, cause))

  function put(entry: StreamEntry): void {
    const mine: Pending = { entry, epoch }
    pending.push(mine)
    if (!epoch) return // No connection was attached yet: renewing appends it.
    settle(
      () => streams.append(id, epoch, entry),
      (result) => {
        if (isCurrent(mine.epoch)) answered(mine, result)
      },
      (cause) => {
        if (!isCurrent(mine.epoch)) return
        broken('append to')(cause)
        events.over('failed')
      },
    )
  }

  function answered(mine: Pending, result: StreamMessage | 'overflow' | 'gone'): void {
    if (result === 'gone' && isDoubted && pending.length <= PENDING_MAX) return
    if (result === 'gone') return gone()
    // Answers come in the order of the calls.
    pending.splice(pending.indexOf(mine), 1)
    if (result === 'overflow') return incomplete('overflow')
    if (result.sequence !== ++stored) return incomplete('lost')
    events.appended(result)
  }

  /** Something is missing, whatever the store says of the stream when it goes back in time. */
  function incomplete(reason: EndReason): void {
    events.condemned()
    events.over(reason)
  }

  function gone(): void {
    report(new DeliveryError('SESSION_ENDED', `${pending.length} messages were sent to a session that has ended`))
    events.over('superseded')
  }

  const isCurrent = (asked: number): boolean => asked === epoch && !hasEnded && !isStopped()

  function tell(sequence: number): void {
    const asked = epoch
    settle(
      () => streams.acknowledge(id, asked, sequence),
      (isOurs) => {
        if (!isOurs && !isDoubted && isCurrent(asked)) events.over('superseded')
      },
      (cause) => {
        if (!isCurrent(asked)) return
        broken('acknowledge')(cause)
        events.failed()
      },
    )
  }

  function settleFlushes(): void {
    while (flushes[0] && flushes[0].sequence <= acknowledged) flushes.shift()?.resolve()
  }

  return {
    append: put,
    acknowledge(sequence) {
      if (sequence <= acknowledged) return false
      acknowledged = sequence
      settleFlushes()
      tell(sequence)
      return true
    },
    touch: () => tell(0),
    flush: () =>
      new Promise((resolve, reject) => {
        const sequence = stored + pending.length
        if (acknowledged >= sequence) resolve()
        else if (hasEnded) reject(ended('before its client had everything'))
        else flushes.push({ sequence, resolve, reject })
      }),
    renew(attached, handled) {
      const again = pending
      pending = []
      epoch = attached.epoch
      isDoubted = false
      // Not what an older connection said last: the store may not have heard that under its epoch.
      acknowledged = handled
      settleFlushes()
      for (const { entry } of again) put(entry)
    },
    doubt() {
      isDoubted = true
    },
    isBehind: (sequence) => sequence < stored,
    end(reason) {
      hasEnded = true
      for (const { reject } of flushes.splice(0)) reject(ended(`(${reason}) before its client had everything`))
      // Even where it is ended in the store: who attaches it meanwhile has it under an epoch that our end does not end.
      if (pending.length && reason !== 'bye') events.condemned()
      if (KEPT_IN_STORE.has(reason)) return
      const failed = (cause: unknown): void => {
        broken('end')(cause)
        events.condemned()
      }
      settle(
        () => streams.end(id, epoch),
        () => {},
        failed,
      )
    },
  }
}

const ended = (how: string): DeliveryError => new DeliveryError('SESSION_ENDED', `The session has ended ${how}`)
