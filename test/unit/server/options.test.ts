import { expect, test } from 'vitest'
import { requestReader } from '../../../src/server/base/upgrade-request.js'
import { resolveOptions, type EngineOptions } from '../../../src/server/base/options.js'

test('has a default for everything', async () => {
  const options = resolveOptions({})
  const { limits, heartbeat, isAllowed, authenticate } = options
  const requestOf = requestReader(options, () => {})

  expect(heartbeat).toEqual({ interval: 25_000, timeout: 15_000 })
  expect(limits).toMatchObject({ frameBytesMax: 2 ** 20, window: { messages: 512, bytes: 2 ** 20 } })
  expect(isAllowed('https://anywhere.example')).toBe(true)
  expect(
    await authenticate({ auth: undefined, request: requestOf({ url: '/', headers: {} }), signal: AbortSignal.abort() }),
  ).toEqual({
    user: '',
  })
})

test('puts what is given over the defaults', () => {
  const { limits, heartbeat, isAllowed } = resolveOptions({
    limits: { window: { messages: 8 }, sessionsMax: 3 },
    heartbeatMs: { interval: 5 },
    origins: ['https://example.com', 'http://localhost:8080'],
  })

  expect(limits).toMatchObject({ window: { messages: 8, bytes: 2 ** 20 }, sessionsMax: 3, helloTimeoutMs: 10_000 })
  expect(heartbeat).toEqual({ interval: 5, timeout: 15_000 })
  expect(['https://example.com', 'http://localhost:8080', 'http://localhost'].map(isAllowed)).toEqual([
    true,
    true,
    false,
  ])
})

test.each([
  [{ authenticate: 1 }, TypeError, 'authenticate must be a function, got 1'],
  [{ streams: {} }, TypeError, 'streams must be a store such as memoryStreams(), got [object Object]'],
  [{ streams: null }, TypeError, 'streams must be a store such as memoryStreams(), got null'],
  [{ limits: 7 }, TypeError, 'limits must be an object, got 7'],
  [{ limits: { frameBytesMax: 0 } }, RangeError, 'limits.frameBytesMax must be an integer from 1 to 2147483647, got 0'],
  [{ limits: { framesMax: 1 } }, TypeError, 'limits: "framesMax" is no option; did you mean "frameBytesMax"?'],
  [
    { limits: { window: { messages: 1.5 } } },
    RangeError,
    'limits.window.messages must be an integer from 1 to 2147483647, got 1.5',
  ],
  [{ heartbeatMs: 25_000 }, TypeError, 'heartbeatMs must be an object, got 25000'],
  [
    { heartbeatMs: { interval: -1 } },
    RangeError,
    'heartbeatMs.interval must be an integer from 1 to 2147483647, got -1',
  ],
])('refuses %o at the call', (options, kind, message) => {
  // What a caller without types may pass.
  const act = (): unknown => resolveOptions(options as unknown as EngineOptions)

  expect(act).toThrow(kind)
  expect(act).toThrow(message)
})
