import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import type { Client } from '../../../src/client/api.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { socketIo } from '../../../src/dialects/socketio/socketio.js'
import { indexedDbStore } from '../../../src/outbox/stores/indexeddb-store.js'
import { createEchoServer } from '../../../src/server/echo/echo-server.js'
import { createServer } from '../../../src/server/http/server.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { HoldfastWebSocket } from '../../../src/websocket/holdfast-websocket.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeWorld } from '../../support/server-world.js'

const url = 'wss://example.com/live'

/** What a caller without types may pass. */
type Call = (options: never) => unknown

const client = (): Client => createClient({ url, platform: createFakePlatform(), dialect: reliable() })
const listener = (): void => {}

function session() {
  const world = createFakeWorld()
  world.welcome()
  return world.session
}

const CALLS: Record<string, Call> = {
  createClient: (options: object) => createClient({ url, platform: createFakePlatform(), ...options }),
  'client.send': (options) => client().send('a', 1, options),
  'client.on': (options) => client().on('a', listener, options),
  'client.once': (options) => client().once('a', listener, options),
  'client.events': (options) => client().events('a', options),
  'client.lifecycle.on': (options) => client().lifecycle.on('state', listener, options),
  'client.lifecycle.once': (options) => client().lifecycle.once('state', listener, options),
  plain,
  reliable,
  socketIo,
  indexedDbStore: (options: object) => indexedDbStore({ name: 'a', ...options }),
  HoldfastWebSocket: (options) => new HoldfastWebSocket(url, [], options),
  'HoldfastWebSocket.with': (options) => HoldfastWebSocket.with(options),
  'a bound HoldfastWebSocket': (options) => new (HoldfastWebSocket.with({ reconnect: false }))(url, [], options),
  memoryStreams,
  createServer,
  createEchoServer,
  drain: (options) => createFakeWorld().engine.drain(options),
  // The type names no options here; the listener is bound as a client's is.
  'session.lifecycle.on': (options) => Reflect.apply(session().lifecycle.on, undefined, ['ended', listener, options]),
}

describe('an option that there is not', () => {
  test.each<[call: string, options: object, message: string]>([
    ['createClient', { maxRetries: 5 }, 'createClient: "maxRetries" is no option; did you mean "maxAttempts"?'],
    ['createClient', { websocket: Object }, 'createClient: "websocket" is no option; did you mean "WebSocket"?'],
    ['createClient', { outbxMax: {} }, 'createClient: "outbxMax" is no option; did you mean "outboxMax"?'],
    ['createClient', { outboxMax: { byte: 1 } }, 'outboxMax: "byte" is no option; did you mean "bytes"?'],
    ['createClient', { heartbeatMs: { intervl: 1 } }, 'heartbeatMs: "intervl" is no option; did you mean "interval"?'],
    ['createClient', { retryDelayMs: { x: 1 } }, 'retryDelayMs: "x" is no option; did you mean "max"?'],
    ['createClient', { retryDelayMs: { factor: 1 } }, 'retryDelayMs: "factor" is no option; known are '],
    ['client.send', { ttl: 5 }, 'send: "ttl" is no option; did you mean "ttlMs"?'],
    ['client.send', { priority: 5 }, 'send: "priority" is no option; known are '],
    ['client.on', { signl: 1 }, 'on: "signl" is no option; did you mean "signal"?'],
    ['client.once', { signl: 1 }, 'once: "signl" is no option; did you mean "signal"?'],
    ['client.events', { buffer: 1 }, 'events: "buffer" is no option; did you mean "bufferMax"?'],
    ['client.on', { bufferMax: 1 }, 'on: "bufferMax" is no option; known are signal'],
    ['client.lifecycle.on', { signl: 1 }, 'on: "signl" is no option; did you mean "signal"?'],
    ['client.lifecycle.once', { signl: 1 }, 'once: "signl" is no option; did you mean "signal"?'],
    ['plain', { subprotocol: 'a' }, 'plain: "subprotocol" is no option; did you mean "subprotocols"?'],
    ['reliable', { resume: 'a' }, 'reliable: "resume" is no option; did you mean "resumeKey"?'],
    ['socketIo', { ackTimeout: 1 }, 'socketIo: "ackTimeout" is no option; did you mean "ackTimeoutMs"?'],
    ['indexedDbStore', { durable: true }, 'indexedDbStore: "durable" is no option; did you mean "durability"?'],
    ['HoldfastWebSocket', { reconect: false }, 'HoldfastWebSocket: "reconect" is no option; did you mean "reconnect"?'],
    ['HoldfastWebSocket.with', { pings: 'a' }, 'HoldfastWebSocket: "pings" is no option; did you mean "ping"?'],
    ['a bound HoldfastWebSocket', { pings: 'a' }, 'HoldfastWebSocket: "pings" is no option; did you mean "ping"?'],
    ['memoryStreams', { ttl: 5 }, 'memoryStreams: "ttl" is no option; did you mean "ttlMs"?'],
    ['createServer', { cors: true }, 'createServer: "cors" is no option; known are '],
    ['createServer', { auth: listener }, 'createServer: "auth" is no option; did you mean "authenticate"?'],
    ['createServer', { limits: { framesMax: 1 } }, 'limits: "framesMax" is no option; did you mean "frameBytesMax"?'],
    ['createServer', { limits: { window: { byte: 1 } } }, 'limits.window: "byte" is no option; did you mean "bytes"?'],
    ['createServer', { heartbeatMs: { pause: 1 } }, 'heartbeatMs: "pause" is no option; known are '],
    ['createEchoServer', { payloadBytes: 1 }, '"payloadBytes" is no option; did you mean "payloadBytesMax"?'],
    ['createEchoServer', { authenticate: listener }, 'createEchoServer: "authenticate" is no option; known are '],
    ['drain', { timeout: 5 }, 'drain: "timeout" is no option; did you mean "timeoutMs"?'],
    ['session.lifecycle.on', { signl: 1 }, 'on: "signl" is no option; did you mean "signal"?'],
  ])('is refused by %s: %o', (call, options, message) => {
    const act = (): unknown => CALLS[call]?.(options as never)

    expect(act).toThrow(TypeError)
    expect(act).toThrow(message)
  })

  test.each<[name: string, call: Call, options: object, message: string]>([
    [
      'client.request',
      (options) => client().request('a', 1, options),
      { timeout: 5 },
      'request: "timeout" is no option; did you mean "timeoutMs"?',
    ],
    [
      'client.close',
      (options) => client().close(options),
      { drain: 5 },
      'close: "drain" is no option; did you mean "drainMs"?',
    ],
  ])('rejects the promise of %s', async (_name, call, options, message) => {
    await expect(call(options as never)).rejects.toThrow(new TypeError(message))
  })

  test('sends nothing, asks nothing and closes nothing', async () => {
    const one = client()
    const wrong = { ttl: 5, timeout: 5 } as object

    expect(() => one.send('a', 1, wrong)).toThrow(TypeError)
    await expect(one.request('a', 1, wrong)).rejects.toThrow(TypeError)
    await expect(one.close(wrong)).rejects.toThrow(TypeError)
    expect(one.getState().pending).toBe(0)
    one.send('a')
    expect(one.getState().pending).toBe(1)
  })
})

describe('an event that there is not', () => {
  test.each<[where: string, bind: () => unknown, message: string]>([
    [
      'client.lifecycle.on',
      () => Reflect.apply(client().lifecycle.on, undefined, ['deliverd', listener]),
      'on: "deliverd" is no event; did you mean "delivered"?',
    ],
    [
      'client.lifecycle.once',
      () => Reflect.apply(client().lifecycle.once, undefined, ['reconnect', listener]),
      'on: "reconnect" is no event; known are ',
    ],
    [
      'server.on',
      () => Reflect.apply(createServer({}).on, undefined, ['sesion', listener]),
      'on: "sesion" is no event; did you mean "session"?',
    ],
    [
      'session.lifecycle.on',
      () => Reflect.apply(session().lifecycle.on, undefined, ['end', listener]),
      'on: "end" is no event; did you mean "ended"?',
    ],
  ])('is refused by %s', (_where, bind, message) => {
    expect(bind).toThrow(TypeError)
    expect(bind).toThrow(message)
  })

  test('is what the application calls its own, whatever that is', () => {
    expect(() => client().on('toString', listener)).not.toThrow()
  })
})

describe('an option that is undefined', () => {
  test.each([
    'createClient',
    'client.send',
    'client.on',
    'client.once',
    'client.events',
    'plain',
    'reliable',
    'socketIo',
  ])('is not given to %s', (call) => {
    expect(() => CALLS[call]?.({ unknown: undefined } as never)).not.toThrow()
  })
})
