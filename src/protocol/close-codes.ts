/**
 * What a close code asks of a client.
 *
 * - `retry`: come back after a while.
 * - `unauthorized`: come back once, with a fresh credential.
 * - `stop`: coming back would end the same way.
 */
export type CloseAdvice = 'retry' | 'unauthorized' | 'stop'

/** RFC 6455 section 7.4.1: the purpose of the connection has been fulfilled. */
export const NORMAL_CLOSURE = 1000

/** RFC 6455 section 7.4.1: a message is too big for the peer. */
export const MESSAGE_TOO_BIG = 1009

/** RFC 6455 section 7.4.2 leaves 4000–4999 to applications: we drop a link that we no longer trust with this one. */
export const LINK_ABANDONED = 4000

/** What the peer sent made no sense. As HTTP's 400. */
export const BAD_REQUEST = 4400

const UNAUTHORIZED = new Set([3000, 4401])

/**
 * 1000 the server is done with us; 1003, 1007, 1008 and 1010 (RFC 6455 section 7.4.1) it refuses what we are;
 * 3003 "forbidden" (IANA WebSocket Close Code Number Registry); 4400 and so on mirror HTTP's statuses.
 */
const STOP = new Set([1000, 1003, 1007, 1008, 1010, 3003, 4400, 4403, 4404, 4406, 4410])

/** Unknown codes are retried: a message that comes late is better than one that never comes. */
export const closeAdvice = (code: number): CloseAdvice =>
  STOP.has(code) ? 'stop' : UNAUTHORIZED.has(code) ? 'unauthorized' : 'retry'
