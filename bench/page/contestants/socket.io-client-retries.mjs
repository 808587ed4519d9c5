import { join } from '../join.mjs'

/** What its documentation names for "at least once": it keeps one message on the way. */
export const connect = (url, listeners) => join(url, listeners, { retries: 10, ackTimeout: 10_000 })
