import { createServer } from 'node:http'
import { createEchoServer } from 'holdfast/server'

const RESTART_MS = 3_000
const REFUSE_MS = 10_000

/**
 * Stands between the pages and the echo server, and holds the server's end of every TCP connection, so that it can be
 * broken for real: nothing in the pages is simulated. A page is known by the `link` in its socket's URL.
 */
export function createSwitchboard() {
  /** Link → its TCP socket. */
  const sockets = new Map()
  /** Link → when it may connect again. */
  const refusedUntil = new Map()
  let echo = startEcho()
  let restartTimer

  function connect(request, socket, head) {
    const link = new URLSearchParams(request.url.split('?')[1]).get('link') ?? ''
    socket.on('error', () => {}) // A reset is what we are here for.
    if (!echo || Date.now() < (refusedUntil.get(link) ?? 0)) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n')
      return
    }
    sockets.get(link)?.destroy() // Half-open still, if the page has left it without our noticing.
    sockets.set(link, socket)
    socket.on('close', () => sockets.get(link) === socket && sockets.delete(link))
    echo.http.emit('upgrade', request, socket, head)
  }

  const controls = {
    /** The connection is gone from one moment to the next, without a close frame. */
    cut(link) {
      const isCut = sockets.get(link)?.destroy() !== undefined
      return { isCut }
    },

    /** Half-open: the connection stands, but nothing is read any more, so nothing is answered. */
    stall(link) {
      const isStalled = sockets.get(link)?.pause() !== undefined
      return { isStalled }
    },

    resume(link) {
      sockets.get(link)?.resume()
      return { isStalled: false }
    },

    /** This page is cut off, and turned away at the door for a while. */
    refuse(link) {
      const until = Date.now() + REFUSE_MS
      refusedUntil.set(link, until)
      setTimeout(() => refusedUntil.delete(link), REFUSE_MS).unref()
      sockets.get(link)?.destroy()
      return { until }
    },

    /** Everybody is sent away with close code 1001; a new server starts after a while. */
    restart() {
      void echo?.server.close()
      echo = undefined
      clearTimeout(restartTimer)
      restartTimer = setTimeout(() => (echo = startEcho()), RESTART_MS).unref()
      return { until: Date.now() + RESTART_MS }
    },
  }

  async function close() {
    clearTimeout(restartTimer)
    await echo?.server.close()
    for (const socket of sockets.values()) socket.destroy()
  }

  return { connect, controls, close }
}

/** The HTTP server never listens: it is handed each upgrade by `connect`. */
function startEcho() {
  const http = createServer()
  return { http, server: createEchoServer({ server: http }) }
}
