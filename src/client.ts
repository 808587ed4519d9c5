import type { Contract, EventName, FromServer, SendArguments, SendOptions, ToServer, Untyped } from './contract.js'
import {
  ConnectError,
  DeliveryError,
  ListenerError,
  LocalProtocolError,
  RefusedError,
  type HoldfastError,
} from './errors.js'
import { createEvents, requireName, type IterateOptions, type ListenOptions } from './events.js'
import { check, number, parseUrl, resolveOptions, type ClientOptions } from './options.js'
import { Entry, type Delivery } from './outbox/delivery.js'
import { createOutbox, type OutboxItem } from './outbox/outbox.js'
import { systemPlatform } from './platform.js'
import { sizeOf, type Body, type Received } from './protocol/codec.js'
import { createSender } from './sender.js'
import { createSession, type Effect, type Input } from './session/session.js'
import { createSnapshots, type ClientState } from './snapshot.js'

/** Lifecycle event → payload: what the client says of itself. The application's events have an emitter of their own. */
export interface LifecycleEvents {
  /** The connection is in another state. */
  state: ClientState
  /** A message is in the outbox's store. */
  stored: Delivery
  /** A message is delivered, as far as its receipt says. */
  delivered: Delivery
  /** A message will not be delivered: `delivery.error` says why. */
  failed: Delivery
  /** A pong has come, this many milliseconds after its ping. */
  rtt: number
  /** What went wrong without failing a call: bad frames, throwing listeners, storage. Counted in `getState().errorCount`. */
  error: HoldfastError
}

/** How a client is closed. */
export interface CloseOptions {
  /** How long to wait, in milliseconds, for what is pending to be delivered first. Default: 0, not at all. */
  drainMs?: number
}

/** A connection that comes back, and an outbox that keeps what could not be sent. */
export interface Client<C extends Contract = Untyped> {
  /** Starts connecting, and keeps at it until `close` or a final refusal. Does nothing while it is connected or trying. */
  connect(): void
  /** Drops the link, if there is one, and dials at once with a fresh url: for a new login, or a button that says "retry". */
  reconnect(): void
  /**
   * Stops for good: no timer, listener or provider call is left. What is pending stays in the outbox's store; its
   * deliveries fail with `CLIENT_CLOSED`. Settles when the store has let go. `connect()` starts anew.
   */
  close(options?: CloseOptions): Promise<void>

  /**
   * Accepts a message for delivery, in the order of the calls, and sends it as soon as there is a connection.
   *
   * @throws {TypeError} for an event name that is not a non-empty string, or a wrong option
   * @throws {LocalProtocolError} `NOT_ENCODABLE` or `TOO_LARGE`; nothing was queued
   * @throws {DeliveryError} `OUTBOX_FULL` with `overflow: 'reject'`; `CLIENT_CLOSED` after `close`
   * @example const delivery = client.send('message', { text: 'hi' }, { ttlMs: 60_000 })
   */
  send<Name extends EventName<ToServer<C>>>(event: Name, ...rest: SendArguments<ToServer<C>[Name]>): Delivery

  /** Calls `listener` with the payload of each such event from the server, until the returned function is called. */
  on<Name extends EventName<FromServer<C>>>(
    event: Name,
    listener: (payload: FromServer<C>[Name]) => unknown,
    options?: ListenOptions,
  ): () => void
  /** As `on`, for the next event only. */
  once<Name extends EventName<FromServer<C>>>(
    event: Name,
    listener: (payload: FromServer<C>[Name]) => unknown,
    options?: ListenOptions,
  ): () => void
  /** The same events for a loop: `for await (const message of client.events('message'))`. Leaving the loop unbinds it. */
  events<Name extends EventName<FromServer<C>>>(
    event: Name,
    options?: IterateOptions,
  ): AsyncGenerator<FromServer<C>[Name], void>

  /** The state as an immutable value: the same object until something in it changes. */
  getState(): ClientState
  /** Calls `listener` soon after the state has changed, once for many changes. With `getState`, what `useSyncExternalStore` wants. */
  subscribe(listener: () => void): () => void

  readonly lifecycle: {
    on<Name extends keyof LifecycleEvents>(
      event: Name,
      listener: (payload: LifecycleEvents[Name]) => unknown,
      options?: ListenOptions,
    ): () => void
    once<Name extends keyof LifecycleEvents>(
      event: Name,
      listener: (payload: LifecycleEvents[Name]) => unknown,
      options?: ListenOptions,
    ): () => void
  }

  readonly outbox: {
    /** What is pending, oldest first. */
    list(): OutboxItem[]
    /** Takes back a message that is not on its way; its delivery fails with `REMOVED`. False if there is none such. */
    remove(id: string): boolean
    /** Takes back all that is not on its way, and says how many. */
    clear(): number
    /** The last 100 messages that failed in this client's life. */
    failed(): OutboxItem[]
  }
}

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
  const { dialect, frameBytesMax } = options
  const platform = clientOptions.platform ?? systemPlatform(clientOptions.WebSocket)

  const lifecycle = createEvents<LifecycleEvents>(report)
  const application = createEvents<FromServer<C>>(report)
  const changes = createEvents<{ change: undefined }>(report)
  const session = createSession(options, platform.random)
  const snapshots = createSnapshots({
    platform,
    connection: () => session.state,
    pending: () => outbox.pending,
    notify: () => changes.emit('change', undefined),
  })
  const outbox = createOutbox(options, platform, {
    ready: pump,
    stored: (entry) => lifecycle.emit('stored', entry),
    delivered: (entry) => lifecycle.emit('delivered', entry),
    failed: (entry) => lifecycle.emit('failed', entry),
    report,
    changed: snapshots.invalidate,
  })
  const transport = once(() =>
    platform.createTransport({
      opened: () => tell({ type: 'opened' }),
      frame,
      closed: (code, reason) => tell({ type: 'closed', code, reason }),
      blocked,
    }),
  )
  const sender = createSender(outbox, transport, platform.now)

  /** `close` was called, and `connect` not since. */
  let isClosed = false
  let dialling: AbortController | undefined
  let unwatch: (() => void) | undefined

  // What happens, and what the session makes of it.

  const inputs: Input[] = []
  let isTelling = false

  /** Listeners may call us back in the midst of effects: what they ask for waits its turn. */
  function tell(input: Input): void {
    inputs.push(input)
    if (isTelling) return
    isTelling = true
    for (let next = inputs.shift(); next; next = inputs.shift()) {
      for (const effect of session.handle(next, platform.now())) run(effect)
    }
    isTelling = false
    schedule()
  }

  function frame(data: Received): void {
    tell({ type: 'frame', frame: data })
    snapshots.received(session.receivedAt)
    sender.look() // An answer says that the question has left the buffer.
  }

  function blocked(cause: unknown): void {
    const error = new RefusedError('BLOCKED_BY_BROWSER', `The browser made no socket: ${String(cause)}`, cause)
    tell({ type: 'failed', error, isFinal: true })
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'message':
        return void application.emit(effect.message.event as never, effect.message.data as never)
      case 'transmit':
        return void transport().send(effect.frame)
      case 'roundTrip':
        snapshots.roundTrip(effect.rttMs)
        return void lifecycle.emit('rtt', effect.rttMs)
      case 'report':
        return report(effect.error)
      case 'dial':
        return void dial(effect.attempt)
      case 'hangUp':
        dialling?.abort()
        sender.unlink()
        return transport().drop(effect.code, effect.reason)
      case 'changed':
        snapshots.invalidate()
        lifecycle.emit('state', snapshots.get())
        return pump()
    }
  }

  async function dial(attempt: number): Promise<void> {
    const { signal } = (dialling = new AbortController())
    try {
      const url = parseUrl(await options.url({ attempt, signal }))
      if (!signal.aborted) transport().open(url, dialect.subprotocols)
    } catch (cause) {
      if (signal.aborted) return
      tell({ type: 'failed', error: new ConnectError('URL_FAILED', `No URL to connect to: ${String(cause)}`, cause) })
    }
  }

  function pump(): void {
    if (session.state.status !== 'connected') return
    sender.pump()
    schedule()
  }

  function report(error: HoldfastError): void {
    snapshots.error()
    // A bug in a listener must not pass unnoticed because nobody listens for it.
    if (!lifecycle.emit('error', error) && error instanceof ListenerError) platform.throwLater(error)
  }

  // The one timer. It is set anew only when it would ring too late; one that rings too early finds nothing due.

  let cancelTimer: (() => void) | undefined
  let timerAt = Infinity
  let drainBy = Infinity

  function schedule(): void {
    const deadline = Math.min(session.deadline, outbox.deadline, sender.deadline, drainBy)
    if (deadline >= timerAt) return
    cancelTimer?.()
    timerAt = deadline
    cancelTimer = platform.setTimer(ring, deadline - platform.now())
  }

  function ring(): void {
    timerAt = Infinity
    const now = platform.now()
    if (now >= session.deadline) tell({ type: 'elapsed' })
    if (now >= outbox.deadline) outbox.elapsed()
    if (now >= sender.deadline) sender.look()
    if (now >= drainBy) stopDraining()
    schedule()
  }

  // Closing.

  let stopDraining = (): void => {}

  function drained(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const off = changes.on('change', () => outbox.pending || stopDraining())
      stopDraining = () => {
        drainBy = Infinity
        off()
        resolve()
      }
      drainBy = platform.now() + drainMs
      schedule()
    })
  }

  async function close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    if (drainMs !== 0) number('drainMs', drainMs)
    isClosed = true
    if (drainMs && outbox.pending) await drained(drainMs)
    if (!isClosed) return // Somebody has called connect() meanwhile.
    tell({ type: 'close' })
    unwatch?.()
    cancelTimer?.()
    unwatch = cancelTimer = undefined
    timerAt = Infinity
    await outbox.close()
  }

  function send(event: string, data?: unknown, sendOptions: SendOptions = {}): Delivery {
    requireName(event)
    const { ttlMs, key, volatile } = sendOptions
    if (ttlMs !== undefined) number('ttlMs', ttlMs)
    check('key', key, 'a string', key === undefined || typeof key === 'string')
    if (isClosed) throw new DeliveryError('CLIENT_CLOSED', `"${event}" was sent after close(); call connect() first`)
    const body = dialect.encode(event, data)
    const bytes = sizeOf(body)
    if (bytes > frameBytesMax) {
      throw new LocalProtocolError('TOO_LARGE', `"${event}" is ${bytes} bytes long, frameBytesMax is ${frameBytesMax}`)
    }
    return volatile ? sendNow(event, body, bytes) : outbox.add(event, body, bytes, sendOptions)
  }

  /** Now or never, past the queue. */
  function sendNow(event: string, body: Body, bytes: number): Delivery {
    const message = { writer: platform.createId(), sequence: 0, event, body, enqueuedAt: platform.wallNow() }
    const entry = new Entry(message, bytes, Infinity)
    if (session.state.status === 'connected' && sender.pass(body)) entry.pass()
    else entry.fail(new DeliveryError('NOT_CONNECTED', `There is no connection to take the volatile "${event}"`))
    return entry
  }

  return {
    connect() {
      isClosed = false
      unwatch ??= platform.watchSignals((signal) => tell({ type: signal }))
      outbox.open()
      tell({ type: 'connect' })
    },
    reconnect: () => tell({ type: 'reconnect' }),
    close,
    send: send as Client<C>['send'],
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
