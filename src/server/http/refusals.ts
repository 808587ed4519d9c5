import type { IncomingMessage } from 'node:http'
import { HoldfastError } from '../../shared/errors.js'
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
  add({ status, reason, hint }: Refusal, { url = '', socket: { remoteAddress } }: IncomingMessage): void {
    this.#count++
    // Kinds are our own sentences and those of ws: no peer makes new ones.
    if (this.#kinds.has(reason)) return
    this.#kinds.add(reason)
    // What follows the question mark may be a credential.
    const path = url.replace(/\?.*/s, '').slice(0, QUOTED_MAX)
    const advice = hint === undefined ? '' : ` ${hint}.`
    const told = `Answered an upgrade of "${path}" from ${remoteAddress ?? 'a local socket'} with ${status}: ${reason}${advice}`
    this.#report(new HoldfastError('UPGRADE_REFUSED', `${told} This kind is reported once`), reason)
  }
}
