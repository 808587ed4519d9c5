/** When to ask a silent peer for life, and when to give it up, in milliseconds. */
export interface Heartbeat {
  /** From one ping to the next. */
  readonly interval: number
  /** How long after a ping the peer may stay silent. A dead link is found within `interval + timeout`. */
  readonly timeout: number
}

/** After a page comes back into view or online, an answer is due this soon, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000

/**
 * Whether a timer fires so late that the thread was held up or throttled, or slept: by an eighth of what it waited for.
 * Then frames may be waiting behind it.
 */
export const isLate = (now: number, at: number, waitedMs: number): boolean => now - at > waitedMs / 8

/** Ping and pong over one connection. Any frame from the peer counts as life; a pong also measures the round trip. */
export interface Liveness {
  /** When `elapsed` wants to be called. */
  readonly deadline: number
  /** When the peer was last heard. */
  readonly receivedAt: number
  /**
   * A connection begins; where the server keeps a stricter heartbeat, that one counts. A peer that cannot be asked and
   * says that it pings by itself is given up after `interval + timeout` of silence. One that may ignore pings is not
   * pinged before its first pong, and never given up before it.
   */
  start(now: number, theirs?: Heartbeat, mayIgnorePings?: boolean): void
  received(now: number): void
  /** The round trip in milliseconds, or undefined for a pong that nobody asked for. */
  pong(now: number): number | undefined
  /** Asks at once, with little patience: the page was hidden or offline and the link may have died meanwhile. */
  probe(now: number): 'ping' | undefined
  elapsed(now: number): 'ping' | 'dead' | undefined
}

const UNHURRIED: Heartbeat = { interval: Infinity, timeout: Infinity }

/** @param ours null where the peer cannot be asked: then it is only listened to */
export function createLiveness(ours: Heartbeat | null): Liveness {
  let heartbeat = ours
  let receivedAt = 0
  let pingAt = Infinity
  let pongBy = Infinity
  /** How long a peer that cannot be asked may be silent. */
  let silenceMs = Infinity
  let askedAt: number | undefined
  let forgiven = false
  /** Whether the peer has yet to show that it answers pings. */
  let isUnsure = false
  /** How long an answer may take. */
  let patienceMs = Infinity

  const ask = (now: number, { interval, timeout }: Heartbeat): 'ping' => {
    // Life was heard since the last ping: what it asked is answered, pong or no pong.
    if (pongBy === Infinity) askedAt = now
    pingAt = now + interval
    pongBy = Math.min(pongBy, now + timeout)
    return 'ping'
  }

  function start(now: number, theirs = UNHURRIED, mayIgnorePings = false): void {
    isUnsure = mayIgnorePings
    heartbeat = isUnsure
      ? null
      : ours && {
          interval: Math.min(ours.interval, theirs.interval),
          timeout: Math.min(ours.timeout, theirs.timeout),
        }
    patienceMs = (heartbeat ?? theirs).timeout
    receivedAt = now
    pingAt = heartbeat ? now + heartbeat.interval : Infinity
    silenceMs = heartbeat ? Infinity : theirs.interval + theirs.timeout
    pongBy = now + silenceMs
    askedAt = undefined
    forgiven = false
  }

  return {
    get deadline() {
      return Math.min(pingAt, pongBy)
    },
    get receivedAt() {
      return receivedAt
    },
    start,
    received(now) {
      receivedAt = now
      pongBy = now + silenceMs
      forgiven = false
    },
    pong(now) {
      const roundTrip = askedAt === undefined ? undefined : now - askedAt
      askedAt = undefined
      if (isUnsure) start(now)
      return roundTrip
    },
    probe(now) {
      if (!heartbeat) return undefined
      const verdict = pongBy === Infinity ? ask(now, heartbeat) : undefined
      pongBy = Math.min(pongBy, now + PROBE_TIMEOUT_MS)
      return verdict
    },
    elapsed(now) {
      if (now >= pongBy) {
        // Frames may be waiting behind this very timer if it ran late: give the peer one more chance.
        if (forgiven || !isLate(now, pongBy, patienceMs)) return 'dead'
        forgiven = true
        pongBy = now + (heartbeat ? heartbeat.timeout : PROBE_TIMEOUT_MS)
        return heartbeat ? ask(now, heartbeat) : undefined
      }
      return heartbeat && now >= pingAt ? ask(now, heartbeat) : undefined
    },
  }
}
