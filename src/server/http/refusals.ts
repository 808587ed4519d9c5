import type { IncomingMessage } from 'node:http'
import { HoldfastError, type ErrorCode } from '../../shared/errors.js'
import type { Refusal } from './handshake.js'

/** The longest path that an error quotes, in characters. */
const QUOTED_MAX = 200

/** The upgrades that a server refuses: all are counted, and the first of each kind is reported. */
export class Refusals {
  readonly #report: (error: HoldfastError, kind: string) => void
  readonly #kinds = new Set<string>()
  #count = 0

  constructor(report: (error: HoldfastError, kind: string) => void) {
    this.#report = report
  }

  get count(): number {
    return this.#count
  }

  /** @example new Refusals(report).add({ status: 404, reason: 'There is no WebSocket at this path.' }, request) */
  add({ status, reason, hint }: Refusal, request: IncomingMessage): void {
    this.#count++
    const advice = hint === undefined ? '' : ` ${hint}.`
    this.#tell('UPGRADE_REFUSED', reason, `Answered ${nameOf(request)} with ${status}: ${reason}${advice}`)
  }

  /** A request was left to the other listeners of a shared http server: it is not counted. */
  ignored(why: string, request: IncomingMessage): void {
    this.#tell('UPGRADE_IGNORED', why, `Did not answer ${nameOf(request)}: ${why}.`)
  }

  /** Kinds are our own sentences and those of ws: no peer makes new ones. */
  #tell(code: ErrorCode, kind: string, text: string): void {
    if (this.#kinds.has(kind)) return
    this.#kinds.add(kind)
    this.#report(new HoldfastError(code, `${text} This kind is reported once`), kind)
  }
}

/** What follows the question mark may be a credential. */
function nameOf({ url = '', socket: { remoteAddress = 'a local socket' } }: IncomingMessage): string {
  return `an upgrade of "${url.replace(/\?.*/s, '').slice(0, QUOTED_MAX)}" from ${remoteAddress}`
}
