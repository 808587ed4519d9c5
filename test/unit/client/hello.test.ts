import { describe, expect, test } from 'vitest'
import { plain, type PlainOptions } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { RefusedError } from '../../../src/shared/errors.js'
import { planOf } from '../../../src/websocket/options.js'
import { setUp } from '../../support/client-stage.js'

const say = (options: PlainOptions) => setUp({ dialect: plain({ codec: text(), ...options }) })

describe('hello', () => {
  test('goes before what was queued and what a listener sends, on each connection', async () => {
    let count = 0
    const { client, platform, connect, send, log } = say({ hello: () => `hello ${++count}` })
    client.lifecycle.on('state', ({ status }) => status === 'connected' && send('now', { volatile: true }))
    send('queued')
    await connect()
    send('later')
    platform.link.close(1006)
    await platform.advance(1_000)
    platform.link.accept()

    expect(platform.links.map(({ written }) => written[0])).toEqual(['hello 1', 'hello 2'])
    expect(platform.links[0]?.written).toEqual(['hello 1', 'queued', 'now', 'later'])
    expect(log).not.toContain('failed')
  })

  test('goes before a ping', async () => {
    const { platform, connect } = setUp({ dialect: plain({ hello: () => 'hi' }), heartbeatMs: { interval: 1_000 } })
    await connect()

    expect(platform.link.written).toEqual(['hi', '{"event":"ping"}'])
  })

  test('may be bytes, and a promise that is told of the attempt', async () => {
    const frame = new Uint8Array([1, 2])
    const attempts: number[] = []
    const { platform, connect } = say({
      async hello({ attempt }) {
        attempts.push(attempt)
        return frame
      },
    })
    await connect()

    expect(platform.link.written).toEqual([frame])
    expect(attempts).toEqual([1])
  })

  test.each<[string, () => unknown, RegExp]>([
    ['throws', () => Promise.reject(new Error('no token')), /no token/],
    ['answers nothing', () => undefined, /hello must be text or bytes, got undefined/],
    ['answers an object', () => ({ type: 'auth' }), /hello must be text or bytes, got \[object Object\]/],
  ])('that %s fails the attempt, and another follows', async (_what, hello, words) => {
    const { client, platform, status, error } = say({ hello: hello as () => string })
    client.connect()
    await platform.settle()

    expect(status()).toBe('waiting')
    expect(error()).toMatchObject({ code: 'AUTH_FAILED', message: expect.stringMatching(words) })
    expect(platform.links).toEqual([])
  })

  test('that never answers fails the attempt in time', async () => {
    const { client, platform, error } = say({ hello: () => new Promise<string>(() => {}) })
    client.connect()
    await platform.advance(10_000)

    expect(error().code).toBe('CONNECT_TIMEOUT')
  })

  test('stops the client with a RefusedError', async () => {
    const refusal = new RefusedError('UNAUTHORIZED', 'logged out')
    const { client, platform, status, error } = say({ hello: () => Promise.reject(refusal) })
    client.connect()
    await platform.settle()

    expect([status(), error()]).toEqual(['closed', refusal])
  })
})

describe('welcome', () => {
  const dialect = { hello: () => 'hi', welcome: 'welcome' }

  test('is waited for, and no message; what else comes before it is', async () => {
    const { client, platform, connect, send, status } = say(dialect)
    const heard: unknown[] = []
    client.on('message', (data) => heard.push(data))
    send('queued')
    await connect()
    platform.link.deliver('news')
    const before = [status(), ...platform.link.written]
    platform.link.deliver('welcome')
    platform.link.deliver('welcome')

    expect(before).toEqual(['handshaking', 'hi'])
    expect([status(), ...platform.link.written]).toEqual(['connected', 'hi', 'queued'])
    expect(heard).toEqual(['news', 'welcome'])
  })

  test('that does not come fails the attempt in time, and nothing queued is lost', async () => {
    const { client, platform, connect, send, error } = say(dialect)
    send('queued')
    await connect()
    await platform.advance(10_000)

    expect(error().code).toBe('CONNECT_TIMEOUT')
    expect(client.getState().pending).toBe(1)
  })

  test.each([
    ['REFUSED_BY_SERVER', 'stops the client', 'closed'],
    ['UNAUTHORIZED', 'asks for another hello once', 'waiting'],
  ] as const)('may be a no: a RefusedError %s %s', async (code, _what, then) => {
    const { platform, connect, status, error } = say({
      ...dialect,
      welcome() {
        throw new RefusedError(code, 'no')
      },
    })
    await connect()
    platform.link.deliver('no')

    expect([status(), error().code]).toEqual([then, code])
  })
})

test.each([
  [{ hello: 'hi' }, /^hello must be a function, got "hi"/],
  [{ welcome: 5 }, /^welcome must be a string or a function, got 5/],
])('%j is refused at the call, by the class too', (options, words) => {
  expect(() => plain(options as never)).toThrow(words)
  expect(() => planOf('ws://server/', [], options as never)).toThrow(words)
})

test('the class says hello and waits for its answer', async () => {
  const { dialect } = planOf('ws://server/', [], { hello: () => 'hi', welcome: 'welcome' })
  const context = { attempt: 1, signal: new AbortController().signal }
  const protocol = dialect.open({})

  expect(protocol.opened(await dialect.hello?.(context))).toBeUndefined()
  expect(protocol.receive('welcome', 0)).toEqual([{ type: 'ready' }])
})
