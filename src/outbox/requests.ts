import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import type { Request } from './request.js'

/** The requests that are not answered yet, whether they are still in the queue or handled by the server. */
export interface Requests {
  /** How many are handled by the server, so that only their answers are still to come. */
  readonly awaited: number
  add(request: Request): void
  /** The server has handled it: its answer has come, or will. */
  acknowledged(request: Request): void
  answer(id: string, data: unknown, error?: HoldfastError): void
  /** Fails it; says whether it was waiting. */
  withdraw(request: Request, error: HoldfastError): boolean
  /** The session is gone, and the answers to what was handled with it. */
  lose(): void
  close(error: HoldfastError): void
}

export function createRequests(): Requests {
  const waiting = new Map<string, Request>()
  const acknowledged = new Set<Request>()

  function forget(request: Request): boolean {
    acknowledged.delete(request)
    return waiting.delete(request.id)
  }

  function withdraw(request: Request, error: HoldfastError): boolean {
    if (!forget(request)) return false
    request.fail(error)
    return true
  }

  return {
    get awaited() {
      return acknowledged.size
    },
    add: (request) => void waiting.set(request.id, request),
    acknowledged(request) {
      if (waiting.has(request.id)) acknowledged.add(request)
    },
    answer(id, data, error) {
      const request = waiting.get(id)
      if (!request) return
      forget(request)
      if (error) request.fail(error)
      else request.answer(data)
    },
    withdraw,
    lose() {
      for (const request of acknowledged) {
        const words = `The server has handled "${request.message.event}", and its answer is lost with the session`
        withdraw(request, new DeliveryError('RESULT_LOST', words))
      }
    },
    close(error) {
      for (const request of waiting.values()) request.abandon(error)
      waiting.clear()
      acknowledged.clear()
    },
  }
}
