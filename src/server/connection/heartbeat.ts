import { isLate, type Heartbeat } from '../../protocol/heartbeat.js'

/**
 * The server's pings on one connection. Any frame of the client counts as life. A client that has not answered a ping
 * in time is dead.
 */
export class ClientHeartbeat {
  readonly #heartbeat: Heartbeat
  #receivedAt: number
  #pingAt: number
  #pongBy = Infinity
  /** Whether the answer to a ping may be late once more. */
  #hasGrace = true

  constructor(heartbeat: Heartbeat, now: number) {
    this.#heartbeat = heartbeat
    this.#receivedAt = now
    this.#pingAt = now + heartbeat.interval
  }

  /** When `elapsed` must be called. */
  get deadline(): number {
    return Math.min(this.#pingAt, this.#pongBy)
  }

  /** When the last frame came. */
  get receivedAt(): number {
    return this.#receivedAt
  }

  received(now: number): void {
    this.#receivedAt = now
    this.#pongBy = Infinity
    this.#hasGrace = true
  }

  elapsed(now: number): 'ping' | 'dead' | undefined {
    if (now >= this.#pongBy) {
      // A timer that runs late may run before the frames that wait behind it.
      if (!this.#hasGrace || !isLate(now, this.#pongBy, this.#heartbeat.timeout)) return 'dead'
      this.#hasGrace = false
      this.#pongBy = Infinity
      return this.#ping(now)
    }
    return now >= this.#pingAt ? this.#ping(now) : undefined
  }

  #ping(now: number): 'ping' {
    const { interval, timeout } = this.#heartbeat
    this.#pingAt = now + interval
    this.#pongBy = Math.min(this.#pongBy, now + timeout)
    return 'ping'
  }
}
