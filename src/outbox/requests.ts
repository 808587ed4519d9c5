import type { RequestOptions } from '../shared/contract.js'
import { createDeadlineHeap, type Timed } from '../shared/deadline-heap.js'
import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import { requireNumber, withDefaults, type Defaults } from '../shared/validate.js'
import type { Body } from '../protocol/codec.js'
import { Entry } from './delivery.js'
import { createForerunners } from './forerunners.js'
import type { Outbox } from './outbox-api.js'

/** A message that is replied to. It lives with its page: it waits in the queue in its turn, and is never stored. */
export class Request extends Entry implements Timed {
  override isStored = true
  /** Whether the server has handled it, so that only its reply is still to come. */
  isAcknowledged = false
  at = Infinity
  index = -1
  readonly result: Promise<unknown>
  private settleResult!: { resolve(data: unknown): void; reject(error: HoldfastError): void }

  /** @param tally counts the requests whose replies are still to come */
  constructor(
    private readonly tally: { awaited: number },
    ...given: ConstructorParameters<typeof Entry>
  ) {
    super(...given)
    this.result = new Promise((resolve, reject) => (this.settleResult = { resolve, reject }))
  }

  override get isRequest(): boolean {
    return true
  }

  /** The server has handled it. */
  override deliver(): void {
    if (!this.isDone && !this.isAcknowledged) this.tally.awaited++
    this.isAcknowledged = true
  }

  reply(data: unknown): void {
    this.isDone = true
    this.status = 'delivered'
    this.settleResult.resolve(data)
  }

  override abandon(error: HoldfastError): void {
    this.isDone = true
    super.abandon(error)
    this.settleResult.reject(error)
  }
}

/** The requests of a client that have no reply yet. */
export interface Requests {
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  /** @throws {DeliveryError} | {TypeError} | {RangeError} (as a rejection) */
  ask(event: string, body: Body, bytes: number, options?: RequestOptions): Promise<unknown>
  /** The reply to a request; one that nobody waits for is ignored. */
  reply(id: string, reply: Reply): void
  /** The session is gone, and with it the replies to what was handled. */
  lose(): void
  elapsed(): void
  /** The client is closed. */
  close(error: HoldfastError): void
}

/** What the server made of a request: its result, or an error. */
export type Reply = { readonly data: unknown } | { readonly error: HoldfastError }

interface Host {
  readonly outbox: Pick<Outbox, 'awaited' | 'enter' | 'fail' | 'release'>
  readonly platform: { now(): number; wallNow(): number; createId(): string }
  /** While the application is told of a session, what it asks goes before all that waits. Absent: never. */
  readonly greeting?: { readonly isTelling: boolean }
  /** Nobody waits any more for the reply to a request that was sent. */
  cancel(request: Request): void
  /** Something has changed outside of a turn of the client. */
  progressed(): void
}

/** How long a reply is waited for by default, in milliseconds. */
const TIMEOUT_MS = 30_000

const REQUEST_DEFAULTS = { timeoutMs: undefined, signal: undefined } satisfies Defaults<RequestOptions>

export function createRequests({ outbox, platform, greeting, cancel, progressed }: Host): Requests {
  const forerunners = createForerunners(platform)
  const waiting = new Map<string, Request>()
  const deadlines = createDeadlineHeap<Request>()

  function forget(request: Request): void {
    if (waiting.delete(request.id) && request.isAcknowledged) outbox.awaited--
    deadlines.remove(request)
  }

  function giveUp(request: Request, error: DeliveryError): void {
    if (!waiting.has(request.id)) return
    forget(request)
    if (request.place === 'waiting') outbox.fail(request, error)
    else {
      request.fail(error)
      outbox.release(request)
    }
    if (request.wasSent) cancel(request)
  }

  return {
    get deadline() {
      return deadlines.first?.at ?? Infinity
    },
    async ask(event, body, bytes, options) {
      const { timeoutMs = TIMEOUT_MS, signal } = withDefaults('request', options, REQUEST_DEFAULTS)
      if (timeoutMs !== Infinity) requireNumber('timeoutMs', timeoutMs)
      const aborted = (): DeliveryError => new DeliveryError('REQUEST_ABORTED', `"${event}" was aborted`)
      if (signal?.aborted) throw aborted()
      const request = outbox.enter(
        bytes,
        (writer, sequence) => new Request(outbox, writer, sequence, event, body, bytes, platform.wallNow()),
        greeting?.isTelling ? forerunners : undefined,
      )
      const abort = (): void => {
        giveUp(request, aborted())
        progressed()
      }
      signal?.addEventListener('abort', abort)
      if (!request.isDone) {
        waiting.set(request.id, request)
        request.at = platform.now() + timeoutMs
        deadlines.add(request)
      }
      progressed()
      try {
        return await request.result
      } finally {
        forget(request)
        signal?.removeEventListener('abort', abort)
      }
    },
    reply(id, reply) {
      const request = waiting.get(id)
      if (!request) return
      forget(request)
      if ('error' in reply) request.fail(reply.error)
      else request.reply(reply.data)
      outbox.release(request)
    },
    lose() {
      for (const request of waiting.values()) {
        if (!request.isAcknowledged) continue
        forget(request)
        const words = `The server has handled "${request.event}", and its reply is lost with the session`
        request.fail(new DeliveryError('RESULT_LOST', words))
      }
    },
    elapsed() {
      for (let late = deadlines.first; late && late.at <= platform.now(); late = deadlines.first) {
        giveUp(late, new DeliveryError('REQUEST_TIMEOUT', `"${late.event}" was not answered in time`))
      }
    },
    close(error) {
      for (const request of waiting.values()) request.abandon(error)
      waiting.clear()
      outbox.awaited = 0
      deadlines.clear()
    },
  }
}
