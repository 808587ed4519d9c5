/** What the pages say: the same words in each. */

export const LABELS = {
  idle: 'Idle',
  connecting: 'Connecting',
  handshaking: 'Handshaking',
  connected: 'Connected',
  waiting: 'Waiting',
  suspended: 'Suspended',
  closed: 'Closed',
}

export const wantsConnection = (client) => !['idle', 'closed'].includes(client.getState().status)

/** How long until the next attempt, where one is due: `6.8 s`. */
export const countdownOf = ({ retryAt }, now) => (retryAt ? `${Math.max(0, (retryAt - now) / 1000).toFixed(1)} s` : '')

/** How many messages wait: those that the client knows of, or those that it left in the outbox when it was closed. */
export const queuedOf = ({ status, pending }, { left }) => (status === 'closed' && pending === 0 ? left : pending)

/** The line under the state: what happens next, and why. */
export function detailOf(state, now, queued) {
  switch (state.status) {
    case 'idle':
      return 'Not asked to connect yet.'
    case 'connecting':
    case 'handshaking':
      return `Attempt ${state.attempt} is under way.`
    case 'connected': {
      const roundTrip = state.rttMs === undefined ? '' : ` Round trip ${formatMs(state.rttMs)}.`
      return `For ${Math.round((now - state.connectedAt) / 1000)} s.${roundTrip}`
    }
    case 'waiting':
      return `Then attempt ${state.attempt}. ${state.error.message}`
    case 'suspended':
      return 'The page is frozen.'
    default:
      return state.error ? state.error.message : `Closed by you.${queued > 0 ? ` ${whatStays(queued)}` : ''}`
  }
}

const whatStays = (queued) => `${countOf(queued)} in the outbox until you press Connect.`

const countOf = (messages) => (messages === 1 ? '1 message stays' : `${formatCount(messages)} messages stay`)

/** The line under the list of the queue, which shows so many of those that wait. */
export function moreOf(queued, shown) {
  if (queued === 0) return 'Nothing is waiting.'
  if (shown === 0) return `${countOf(queued)} for the next connection.`
  return queued > shown ? `and ${formatCount(queued - shown)} more` : ''
}

/** What becomes of the queue when the page ends. */
export const durabilityOf = ({ storageError }) =>
  storageError
    ? `A reload loses the queue: it is in memory alone. ${storageError.message}.`
    : 'Crash-proof: press “Refuse for 10 s”, send a few, reload the page. They are in IndexedDB, and go out when the link is back.'

/** What a delivery means, by who vouches for it. */
const VOUCHERS = {
  browser: 'Delivered means: left this browser on a live link. A plain server vouches for nothing more.',
  server: 'Delivered means: the server’s handler has finished with it, once and in order.',
  nobody: 'Nothing has been delivered yet.',
}

/** Why something may be missing. */
export const GAPS = {
  unknown: 'The server has lost its memory of this session.',
  overflow: 'More was missed than the server keeps.',
  rollback: 'The server went back in time.',
  user: 'The session was another user’s.',
  superseded: 'Another page has taken the session over.',
}

/** What the counts alone would not tell. */
export function notesOn(history, pending) {
  const restored = countRestored(history, pending)
  const { unanswered } = history.counts
  const notes = [VOUCHERS[history.confirmedBy ?? 'nobody']]
  if (restored > 0) notes.unshift(`${formatCount(restored)} restored from before the reload.`)
  if (unanswered > 0) notes.push(`${formatCount(unanswered)} had left when a link died, and were never echoed.`)
  return notes
}

/** One line on a state, for the log. */
export function explain(state) {
  switch (state.status) {
    case 'idle':
      return 'Nothing is touched before connect().'
    case 'connecting':
      return `Attempt ${state.attempt}`
    case 'waiting':
      return `${state.error.code}: ${state.error.message}`
    case 'closed':
      return state.error ? `${state.error.code}: ${state.error.message}` : 'close() was called.'
    default:
      return ''
  }
}

/** Messages that an earlier page has left in the outbox, and this one found there. */
const countRestored = ({ counts }, pending) => counts.delivered + counts.failed + pending - counts.sent

/** What the chart shows, for those who do not see it. */
export function describe(history, pending) {
  const { counts, states, roundTrips } = history
  const lastRoundTrip = roundTrips.at(-1)
  return [
    `Timeline of the connection: now ${LABELS[states.at(-1).state.status].toLowerCase()}`,
    `${counts.outages} ${counts.outages === 1 ? 'outage' : 'outages'} so far`,
    `${pending} in the queue`,
    lastRoundTrip ? `last round trip ${formatMs(lastRoundTrip.rttMs)}` : 'no round trip measured yet',
  ].join(', ')
}

/** 0.84 ms, 12 ms, 1.2 s. */
export function formatMs(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`
}

export const formatCount = (count) => count.toLocaleString('en')

/** 14:02:11.3, in the reader's own manner. */
export const formatTime = (at) =>
  new Date(at).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 1,
    hour12: false,
  })
