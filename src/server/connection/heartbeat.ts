import { carryMs, isLate, OPEN_PINGS_MAX, type Heartbeat } from '../../protocol/heartbeat.js'
import type { ServerSocket } from './sender.js'

/** How the bytes of a socket move. */
type Moving = Pick<ServerSocket, 'bytesRead' | 'bytesWritten' | 'bytesLeft'>

/**
 * The server's pings on one connection. Any frame of the client counts as life, and so do bytes that move, those of a
 * frame which is not whole yet, and those before our ping which leave this process, for as long as a slow link takes for
 * them. A client that has not answered a ping in time is dead, where a slow link would have carried by then what is not
 * known to have arrived.
 */
export class ClientHeartbeat {
  readonly #heartbeat: Heartbeat
  readonly #socket: Moving
  #receivedAt: number
  #pingAt: number
  #pongBy = Infinity
  /** How much was written before each ping without an answer, oldest first. */
  readonly #pings: number[] = []
  /** How much was written before the first ping of this silence, and how much of all the client has. */
  #asked = 0
  #arrived = 0
  /** How many bytes had moved by then, and how long is waited for more at most. */
  #progressed = 0
  #waitMs = 0
  /** Whether the answer to a ping may be late once more. */
  #hasGrace = true

  constructor(heartbeat: Heartbeat, socket: Moving, now: number) {
    this.#heartbeat = heartbeat
    this.#socket = socket
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

  /** The answer to a ping: the client has all that was written before it. */
  ponged(): void {
    this.#arrived = this.#pings.shift() ?? this.#arrived
  }

  elapsed(now: number): 'ping' | 'dead' | undefined {
    if (now >= this.#pongBy) {
      const progress = this.#progress()
      const progressMs = carryMs(progress - this.#progressed)
      if (progressMs > 0) {
        this.#progressed = progress
        this.#pongBy = now + Math.min(this.#waitMs, progressMs)
        return undefined
      }
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
    const { bytesWritten } = this.#socket
    if (this.#pings.push(bytesWritten) > OPEN_PINGS_MAX) this.#pings.shift()
    if (this.#pongBy !== Infinity) return 'ping'
    this.#asked = bytesWritten
    this.#progressed = this.#progress()
    this.#waitMs = timeout + carryMs(bytesWritten - this.#arrived)
    this.#pongBy = now + this.#waitMs
    return 'ping'
  }

  /** Bytes that came, and bytes before the ping that have left this process. */
  #progress(): number {
    const { bytesRead, bytesLeft } = this.#socket
    return bytesRead + Math.min(bytesLeft, this.#asked)
  }
}
