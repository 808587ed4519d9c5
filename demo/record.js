import { explain, GAPS, LABELS, queuedOf } from './words.js'

/** How far back the chart reaches. */
export const WINDOW_MS = 120_000

const LOG_MAX = 200
const ECHOES_MAX = 50

/**
 * Remembers what a client goes through, for the pages to draw. Everything is read from the client's public events;
 * times are milliseconds since 1970.
 */
export function record(client) {
  const history = {
    /** Each state that the client was in, oldest first. */
    states: [],
    /** Round trips of pings. */
    roundTrips: [],
    /** How many messages were pending, and since when. */
    depths: [],
    /** Who has vouched for the last delivery: `browser` or `server`; undefined before the first. */
    confirmedBy: undefined,
    /** Which buttons were pressed. */
    faults: [],
    /** The last echoes, newest first. */
    echoes: [],
    /** What the log shows, newest first. */
    log: [],
    /** How many messages the last `close` left in the outbox, for the next connection. */
    left: 0,
    counts: { sent: 0, delivered: 0, echoed: 0, failed: 0, outages: 0, unanswered: 0 },
    send,
    close,
    fault,
  }
  const { states, roundTrips, depths, faults, echoes, log, counts } = history

  noteState(client.getState())
  client.lifecycle.on('state', noteState)
  client.lifecycle.on('rtt', (rttMs) => keep(roundTrips, { at: Date.now(), rttMs }))
  client.lifecycle.on('delivered', ({ delivered }) => {
    counts.delivered++
    void delivered.then(({ confirmedBy }) => (history.confirmedBy = confirmedBy))
  })
  client.lifecycle.on('gap', ({ reason }) => noteLog('error', 'Gap', `${GAPS[reason]} It is told once, never hidden.`))
  client.lifecycle.on('failed', () => counts.failed++)
  client.lifecycle.on('error', (error) => noteLog('error', error.code, error.message))
  client.subscribe(noteDepth)
  client.on('message', ({ text, sentAt }) => {
    counts.echoed++
    const at = Date.now()
    echoes.unshift({ id: counts.echoed, at, text, tookMs: at - sentAt })
    echoes.length = Math.min(echoes.length, ECHOES_MAX)
  })

  /** Says whether the client took the message. */
  function send(text) {
    try {
      client.send('message', { text, sentAt: Date.now() })
      counts.sent++
      return true
    } catch (error) {
      noteLog('error', error.code, error.message)
      return false
    }
  }

  /** A closed client shows nothing of what it has left. */
  function close() {
    history.left = client.getState().pending
    void client.close()
  }

  function fault(label) {
    keep(faults, { at: Date.now(), label })
    noteLog('fault', label, 'You pressed the button.')
  }

  function noteState(state) {
    const last = states.at(-1)?.state
    // A later retryAt in the same wait is no news.
    if (last?.status === state.status && last.attempt === state.attempt) return
    if (last?.status === 'connected' && state.status !== 'connected') {
      counts.outages++
      // An echo comes back on the link that took the message, or never.
      counts.unanswered = history.confirmedBy === 'browser' ? counts.delivered - counts.echoed : 0
    }
    keep(states, { at: Date.now(), state })
    noteLog(state.status, LABELS[state.status], explain(state))
  }

  function noteDepth() {
    const pending = queuedOf(client.getState(), history)
    if (pending !== depths.at(-1)?.pending) keep(depths, { at: Date.now(), pending })
  }

  function noteLog(kind, title, detail) {
    log.unshift({ id: (log[0]?.id ?? 0) + 1, at: Date.now(), kind, title, detail })
    log.length = Math.min(log.length, LOG_MAX)
  }

  return history
}

/** Adds to the end, and forgets from the start what has left the window: all but one, which reaches into it. */
function keep(list, item) {
  list.push(item)
  while (list.length > 1 && list[1].at < item.at - WINDOW_MS) list.shift()
}
