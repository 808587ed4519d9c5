import { WINDOW_MS } from './record.js'
import { formatCount, LABELS } from './words.js'

/** Three rows over one axis of time: the state, the queue, the round trip. In pixels. */
const ROWS = {
  marks: { top: 0, height: 18 },
  state: { top: 20, height: 26 },
  queue: { top: 62, height: 52 },
  roundTrip: { top: 132, height: 84 },
  axis: { top: 222, height: 18 },
}
export const HEIGHT = ROWS.axis.top + ROWS.axis.height

const GUTTER = { left: 76, right: 60 }
const GUTTER_NARROW = { left: 12, right: 12 }
const NARROW = 560

/** Labels that are closer than this would touch. */
const LABEL_HEIGHT = 14

/** The round trip's axis is logarithmic: a local server takes tenths of a millisecond, a stalled one seconds. */
const ROUND_TRIP_MIN_MS = 0.1
const ROUND_TRIP_MAX_MS = 10_000
const DECADES = Math.log10(ROUND_TRIP_MAX_MS / ROUND_TRIP_MIN_MS)

/** How much is shown at least; the window then grows with what there is to see. */
const WINDOW_MIN_MS = 30_000

/** A pause between round trips that is longer than this was an outage: the line breaks. */
const GAP_MS = 2_500

/** The chart as SVG, for a width in pixels. Every text in it is ours, so nothing is escaped. */
export function drawChart(history, { now, width, pending }) {
  return paint(layOut(history, { now, width, pending }), pending)
}

/** Where everything is, given what happened, the time and the width. */
function layOut(history, { now, width, pending }) {
  const isNarrow = width < NARROW
  const gutter = isNarrow ? GUTTER_NARROW : GUTTER
  const ageMs = now - history.states[0].at
  const windowMs = Math.min(Math.max(ageMs, WINDOW_MIN_MS), isNarrow ? WINDOW_MS / 2 : WINDOW_MS)
  const left = gutter.left
  const right = width - gutter.right
  const x = (at) => right - ((now - at) / windowMs) * (right - left)
  const visible = (at) => Math.max(left, x(at))

  return {
    isNarrow,
    left,
    right,
    bands: layOutBands(history.states, now, x, left, right),
    marks: layOutMarks(history.faults, x, left, right),
    queue: layOutQueue(history.depths, pending, now, visible),
    roundTrip: layOutRoundTrips(history.roundTrips, x, left),
    ticks: layOutTicks(windowMs, now, x, left),
  }
}

function layOutBands(states, now, x, left, right) {
  return states.flatMap(({ at, state }, index) => {
    const end = Math.min(right, x(states[index + 1]?.at ?? now))
    const start = Math.max(left, x(at))
    if (end <= left) return []
    // An attempt may last a millisecond: it is drawn all the same.
    const bandWidth = Math.max(end - start, 1.5)
    const label = LABELS[state.status]
    return [{ x: start, width: bandWidth, status: state.status, label: bandWidth > label.length * 8 + 12 ? label : '' }]
  })
}

/** Round times ago: every 10 s at first, every 30 s later. */
function layOutTicks(windowMs, now, x, left) {
  const stepMs = windowMs > 60_000 ? 30_000 : 10_000
  return Array.from({ length: Math.floor(windowMs / stepMs) + 1 }, (_, index) => {
    const agoMs = index * stepMs
    const tickX = round(x(now - agoMs))
    const isAtEdge = tickX - left < 12
    return {
      x: tickX,
      label: agoMs ? `${agoMs / 1000} s` : 'now',
      anchor: agoMs ? (isAtEdge ? 'start' : 'middle') : 'end',
    }
  })
}

/** A label that the next one would run into stays away; its line stays. */
function layOutMarks(faults, x, left, right) {
  let nextStart = Infinity
  const newestFirst = faults.toReversed().filter(({ at }) => x(at) >= left)
  return newestFirst.map(({ at, label }) => {
    const labelWidth = label.length * 7 + 8
    const isLast = x(at) + labelWidth > right
    const start = isLast ? x(at) - labelWidth : x(at)
    const isClear = start + labelWidth <= nextStart && start >= left
    if (isClear) nextStart = start
    return { x: x(at), label: isClear ? label : '', anchor: isLast ? 'end' : 'start' }
  })
}

function layOutQueue(depths, current, now, x) {
  const { top, height } = ROWS.queue
  const max = niceMax(Math.max(current, ...depths.map(({ pending }) => pending)))
  const y = (pending) => top + height - (pending / max) * height
  const bottom = top + height
  const end = y(current)
  if (depths.length === 0) return { max, area: '', line: '', bottom, end }
  const steps = depths.map(({ at, pending }) => `H${round(x(at))}V${round(y(pending))}`).join('')
  const line = `M${round(x(depths[0].at))} ${bottom}${steps}H${round(x(now))}`
  return { max, area: `${line}V${bottom}Z`, line, bottom, end }
}

function layOutRoundTrips(roundTrips, x, left) {
  const { top, height } = ROWS.roundTrip
  const y = (ms) => {
    const clamped = Math.min(Math.max(ms, ROUND_TRIP_MIN_MS), ROUND_TRIP_MAX_MS)
    return top + height - (Math.log10(clamped / ROUND_TRIP_MIN_MS) / DECADES) * height
  }
  const shown = roundTrips.filter(({ at }) => x(at) >= left)
  const dots = shown.map(({ at, rttMs }) => ({ x: round(x(at)), y: round(y(rttMs)) }))
  const line = dots.map((dot, index) => {
    const isBreak = index === 0 || shown[index].at - shown[index - 1].at - shown[index].rttMs > GAP_MS
    return `${isBreak ? 'M' : 'L'}${dot.x} ${dot.y}`
  })
  const grid = [1, 100, 10_000].map((ms) => ({ y: round(y(ms)), label: ms < 1000 ? `${ms} ms` : `${ms / 1000} s` }))
  return { dots, line: line.join(''), grid }
}

/** 10, 20, 50, 100, …: the first that `value` fits under. */
function niceMax(value) {
  for (let unit = 10; ; unit *= 10) {
    for (const step of [1, 2, 5]) if (unit * step >= value) return unit * step
  }
}

const round = (value) => Math.round(value * 10) / 10

function paint({ isNarrow, left, right, bands, marks, queue, roundTrip, ticks }, pending) {
  const { state: stateRow, queue: queueRow, roundTrip: roundTripRow, axis } = ROWS
  const middle = (row) => row.top + row.height / 2
  const inset = isNarrow ? left + 4 : 0
  const rowLabels = isNarrow
    ? `<text class="row" x="${inset}" y="${queueRow.top + 4}">queue</text>
       <text class="row" x="${inset}" y="${roundTripRow.top + 4}">round trip</text>`
    : `<text class="row" x="0" y="${middle(stateRow) + 4}">state</text>
       <text class="row" x="0" y="${middle(queueRow) + 4}">queue</text>
       <text class="row" x="0" y="${middle(roundTripRow) + 4}">round trip</text>`
  const last = roundTrip.dots.at(-1)
  return [
    ...ticks.map((tick) => `<line class="grid" x1="${tick.x}" x2="${tick.x}" y1="${stateRow.top}" y2="${axis.top}"/>`),
    ...roundTrip.grid.map(({ y }) => `<line class="grid" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/>`),
    `<line class="base" x1="${left}" x2="${right}" y1="${queue.bottom}" y2="${queue.bottom}"/>`,
    ...bands.map(
      (band) =>
        `<g class="band" data-status="${band.status}">
          <rect x="${band.x}" y="${stateRow.top}" width="${band.width}" height="${stateRow.height}"/>
          <text x="${band.x + 8}" y="${middle(stateRow) + 4}">${band.label}</text>
        </g>`,
    ),
    ...marks.map(({ x }) => `<line class="mark" x1="${x}" x2="${x}" y1="2" y2="${stateRow.top + stateRow.height}"/>`),
    ...marks.map(
      ({ x, label, anchor }) =>
        `<text class="mark-label" x="${x + (anchor === 'end' ? -5 : 5)}" y="12" text-anchor="${anchor}">${label}</text>`,
    ),
    `<path class="queue-area" d="${queue.area}"/><path class="queue-line" d="${queue.line}"/>`,
    `<path class="round-trip" d="${roundTrip.line}"/>`,
    ...roundTrip.dots.map(({ x, y }) => `<circle class="round-trip-dot" cx="${x}" cy="${y}" r="1.8"/>`),
    last && `<circle class="round-trip-last" cx="${last.x}" cy="${last.y}" r="3.5"/>`,
    rowLabels,
    ...(isNarrow ? [] : roundTrip.grid).map(
      ({ y, label }) => `<text class="scale" x="${right + 8}" y="${y + 4}">${label}</text>`,
    ),
    isNarrow || queue.end < queueRow.top + LABEL_HEIGHT
      ? ''
      : `<text class="scale" x="${right + 8}" y="${queueRow.top + 4}">${formatCount(queue.max)}</text>`,
    isNarrow ? '' : `<text class="now" x="${right + 8}" y="${queue.end + 4}">${formatCount(pending)}</text>`,
    ...ticks.map(
      ({ x, label, anchor }) =>
        `<text class="scale" x="${x}" y="${axis.top + 14}" text-anchor="${anchor}">${label}</text>`,
    ),
  ].join('')
}
