import type { IncomingMessage, ServerResponse } from 'node:http'
import { headersOf, isHandshake, NO_HANDSHAKE, refusalOf, type Refusal } from './handshake.js'

/** What a server of our own says of itself to requests that are no upgrades. */
export interface OwnRequestHandlers {
  /** Whether new clients are welcome. */
  readonly isReady: () => boolean
  /** A request for an upgrade is being answered with a refusal. */
  readonly refused?: (refusal: Refusal, request: IncomingMessage) => void
}

/** Answers the requests of an http server that exists for WebSockets alone: probes, and all others with a refusal. */
export function answerOwn(request: IncomingMessage, response: ServerResponse, handlers: OwnRequestHandlers): void {
  if (answerProbe(request, response, handlers)) return
  const refusal = refusalOf(request) ?? NO_HANDSHAKE
  if (isHandshake(request)) handlers.refused?.(refusal, request)
  response.writeHead(refusal.status, headersOf(refusal))
  response.end(refusal.reason)
}

/** At the paths that Kubernetes uses. */
function answerProbe(request: IncomingMessage, response: ServerResponse, { isReady }: OwnRequestHandlers): boolean {
  const { method = '', url = '' } = request
  const path = url.replace(/\?.*/s, '')
  if (!['/healthz', '/readyz'].includes(path) || !['GET', 'HEAD'].includes(method) || isHandshake(request)) return false
  const isFine = path === '/healthz' || isReady()
  response.writeHead(isFine ? 200 : 503, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' })
  response.end(isFine ? 'ok' : 'draining')
  return true
}
