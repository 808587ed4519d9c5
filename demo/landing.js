import { createClient, plain } from 'holdfast'
import { drawChart, HEIGHT } from './chart.js'
import { inflict } from './faults.js'
import { record } from './record.js'
import { countdownOf, describe, detailOf, LABELS } from './words.js'

/** The first page's own connection: it says something every second, so that there is a queue to see. */
const link = Math.random().toString(36).slice(2)
const client = createClient({
  url: () => `/echo?link=${link}`,
  dialect: plain({ ping: 'ping' }),
  heartbeatMs: { interval: 1_000, timeout: 3_000 },
  retryDelayMs: { min: 1_000, max: 8_000 },
})
const history = record(client)
const part = (name) => document.querySelector(`[data-part="${name}"]`)
const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches

client.connect()
draw()
setInterval(() => history.send('Still here'), 1_000)
setInterval(draw, isCalm ? 1_000 : 100)
for (const button of document.querySelectorAll('[data-fault]')) {
  button.addEventListener('click', () => {
    history.fault(button.textContent)
    void inflict(button.dataset.fault, link)
  })
}

function draw() {
  const now = Date.now()
  const state = client.getState()
  const chart = part('chart')
  const width = chart.clientWidth
  document.body.dataset.status = state.status
  if (part('status').textContent !== LABELS[state.status]) part('status').textContent = LABELS[state.status]
  part('detail').textContent = `${countdownOf(state, now)} ${detailOf(state, now)}`
  chart.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
  chart.setAttribute('aria-label', describe(history, state.pending))
  chart.innerHTML = drawChart(history, { now, width, pending: state.pending })
}
