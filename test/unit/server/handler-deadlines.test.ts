import { describe, expect, test, vi } from 'vitest'
import type { MessageContext, Session } from '../../../src/server/base/api.js'
import { RejectedError, RetryError } from '../../../src/server/base/handler-errors.js'
import type { EngineOptions } from '../../../src/server/base/options.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { createFakeWorld, placeOf, type FakeWorld, type Frame } from '../../support/server-world.js'

const m = (s: number, e: string, more: object = {}): Frame => ({ t: 'm', w: 'A', s, e, ...more })
const ask = (s: number, e: string): Frame => m(s, e, { r: 1 })
const hello = (more: object = {}): Frame => ({ t: 'hello', writers: { A: 1 }, ...more })

/** A server that notes which messages are begun, and whose `hang` never ends. */
function open(options: EngineOptions = {}, bind: (session: Session, world: FakeWorld) => void = () => {}) {
  const world = createFakeWorld(options)
  const begun: string[] = []
  const contexts: MessageContext[] = []
  world.engine.on('session', (session) => {
    const note = (_data: unknown, context: MessageContext): void => {
      begun.push(context.id)
      contexts.push(context)
    }
    const hang = (data: unknown, context: MessageContext): Promise<never> => {
      note(data, context)
      return new Promise(() => {})
    }
    session.on('ok', note)
    session.handle('ok', note)
    session.on('hang', hang)
    session.handle('hang', hang)
    bind(session, world)
  })
  return { world, begun, contexts }
}

describe('a handler that never ends', () => {
  test('is left after handlerTimeoutMs: its message is rejected, its signal aborts, and the next is handled', async () => {
    const { world, begun, contexts } = open({ handlerTimeoutMs: 1_000 })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m(1, 'hang'), m(2, 'ok'))
    const signal = contexts[0]?.signal

    await world.clock.advance(999)
    expect(begun).toEqual(['A:1'])
    await world.clock.advance(100)

    expect(begun).toEqual(['A:1', 'A:2'])
    expect(signal?.reason).toMatchObject({ code: 'HANDLER_TIMEOUT' })
    expect(world.errors).toMatchObject([
      { code: 'HANDLER_TIMEOUT', message: 'A handler of "hang" has not ended within 1000 ms' },
    ])
    expect(client.of('a')).toMatchObject([{ w: { A: 2 }, no: [['A', 1, 'HANDLER_TIMEOUT', expect.any(String)]] }])
  })

  test('is answered as cancelled where the client has called the request off', async () => {
    const { world } = open({ handlerTimeoutMs: 1_000 })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'hang'), { t: 'cancel', w: 'A', s: 1 })

    await world.clock.advance(1_100)

    expect(client.of('r')).toMatchObject([{ n: 1, error: { code: 'CANCELLED' } }])
  })

  test('lets go of its writer also when its session is over', async () => {
    const { world, begun } = open({ handlerTimeoutMs: 5_000, streams: memoryStreams({ ttlMs: 1_000 }) })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m(1, 'hang'))
    client.drop()
    await world.clock.advance(2_000)
    expect(world.engine.sessionCount).toBe(0)
    const again = world.welcome({ writers: { A: 1 } })
    again.say(m(1, 'hang', { u: 1 }), m(2, 'ok'))

    await world.clock.advance(4_000)

    expect(begun).toEqual(['A:1', 'A:2'])
  })

  test('changes nothing when it ends after all', async () => {
    let end = (_value: string): void => {}
    const { world } = open({ handlerTimeoutMs: 1_000 }, (session) => {
      session.handle('late', () => new Promise<string>((resolve) => (end = resolve)))
    })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'late'))
    await world.clock.advance(1_100)

    end('late')
    await world.clock.advance(100)

    expect(client.of('r')).toHaveLength(1)
    expect(client.of('a')).toHaveLength(1)
  })
})

describe('a handler that throws a RetryError', () => {
  const openRetry = (failures: number, options: EngineOptions = {}) => {
    const tried: number[] = []
    const opened = open(options, (session, { clock }) => {
      const retry = (): string => {
        tried.push(clock.now)
        if (tried.length <= failures) throw new RetryError({ afterMs: 1_000 })
        return 'done'
      }
      session.on('retry', retry)
      session.handle('retry', retry)
    })
    return { ...opened, tried }
  }

  test('is called again in its turn, and what is behind it waits', async () => {
    const { world, begun, tried } = openRetry(2)
    const client = world.welcome({ writers: { A: 1 } })
    const from = world.clock.now

    client.say(m(1, 'retry'), m(2, 'ok'))
    await world.clock.advance(1_999)
    expect([begun, client.of('a')]).toEqual([[], []])
    await world.clock.advance(100)

    expect(tried.map((at) => at - from)).toEqual([0, 1_000, 2_000])
    expect(begun).toEqual(['A:2'])
    expect(client.of('a')).toMatchObject([{ w: { A: 2 } }])
    expect(world.errors).toEqual([])
  })

  test('is called again while its client is away, and once only', async () => {
    const { world, tried } = openRetry(1)
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'retry'))
    client.drop()
    const again = world.connect()
    again.say(hello({ stream: placeOf(client) }), m(1, 'retry', { r: 1, u: 1 }))

    await world.clock.advance(1_100)

    expect(tried).toHaveLength(2)
    expect(again.of('r')).toMatchObject([{ n: 1, d: 'done' }])
  })

  test('leaves the message to the next session when its own ends', async () => {
    const { world, tried } = openRetry(1)
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m(1, 'retry'))
    world.session.close()

    const again = world.welcome({ writers: { A: 1 } })
    again.say(m(1, 'retry', { u: 1 }))
    expect(tried).toHaveLength(2)
    await world.clock.advance(5_000)

    expect(tried).toHaveLength(2)
    expect(again.of('a')).toMatchObject([{ w: { A: 1 } }])
  })

  test('is called no more when the client calls the request off', async () => {
    const { world, tried } = openRetry(9)
    const client = world.welcome({ writers: { A: 1 } })

    client.say(ask(1, 'retry'), { t: 'cancel', w: 'A', s: 1 })
    await world.clock.advance(5_000)

    expect(tried).toHaveLength(1)
    expect(client.of('r')).toMatchObject([{ error: { code: 'CANCELLED' } }])
  })

  test('holds up no drain', async () => {
    const { world } = openRetry(9)
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m(1, 'retry'), m(2, 'ok'))

    await world.engine.drain({ timeoutMs: 60_000 })

    expect(client.closed?.code).toBe(1012)
    expect(client.of('a')).toEqual([])
  })

  test.each([[0], [1.5], ['1']])('refuses to wait for %o', (afterMs) => {
    // What a caller without types may pass.
    expect(() => new RetryError({ afterMs: afterMs as number })).toThrow(/^afterMs must be an integer from 1 /)
  })
})

test('tells the client alone what a RejectedError says', async () => {
  const { world } = open({}, (session) => {
    session.on('order', () => {
      throw new RejectedError('sold out')
    })
  })
  const client = world.welcome({ writers: { A: 1 } })

  client.say(m(1, 'order'))
  await world.clock.advance(25)

  expect(client.of('a')).toMatchObject([{ no: [['A', 1, 'REJECTED', 'sold out']] }])
  expect(world.errors).toEqual([])
})

test('tells a handler when its message was written', () => {
  const { world, contexts } = open()

  world.welcome({ writers: { A: 1 } }).say(m(1, 'ok'), m(2, 'ok', { age: 60_000 }))

  const now = world.clock.wallNow()
  expect(contexts.map(({ enqueuedAt }) => now - enqueuedAt)).toEqual([0, 60_000])
})

describe('requests that run beside each other', () => {
  function openBeside(options: EngineOptions = {}) {
    const ends: ((value: string) => void)[] = []
    const opened = open(options, (session) => {
      const report = (): Promise<string> => new Promise((resolve) => ends.push(resolve))
      session.handle('report', report, { concurrency: 2 })
    })
    return { ...opened, ends }
  }

  test('are no more than the application allows, and hold nothing else up', async () => {
    const { world, begun, ends } = openBeside()
    const client = world.welcome({ writers: { A: 1 } })

    client.say(ask(1, 'report'), m(2, 'ok'), ask(3, 'report'), m(4, 'ok'), ask(5, 'report'), m(6, 'ok'))
    expect([ends.length, begun]).toEqual([2, ['A:2', 'A:4']])
    ends[1]?.('second')
    await world.clock.advance(25)
    expect([ends.length, begun]).toEqual([3, ['A:2', 'A:4', 'A:6']])
    ends[0]?.('first')
    ends[2]?.('third')
    await world.clock.advance(25)

    expect(client.of('r').map(({ n, d }) => [n, d])).toEqual([
      [3, 'second'],
      [1, 'first'],
      [5, 'third'],
    ])
    expect(client.of('a').at(-1)).toEqual({ t: 'a', w: { A: 6 } })
  })

  test('reply to a client that has come back and asked again, and run once', async () => {
    const { world, ends } = openBeside()
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'report'))
    client.drop()
    const again = world.connect()

    again.say(hello({ stream: placeOf(client) }), m(1, 'report', { r: 1, u: 1 }))
    ends[0]?.('done')
    await world.clock.advance(25)

    expect(ends).toHaveLength(1)
    expect(again.of('r')).toMatchObject([{ n: 1, d: 'done' }])
  })

  test('reply in the new session of a client that has lost its old one', async () => {
    const { world, ends } = openBeside()
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'report'))
    const again = world.welcome({ writers: { A: 1 } })

    ends[0]?.('done')
    await world.clock.advance(25)

    expect(again.of('r')).toMatchObject([{ n: 1, d: 'done' }])
  })

  test('are called off, time out and are called again like others', async () => {
    const aborted = vi.fn()
    let calls = 0
    const { world } = open({ handlerTimeoutMs: 10_000 }, (session) => {
      session.handle(
        'report',
        (_params, { signal }) => {
          calls++
          if (calls === 1) throw new RetryError({ afterMs: 1_000 })
          signal.addEventListener('abort', aborted)
          return new Promise(() => {})
        },
        { concurrency: 9 },
      )
    })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'report'), ask(2, 'report'), { t: 'cancel', w: 'A', s: 2 })
    expect(aborted).toHaveBeenCalledTimes(1)

    await world.clock.advance(1_000)
    expect(calls).toBe(3)
    await world.clock.advance(10_000)

    expect(client.of('r').map(({ n, error }) => [n, (error as { code: string }).code])).toEqual([
      [2, 'CANCELLED'],
      [1, 'HANDLER_TIMEOUT'],
    ])
  })

  test('are waited for by a drain', async () => {
    const { world, ends } = openBeside()
    const client = world.welcome({ writers: { A: 1 } })
    client.say(ask(1, 'report'))
    const drained = world.engine.drain()
    await world.clock.advance(1_000)
    expect(client.closed).toBeUndefined()

    ends[0]?.('done')
    await drained

    expect(client.of('r')).toMatchObject([{ d: 'done' }])
    expect(client.closed?.code).toBe(1012)
  })

  test.each([
    [{ concurrency: 0 }, 'concurrency must be an integer from 1 to 2147483647, got 0'],
    [{ concurency: 2 }, 'handle: "concurency" is no option; did you mean "concurrency"?'],
  ])('refuse %o', (options, message) => {
    const { world } = open()
    world.welcome()

    expect(() => world.session.handle('a', () => {}, options as object)).toThrow(message)
  })
})

describe('the deadlines of the application’s own functions', () => {
  test('close a client for which authenticate has no answer', async () => {
    const { world } = open({ authenticate: () => new Promise(() => {}), authTimeoutMs: 1_000 })
    const client = world.connect()
    client.say(hello())

    await world.clock.advance(1_000)

    expect(client.closed).toEqual({ code: 1011, reason: 'AUTH_FAILED' })
    expect(world.errors).toMatchObject([
      { code: 'AUTH_FAILED', message: 'authenticate has not answered within 1000 ms' },
    ])
  })

  test('close a client for which the store has no answer, and let it come back', async () => {
    const inner = memoryStreams()
    let hangs = true
    const { world } = open({
      storeTimeoutMs: 1_000,
      streams: {
        open(platform) {
          const streams = inner.open(platform)
          return { ...streams, attach: (request) => (hangs ? new Promise(() => {}) : streams.attach(request)) }
        },
      },
    })
    const client = world.connect()
    client.say(hello())

    await world.clock.advance(1_000)
    hangs = false

    expect(client.closed).toEqual({ code: 1011, reason: 'STORAGE_FAILED' })
    expect(world.errors).toMatchObject([{ code: 'STORAGE_FAILED' }])
    expect(world.welcome().closed).toBeUndefined()
  })

  test('go on handling where the store does not keep what was handled', async () => {
    const inner = memoryStreams()
    const { world, begun } = open({
      storeTimeoutMs: 1_000,
      streams: {
        open: (platform) => ({ ...inner.open(platform), advance: () => new Promise(() => {}) }),
      },
    })
    const client = world.welcome({ writers: { A: 1 } })
    client.say(m(1, 'ok'))

    await world.clock.advance(1_000)
    const again = world.connect()
    again.say(hello({ writers: { A: 2 }, stream: placeOf(client) }), m(2, 'ok'))

    expect(client.closed?.code).toBe(1011)
    expect(begun).toEqual(['A:1', 'A:2'])
  })
})
