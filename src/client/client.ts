import type { Contract, FromServer, RequestOptions, SendOptions, Untyped } from '../shared/contract.js'
import type { HoldfastError } from '../shared/errors.js'
import { DeliveryError, ListenerError, LocalProtocolError, RefusedError, textOf } from '../shared/errors.js'
import { createAlarm } from '../shared/deadline-timer.js'
import { createAsker } from './request-timeouts.js'
import { check, requireNumber, requireText, withDefaults } from '../shared/validate.js'
import { createDialler } from './dialer.js'
import { createEvents } from '../shared/emitter.js'
import { resolveOptions, SEND_DEFAULTS, type ClientOptions } from './options.js'
import { Entry, type Delivery } from '../outbox/delivery.js'
import { createOutbox } from '../outbox/outbox.js'
import { sizeOf, type Body, type Received } from '../protocol/codec.js'
import { NORMAL_CLOSURE } from '../protocol/close-codes.js'
import type { Effect, Input } from '../connection/inputs-effects.js'
import { createSession } from '../connection/connection.js'
import { createSnapshots } from './snapshot.js'
import type { Client, CloseOptions, LifecycleEvents } from './api.js'

/**
 * Makes a client. Nothing is touched until `connect` or the first `send`: no socket, timer, storage or listener.
 *
 * @throws {TypeError} | {RangeError} for a wrong option; the message names it, its value and the rule
 * @example
 * const client = createClient<Chat>({ url: 'wss://example.com/live' })
 * client.on('message', ({ text }) => console.log(text))
 * client.connect()
 * client.send('message', { text: 'hello' })
 */
export function createClient<C extends Contract = Untyped>(clientOptions: ClientOptions): Client<C> {
  const options = resolveOptions(clientOptions)
  const { dialect, frameBytesMax, platform } = options

  // Who listens for errors and throws would be told of that for ever.
  const lifecycle = createEvents<LifecycleEvents>((error, event) =>
    event === 'error' ? platform.throwLater(error) : report(error),
  )
  const application = createEvents<FromServer<C>>(report)
  // Counted, its error would be a change too, and call the listener again, for ever.
  const changes = createEvents<{ change: undefined }>(platform.throwLater)
  const snapshots = createSnapshots({
    platform,
    connection: () => session.state,
    pending: () => outbox.pending,
    isWatched: () => changes.count('change') > 0,
    notify: () => changes.emit('change', undefined),
  })
  const outbox = createOutbox(options, platform, {
    ready: pump,
    stored: (entry) => lifecycle.emit('stored', entry),
    delivered: (entry) => lifecycle.emit('delivered', entry),
    failed: (entry) => lifecycle.emit('failed', entry),
    report(error) {
      report(error)
      alarm.by(outbox.deadline) // The store is asked again in a while.
    },
    changed() {
      snapshots.invalidate()
      alarm.by(outbox.deadline) // A message may expire, connected or not.
    },
  })
  const transport = once(() =>
    platform.createTransport({
      opened: () => tell({ type: 'opened', credential: dialler.credential }),
      frame,
      closed,
      blocked,
    }),
  )
  const { now, recall, keep } = platform
  const channel = dialect.open({ queue: outbox, link: transport, now, recall, keep })
  const session = createSession(options, channel, platform.random)
  const dialler = createDialler(options, {
    open: (url) => transport().open(dialect.locate?.(url) ?? url, dialect.subprotocols),
    failed: (error) => tell({ type: 'failed', error }),
    report,
  })

  const asker = createAsker({ outbox, channel, now, hurried: () => alarm.by(asker.deadline) })

  /** `close` was called, and `connect` not since. */
  let isClosed = false
  let unwatch: (() => void) | undefined

  // What happens, and what the session makes of it.

  const inputs: Input[] = []
  let isTelling = false

  /** Listeners may call us back in the midst of effects: what they ask for waits its turn. */
  function tell(input: Input, at: number = platform.now()): void {
    if (isTelling) return void inputs.push(input)
    isTelling = true
    const before = session.state
    try {
      for (const effect of session.handle(input, at)) run(effect)
      for (let next = inputs.shift(); next; next = inputs.shift()) {
        for (const effect of session.handle(next, platform.now())) run(effect)
      }
    } finally {
      isTelling = false
    }
    // A frame that changes nothing only puts deadlines off, and the timer finds that out by itself.
    if (input.type !== 'frame' || session.state !== before) alarm.by(session.deadline)
  }

  function frame(data: Received, at?: number): void {
    tell({ type: 'frame', frame: data }, at)
    snapshots.received(session.receivedAt)
    channel.handled()
    alarm.by(channel.deadline)
  }

  /** How the link ended, while it ends. */
  let closeCode = 0

  function closed(code: number, reason: string): void {
    closeCode = code
    tell({ type: 'closed', code, reason })
  }

  function unlink(): void {
    channel.unlink(closeCode)
    closeCode = 0
  }

  function blocked(cause: unknown): void {
    const error = new RefusedError('BLOCKED_BY_BROWSER', `The browser made no socket: ${textOf(cause)}`, cause)
    tell({ type: 'failed', error, isFinal: true })
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'message':
        return void application.emit(effect.message.event as never, effect.message.data as never, effect.answer)
      case 'transmit':
        try {
          transport().send(effect.frame)
        } catch (cause) {
          report(new LocalProtocolError('NOT_ENCODABLE', `The ping cannot be sent: ${textOf(cause)}`, cause))
        }
        return
      case 'roundTrip':
        snapshots.roundTrip(effect.rttMs)
        return void lifecycle.emit('rtt', effect.rttMs)
      case 'report':
        return report(effect.error)
      case 'gap':
        return void lifecycle.emit('gap', effect.gap)
      case 'reauth':
        return dialler.refresh((credential) => channel.authenticate(credential))
      case 'dial':
        return dialler.dial(effect.attempt)
      case 'hangUp':
        dialler.abort()
        if (effect.code === NORMAL_CLOSURE) channel.bye()
        unlink()
        return transport().drop(effect.code, effect.reason)
      case 'changed':
        snapshots.invalidate()
        lifecycle.emit('state', snapshots.get())
        return pump()
    }
  }

  function pump(): void {
    channel.pump()
    alarm.by(channel.deadline)
  }

  function report(error: HoldfastError): void {
    snapshots.error()
    // A bug in a listener must not pass unnoticed because nobody listens for it.
    if (!lifecycle.emit('error', error) && error instanceof ListenerError) platform.throwLater(error)
  }

  const alarm = createAlarm(platform, ring)
  let drainBy = Infinity

  function ring(at: number): void {
    if (at >= session.deadline) tell({ type: 'elapsed' })
    if (at >= outbox.deadline) outbox.elapsed()
    if (at >= channel.deadline) channel.elapsed()
    if (at >= asker.deadline) asker.elapsed()
    if (at >= drainBy) stopDraining()
    alarm.by(Math.min(session.deadline, outbox.deadline, channel.deadline, asker.deadline, drainBy))
  }

  // Closing.

  let draining: Promise<void> | undefined
  let stopDraining = (): void => {}

  /** Called twice, the later word about the time holds for both. */
  function drained(drainMs: number): Promise<void> {
    drainBy = platform.now() + drainMs
    alarm.by(drainBy)
    return (draining ??= new Promise((resolve) => {
      const off = changes.on('change', () => (outbox.pending && isTrying()) || stopDraining())
      stopDraining = () => {
        drainBy = Infinity
        draining = undefined
        off()
        resolve()
      }
    }))
  }

  const isTrying = (): boolean => !['idle', 'closed'].includes(session.state.status)

  async function close(closeOptions?: CloseOptions): Promise<void> {
    const { drainMs = 0 } = withDefaults('close', closeOptions, { drainMs: undefined })
    if (drainMs !== 0) requireNumber('drainMs', drainMs)
    isClosed = true
    if (drainMs && outbox.pending && isTrying()) await drained(drainMs)
    if (!isClosed) return // Somebody has called connect() meanwhile.
    channel.bye()
    // The link is dropped later, when we are called from a listener.
    if (outbox.inFlight) unlink()
    tell({ type: 'close' })
    unwatch?.()
    unwatch = undefined
    alarm.cancel()
    await outbox.close()
  }

  function send(event: string, data?: unknown, sendOptions?: SendOptions): Delivery {
    requireText('event', event)
    const { ttlMs, key, volatile } = withDefaults('send', sendOptions, SEND_DEFAULTS)
    if (ttlMs !== undefined) requireNumber('ttlMs', ttlMs)
    check('key', key, 'a string', key === undefined || typeof key === 'string')
    const { body, bytes } = encode(event, data)
    return volatile ? sendNow(event, body, bytes) : outbox.add(event, body, bytes, sendOptions ?? {})
  }

  async function request(event: string, params?: unknown, requestOptions?: RequestOptions): Promise<unknown> {
    requireText('event', event)
    if (!dialect.acknowledges) {
      throw new LocalProtocolError('NOT_ENCODABLE', `The dialect "${dialect.name}" knows no requests: "${event}"`)
    }
    const { body, bytes } = encode(event, params)
    return asker.ask(event, body, bytes, requestOptions)
  }

  /** @throws {DeliveryError} | {LocalProtocolError} */
  function encode(event: string, data: unknown): { body: Body; bytes: number } {
    if (isClosed) throw new DeliveryError('CLIENT_CLOSED', `"${event}" was sent after close(); call connect() first`)
    const body = dialect.encode(event, data)
    if (typeof body !== 'string' && !(body instanceof Uint8Array && body.buffer instanceof ArrayBuffer)) {
      throw new LocalProtocolError(
        'NOT_ENCODABLE',
        `The codec made of "${event}" what no socket sends: ${String(body)}`,
      )
    }
    const bytes = sizeOf(body)
    if (bytes > frameBytesMax) {
      throw new LocalProtocolError('TOO_LARGE', `"${event}" is ${bytes} bytes long, frameBytesMax is ${frameBytesMax}`)
    }
    return { body, bytes }
  }

  /** Now or never, past the queue. */
  function sendNow(event: string, body: Body, bytes: number): Delivery {
    const message = { writer: platform.createId(), sequence: 0, event, body, enqueuedAt: platform.wallNow() }
    const entry = new Entry(message, bytes, Infinity)
    if (session.state.status === 'connected' && channel.pass(event, body)) entry.pass()
    else {
      entry.fail(new DeliveryError('NOT_CONNECTED', `No connection could take the volatile "${event}" at once`))
      lifecycle.emit('failed', entry)
    }
    return entry
  }

  return {
    connect() {
      transport() // Where there is no WebSocket it throws here, at the call.
      isClosed = false
      unwatch ??= platform.watchSignals((signal) => (signal === 'leave' ? channel.leave() : tell({ type: signal })))
      outbox.open()
      tell({ type: 'connect' })
    },
    reconnect: () => tell({ type: 'reconnect' }),
    close,
    send,
    request: request as Client<C>['request'],
    on: application.on,
    once: application.once,
    events: application.events,
    getState: snapshots.get,
    subscribe: (listener) => changes.on('change', listener),
    lifecycle: { on: lifecycle.on, once: lifecycle.once },
    outbox: { list: outbox.list, remove: outbox.remove, clear: outbox.clear, failed: outbox.failed },
  }
}

/** Calls `make` when first asked. */
function once<Value>(make: () => Value): () => Value {
  let value: Value | undefined
  return () => (value ??= make())
}
