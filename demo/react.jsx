import { StrictMode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createClient, reliable } from 'holdfast'
import { indexedDbStore } from 'holdfast/indexeddb'
import { useConnection, useEvent } from 'holdfast/react'
import { drawChart, HEIGHT } from './chart.js'
import { FAULTS, inflict } from './faults.js'
import { record } from './record.js'
import {
  countdownOf,
  describe,
  detailOf,
  durabilityOf,
  formatCount,
  formatMs,
  formatTime,
  LABELS,
  moreOf,
  notesOn,
  queuedOf,
  wantsConnection,
} from './words.js'

// The client lives beside the components, not in them: StrictMode mounts twice, and connects once.
const link = Math.random().toString(36).slice(2)
const client = createClient({
  url: () => `/echo?link=${link}`,
  dialect: reliable({ resumeKey: 'demo:react' }),
  outbox: indexedDbStore({ name: 'demo:react' }),
  // Impatient, to have something to watch. The defaults suit a real page.
  heartbeatMs: { interval: 1_000, timeout: 3_000 },
  retryDelayMs: { min: 1_000, max: 8_000 },
})
const history = record(client)
client.connect()

const ECHOES_SHOWN = 50
const QUEUE_SHOWN = 8

function App() {
  const { status } = useConnection(client)
  return (
    <div data-status={status}>
      <Status />
      <Faults />
      <Send />
      <Chart />
      <Counts />
      <div className="columns lists">
        <Queue />
        <Echoes />
        <Log />
      </div>
    </div>
  )
}

function Status() {
  const state = useConnection(client)
  const now = useClock()
  const queued = queuedOf(state, history)
  const isWanted = wantsConnection(client)

  useEffect(() => {
    document.title = `${LABELS[state.status]}${queued > 0 ? `, ${formatCount(queued)} queued` : ''} · Holdfast`
  }, [state.status, queued])

  return (
    <section className="status" aria-label="Connection">
      <div>
        <p className="state">
          <span role="status" data-part="status">
            {LABELS[state.status]}
          </span>{' '}
          <span data-part="countdown">{countdownOf(state, now)}</span>
        </p>
        <p className="detail" data-part="detail">
          {detailOf(state, now, queued)}
        </p>
      </div>
      <div className="actions">
        <button type="button" disabled={!isWanted} onClick={client.reconnect}>
          Reconnect now
        </button>
        <button type="button" onClick={() => (isWanted ? history.close() : client.connect())}>
          {isWanted ? 'Close' : 'Connect'}
        </button>
      </div>
    </section>
  )
}

function Counts() {
  const state = useConnection(client)
  const queued = queuedOf(state, history)
  useClock()

  const { sent, delivered, echoed, outages } = history.counts
  const counts = {
    Sent: sent,
    Delivered: delivered,
    Echoed: echoed,
    'In the queue': queued,
    Outages: outages,
    Errors: state.errorCount,
  }
  return (
    <section aria-label="Counts">
      <dl className="counts">
        {Object.entries(counts).map(([label, count]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{formatCount(count)}</dd>
          </div>
        ))}
      </dl>
      <p className="hint" data-part="notes">
        {notesOn(history, queued).join(' ')}
      </p>
    </section>
  )
}

function Faults() {
  const { status, connectedAt } = useConnection(client)
  // Which connection is stalled, by its birth: the next one is not.
  const [stalled, setStalled] = useState(null)
  const isStalled = status === 'connected' && stalled === connectedAt

  async function press({ name, label }) {
    const isEnd = name === 'stall' && isStalled
    history.fault(isEnd ? 'Un-stall' : label)
    const result = await inflict(isEnd ? 'resume' : name, link)
    if (name === 'stall') setStalled(result.isStalled ? connectedAt : null)
  }

  return (
    <section aria-labelledby="break">
      <h2 id="break">Break the link</h2>
      <ul className="faults">
        {FAULTS.map((fault) => (
          <li key={fault.name}>
            <button
              type="button"
              aria-describedby={`about-${fault.name}`}
              aria-pressed={fault.name === 'stall' ? isStalled : undefined}
              onClick={() => void press(fault)}
            >
              {fault.name === 'stall' && isStalled ? 'Un-stall' : fault.label}
            </button>
            <p id={`about-${fault.name}`}>{fault.explanation}</p>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Send() {
  const [text, setText] = useState('')

  function submit(event) {
    event.preventDefault()
    if (history.send(text.trim() || 'Hello')) setText('')
  }

  function sendMany() {
    for (let number = 1; number <= 100; number++) history.send(`${number} of 100`)
  }

  return (
    <form className="send" onSubmit={submit}>
      <label htmlFor="text">Message</label>
      <input
        id="text"
        placeholder="Hello"
        maxLength={200}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button className="primary">Send</button>
      <button type="button" onClick={sendMany}>
        Send 100
      </button>
    </form>
  )
}

function Queue() {
  const state = useConnection(client)
  // The number may stay while a status changes, from queued to stored to sent.
  useClock()

  const items = state.pending > 0 ? client.outbox.list() : []
  const more = moreOf(queuedOf(state, history), Math.min(items.length, QUEUE_SHOWN))
  return (
    <section aria-labelledby="queue">
      <div className="bar">
        <h2 id="queue">The queue</h2>
        <button type="button" className="quiet" disabled={items.length === 0} onClick={client.outbox.clear}>
          Clear
        </button>
      </div>
      <ol className="rows queue" data-part="queue" aria-labelledby="queue">
        {items.slice(0, QUEUE_SHOWN).map((item) => (
          <QueueItem key={item.id} {...item} />
        ))}
      </ol>
      <p className="more" data-part="more">
        {more}
      </p>
      <p className="hint" data-part="durability">
        {durabilityOf(state)}
      </p>
    </section>
  )
}

function QueueItem({ id, status, body }) {
  const { text } = JSON.parse(body)
  return (
    <li>
      <span className="text">{text}</span>
      <span className="badge" data-status={status}>
        {status}
      </span>
      <button
        type="button"
        className="quiet"
        aria-label={`Remove “${text}”`}
        onClick={(event) => {
          // Whoever removes by keyboard wants to go on from where they are.
          const next = event.currentTarget.closest('li').nextElementSibling?.querySelector('button')
          client.outbox.remove(id)
          ;(next ?? document.getElementById('text')).focus()
        }}
      >
        Remove
      </button>
    </li>
  )
}

function Echoes() {
  const [echoes, setEchoes] = useState([])
  useEvent(client, 'message', ({ text, sentAt }) => {
    const at = Date.now()
    setEchoes((before) =>
      [{ id: (before[0]?.id ?? 0) + 1, at, text, tookMs: at - sentAt }, ...before].slice(0, ECHOES_SHOWN),
    )
  })

  return (
    <section aria-labelledby="echoes">
      <h2 id="echoes">Echoes</h2>
      <ol className="rows scroll" data-part="echoes" tabIndex={0} aria-labelledby="echoes">
        {echoes.map(({ id, at, text, tookMs }) => (
          <li key={id}>
            <time>{formatTime(at)}</time>
            <span className="text">{text}</span>
            <span className="took">{formatMs(tookMs)}</span>
          </li>
        ))}
      </ol>
      {echoes.length === 0 && <p className="more">Send something, and it comes back here.</p>}
    </section>
  )
}

function Log() {
  useClock()
  return (
    <section aria-labelledby="log">
      <h2 id="log">Log</h2>
      <ol className="rows scroll log" data-part="log" tabIndex={0} aria-labelledby="log">
        {history.log.map(({ id, at, kind, title, detail }) => (
          <li key={id} data-status={kind}>
            <time>{formatTime(at)}</time>
            <strong>{title}</strong>
            <span className="text">{detail}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}

function Chart() {
  const svg = useRef(null)
  const [width, setWidth] = useState(0)
  const now = useClock()
  const queued = queuedOf(useConnection(client), history)

  useLayoutEffect(() => {
    const measure = () => setWidth(svg.current.clientWidth)
    measure()
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [])

  // What chart.js draws is numbers and our own words: there is nothing in it to escape.
  const drawing = width > 0 ? drawChart(history, { now, width, pending: queued }) : ''
  return (
    <svg
      ref={svg}
      className="chart"
      data-part="chart"
      role="img"
      aria-label={describe(history, queued)}
      height={HEIGHT}
      viewBox={`0 0 ${width || 1} ${HEIGHT}`}
      dangerouslySetInnerHTML={{ __html: drawing }}
    />
  )
}

/** The time, for what moves with it: a countdown, a chart. */
function useClock() {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const { matches: isCalm } = matchMedia('(prefers-reduced-motion: reduce)')
    const timer = setInterval(() => setNow(Date.now()), isCalm ? 1_000 : 100)
    return () => clearInterval(timer)
  }, [])
  return now
}

createRoot(document.querySelector('main')).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
