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

/** What the peer sent made no sense. As HTTP's 400, and so are those that follow. */
export const BAD_REQUEST = 4400
export const UNAUTHORIZED = 4401
export const FORBIDDEN = 4403
/** The server does not speak our protocol. */
export const NOT_ACCEPTABLE = 4406
/** No `hello` in time. */
export const HELLO_TIMEOUT = 4408
/** Another connection has this session now. */
export const SUPERSEDED = 4409
export const RATE_LIMITED = 4429

/** RFC 6455 section 7.4.1, and the IANA WebSocket Close Code Number Registry for 1012 and 1013. */
export const GOING_AWAY = 1001
export const INTERNAL_ERROR = 1011
export const SERVICE_RESTART = 1012
export const TRY_AGAIN_LATER = 1013

const CREDENTIAL = new Set([3000, UNAUTHORIZED])

/**
 * 1003, 1007, 1008 and 1010 (RFC 6455 section 7.4.1) it refuses what we are;
 * 3003 "forbidden" (IANA WebSocket Close Code Number Registry); 4400 and so on mirror HTTP's statuses.
 */
const STOP = new Set([1003, 1007, 1008, 1010, 3003, 4400, 4403, 4404, 4406, 4410])

/**
 * Unknown codes are retried: a message that comes late is better than one that never comes. So is 1000, with which many
 * servers close when they restart, since it is what `close()` without a code says.
 */
export const closeAdvice = (code: number): CloseAdvice =>
  STOP.has(code) ? 'stop' : CREDENTIAL.has(code) ? 'unauthorized' : 'retry'
