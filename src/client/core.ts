import { createConnection } from '../connection/connection.js'
import type { Effect, Input } from '../connection/inputs-effects.js'
import { isTrying } from '../connection/state.js'
import type { ProtocolEvent } from '../dialects/dialect.js'
import type { Entry } from '../outbox/delivery.js'
import { createOutbox } from '../outbox/outbox.js'
import type { Received } from '../protocol/codec.js'
import { ask } from '../shared/ask.js'
import { createDeadlineTimer } from '../shared/deadline-timer.js'
import { DeliveryError, type HoldfastError } from '../shared/errors.js'
import type { Core, CoreListener, Notice } from './core-api.js'
import { applyDelivery } from './deliveries.js'
import { createDialer } from './dialer.js'
import { createDrain } from './drain.js'
import { createGreeting } from './greeting.js'
import { asProtocolError, createLink } from './link.js'
import { createNoticeQueue } from './notice-queue.js'
import type { ResolvedOptions } from './options.js'
import { createPageListener } from './page-listener.js'
import { createSleepWatch } from './sleep-watch.js'
import { createSnapshots } from './snapshot.js'

/**
 * The one loop of a client. Whatever happens — a call, a frame, the timer, a store that answers — is one turn: the connection
 * and the outbox learn of it, then the link is filled, then the application is told, last and in one place, and the timer
 * is set. So a listener that throws, closes or sends finds everything in order, and what it causes is a turn like any other.
 */
export function createCore(options: ResolvedOptions, listener: CoreListener): Core {
  const { dialect, heartbeatGiven, platform } = options
  const { now } = platform
  const protocol = dialect.open({ notes: platform.notes, audience: listener.audience, heartbeatMs: heartbeatGiven })
  const heartbeatMs = protocol.ping ? options.heartbeatMs : null
  const connection = createConnection({ ...options, heartbeatMs }, platform.random)
  const greeting = createGreeting(listener, () => fill())
  const notices = createNoticeQueue<Notice>(greeting.tell, platform)
  const outbox = createOutbox(options, platform, { tell: notify, progressed, isHolding: greeting.isHolding })
  const requests = dialect.createRequests?.({ outbox, platform, greeting, cancel, progressed })
  const drain = createDrain()
  const link = createLink({
    ...options,
    ...{ protocol, outbox, tell: notify },
    createTransport: () => platform.createTransport({ opened, frame: heard, closed, blocked: dialer.blocked }),
  })
  const timer = createDeadlineTimer(platform, elapsed)
  const sleepWatch = createSleepWatch(platform)
  const snapshots = createSnapshots({ platform, connection: () => connection.state, pending, outbox, ...listener })
  const dialer = createDialer(options, {
    open: (url, subprotocols) => link.transport().open(dialect.locate?.(url) ?? url, subprotocols),
    failed: (error) => handle({ type: 'failed', error }),
  })
  const page = createPageListener({ platform, protocol, outbox, link, progressed, handle })
  let isClosed = false
  /** How the link ended, while it ends. */
  let closeCode = 0

  // What happens.

  function handle(input: Input): void {
    try {
      step(input, now())
    } finally {
      progressed()
    }
  }

  function opened(): void {
    link.opened()
    handle({ type: 'opened', ready: protocol.opened(dialer.credential) })
  }

  /** @param at when it came: the socket knows, and to ask the clock takes longer */
  function heard(data: Received, at: number = now()): void {
    const { status } = connection.state
    if (status !== 'connected' && status !== 'handshaking') return
    try {
      snapshots.received(at)
      receive(data, at)
      link.poll() // An answer says that the question has left the buffer.
    } finally {
      progressed()
    }
  }

  function receive(data: Received, at: number): void {
    let events: readonly ProtocolEvent[]
    try {
      events = protocol.receive(data, at)
    } catch (cause) {
      return step({ type: 'broken', error: asProtocolError(cause) }, at)
    }
    step(A_FRAME, at)
    applyAll(events, at)
  }

  function closed(code: number, reason: string): void {
    closeCode = code
    const { state } = connection
    const wants = state.status === 'connecting' ? undefined : options.shouldReconnect
    const wish = ask('shouldReconnect', () => wants?.({ code, reason }), report)
    if (connection.state !== state) return progressed() // It has called reconnect(), or close().
    handle({ type: 'closed', code, reason, wish: wish === undefined ? undefined : wish ? 'retry' : 'stop' })
  }

  function elapsed(at: number, dueAt: number): void {
    try {
      if (sleepWatch.hasSlept(at, dueAt)) step({ type: 'wake' }, at)
      if (at >= connection.deadline) step({ type: 'elapsed' }, at)
      if (at >= outbox.deadline) outbox.elapsed()
      if (at >= link.deadline) link.poll()
      if (requests && at >= requests.deadline) requests.elapsed()
      applyAll(protocol.release?.(at))
    } finally {
      progressed()
    }
  }

  // What follows from it.

  function step(input: Input, at: number): void {
    for (const effect of connection.handle(input, at, link)) run(effect)
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'ping':
        return ask('ping', () => protocol.ping?.(), report)
      case 'roundTrip':
        snapshots.roundTrip(effect.rttMs)
        return notify({ type: 'rtt', rttMs: effect.rttMs })
      case 'report':
        return report(effect.error)
      case 'dial':
        greeting.begin()
        return dialer.dial(effect.attempt)
      case 'hangUp':
        dialer.abort()
        link.unlink(closeCode)
        closeCode = 0
        return link.transport().drop(effect.code, effect.reason)
      case 'changed':
        snapshots.invalidate()
        notify({ type: 'state', state: snapshots.get() })
        if (connection.state.status === 'connected')
          notify({ type: 'session', recovered: !!connection.state.recovered })
    }
  }

  function apply(event: ProtocolEvent, at: number): void {
    switch (event.type) {
      case 'message':
      case 'gap':
      case 'error':
        return notify(event)
      case 'pong':
      case 'announced':
      case 'doubt':
      case 'ready':
      case 'farewell':
      case 'spread':
        return step(event, at)
      case 'reauth':
        return dialer.refresh((credential) => {
          protocol.authenticate?.(credential)
          progressed()
        })
      case 'acknowledged':
      case 'done':
      case 'reply':
      case 'repliesLost':
      case 'rewind':
        return applyDelivery(event, outbox, requests)
    }
  }

  function applyAll(events: readonly ProtocolEvent[] = [], at: number = now()): void {
    for (const event of events) apply(event, at)
  }

  function cancel(request: Entry): void {
    applyAll(protocol.cancel?.(request))
  }

  function fill(): void {
    const at = now()
    const error = link.fill(at)
    if (error) step({ type: 'broken', error }, at)
  }

  // The end of a turn.

  function notify(notice: Notice): void {
    if (notice.type === 'error') snapshots.error()
    notices.push(notice)
  }

  function report(error: HoldfastError): void {
    notify({ type: 'error', error })
  }

  function pending(): number {
    return outbox.pending + outbox.awaited
  }

  /** Ends a turn. `isLast`: with what must be done before the page ends, and so without the telling. */
  function progressed(isLast?: boolean): void {
    try {
      if (link.isLeaving) fill() // What leaves with the page, and is never acknowledged, need not be stored.
      outbox.flush()
      fill()
      outbox.flush() // Of what was too long for this server.
      snapshots.pending()
      // Once the application was told of everything that came, that may be acknowledged.
      if (!isLast && notices.flush() && protocol.handled?.(now())) fill()
    } finally {
      snapshots.pending()
      if (drain.deadline !== Infinity && (!pending() || !isTrying(connection.state) || now() >= drain.deadline))
        drain.finish()
      timer.schedule(deadline())
    }
  }

  function deadline(): number {
    const ours = Math.min(connection.deadline, outbox.deadline, link.deadline, notices.deadline, drain.deadline)
    const watch = connection.deadline === Infinity ? Infinity : sleepWatch.deadline
    return Math.min(ours, protocol.deadline, watch, requests ? requests.deadline : Infinity)
  }

  async function close(drainMs: number): Promise<void> {
    isClosed = true
    if (drainMs && pending() && isTrying(connection.state)) {
      const drained = drain.wait(now() + drainMs)
      timer.schedule(deadline())
      await drained
    }
    if (!isClosed) return // connect() was called meanwhile.
    link.sayGoodbye()
    link.poll() // What has left the browser is delivered.
    notices.clear() // The last that the application is told is the state.
    requests?.close(new DeliveryError('CLIENT_CLOSED', 'The client was closed'))
    // Before the link is let go: what is in flight would wait again, and could fail, which nobody is told any more.
    const closing = outbox.close()
    try {
      step({ type: 'close' }, now())
    } finally {
      page.stop()
      drain.finish()
      progressed()
      timer.cancel()
    }
    await closing
  }

  return {
    outbox,
    requests,
    get pending() {
      return pending()
    },
    get unsentBytes() {
      return outbox.bytes - outbox.bytesInFlight + Math.min(outbox.bytesInFlight, link.buffered)
    },
    state: snapshots.get,
    connect() {
      link.transport() // Where there is no WebSocket class it throws here, at the call.
      isClosed = false
      outbox.open()
      page.start()
      handle({ type: 'connect' })
    },
    reconnect() {
      if (page.isListening) handle({ type: 'reconnect' }) // After close() what comes late does not undo it.
    },
    close,
    progressed,
    listening: () => elapsed(now(), Infinity),
    setUnbounded(given) {
      link.setUnbounded(given)
      progressed()
    },
    sendVolatile: link.sendVolatile,
    reply(replyTo, answer, failure) {
      protocol.reply?.(replyTo, answer, failure)
      progressed()
    },
    notify(notice) {
      notify(notice)
      progressed()
    },
  }
}

const A_FRAME: Input = { type: 'frame' }
