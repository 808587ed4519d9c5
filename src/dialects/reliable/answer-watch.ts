import { carryMs, OPEN_PINGS_MAX } from '../../protocol/heartbeat.js'

/**
 * A server that owes an answer is pinged no sooner, in milliseconds. RFC 6298, section 2.4, has 1 s; here a handler runs too
 * before the answer, and a ping costs a radio more than a wait.
 */
const QUESTION_AFTER_MS_MIN = 2_000

/** The pong to such a ping may take so many times as long as the round trip explains. */
const PONG_FACTOR = 1.5

/** A frame of so many bytes, which nobody acknowledges, takes a slow link half a second. */
const LONG_FRAME_BYTES = 4 * 1024

/**
 * Watches for how long the server owes an acknowledgement or a reply. Silence that the measured round trip does not explain
 * is a reason to ping at once, so that a dead link in use is found long before the heartbeat finds it.
 */
export interface AnswerWatch {
  /** When `elapsed` is due, on the monotonic clock; `Infinity` while nothing is owed. */
  readonly deadline: number
  /** Our hello is sent. */
  introduced(now: number): void
  /** The server has answered our hello: the first measure of the round trip on this connection. */
  start(now: number): void
  /** A frame came. */
  received(): void
  /**
   * All was written that could be, and the server owes so much. While it is silent that becomes a question; where it has
   * answered since, the same debt means a slow handler, which is asked for less and less often.
   */
  owes(amount: number, now: number): void
  /** So many bytes were written that nobody acknowledges. */
  wrote(bytes: number): void
  pinged(now: number): void
  ponged(now: number): void
  /** Within how many milliseconds the server must be heard; undefined where it need not be asked. */
  elapsed(now: number): number | undefined
}

interface Ping {
  readonly at: number
  /** What was written before it of long frames that nobody acknowledges. */
  readonly written: number
}

export function createAnswerWatch(): AnswerWatch {
  let helloAt = 0
  /** The round trip, smoothed, and how much it varies: RFC 6298, section 2. */
  let smoothedMs = 0
  let variesMs = 0
  /** Those without a pong, oldest first. */
  let pings: Ping[] = []
  let written = 0
  let arrived = 0
  let owed = 0
  let deadline = Infinity
  /** How many times as long the next question waits. */
  let patience = 1
  let isAsked = false

  /** An answer that takes longer is not explained by the round trip. */
  const answerMs = (): number => Math.max(QUESTION_AFTER_MS_MIN, smoothedMs + 4 * variesMs)

  return {
    get deadline() {
      return deadline
    },
    introduced(now) {
      helloAt = now
    },
    start(now) {
      smoothedMs = now - helloAt
      variesMs = smoothedMs / 2
      pings = []
      written = arrived = 0
    },
    received() {
      deadline = Infinity
      isAsked = false
    },
    owes(amount, now) {
      if (amount !== owed) patience = 1
      owed = amount
      if (!owed) deadline = Infinity
      else if (!isAsked) deadline = Math.min(deadline, now + patience * answerMs())
    },
    wrote(bytes) {
      if (bytes >= LONG_FRAME_BYTES) written += bytes
    },
    pinged(at) {
      if (pings.push({ at, written }) > OPEN_PINGS_MAX) pings.shift()
    },
    ponged(now) {
      const ping = pings.shift()
      if (!ping) return
      const roundTripMs = now - ping.at
      variesMs += (Math.abs(smoothedMs - roundTripMs) - variesMs) / 4
      smoothedMs += (roundTripMs - smoothedMs) / 8
      arrived = ping.written
    },
    elapsed(now) {
      if (now < deadline) return undefined
      deadline = Infinity
      isAsked = true
      patience *= 2
      return PONG_FACTOR * answerMs() + carryMs(written - arrived)
    },
  }
}
