import { StrictMode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createClient, reliable } from 'holdfast'
import { indexedDbStore } from 'holdfast/indexeddb'
import { useConnection, useEvent, usePending } from 'holdfast/react'
import { drawChart, HEIGHT } from './chart.js'
import { FAULTS, inflict } from './faults.js'
import { record } from './record.js'
import {
  countdownOf,
  describe,
  detailOf,
  formatCount,
  formatMs,
  formatTime,
  LABELS,
  notesOn,
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
      <Counts />
      <Chart />
      <div className="columns">
        <Faults />
        <section aria-labelledby="send">
          <Send />
          <Queue />
        </section>
      </div>
      <div className="columns">
        <Echoes />
        <Log />
      </div>
    </div>
  )
}

function Status() {
  const state = useConnection(client)
  const now = useClock()
  const pending = usePending(client)
  const isWanted = wantsConnection(client)

  useEffect(() => {
    document.title = `${LABELS[state.status]}${pending > 0 ? `, ${formatCount(pending)} queued` : ''} · Holdfast`
  }, [state.status, pending])

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
          {detailOf(state, now)}
        </p>
      </div>
      <div className="actions">
        <button type="button" disabled={!isWanted} onClick={client.reconnect}>
          Reconnect now
        </button>
        <button type="button" onClick={() => (isWanted ? void client.close() : client.connect())}>
          {isWanted ? 'Close' : 'Connect'}
        </button>
      </div>
    </section>
  )
}

function Counts() {
  const { errorCount } = useConnection(client)
  const pending = usePending(client)
  useClock()

  const { sent, delivered, echoed, outages } = history.counts
  const counts = {
    Sent: sent,
    Delivered: delivered,
    Echoed: echoed,
    'In the queue': pending,
    Outages: outages,
    Errors: errorCount,
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
        {notesOn(history, pending).join(' ')}
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
    history.send(text.trim() || 'Hello')
    setText('')
  }

  function sendMany() {
    for (let number = 1; number <= 100; number++) history.send(`${number} of 100`)
  }

  return (
    <>
      <h2 id="send">Send</h2>
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
    </>
  )
}

function Queue() {
  const pending = usePending(client)
  // The number may stay while a status changes, from queued to stored to sent.
  useClock()

  const items = pending > 0 ? client.outbox.list() : []
  const more = items.length - QUEUE_SHOWN
  return (
    <>
      <div className="bar">
        <h3>The queue</h3>
        <button type="button" className="quiet" disabled={items.length === 0} onClick={client.outbox.clear}>
          Clear
        </button>
      </div>
      <ol className="rows queue" data-part="queue" aria-label="Queue">
        {items.slice(0, QUEUE_SHOWN).map((item) => (
          <QueueItem key={item.id} {...item} />
        ))}
      </ol>
      {items.length === 0 && <p className="more">Nothing is waiting.</p>}
      {more > 0 && <p className="more">and {formatCount(more)} more</p>}
      <p className="hint">
        Crash-proof: press <b>Refuse</b>, send a few, reload the page. They are in IndexedDB, and go out when the link
        is back.
      </p>
    </>
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
  const pending = usePending(client)

  useLayoutEffect(() => {
    const measure = () => setWidth(svg.current.clientWidth)
    measure()
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [])

  // What chart.js draws is numbers and our own words: there is nothing in it to escape.
  const drawing = width > 0 ? drawChart(history, { now, width, pending }) : ''
  return (
    <svg
      ref={svg}
      className="chart"
      data-part="chart"
      role="img"
      aria-label={describe(history, pending)}
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
