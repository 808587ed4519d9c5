/** When to ask a silent peer for life, and when to give it up, in milliseconds. */
export interface Heartbeat {
  /** From one ping to the next. */
  readonly interval: number
  /**
   * How long after a ping the peer may stay silent, on a link that is not busy with long frames. A dead link is found
   * within `interval + timeout`.
   */
  readonly timeout: number
}

/** What is on its way over one socket, in bytes. */
export interface Traffic {
  /** Written since the socket was opened. */
  readonly written: number
  /** Of these, what has left this process. */
  readonly left: number
  /** Of the messages, what the peer has yet to acknowledge; `Infinity` where it acknowledges nothing. */
  readonly unacknowledged: number
}

const NO_TRAFFIC: Traffic = { written: 0, left: 0, unacknowledged: 0 }

/** A link that carries less is dead, in bytes per millisecond: 64 kbit/s, the channel of a modem and of GPRS. */
const BYTES_PER_MS_MIN = 8

/** So much at most, in bytes, is in the buffers of systems and proxies, where nothing tells how it moves. */
const UNSEEN_BYTES_MAX = 2 ** 20

/**
 * How much longer, in milliseconds, an answer may take that goes behind so many bytes which are not known to have arrived:
 * 131 s at most.
 */
export const carryMs = (bytes: number): number => Math.floor(Math.min(bytes, UNSEEN_BYTES_MAX) / BYTES_PER_MS_MIN)

/** A peer that answers no pings, and lives by other frames, leaves no more of them in memory. */
export const OPEN_PINGS_MAX = 8

/** A link that was lost to silence makes the next one twice as patient, up to so many times. */
const PATIENCE_MAX = 8

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
  /** The peer says that its next frame has so many bytes. */
  announced(bytes: number): void
  /** The round trip in milliseconds, or undefined for a pong that nobody asked for. */
  pong(now: number): number | undefined
  /**
   * Asks at once, with little patience: the page was hidden or offline, and the link may have died meanwhile; or the peer
   * owes an answer, and must be heard within so many milliseconds.
   */
  probe(now: number, traffic?: Traffic, withinMs?: number): 'ping' | undefined
  elapsed(now: number, traffic?: Traffic): 'ping' | 'dead' | undefined
}

const UNHURRIED: Heartbeat = { interval: Infinity, timeout: Infinity }

/** @param ours null where the peer cannot be asked: then it is only listened to */
export function createLiveness(ours: Heartbeat | null): Liveness {
  let heartbeat = ours
  let startedAt = 0
  let receivedAt = 0
  let pingAt = Infinity
  let pongBy = Infinity
  /** How long a peer that cannot be asked may be silent. */
  let silenceMs = Infinity
  /** When the ping was sent that stands for a round trip: life that was heard since is an answer, pong or no pong. */
  let askedAt: number | undefined
  /** Of the pings without a pong, oldest first: how much was written before each. */
  let pings: number[] = []
  let forgiven = false
  /** Whether the peer has yet to show that it answers pings. */
  let isUnsure = false
  /** How long an answer may take on an idle link. */
  let timeoutMs = Infinity
  /** How long the answer may take that is due at `pongBy`. */
  let waitMs = Infinity
  /** A link that has lived for so long is no victim of what is sent on every new one. */
  let provenMs = Infinity
  let patience = 1
  /** How much was written before the first ping of this silence, how much of that had left, and how much the peer has. */
  let askedBytes = 0
  let leftBytes = 0
  let arrivedBytes = 0
  /** How long the frame is that comes next. */
  let nextBytes = 0

  /** The peer is to be heard within so many milliseconds, and what a slow link takes for what is on its way. */
  const within = (ms: number, now: number, { written, unacknowledged }: Traffic): void => {
    const carriedMs = carryMs(Math.min(written - arrivedBytes, unacknowledged) + nextBytes)
    const by = now + patience * (ms + carriedMs)
    if (by >= pongBy) return
    pongBy = by
    waitMs = ms
  }

  const ask = (now: number, { interval, timeout }: Heartbeat, traffic: Traffic): 'ping' => {
    if (pings.push(traffic.written) > OPEN_PINGS_MAX) pings.shift()
    if (pongBy === Infinity) {
      askedAt = now
      askedBytes = traffic.written
      leftBytes = traffic.left
    }
    pingAt = now + interval
    within(timeout, now, traffic)
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
    const { interval, timeout } = heartbeat ?? theirs
    timeoutMs = waitMs = timeout
    provenMs = interval + timeout
    startedAt = receivedAt = now
    arrivedBytes = 0
    pingAt = heartbeat ? now + interval : Infinity
    silenceMs = heartbeat ? Infinity : provenMs
    pongBy = now + silenceMs * patience
    askedAt = undefined
    pings = []
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
      if (now - startedAt > provenMs) patience = 1
      nextBytes = 0
      pongBy = now + silenceMs * patience
      waitMs = timeoutMs
      forgiven = false
    },
    announced(bytes) {
      nextBytes = bytes
    },
    pong(now) {
      const roundTrip = askedAt === undefined ? undefined : now - askedAt
      askedAt = undefined
      arrivedBytes = pings.shift() ?? arrivedBytes
      if (isUnsure) start(now)
      return roundTrip
    },
    probe(now, traffic = NO_TRAFFIC, withinMs = PROBE_TIMEOUT_MS) {
      if (!heartbeat) return undefined
      const verdict = pongBy === Infinity ? ask(now, heartbeat, traffic) : undefined
      within(withinMs, now, traffic)
      return verdict
    },
    elapsed(now, traffic = NO_TRAFFIC) {
      if (now >= pongBy) {
        if (leftBytes < askedBytes && traffic.left > leftBytes) {
          // What stands before our ping leaves the buffer: it has yet to go out.
          leftBytes = traffic.left
          pongBy = Infinity
          within(timeoutMs, now, traffic)
          return undefined
        }
        // Frames may be waiting behind this very timer if it ran late: give the peer one more chance.
        if (forgiven || !isLate(now, pongBy, waitMs)) {
          patience = Math.min(PATIENCE_MAX, 2 * patience)
          provenMs = Infinity // What the next link says before it is up proves nothing.
          return 'dead'
        }
        forgiven = true
        pongBy = Infinity
        within(heartbeat ? heartbeat.timeout : PROBE_TIMEOUT_MS, now, traffic)
        if (!heartbeat) return undefined
        pingAt = now
      }
      return heartbeat && now >= pingAt ? ask(now, heartbeat, traffic) : undefined
    },
  }
}
