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

/** How many messages of the queue are listed; the others are counted. */
const QUEUE_SHOWN = 8

const calm = matchMedia('(prefers-reduced-motion: reduce)')

/**
 * Shows a client in `root`: its state, queue, echoes and history, with buttons that break its link for real.
 * Everything is drawn from the clock, ten times a second, since a countdown and a moving chart are on the page.
 */
export function showPanel(root, client, link) {
  const history = record(client)
  root.innerHTML = TEMPLATE
  const part = (name) => root.querySelector(`[data-part="${name}"]`)
  let isStalled = false

  onClick(part('reconnect'), () => client.reconnect())
  onClick(part('toggle'), () => (wantsConnection(client) ? history.close() : client.connect()))
  onClick(part('clear'), () => client.outbox.clear())
  onClick(part('send-many'), () => {
    for (let number = 1; number <= 100; number++) history.send(`${number} of 100`)
  })
  part('form').addEventListener('submit', (event) => {
    event.preventDefault()
    const input = part('text')
    if (history.send(input.value.trim() || input.placeholder)) input.value = ''
  })
  for (const fault of FAULTS) part('faults').append(faultRow(fault))

  function faultRow({ name, label, explanation }) {
    const button = element('button', { type: 'button', 'aria-describedby': `about-${name}` }, label)
    if (name === 'stall') button.dataset.part = 'stall'
    onClick(button, async () => {
      const isEnd = name === 'stall' && isStalled
      history.fault(isEnd ? 'Un-stall' : label)
      const result = await inflict(isEnd ? 'resume' : name, link)
      if (name === 'stall') isStalled = result.isStalled
    })
    return element('li', {}, button, element('p', { id: `about-${name}` }, explanation))
  }

  function draw() {
    const now = Date.now()
    const state = client.getState()
    const queued = queuedOf(state, history)
    if (state.status !== 'connected') isStalled = false
    showStatus(state, now, queued)
    showCounts(state, queued)
    showChart(now, queued)
    showQueue(state, queued)
    showLists()
  }

  function showStatus(state, now, queued) {
    root.dataset.status = state.status
    write(part('status'), LABELS[state.status])
    write(part('countdown'), countdownOf(state, now))
    write(part('detail'), detailOf(state, now, queued))
    write(part('toggle'), wantsConnection(client) ? 'Close' : 'Connect')
    part('reconnect').disabled = !wantsConnection(client)
    write(part('stall'), isStalled ? 'Un-stall' : 'Stall')
    part('stall').setAttribute('aria-pressed', isStalled)
    document.title = `${LABELS[state.status]}${queued > 0 ? `, ${formatCount(queued)} queued` : ''} · Holdfast`
  }

  function showCounts(state, queued) {
    const { counts } = history
    const figures = { ...counts, pending: queued, errors: state.errorCount }
    for (const name of ['sent', 'delivered', 'echoed', 'pending', 'outages', 'errors']) {
      write(part(name), formatCount(figures[name]))
    }
    write(part('notes'), notesOn(history, queued).join(' '))
  }

  function showChart(now, queued) {
    const svg = part('chart')
    if (!svg.clientWidth) return
    svg.setAttribute('aria-label', describe(history, queued))
    svg.setAttribute('viewBox', `0 0 ${svg.clientWidth} ${HEIGHT}`)
    svg.innerHTML = drawChart(history, { now, width: svg.clientWidth, pending: queued })
  }

  function showQueue(state, queued) {
    // Only what is shown is worth a list of up to 10,000.
    const items = state.pending > 0 ? client.outbox.list() : []
    syncList(part('queue'), items.slice(0, QUEUE_SHOWN), queueRow, (row, { status }) => {
      write(row.querySelector('.badge'), status)
      row.querySelector('.badge').dataset.status = status
    })
    write(part('more'), moreOf(queued, Math.min(items.length, QUEUE_SHOWN)))
    write(part('durability'), durabilityOf(state))
    part('clear').disabled = items.length === 0
  }

  function queueRow({ id, body }) {
    const { data, text = data.text } = JSON.parse(body) // `plain` keeps the whole frame, `reliable` the payload.
    const button = element('button', { type: 'button', class: 'quiet', 'aria-label': `Remove “${text}”` }, 'Remove')
    onClick(button, () => {
      // Whoever removes by keyboard wants to go on from where they are.
      const next = button.closest('li').nextElementSibling?.querySelector('button') ?? part('text')
      client.outbox.remove(id)
      next.focus()
    })
    return element('li', {}, element('span', { class: 'text' }, text), element('span', { class: 'badge' }), button)
  }

  function showLists() {
    syncList(part('echoes'), history.echoes, ({ at, text, tookMs }) =>
      element(
        'li',
        {},
        element('time', {}, formatTime(at)),
        element('span', { class: 'text' }, text),
        element('span', { class: 'took' }, formatMs(tookMs)),
      ),
    )
    write(part('no-echoes'), history.echoes.length === 0 ? 'Send something, and it comes back here.' : '')
    syncList(part('log'), history.log, ({ at, kind, title, detail }) =>
      element(
        'li',
        { 'data-status': kind },
        element('time', {}, formatTime(at)),
        element('strong', {}, title),
        element('span', { class: 'text' }, detail),
      ),
    )
  }

  draw()
  client.subscribe(draw)
  addEventListener('resize', draw)
  setInterval(draw, calm.matches ? 1_000 : 100)
}

/** Shows the code that made the client: the very script that ran. */
export function showSource(firstLine) {
  const [, ...lines] = document.getElementById('code').textContent.trimEnd().split('\n')
  const indent = Math.min(...lines.filter((line) => line.trim()).map((line) => line.search(/\S/)))
  const text = lines.map((line) => line.slice(indent)).join('\n')
  document.querySelector('.source code').textContent = firstLine ? `${firstLine}\n\n${text}` : text
}

/** Makes the children of `list` fit `items`, by id: what stays is not touched, so that it keeps the focus. */
function syncList(list, items, create, update) {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]))
  const ids = new Set(items.map(({ id }) => String(id)))
  for (const [id, row] of rows) if (!ids.has(id)) row.remove()
  items.forEach((item, index) => {
    const id = String(item.id)
    const row = rows.get(id) ?? create(item)
    row.dataset.id = id
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null)
    update?.(row, item)
  })
}

/** Writes only what has changed, so that screen readers are told of news only. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}

const onClick = (button, listener) => button.addEventListener('click', listener)

function element(tag, attributes, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  node.append(...children)
  return node
}

const TEMPLATE = `
  <section class="status" aria-label="Connection">
    <div>
      <p class="state"><span data-part="status" role="status"></span> <span data-part="countdown"></span></p>
      <p data-part="detail" class="detail"></p>
    </div>
    <div class="actions">
      <button type="button" data-part="reconnect">Reconnect now</button>
      <button type="button" data-part="toggle"></button>
    </div>
  </section>

  <section aria-labelledby="break">
    <h2 id="break">Break the link</h2>
    <ul class="faults" data-part="faults"></ul>
  </section>

  <form class="send" data-part="form">
    <label for="text">Message</label>
    <input id="text" data-part="text" placeholder="Hello" maxlength="200" autocomplete="off" />
    <button class="primary">Send</button>
    <button type="button" data-part="send-many">Send 100</button>
  </form>

  <svg class="chart" data-part="chart" role="img" height="${HEIGHT}"></svg>

  <section aria-label="Counts">
    <dl class="counts">
      <div><dt>Sent</dt><dd data-part="sent"></dd></div>
      <div><dt>Delivered</dt><dd data-part="delivered"></dd></div>
      <div><dt>Echoed</dt><dd data-part="echoed"></dd></div>
      <div><dt>In the queue</dt><dd data-part="pending"></dd></div>
      <div><dt>Outages</dt><dd data-part="outages"></dd></div>
      <div><dt>Errors</dt><dd data-part="errors"></dd></div>
    </dl>
    <p class="hint" data-part="notes"></p>
  </section>

  <div class="columns lists">
    <section aria-labelledby="queue">
      <div class="bar">
        <h2 id="queue">The queue</h2>
        <button type="button" class="quiet" data-part="clear">Clear</button>
      </div>
      <ol class="rows queue" data-part="queue" aria-labelledby="queue"></ol>
      <p class="more" data-part="more"></p>
      <p class="hint" data-part="durability"></p>
    </section>
    <section aria-labelledby="echoes">
      <h2 id="echoes">Echoes</h2>
      <ol class="rows scroll" data-part="echoes" tabindex="0" aria-labelledby="echoes"></ol>
      <p class="more" data-part="no-echoes"></p>
    </section>
    <section aria-labelledby="log">
      <h2 id="log">Log</h2>
      <ol class="rows scroll log" data-part="log" tabindex="0" aria-labelledby="log"></ol>
    </section>
  </div>
`
