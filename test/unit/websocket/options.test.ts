import { describe, expect, test } from 'vitest'
import { EMPTY_OUTBOX } from '../../support/empty-outbox.js'
import { boundOptions, planOf, type HoldfastWebSocketOptions } from '../../../src/websocket/options.js'

const plan = (options: unknown = {}) => planOf('ws://example.com/', ['a', 'b'], options as HoldfastWebSocketOptions)

describe('planOf', () => {
  test('fills in the defaults', () => {
    expect(plan()).toMatchObject({
      client: { url: 'ws://example.com/', outboxMax: { messages: 100_000, bytes: 128 * 2 ** 20 } },
      dialect: { name: 'plain', subprotocols: ['a', 'b'] },
      reconnect: true,
      closeTimeoutMs: 10_000,
    })
    expect(plan().client.maxAttempts).toBeUndefined()
  })

  test('hands the rest to the client', () => {
    const core = {
      retryDelayMs: { min: 1 },
      stableAfterMs: 2,
      connectTimeoutMs: 3,
      maxAttempts: 4,
      heartbeatMs: { interval: 5 },
      overflow: 'drop-oldest',
      shouldReconnect: () => true,
      WebSocket: EventTarget,
    }

    expect(plan(core).client).toMatchObject(core)
    expect(plan({ outboxMax: { messages: 5 } }).client.outboxMax).toEqual({ messages: 5, bytes: 128 * 2 ** 20 })
  })

  test('gives one attempt to what does not reconnect, whatever else is said', () => {
    expect(plan({ reconnect: false, maxAttempts: 5 }).client.maxAttempts).toBe(1)
  })

  test('pings with what it is told', () => {
    const { dialect } = plan({ ping: 'ping', pong: 'pong' })
    const protocol = dialect.open({})
    protocol.opened(undefined)
    protocol.ping?.()

    expect(protocol.nextFrame(EMPTY_OUTBOX, 1, 0)?.frame).toBe('ping')
    expect(protocol.receive('pong', 0)).toEqual([{ type: 'pong' }])
    expect(protocol.receive('other', 0)).toMatchObject([{ type: 'message' }])
  })

  test.each<[options: unknown, message: string | RegExp]>([
    [null, 'options must be an object, got null'],
    ['reconnect', 'options must be an object, got "reconnect"'],
    [{ reconect: false }, 'HoldfastWebSocket: "reconect" is no option; did you mean "reconnect"?'],
    [{ constructor: 5 }, /^HoldfastWebSocket: "constructor" is no option; /],
    [{ dialect: {} }, /^HoldfastWebSocket: "dialect" is no option; /],
    [{ reconnect: 'no' }, 'reconnect must be a boolean, got "no"'],
    [{ closeTimeoutMs: '5' }, 'closeTimeoutMs must be a number from 1 to 2147483647, got "5"'],
    [{ maxAttempts: '5' }, 'maxAttempts must be a number from 1 to Infinity, got "5"'],
    [{ outboxMax: 5 }, 'outboxMax must be an object, got 5'],
    [{ outboxMax: { message: 5 } }, 'outboxMax: "message" is no option; did you mean "messages"?'],
    [{ WebSocket: {} }, 'WebSocket must be a WebSocket class, got [object Object]'],
    [{ ping: 5 }, 'ping must be a string or a function, got 5'],
  ])('refuses %j', (options, message) => {
    const act = (): unknown => plan(options)

    expect(act).toThrow(TypeError)
    expect(act).toThrow(message)
  })

  test('refuses a time that no timer holds', () => {
    expect(() => plan({ closeTimeoutMs: 0 })).toThrow(RangeError)
    expect(() => plan({ connectTimeoutMs: Infinity })).toThrow(RangeError)
  })
})

describe('boundOptions', () => {
  test('puts what is given over what is bound', () => {
    const bound = { reconnect: false, outboxMax: { messages: 5 } }

    expect(boundOptions(undefined, bound)).toEqual(bound)
    expect(boundOptions({ reconnect: true, ping: 'a' }, bound)).toEqual({ ...bound, reconnect: true, ping: 'a' })
  })

  test('leaves in place what is bound where undefined is given', () => {
    expect(boundOptions({ reconnect: undefined } as object, { reconnect: false })).toEqual({ reconnect: false })
  })
})
