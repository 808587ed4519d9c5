import { describe, expectTypeOf, test } from 'vitest'
import { HoldfastWebSocket, type HoldfastWebSocketOptions } from '../../src/websocket.js'

// Never called: what stands here is only compiled.
const socket = null as unknown as HoldfastWebSocket

describe('the WebSocket class', () => {
  test('goes wherever the native class goes', () => {
    expectTypeOf<typeof HoldfastWebSocket>().toExtend<typeof WebSocket>()
    expectTypeOf(HoldfastWebSocket.with({ reconnect: false })).toExtend<typeof WebSocket>()
    expectTypeOf(socket).toExtend<WebSocket>()
    expectTypeOf(socket.onmessage).toEqualTypeOf<WebSocket['onmessage']>()
  })

  test('knows the types of its events', () => {
    socket.addEventListener('close', (event) => expectTypeOf(event).toEqualTypeOf<CloseEvent>())
    socket.addEventListener('message', ({ data }) => expectTypeOf(data).toBeAny())
  })

  test('takes functions for url and protocols', () => {
    expectTypeOf(HoldfastWebSocket).toBeConstructibleWith(
      async ({ attempt }) => new URL(`wss://example.com/${attempt}`),
      ({ signal }) => (signal.aborted ? 'a' : ['b', 'c']),
    )
    // @ts-expect-error a promise is asked once, and for one attempt
    new HoldfastWebSocket(Promise.resolve('wss://example.com')).close()
  })

  test('refuses options that it does not have', () => {
    // @ts-expect-error no such option
    HoldfastWebSocket.with({ reconect: false })
    // @ts-expect-error the class speaks plain WebSocket only
    HoldfastWebSocket.with({ dialect: {} })
    expectTypeOf<HoldfastWebSocketOptions['reconnect']>().toEqualTypeOf<boolean | undefined>()
  })
})
