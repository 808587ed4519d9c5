import type { Contract, FromServer, RequestOptions, SendOptions } from '../shared/contract.js'
import { LocalProtocolError, type HoldfastError } from '../shared/errors.js'
import { createEmitter, type Answer, type EventNames } from '../shared/emitter.js'
import { check, requireNumber, requireText, withDefaults } from '../shared/validate.js'
import type { Dialect } from '../dialects/dialect.js'
import { Entry, type Delivery } from '../outbox/delivery.js'
import { isBody, sizeOf, type Body } from '../protocol/codec.js'
import { createAudience } from './audience.js'
import type { Client, CloseOptions, LifecycleEvents } from './api.js'
import type { Notice } from './core-api.js'
import { createCore } from './core.js'
import { resolveOptions, SEND_DEFAULTS, type ClientOptions } from './options.js'

const LIFECYCLE_EVENTS: EventNames<LifecycleEvents> = {
  state: true,
  stored: true,
  delivered: true,
  failed: true,
  session: true,
  gap: true,
  rtt: true,
  error: true,
}

/**
 * The client behind every `createClient`.
 *
 * @param makeDialect the dialect where the options name none: a page pays for the code of this one alone
 * @throws {TypeError} | {RangeError} for a wrong option; the message names it, its value and the rule
 */
export function makeClient<C extends Contract>(clientOptions: ClientOptions, makeDialect: () => Dialect): Client<C> {
  const options = resolveOptions(clientOptions, makeDialect)
  const { dialect, frameBytesMax, platform } = options

  // An error thrown by an `error` listener is never told to the `error` listeners: that would loop.
  const lifecycle = createEmitter<LifecycleEvents>(
    (error, event) => (event === 'error' ? platform.throwLater(error) : report(error)),
    LIFECYCLE_EVENTS,
  )
  const application = createEmitter<FromServer<C>>(report, undefined, (event) => {
    audience.forgo(event)
    // Later, so that the listeners that are bound with this one miss nothing.
    queueMicrotask(core.listening)
  })
  const audience = createAudience((event) => application.count(event as never))
  // An error here is not counted in the state: the change would call the listener again.
  const changes = createEmitter<{ change: undefined }>(platform.throwLater)
  const core = createCore(options, {
    tell,
    audience,
    isMeeting: () => lifecycle.count('session') > 0,
    isWatched: () => changes.count('change') > 0,
    notify: () => changes.emit('change', undefined),
  })

  function report(error: HoldfastError): void {
    core.notify({ type: 'error', error })
  }

  function tell(notice: Notice): void {
    switch (notice.type) {
      case 'message': {
        const { message, replyTo } = notice
        const answer: Answer | undefined =
          replyTo === undefined ? undefined : (data, failure) => core.reply(replyTo, data, failure)
        return void application.emit(message.event as never, message.data as never, answer)
      }
      case 'state':
        return void lifecycle.emit('state', notice.state)
      case 'session':
        return void lifecycle.emit('session', { recovered: notice.recovered })
      case 'gap':
        return void lifecycle.emit('gap', notice.gap)
      case 'rtt':
        return void lifecycle.emit('rtt', notice.rttMs)
      case 'error':
        // A bug in a listener must not pass unnoticed because nobody listens for it.
        if (!lifecycle.emit('error', notice.error) && notice.error.name === 'ListenerError') {
          platform.throwLater(notice.error)
        }
        return
      case 'stored':
      case 'delivered':
      case 'failed':
        return void lifecycle.emit(notice.type, notice.delivery)
    }
  }

  function send(event: string, data?: unknown, sendOptions?: SendOptions): Delivery {
    requireText('event', event)
    if (sendOptions) checkSendOptions(sendOptions)
    const { body, bytes } = encode(event, data)
    const delivery = sendOptions?.volatile
      ? sendNow(event, body, bytes, sendOptions.key)
      : core.outbox.add(event, body, bytes, sendOptions)
    core.progressed()
    return delivery
  }

  async function request(event: string, params?: unknown, requestOptions?: RequestOptions): Promise<unknown> {
    requireText('event', event)
    if (!core.requests) {
      throw new LocalProtocolError('NOT_ENCODABLE', `The dialect "${dialect.name}" knows no requests: "${event}"`)
    }
    const { body, bytes } = encode(event, params)
    return core.requests.ask(event, body, bytes, requestOptions)
  }

  /** @throws {LocalProtocolError} */
  function encode(event: string, data: unknown): { body: Body; bytes: number } {
    const body = dialect.encode(event, data)
    if (!isBody(body)) {
      throw new LocalProtocolError(
        'NOT_ENCODABLE',
        `The codec made of "${event}" a value that no socket sends: ${String(body)}`,
      )
    }
    const bytes = sizeOf(body)
    if (bytes > frameBytesMax) {
      throw new LocalProtocolError('TOO_LARGE', `"${event}" is ${bytes} bytes long, frameBytesMax is ${frameBytesMax}`)
    }
    return { body, bytes }
  }

  /** Past the queue. */
  function sendNow(event: string, body: Body, bytes: number, key?: string): Delivery {
    const entry = new Entry(platform.createId(), 0, event, body, bytes, platform.wallNow(), undefined, key)
    core.sendVolatile(entry)
    return entry
  }

  return {
    connect: core.connect,
    reconnect: core.reconnect,
    async close(closeOptions?: CloseOptions) {
      const { drainMs = 0 } = withDefaults('close', closeOptions, { drainMs: undefined })
      if (drainMs !== 0) requireNumber('drainMs', drainMs)
      return core.close(drainMs)
    },
    send,
    request: request as Client<C>['request'],
    on: application.on,
    // What a listener returns is the answer where the server asks for one.
    handle: application.on as unknown as Client<C>['handle'],
    once: application.once,
    events: application.events,
    getState: core.state,
    subscribe: (listener) => changes.on('change', listener),
    lifecycle: { on: lifecycle.on, once: lifecycle.once },
    outbox: {
      list: core.outbox.list,
      failed: core.outbox.failed,
      remove: (id) => ended(core.outbox.remove(id)),
      clear: () => ended(core.outbox.clear()),
    },
  }

  /** Ends the turn in which the application changed the outbox. */
  function ended<Value>(value: Value): Value {
    core.progressed()
    return value
  }
}

/** @throws {TypeError} | {RangeError} */
function checkSendOptions(sendOptions: SendOptions): void {
  const { ttlMs, key, validWhile, volatile } = withDefaults('send', sendOptions, SEND_DEFAULTS)
  if (ttlMs !== undefined) requireNumber('ttlMs', ttlMs)
  check('key', key, 'a string', key === undefined || typeof key === 'string')
  const isAskable = validWhile === undefined || (typeof validWhile === 'function' && !volatile)
  check('validWhile', validWhile, 'a function, of a message that is not volatile', isAskable)
}
