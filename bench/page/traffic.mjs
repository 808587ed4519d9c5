import { payload } from './payload.mjs'

/** Makes `globalThis.bench`, whose methods the runner calls over CDP, of a contestant's `connect`. */
export function serve(connect) {
  /** Replaced by whatever measures; the same two calls per event for every contestant. */
  let onMessage = () => {}
  let onEcho = () => {}
  let onDone = () => {}
  const listeners = {
    message: (data) => onMessage(data),
    echo: (data) => onEcho(data),
    done: (data) => onDone(data),
  }
  let link
  let release

  const bench = {
    connect(url) {
      link = connect(Promise.resolve(url), listeners)
    },

    /** Nobody learns the address, and what is sent waits, until `drain`: for longer, and more, than clients allow. */
    hold(url) {
      link = connect(new Promise((resolve) => (release = () => resolve(url))), listeners, {
        connectTimeoutMs: 600_000,
        outboxMax: { messages: 1_000_000, bytes: 2 ** 30 },
      })
    },

    /**
     * Messages per second from the first to the last of `count` that the server sends as fast as it can: with the
     * `send` of its library, or by `push` as bytes that are ready.
     */
    receive: (count, event = 'stream') =>
      new Promise((resolve) => {
        let received = 0
        let sum = 0
        let start
        onMessage = ({ id }) => {
          sum += id
          if (received === 0) start = performance.now()
          if (++received < count) return
          const ms = performance.now() - start
          resolve({ perSecond: ((count - 1) * 1000) / ms, ms, sum })
        }
        link.send(event, { count })
      }),

    /** Messages per second from the first `send` until the server says that it has the last of `count`. */
    send: (count) =>
      new Promise((resolve) => {
        link.send('count', { count })
        const start = performance.now()
        for (let id = 0; id < count; id++) link.send('message', payload(id))
        const called = performance.now()
        onDone = () =>
          resolve({
            perSecond: (count * 1000) / (performance.now() - start),
            callMicroseconds: ((called - start) * 1000) / count,
          })
      }),

    /** Round trips of one message at a time, in milliseconds, ascending. */
    echo: (count) =>
      new Promise((resolve) => {
        const times = []
        let start
        const ask = () => {
          start = performance.now()
          link.send('echo', payload(times.length))
        }
        onEcho = () => {
          times.push(performance.now() - start)
          if (times.length < count) ask()
          else resolve(times.sort((one, other) => one - other))
        }
        ask()
      }),

    /** Microseconds of each `send` that only queues. */
    queue(count) {
      link.send('count', { count })
      const start = performance.now()
      for (let id = 0; id < count; id++) link.send('message', payload(id))
      return ((performance.now() - start) * 1000) / count
    },

    /** Lets the contestant connect; messages per second as the server got what was queued, and the longest task. */
    drain: () =>
      new Promise((resolve) => {
        let longestTaskMs = 0
        const tasks = new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longestTaskMs = Math.max(longestTaskMs, duration)
        })
        tasks.observe({ type: 'longtask' })
        onDone = ({ count, ms }) =>
          // The observer is told of a task after it has ended.
          setTimeout(() => {
            tasks.disconnect()
            resolve({ perSecond: (count * 1000) / ms, longestTaskMs })
          }, 100)
        release()
      }),
  }
  globalThis.bench = bench
}
