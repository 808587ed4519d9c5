import type { Input } from '../connection/inputs-effects.js'
import type { ClientProtocol } from '../dialects/dialect.js'
import type { Outbox } from '../outbox/outbox-api.js'
import type { Signal } from '../platform/page-lifecycle.js'
import type { Platform } from '../platform/platform.js'
import type { Link } from './link.js'

interface Client {
  readonly platform: Pick<Platform, 'watchSignals' | 'isHidden'>
  readonly protocol: Pick<ClientProtocol, 'leave'>
  readonly outbox: Pick<Outbox, 'part'>
  readonly link: Pick<Link, 'part'>
  /** Ends a turn; `isLast`: without telling the application, since the next page may be told the same. */
  progressed(isLast?: boolean): void
  handle(input: Input): void
}

/** What a client makes of what happens to its page, while it is connected or wants to be. */
export interface PageListener {
  readonly isListening: boolean
  start(): void
  stop(): void
}

export function createPageListener(client: Client): PageListener {
  const { platform, protocol, outbox, link, progressed, handle } = client
  let unwatch: (() => void) | undefined

  /** A page that may be about to end gives what is sent to socket and store at once, and waits for neither. */
  function part(isParting: boolean): void {
    outbox.part(isParting)
    link.part(isParting)
  }

  function signal(what: Signal): void {
    switch (what) {
      case 'part':
        return part(true)
      case 'leave':
        progressed(true)
        return protocol.leave?.('gone')
      case 'hide':
        protocol.leave?.('away')
        return progressed()
      case 'suspend':
        part(true)
        progressed(true)
        protocol.leave?.('away')
        return handle({ type: what })
      case 'resume':
        part(false)
        if (!platform.isHidden) protocol.leave?.('back')
        return handle({ type: what })
      case 'wake':
        if (!platform.isHidden) protocol.leave?.('back')
        return handle({ type: what })
      case 'doubt':
        return handle({ type: what })
    }
  }

  return {
    get isListening() {
      return unwatch !== undefined
    },
    start() {
      if (unwatch) return
      part(false)
      unwatch = platform.watchSignals(signal)
    },
    stop() {
      unwatch?.()
      unwatch = undefined
    },
  }
}
