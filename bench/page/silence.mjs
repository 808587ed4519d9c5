import { payload } from './payload.mjs'

/** The sockets that were made, so that frames can be put into them. */
const sockets = []

/** A socket that costs nothing: what is sent has left at once, and frames come from the loop that measures. */
globalThis.WebSocket = class {
  static CONNECTING = 0
  static OPEN = 1
  static CLOSING = 2
  static CLOSED = 3
  readyState = 0
  bufferedAmount = 0
  binaryType = 'blob'
  heard = { open: [], message: [], close: [], error: [] }
  sentLength = 0

  constructor() {
    sockets.push(this)
  }

  addEventListener(type, listener) {
    this.heard[type].push(listener)
  }

  removeEventListener(type, listener) {
    this.heard[type] = this.heard[type].filter((other) => other !== listener)
  }

  dispatch(event) {
    for (const listener of this.heard[event.type]) {
      listener.call(this, event)
      if (event.isStopped) return
    }
  }

  send(frame) {
    this.sentLength += frame.length
    this.bufferedAmount += frame.length
  }

  close() {}
}

/** As much of a MessageEvent as native and holdfast look at. The others would copy it, which takes a real one. */
class Frame {
  type = 'message'
  isStopped = false
  timeStamp = 0

  constructor(data) {
    this.data = data
  }

  stopImmediatePropagation() {
    this.isStopped = true
  }
}

const FRAMES = 2_000
const RECEIVE_SERIES = 200
/** Fewer than fill the browser's buffer; each series is settled before the next. */
const MESSAGES = 500
const SEND_SERIES = 100
const SETTLED_MS = 6

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Makes `globalThis.bench` of a contestant's `connect`: what its own code costs, without the browser's. */
export function serve(connect) {
  let sum = 0
  let link
  const frames = Array.from({ length: FRAMES }, (_, id) => JSON.stringify({ event: 'message', data: payload(id) }))

  globalThis.bench = {
    async connect() {
      link = connect(Promise.resolve('ws://127.0.0.1:9/'), { message: ({ id }) => (sum += id) })
      while (!sockets.length) await pause(5)
      sockets[0].readyState = 1
      sockets[0].dispatch(new Event('open'))
      await pause(5)
    },

    /** Microseconds per message of the fastest of many short series: what preempted us is not in it. */
    receive() {
      const [socket] = sockets
      let fastestMs = Infinity
      for (let series = 0; series < RECEIVE_SERIES; series++) {
        const start = performance.now()
        for (const frame of frames) socket.dispatch(new Frame(frame))
        fastestMs = Math.min(fastestMs, performance.now() - start)
      }
      return (fastestMs * 1000) / FRAMES
    },

    /** The same for the calls of `send`. */
    async send() {
      const [socket] = sockets
      let fastestMs = Infinity
      for (let series = 0; series < SEND_SERIES; series++) {
        const start = performance.now()
        for (let id = 0; id < MESSAGES; id++) link.send('message', payload(id))
        fastestMs = Math.min(fastestMs, performance.now() - start)
        socket.bufferedAmount = 0
        await pause(SETTLED_MS)
      }
      return (fastestMs * 1000) / MESSAGES
    },
  }
}
