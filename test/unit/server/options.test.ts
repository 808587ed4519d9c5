import { expect, test } from 'vitest'
import { resolveOptions, type EngineOptions } from '../../../src/server/base/options.js'

test('has a default for everything', async () => {
  const { limits, heartbeat, origins, authenticate } = resolveOptions({})

  expect(heartbeat).toEqual({ interval: 25_000, timeout: 15_000 })
  expect(limits).toMatchObject({ frameBytesMax: 2 ** 20, window: { messages: 512, bytes: 2 ** 20 } })
  expect(origins).toBeUndefined()
  expect(
    await authenticate({ auth: undefined, request: { url: '/', headers: {} }, signal: AbortSignal.abort() }),
  ).toEqual({
    user: '',
  })
})

test('puts what is given over the defaults', () => {
  const { limits, heartbeat, origins } = resolveOptions({
    limits: { window: { messages: 8 }, sessionsMax: 3 },
    heartbeatMs: { interval: 5 },
    origins: ['https://example.com', 'http://localhost:8080'],
  })

  expect(limits).toMatchObject({ window: { messages: 8, bytes: 2 ** 20 }, sessionsMax: 3, helloTimeoutMs: 10_000 })
  expect(heartbeat).toEqual({ interval: 5, timeout: 15_000 })
  expect(origins).toEqual(new Set(['https://example.com', 'http://localhost:8080']))
})

test.each([
  [{ authenticate: 1 }, TypeError, 'authenticate is 1; it must be a function'],
  [{ streams: {} }, TypeError, 'streams is {}; it must be a store such as memoryStreams()'],
  [{ streams: null }, TypeError, 'streams is null; it must be a store'],
  [{ limits: 7 }, TypeError, 'limits is 7; it must be an object'],
  [{ limits: { frameBytesMax: 0 } }, RangeError, 'limits.frameBytesMax is 0; it must be an integer from 1'],
  [{ limits: { framesMax: 1 } }, TypeError, 'limits.framesMax is 1; it must be absent; known are frameBytesMax'],
  [{ limits: { window: { messages: 1.5 } } }, RangeError, 'limits.window.messages is 1.5'],
  [{ heartbeatMs: 25_000 }, TypeError, 'heartbeatMs is 25000; it must be an object'],
  [{ heartbeatMs: { interval: -1 } }, RangeError, 'heartbeatMs.interval is -1'],
  [{ origins: 'https://example.com' }, TypeError, 'it must be an array of origins'],
  [
    { origins: ['https://example.com/'] },
    TypeError,
    'it must be an origin such as https://example.com, without a path',
  ],
  [{ origins: [7] }, TypeError, 'origins is 7; it must be an origin'],
])('refuses %o at the call', (options, kind, message) => {
  // What a caller without types may pass.
  const act = (): unknown => resolveOptions(options as unknown as EngineOptions)

  expect(act).toThrow(kind)
  expect(act).toThrow(message)
})
