import { describe, expect, test } from 'vitest'
import { NOTHING, setLog, setUp } from '../../support/client-stage.js'
import { setStage } from '../../support/reliable-stage.js'

describe('close in a listener', () => {
  type Stage = Awaited<ReturnType<typeof setLog>>
  /** What makes each listener hear something, with more to tell behind it. */
  const CAUSES: Record<string, (stage: Stage) => Promise<void> | void> = {
    stored: ({ send }) => void send('a'),
    delivered: ({ platform, send }) => {
      for (const body of ['a', 'b', 'c']) send(body)
      platform.link.deliver('an answer')
    },
    failed: ({ client, send, platform }) => {
      platform.link.close()
      for (const body of ['a', 'b', 'c']) send(body)
      client.outbox.clear()
    },
    state: ({ platform, send }) => {
      send('a')
      platform.link.close()
    },
    rtt: async ({ platform, send }) => {
      await platform.advance(25_000)
      send('a')
      platform.link.deliver('pong')
    },
    error: ({ client, send }) => {
      client.on('message', () => {
        throw new Error('oops')
      })
      send('a')
    },
  }

  test.each(Object.keys(CAUSES))('of %s is the last that the application hears but for the state', async (event) => {
    const stage = await setLog()
    const { client, platform, heard, leftovers } = stage
    let closedAt = -1
    client.lifecycle.on(event as 'stored', () => {
      if (closedAt >= 0) return
      closedAt = heard.length
      void client.close()
    })
    await CAUSES[event]?.(stage)
    if (event === 'error') platform.link.deliver('one')
    platform.link.deliver('two')
    await platform.advance(60_000)

    expect(closedAt).toBeGreaterThan(0)
    expect(heard.slice(closedAt)).toEqual(['state closed'])
    expect(leftovers()).toEqual(NOTHING)
  })

  test('of a message hides what has left the browser and was not told yet', async () => {
    const { client, platform, heard, send, leftovers } = await setLog()
    client.on('message', () => void client.close())
    platform.link.hold()
    const delivery = send('a')
    heard.length = 0
    platform.link.flush()
    platform.link.deliver('an answer')
    await platform.settle()

    expect(heard).toEqual(['message an answer', 'state closed'])
    await expect(delivery.delivered).resolves.toEqual({ confirmedBy: 'browser' })
    expect(leftovers()).toEqual(NOTHING)
  })

  test('of a gap is the last that the application hears', async () => {
    const { client, live, cut, log, gaps, status, platform } = setStage()
    await live()
    await cut()
    client.lifecycle.on('gap', () => void client.close())
    await live({ welcome: { session: 'S2' } })
    log.length = 0
    await platform.advance(60_000)

    expect(gaps).toHaveLength(1)
    expect(log).toEqual([])
    expect(status()).toBe('closed')
  })

  test('lets the other listeners of the same notice hear it', async () => {
    const { client, platform } = await setLog()
    const seen: string[] = []
    client.on('message', () => void client.close())
    client.on('message', (data) => seen.push(String(data)))
    platform.link.deliver('a')
    platform.link.deliver('b')

    expect(seen).toEqual(['a'])
  })
})

describe('a listener that acts', () => {
  test('is heard in order by all: what it causes is told when all have heard the first', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    const heard: string[] = []
    client.on('message', (data) => {
      heard.push(`first hears ${String(data)}`)
      if (data === 'a') send('answer')
    })
    client.lifecycle.on('stored', () => heard.push('first hears stored'))
    client.on('message', (data) => heard.push(`second hears ${String(data)}`))
    client.lifecycle.on('stored', () => heard.push('second hears stored'))
    platform.link.deliver('a')

    expect(heard).toEqual(['first hears a', 'second hears a', 'first hears stored', 'second hears stored'])
    expect(platform.link.received).toEqual(['answer'])
  })

  test('may clear the outbox, reconnect and send, and nothing is lost or told twice', async () => {
    const { client, platform, heard, send } = await setLog()
    platform.link.hold()
    client.lifecycle.once('failed', () => {
      client.reconnect()
      send('after')
    })
    client.on('message', () => {
      send('x'.repeat(200_000))
      send('waits')
      client.outbox.clear()
    })
    platform.link.deliver('go')
    await platform.settle()
    platform.link.accept()
    await platform.advance(100)

    expect(heard).toEqual([
      'message go',
      'stored 1',
      'stored 2',
      'failed 2',
      'state connecting',
      'stored 3',
      'state connected',
      'delivered 1',
      'delivered 3',
    ])
    expect(platform.link.received).toEqual(['x'.repeat(200_000), 'after'])
  })

  test('may connect again from the word that the client is closed', async () => {
    const { client, platform, heard } = await setLog()
    client.lifecycle.once('state', () => client.connect())
    await client.close()
    await platform.settle()
    platform.link.accept()

    expect(heard).toEqual(['state closed', 'state connecting', 'state connected'])
    expect(platform.watchers).toBe(1)
  })
})

describe('a provider that acts', () => {
  test.each(['url', 'auth'] as const)('may close the client when it is asked for the %s', async (what) => {
    const closing = (answer: string) => () => {
      void stage.client.close()
      return answer
    }
    const stage = setStage({
      url: what === 'url' ? closing('ws://server/') : 'ws://server/',
      ...(what === 'auth' && { auth: closing('ticket') }),
    })
    stage.client.connect()
    await stage.platform.advance(60_000)

    expect(stage.log).toEqual(['connecting', 'closed'])
    expect(stage.platform.links).toEqual([])
    expect([stage.platform.clock.timers, stage.platform.watchers]).toEqual([0, 0])
  })

  test('may send when it is asked for the url', async () => {
    const stage = setUp({
      url: () => {
        stage.send('a')
        return 'ws://server/'
      },
    })
    await stage.connect()

    expect(stage.log.slice(0, 2)).toEqual(['connecting', 'stored 1'])
    expect(stage.platform.link.received).toEqual(['a'])
  })
})

describe('a flood of notices', () => {
  test('is told in slices, in order, without keeping the link waiting', async () => {
    const { client, platform, heard, send } = await setLog()
    platform.link.close()
    for (let count = 0; count < 5_000; count++) send('x', { ttlMs: 100 })
    heard.length = 0
    platform.clock.sleep(100)
    client.reconnect()
    send('urgent')
    await platform.settle()
    const failed = (): string[] => heard.filter((line) => line.startsWith('failed'))
    platform.link.accept()
    const first = [failed().length, ...platform.link.written]
    send('more urgent')
    const second = [failed().length, ...platform.link.written]
    await platform.advance(0)

    expect(first).toEqual([expect.any(Number), 'urgent'])
    expect(first[0]).toBeLessThanOrEqual(1_000)
    expect(second).toEqual([expect.any(Number), 'urgent', 'more urgent'])
    expect(second[0]).toBeLessThanOrEqual(2_000)
    expect(failed()).toEqual(Array.from({ length: 5_000 }, (_, index) => `failed ${index + 1}`))
    expect(heard.at(-1)).toBe('stored 5002')
  })

  test('is over at once when the client is closed between two slices', async () => {
    const { client, platform, heard, send, leftovers } = await setLog()
    platform.link.hold()
    send('x'.repeat(200_000))
    for (let count = 0; count < 3_000; count++) send('x')
    heard.length = 0
    client.outbox.clear()
    const told = heard.length
    await client.close()
    await platform.advance(60_000)

    expect(told).toBe(1_000)
    expect(heard.slice(told)).toEqual(['state closed'])
    expect(leftovers()).toEqual(NOTHING)
  })
})
