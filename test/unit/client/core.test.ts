import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import type { ProtocolEvent } from '../../../src/dialects/dialect.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { persistent } from '../../../src/outbox/persistence.js'
import type { Platform } from '../../../src/platform/platform.js'
import { json, text, type Body, type Codec } from '../../../src/protocol/codec.js'
import { NOTHING, setLog, setUp } from '../../support/client-stage.js'
import { createFakePlatform, type FakePlatform } from '../../support/fake-platform.js'
import { createFakeStore } from '../../support/fake-store.js'
import { GREETING, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

/** A platform whose sockets refuse a frame when `refuses` says so. */
function setFaultyPlatform(refuses: (frame: Body) => boolean): FakePlatform {
  const platform = createFakePlatform()
  platform.chance = 0.5
  const createTransport: Platform['createTransport'] = (listener) => {
    const transport = platform.createTransport(listener)
    return {
      ...transport,
      get isOpen() {
        return transport.isOpen
      },
      send(frame) {
        if (refuses(frame)) throw new Error('the socket is out of order')
        transport.send(frame)
      },
    }
  }
  return Object.create(platform, { createTransport: { value: createTransport } }) as FakePlatform
}

/** True the first time, and false ever after. */
function once(): () => boolean {
  let isFirst = true
  return () => {
    const was = isFirst
    isFirst = false
    return was
  }
}

describe('the application is told last', () => {
  test('a listener of `stored` sees its message on the wire', async () => {
    const { client, platform, connect, send } = setUp()
    const seen: unknown[] = []
    client.lifecycle.on('stored', () => seen.push([...platform.link.written]))
    await connect()
    send('a')

    expect(seen).toEqual([['a']])
  })

  test('a listener of `delivered` sees the link already filled again', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    platform.link.hold()
    const large = 'x'.repeat(128 * 1024)
    send(large)
    send('behind')
    const early = platform.link.written.length
    const seen: unknown[] = []
    client.lifecycle.on('delivered', ({ id }) => seen.push([id, platform.link.written.at(-1)]))
    platform.link.flush(large.length)
    await platform.advance(100)

    expect(early).toBe(1)
    expect(seen).toEqual([[expect.any(String), 'behind']])
  })

  test('a listener of `connected` sees what waited on the wire', async () => {
    const { client, platform, send } = setUp()
    send('a')
    let written: readonly unknown[] | undefined
    client.lifecycle.on('state', ({ status }) => {
      if (status === 'connected') written = [...platform.link.written]
    })
    client.connect()
    await platform.settle()
    platform.link.accept()

    expect(written).toEqual(['a'])
  })

  test('a listener of a message sees what its frame has settled, and the next that went out for it', async () => {
    const { client, live, heard, say } = setStage()
    const deliveries = [1, 2, 3].map((data) => client.send('m', data))
    await live({ greeting: { window: { messages: 1, bytes: 1_000 } } })
    heard()
    const seen: unknown[] = []
    client.lifecycle.on('delivered', () => seen.push([deliveries.map(({ status }) => status), heard().length]))
    say({ t: 'a', w: { [OWN]: 1 } })

    expect(seen).toEqual([[['delivered', 'sent', 'stored'], 1]])
  })

  test('hears what one frame has caused in the order in which it came about', async () => {
    const { send, platform, heard } = await setLog()
    platform.link.hold()
    send('a')
    platform.link.flush()
    platform.link.deliver('an answer')

    expect(heard).toEqual(['stored 1', 'message an answer', 'delivered 1'])
  })
})

describe('a socket that refuses a frame once', () => {
  test('is told of as an error, and what was to be sent goes in the next turn', async () => {
    const refuse = once()
    const platform = setFaultyPlatform((frame) => frame === 'a' && refuse())
    const { send, errors, client } = await setLog({ platform })
    const delivery = send('a')
    const written = [...platform.link.written]
    send('b')
    await platform.advance(100)

    expect(written).toEqual([])
    expect(errors).toMatchObject([{ code: 'NOT_ENCODABLE', cause: new Error('the socket is out of order') }])
    expect(platform.link.received).toEqual(['a', 'b'])
    expect(delivery.status).toBe('delivered')
    expect(client.getState().pending).toBe(0)
  })

  test.each(['the message', 'the ping'])('%s: the heartbeat still finds the dead link in time', async (what) => {
    const refuse = once()
    const platform = setFaultyPlatform((frame) => (frame === 'ping') === (what === 'the ping') && refuse())
    const { send, errors, error } = await setLog({ platform })
    platform.link.hold()
    send('a')
    await platform.advance(39_999)
    const before = platform.links[0]?.status
    await platform.advance(1)
    const after = platform.links[0]?.status
    const { code } = error()
    await platform.advance(500)
    platform.link.accept()

    expect([before, after]).toEqual(['open', 'dropped'])
    expect(code).toBe('HEARTBEAT_TIMEOUT')
    expect(errors).toHaveLength(1)
    expect(platform.link.received).toEqual(['a'])
  })

  test('loses nothing, and no order, where the server acknowledges', async () => {
    const refuse = once()
    const platform = setFaultyPlatform((frame) => String(frame).includes('"s":2') && refuse())
    const { client, live, heard, say, errors, sequences, status: statusOf } = setStage({ platform })
    await live()
    heard()
    const deliveries = [1, 2, 3].map((data) => client.send('m', data))
    const before = [sequences(), statusOf()]
    await platform.advance(1_000)
    platform.link.accept()
    say(GREETING, { ...WELCOME, resumed: true, cursors: { [OWN]: 1 } })
    const after = sequences()
    say({ t: 'a', w: { [OWN]: 3 } })

    expect(errors).toMatchObject([{ code: 'NOT_ENCODABLE' }])
    expect(before).toEqual([[1], 'waiting'])
    expect(after).toEqual([1, 2, 3])
    expect(deliveries.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered'])
  })

  test('in the hello: the attempt is over at once, and the next one succeeds', async () => {
    const refuse = once()
    const platform = setFaultyPlatform((frame) => String(frame).includes('"hello"') && refuse())
    const { client, greeted, say, status, error, sequences } = setStage({ platform })
    client.send('m', 1)
    await greeted()
    const { code } = error()
    await platform.advance(1_000)
    platform.link.accept()
    say(GREETING, WELCOME)

    expect(code).toBe('NOT_ENCODABLE')
    expect(status()).toBe('connected')
    expect(sequences()).toEqual([1])
  })

  test('for a volatile message fails that one alone', async () => {
    const platform = setFaultyPlatform((frame) => frame === 'now')
    const { send, heard } = await setLog({ platform })

    expect(send('now', { volatile: true }).error?.code).toBe('NOT_CONNECTED')
    send('later')
    expect(platform.link.received).toEqual(['later'])
    expect(heard).toEqual(['error NOT_ENCODABLE', 'failed 0', 'stored 1'])
  })

  test('for the goodbye: the client is closed all the same', async () => {
    const platform = setFaultyPlatform((frame) => String(frame).includes('"bye"'))
    const { client, live, status } = setStage({ platform })
    await live()
    await client.close()

    expect(status()).toBe('closed')
    expect([platform.clock.timers, platform.watchers, platform.liveLinks.length]).toEqual([0, 0, 0])
  })
})

describe('a function of the application that throws', () => {
  test('for a ping is reported, and the link is found dead all the same', async () => {
    const ping = (): string => {
      throw new RangeError('oops')
    }
    const { platform, errors, error } = await setLog({ dialect: plain({ codec: text(), ping }) })
    await platform.advance(25_000)
    const reported = [...errors]
    await platform.advance(15_000)

    expect(reported).toMatchObject([{ code: 'LISTENER_THREW', cause: new RangeError('oops') }])
    expect(error().code).toBe('HEARTBEAT_TIMEOUT')
  })

  test('to read a frame makes it a bad frame', async () => {
    const codec: Codec = {
      ...json(),
      decode: () => {
        throw new RangeError('too deep')
      },
    }
    const { platform, errors, status } = await setLog({ dialect: plain({ codec }) })
    platform.link.deliver('x')

    expect(errors).toMatchObject([{ code: 'BAD_FRAME', cause: new RangeError('too deep') }])
    expect(status()).toBe('connected')
  })

  test('leaves the heartbeat running, whichever listener it is', async () => {
    const { client, platform, error, send } = await setLog()
    for (const event of ['state', 'stored', 'delivered', 'failed', 'rtt', 'gap', 'error'] as const) {
      client.lifecycle.on(event, () => {
        throw new Error(event)
      })
    }
    send('a')
    platform.link.deliver('b')
    await platform.advance(40_100)

    expect(error().code).toBe('HEARTBEAT_TIMEOUT')
  })
})

describe('shouldReconnect', () => {
  test('decides in place of the code, and is told code and reason', async () => {
    const asked: unknown[] = []
    const shouldReconnect = (close: { code: number; reason: string }): boolean => {
      asked.push(close)
      return close.code === 1008
    }
    const stubborn = await setLog({ shouldReconnect })
    stubborn.platform.link.close(1008, 'policy')
    const meek = await setLog({ shouldReconnect })
    meek.platform.link.close(1006)

    expect(stubborn.status()).toBe('waiting')
    expect(meek.error()).toMatchObject({ code: 'REFUSED_BY_SERVER' })
    expect(asked).toEqual([
      { code: 1008, reason: 'policy' },
      { code: 1006, reason: '' },
    ])
  })

  test('is asked about connections, not about attempts', async () => {
    const asked: unknown[] = []
    const { client, platform, status } = setUp({ shouldReconnect: (close) => asked.push(close) < 0 })
    client.connect()
    await platform.settle()
    platform.link.refuse()

    expect(asked).toEqual([])
    expect(status()).toBe('waiting')
  })

  test('may close the client', async () => {
    const { client, platform, heard, leftovers } = await setLog({
      shouldReconnect: () => {
        void client.close()
        return true
      },
    })
    platform.link.close(1006)
    await platform.advance(60_000)

    expect(heard).toEqual(['state closed'])
    expect(leftovers()).toEqual(NOTHING)
  })
})

describe('frames', () => {
  test('are handed over in the order they come, and a pong is no message', async () => {
    const { platform, heard } = await setLog()
    await platform.advance(25_000)
    for (const frame of ['a', 'pong', 'b']) platform.link.deliver(frame)

    expect(heard).toEqual(['message a', 'rtt 0', 'message b'])
  })

  test('that make no sense eight times in a row end the link; one good one between forgives', async () => {
    const { platform, status, error } = await setLog({ dialect: plain({ codec: json() }) })
    const bad = (count: number): void => {
      for (let index = 0; index < count; index++) platform.link.deliver('{')
    }
    bad(7)
    platform.link.deliver('{"event":"m"}')
    bad(7)
    const seven = status()
    bad(1)

    expect(seven).toBe('connected')
    expect(platform.links[0]?.dropped).toMatchObject({ code: 4400 })
    expect(error().code).toBe('BAD_FRAME')
  })

  test('of a server that was left are heard no more, though they came in the same task', async () => {
    const { client, platform, heard } = await setLog()
    const { link } = platform
    link.deliver('a')
    client.reconnect()
    link.deliver('b')

    expect(heard).toEqual(['message a', 'state connecting'])
  })
})

describe('what passes through the loop', () => {
  /** Where a value holds a function of its own, as a path. */
  function functionsIn(value: unknown, path = ''): string[] {
    if (typeof value === 'function') return [path]
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, part]) => functionsIn(part, `${path}.${key}`))
  }

  test('are values: no event of a dialect carries a function', async () => {
    const dialect = reliable()
    const events: ProtocolEvent[] = []
    const { client, live, say } = setStage({
      dialect: {
        ...dialect,
        open(host) {
          const protocol = dialect.open(host)
          return Object.create(protocol, {
            receive: {
              value(...given: Parameters<typeof protocol.receive>) {
                const received = protocol.receive(...given)
                events.push(...received)
                return received
              },
            },
          }) as typeof protocol
        },
      },
    })
    client.send('m', 1)
    void client.request('ask', 2)
    await live()
    say(
      { t: 'a', w: { [OWN]: 1 } },
      { t: 'r', s: 1, g: 'g1', w: OWN, n: 2, d: 'reply' },
      { t: 'm', s: 2, g: 'g2', e: 'news', d: 1 },
      { t: 'reauth', within: 1_000 },
      { t: 'drain', after: 100 },
    )

    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(['acknowledged', 'repliesLost', 'ready', 'reply', 'message', 'reauth', 'farewell']),
    )
    expect(events.flatMap((event) => functionsIn(event, event.type))).toEqual([])
  })
})

test('a store that answers later than the client is closed is harmless', async () => {
  const store = createFakeStore({ isAsync: true })
  const { client, platform, connect, send, leftovers, log } = setUp({ outbox: persistent(store) })
  await connect()
  store.hold()
  send('a')
  const closing = client.close()
  await platform.settle()
  store.release()
  await closing

  expect(log).toEqual(['connecting', 'connected', 'closed'])
  expect(store.kept.map(({ body }) => body)).toEqual(['a'])
  expect(leftovers()).toEqual(NOTHING)
})

test('a client without listeners goes through it all', async () => {
  const platform = createFakePlatform()
  const client = createClient({ url: 'ws://server/', platform })
  client.send('m', 1)
  client.connect()
  await platform.settle()
  platform.link.accept()
  platform.link.deliver('{"event":"m"}')
  await client.close()

  expect(platform.clock.timers).toBe(0)
  expect(platform.thrown).toEqual([])
})
