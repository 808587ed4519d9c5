import { describe, expect, test, vi } from 'vitest'
import type { ClientOptions } from '../../../src/client/options.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { RefusedError } from '../../../src/shared/errors.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { setUp } from '../../support/client-stage.js'
import { createFakePlatform } from '../../support/fake-platform.js'

describe('connecting', () => {
  test('dials the url with the subprotocols, and says how far it is', async () => {
    const { client, platform, log } = setUp({ dialect: plain({ subprotocols: ['a', 'b'] }) })
    client.connect()
    const connecting = client.getState()
    await platform.settle()
    platform.link.accept()

    expect(platform.link).toMatchObject({ url: 'ws://server/', subprotocols: ['a', 'b'] })
    expect(connecting).toMatchObject({ status: 'connecting', attempt: 1 })
    expect(client.getState()).toMatchObject({ status: 'connected', connectedAt: platform.wallNow() })
    expect(log).toEqual(['connecting', 'connected'])
  })

  test('does nothing while it is connected or trying', async () => {
    const { client, platform, connect } = setUp()
    client.connect()
    client.connect()
    await connect()
    client.connect()
    await platform.settle()

    expect(platform.links).toHaveLength(1)
    expect(platform.watchers).toBe(1)
  })

  test('asks the provider anew at every attempt, and tells it which', async () => {
    const attempts: number[] = []
    const { client, platform } = setUp({
      url: ({ attempt }) => {
        attempts.push(attempt)
        return new URL(`https://server/?ticket=${attempt}#part`)
      },
    })
    client.connect()
    await platform.settle()
    platform.link.refuse()
    await platform.advance(500)
    platform.link.refuse()
    await platform.advance(1_000)

    expect(attempts).toEqual([1, 2, 3])
    expect(platform.links.map(({ url }) => url)).toEqual([1, 2, 3].map((ticket) => `wss://server/?ticket=${ticket}`))
  })

  test('waits with full jitter before the first retry already, and no longer', async () => {
    const { client, platform, error } = setUp()
    client.connect()
    await platform.settle()
    platform.link.refuse()
    const waiting = client.getState()
    await platform.advance(499.9)
    const early = platform.links.length
    await platform.advance(0.1)

    expect(waiting).toMatchObject({ status: 'waiting', attempt: 2, retryAt: platform.wallNow() })
    expect(early).toBe(1)
    expect(platform.links).toHaveLength(2)
    expect(() => error()).toThrow()
  })

  const failures: [string, () => string | Promise<string>, unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no ticket')
      },
      new Error('no ticket'),
    ],
    ['rejects', () => Promise.reject(new Error('no ticket')), new Error('no ticket')],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with undefined', () => Promise.reject(undefined), undefined],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with null', () => Promise.reject(null), null],
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- applications do
    ['rejects with what cannot be printed', () => Promise.reject(Object.create(null)), {}],
    ['answers with nothing', () => undefined as unknown as string, expect.any(TypeError)],
  ]
  test.each(failures)('takes a provider that %s for a failed attempt', async (_, url, cause) => {
    const { client, platform, error, errors } = setUp({ url })
    client.connect()
    await platform.settle()

    expect(client.getState()).toMatchObject({ status: 'waiting', attempt: 2 })
    expect(error()).toMatchObject({ name: 'ConnectError', code: 'URL_FAILED' })
    if (cause !== undefined && cause !== null) expect(error().cause).toEqual(cause)
    await platform.advance(500)
    expect(client.getState()).toMatchObject({ attempt: 3 })
    expect(errors).toEqual([])
  })

  const refusal = new RefusedError('UNAUTHORIZED', 'logged out')
  /** As an error of another copy of this package comes. */
  const foreign = Object.assign(new Error('logged out'), { name: 'RefusedError', code: 'UNAUTHORIZED' })
  const refusals: [string, Partial<Pick<ClientOptions, 'url' | 'auth' | 'dialect'>>, object][] = [
    ['the url provider throws a RefusedError', { url: () => Promise.reject(refusal) }, refusal],
    ['it is one of another copy', { url: () => Promise.reject(foreign) }, foreign],
    ['auth throws one', { dialect: reliable(), auth: () => Promise.reject(refusal) }, refusal],
    ['the url provider answers null', { url: () => null }, { name: 'RefusedError', code: 'REFUSED_BY_URL' }],
    ['its answer is no url', { url: () => 'http//bad' }, { name: 'RefusedError', code: 'BAD_URL' }],
    ['a path has no page', { url: '/live' }, { name: 'RefusedError', code: 'BAD_URL' }],
  ]
  test.each(refusals)('stops for good when %s, and asks no more', async (_, options, expected) => {
    const asked = vi.fn()
    const { url = 'ws://server/' } = options
    const { client, platform, error, errors, log } = setUp({
      ...options,
      url: (context) => {
        asked()
        return typeof url === 'function' ? url(context) : url
      },
    })
    client.connect()
    await platform.advance(600_000)

    expect(log).toEqual(['connecting', 'closed'])
    expect(error()).toMatchObject(expected)
    expect(asked).toHaveBeenCalledTimes(1)
    expect(errors).toEqual([])
    expect(platform.clock.timers).toBe(0)
  })

  test('takes null for a credential like any other', async () => {
    const { client, platform } = setUp({ dialect: reliable(), auth: () => null })
    client.connect()
    await platform.settle()

    expect(platform.links).toHaveLength(1)
  })

  test('gives up a provider that never settles at the connect deadline, and tells it', async () => {
    const signals: AbortSignal[] = []
    const { client, platform, error } = setUp({
      url: ({ signal }) => {
        signals.push(signal)
        return new Promise<string>(() => {})
      },
    })
    client.connect()
    await platform.advance(9_999)
    const early = [client.getState().status, signals[0]?.aborted]
    await platform.advance(1)
    const late = [client.getState().status, signals[0]?.aborted]
    const { code } = error()
    await platform.advance(500)

    expect(early).toEqual(['connecting', false])
    expect(late).toEqual(['waiting', true])
    expect(code).toBe('CONNECT_TIMEOUT')
    expect(signals).toHaveLength(2)
  })

  test('measures the deadline from the start, provider included', async () => {
    let answer: (url: string) => void = () => {}
    const { client, platform } = setUp({ url: () => new Promise<string>((resolve) => (answer = resolve)) })
    client.connect()
    await platform.advance(9_000)
    answer('ws://server/')
    await platform.settle()
    const dialled = platform.liveLinks.length
    await platform.advance(1_000)

    expect(dialled).toBe(1)
    expect(platform.liveLinks).toEqual([])
    expect(client.getState().status).toBe('waiting')
  })

  test('is twice as patient after two time-outs in a row', async () => {
    const { client, platform } = setUp()
    client.connect()
    await platform.advance(10_000 + 500)
    await platform.advance(10_000 + 1_000)
    const third = client.getState()
    await platform.advance(19_999)
    const late = client.getState()
    await platform.advance(1)

    expect(third).toMatchObject({ status: 'connecting', attempt: 3 })
    expect(late).toMatchObject({ status: 'connecting', attempt: 3 })
    expect(client.getState()).toMatchObject({ status: 'waiting', attempt: 4 })
  })

  test('throws away the answer of a provider that came too late', async () => {
    const answers: ((url: string) => void)[] = []
    const { client, platform } = setUp({ url: () => new Promise<string>((resolve) => answers.push(resolve)) })
    client.connect()
    await platform.settle()
    client.reconnect()
    await platform.settle()
    answers[0]?.('ws://server/?ticket=old')
    await platform.settle()
    const stale = platform.links.length
    answers[1]?.('ws://server/?ticket=new')
    await platform.settle()

    expect(stale).toBe(0)
    expect(platform.links.map(({ url }) => url)).toEqual(['ws://server/?ticket=new'])
  })

  test('does not mind a provider that fails too late', async () => {
    const fail: ((error: Error) => void)[] = []
    const { client, platform, status } = setUp({ url: () => new Promise<string>((_, reject) => fail.push(reject)) })
    client.connect()
    await platform.settle()
    client.reconnect()
    await platform.settle()
    fail[0]?.(new Error('old'))
    await platform.settle()

    expect(status()).toBe('connecting')
  })

  test('stops with the reason when the browser makes no socket', async () => {
    const platform = createFakePlatform()
    platform.blockedBy = new DOMException('insecure', 'SecurityError')
    const { client, error, log } = setUp({ platform })
    client.connect()
    await platform.advance(100_000)

    expect(log).toEqual(['connecting', 'closed'])
    expect(error()).toMatchObject({ code: 'BLOCKED_BY_BROWSER', cause: platform.blockedBy })
    expect(platform.clock.timers).toBe(0)
  })

  test('gives up after maxAttempts, with the reason, until it is asked again', async () => {
    const { client, platform, error, status } = setUp({ maxAttempts: 3 })
    platform.onDial = (link) => queueMicrotask(() => link.refuse())
    client.connect()
    await platform.advance(100_000)
    const links = platform.links.length
    const { code, cause } = error()
    client.connect()
    await platform.settle()

    expect(links).toBe(3)
    expect(code).toBe('ATTEMPTS_EXHAUSTED')
    expect(cause).toMatchObject({ code: 'UNREACHABLE' })
    expect(status()).toBe('waiting')
    expect(platform.links).toHaveLength(4)
  })

  test('takes a path where there is no page, as on a server that renders one, and resolves it when it dials', async () => {
    const platform = createFakePlatform()
    const { client, status } = setUp({ platform, url: '/live' })
    const before = status()
    platform.pageUrl = 'https://page.example/app/'
    client.connect()
    await platform.settle()

    expect(before).toBe('idle')
    expect(platform.link.url).toBe('wss://page.example/live')
  })

  test.each(['live', 'ftp://server/', '//', ''])('refuses %j without a page too', (url) => {
    expect(() => setUp({ url })).toThrow(/^url must be a ws: or wss: URL/)
  })

  test('resolves a path against the page', async () => {
    const platform = createFakePlatform()
    platform.pageUrl = 'https://page.example/app/index.html?x#y'
    const { client } = setUp({ platform, url: '/live?v=1' })
    client.connect()
    await platform.settle()

    expect(platform.link.url).toBe('wss://page.example/live?v=1')
  })
})
