import type { RequestOptions } from '../shared/contract.js'
import { DeliveryError } from '../shared/errors.js'
import { requireNumber, withDefaults, type Defaults } from '../shared/validate.js'
import type { Request } from '../outbox/request.js'
import type { Body } from '../protocol/codec.js'

/** Puts requests into the queue, and gives up those whose time is over or whose signal aborts. */
export interface Asker {
  /** When `elapsed` is due, on the monotonic clock. */
  readonly deadline: number
  ask(event: string, body: Body, bytes: number, options?: RequestOptions): Promise<unknown>
  elapsed(): void
}

interface Surroundings {
  readonly outbox: {
    ask(event: string, body: Body, size: number): Request
    withdraw(request: Request, error: DeliveryError): boolean
  }
  readonly channel: { cancel(request: Request): void }
  now(): number
  /** The deadline is sooner than it was. */
  hurried(): void
}

/** How long an answer is waited for by default, in milliseconds. */
const TIMEOUT_MS = 30_000

/** `Infinity` is a time-out too, which is looked at by itself. */
const REQUEST_DEFAULTS: Defaults<RequestOptions> = { timeoutMs: undefined, signal: undefined }

export function createAsker({ outbox, channel, now, hurried }: Surroundings): Asker {
  /** When each request is given up. */
  const deadlines = new Map<Request, number>()
  let soonest = Infinity

  function giveUp(request: Request, code: 'REQUEST_TIMEOUT' | 'REQUEST_ABORTED', why: string): void {
    const error = new DeliveryError(code, `"${request.message.event}" was ${why}`)
    if (outbox.withdraw(request, error) && request.wasSent) channel.cancel(request)
  }

  return {
    get deadline() {
      return soonest
    },
    async ask(event, body, bytes, options) {
      const { timeoutMs = TIMEOUT_MS, signal } = withDefaults('request', options, REQUEST_DEFAULTS)
      if (timeoutMs !== Infinity) requireNumber('timeoutMs', timeoutMs)
      if (signal?.aborted) throw new DeliveryError('REQUEST_ABORTED', `"${event}" was aborted`)
      const request = outbox.ask(event, body, bytes)
      const abort = (): void => giveUp(request, 'REQUEST_ABORTED', 'aborted')
      signal?.addEventListener('abort', abort)
      deadlines.set(request, now() + timeoutMs)
      soonest = Math.min(soonest, now() + timeoutMs)
      hurried()
      try {
        return await request.result
      } finally {
        deadlines.delete(request)
        signal?.removeEventListener('abort', abort)
      }
    },
    elapsed() {
      const at = now()
      soonest = Infinity
      for (const [request, deadline] of deadlines) {
        if (deadline <= at) giveUp(request, 'REQUEST_TIMEOUT', 'not answered in time')
        else soonest = Math.min(soonest, deadline)
      }
    },
  }
}
