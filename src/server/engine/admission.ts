import { FORBIDDEN, INTERNAL_ERROR, TRY_AGAIN_LATER } from '../../protocol/close-codes.js'
import { HoldfastError, ListenerError, RefusedError, textOf } from '../../shared/errors.js'
import { closingOf } from '../base/close-reasons.js'
import type { EngineContext } from '../base/context.js'
import type { Upgrade } from '../base/upgrade-request.js'
import type { EngineConnection } from '../connection/connection-host.js'

/** When a client for which there is no room may reconnect, in milliseconds. */
const REFUSED_AFTER_MS = 5_000

/** Which connections may stay, before anything that they say is read. */
export class Admission {
  readonly #context: Pick<EngineContext, 'options' | 'report'>
  /** Kept only where there is a limit for one address. */
  readonly #addresses = new Map<EngineConnection, string>()
  readonly #counts = new Map<string, number>()

  constructor(context: Pick<EngineContext, 'options' | 'report'>) {
    this.#context = context
  }

  /**
   * Closes a connection that may not stay: after the upgrade, since a page cannot see the cause of an upgrade that fails.
   *
   * @param count how many connections there are, with this one
   */
  admit(connection: EngineConnection, upgrade: Upgrade, count: number): void {
    const { connectionsMax, connectionsPerAddressMax } = this.#context.options.limits
    if (count > connectionsMax) return turnAway(connection, 'There are too many connections')
    if (connectionsPerAddressMax < connectionsMax && this.#countIn(connection, upgrade) > connectionsPerAddressMax) {
      const why = `There are more than ${connectionsPerAddressMax} connections from one address`
      this.#context.report(new HoldfastError('TOO_MANY', why))
      return turnAway(connection, why)
    }
    this.#checkOrigin(connection, upgrade)
  }

  gone(connection: EngineConnection): void {
    const address = this.#addresses.get(connection)
    if (address === undefined) return
    this.#addresses.delete(connection)
    const left = (this.#counts.get(address) ?? 0) - 1
    if (left > 0) this.#counts.set(address, left)
    else this.#counts.delete(address)
  }

  /** How many connections its address has; local sockets have none. */
  #countIn(connection: EngineConnection, { remoteAddress, headers }: Upgrade): number {
    const { address } = this.#context.options.findWay(remoteAddress, headers)
    if (address === undefined) return 0
    const key = siteOf(address)
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    this.#addresses.set(connection, key)
    return count
  }

  #checkOrigin(connection: EngineConnection, { origin }: Upgrade): void {
    try {
      if (origin === undefined || this.#context.options.isAllowed(origin)) return
    } catch (cause) {
      const error = new ListenerError('LISTENER_THREW', `origins threw: ${textOf(cause)}`, cause)
      this.#context.report(error)
      return connection.close(INTERNAL_ERROR, error.code, closingOf(error).told)
    }
    const error = new RefusedError('FORBIDDEN', `Pages of ${origin.slice(0, 200)} may not connect`)
    this.#context.report(error)
    connection.close(FORBIDDEN, error.code, error)
  }
}

const turnAway = (connection: EngineConnection, why: string): void =>
  connection.close(TRY_AGAIN_LATER, 'full', new HoldfastError('SERVER_FAILED', why), REFUSED_AFTER_MS)

/** One site has a whole /64 of IPv6: RFC 6177. */
function siteOf(address: string): string {
  if (!address.includes(':')) return address
  const [before = '', after] = address.split('::')
  const groups = before.split(':').filter(Boolean)
  const missing = after === undefined ? 0 : 8 - groups.length - after.split(':').filter(Boolean).length
  return [...groups, ...Array.from({ length: missing }, () => '0')].slice(0, 4).join(':')
}
