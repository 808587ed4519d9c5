import { describe, expect, test } from 'vitest'
import { acknowledged, down, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

describe('the way down', () => {
  test('reaches the listeners once and in order', async () => {
    const { client, live, say } = setStage()
    const heard: unknown[] = []
    client.on('news', (data) => heard.push(data))
    await live()
    say(down(1), down(2), down(2), down(1), down(3))

    expect(heard).toEqual([1, 2, 3])
  })

  test('takes a hole in the stream for a broken server, and comes back to where it was', async () => {
    const { client, live, say, error, platform, greeted, heard, gaps } = setStage()
    const news: unknown[] = []
    client.on('news', (data) => news.push(data))
    await live()
    say(down(1), down(3))
    const { code } = error()
    const { dropped } = platform.link
    await platform.advance(1_000)
    await greeted()
    const [hello] = heard()
    say({ ...WELCOME, resumed: true }, down(2), down(3))

    expect(code).toBe('SEQUENCE_GAP')
    expect(dropped).toEqual({ code: 4400, reason: 'SEQUENCE_GAP' })
    expect(hello).toMatchObject({ t: 'hello', writers: {}, stream: { id: 'S1', s: 1, g: 'g1' } })
    expect(news).toEqual([1, 2, 3])
    expect(gaps).toEqual([])
  })

  test('is acknowledged after 25 ms, once for all', async () => {
    const { live, say, heard, platform } = setStage()
    await live()
    heard()
    say(down(1))
    await platform.advance(20)
    say(down(2))
    await platform.advance(4)
    const early = heard()
    await platform.advance(1)
    const due = heard()
    await platform.advance(100)

    expect([early, due, heard()]).toEqual([[], [{ t: 'a', s: 2 }], []])
  })

  test('is acknowledged at once after 16 messages, when the listeners have heard the last', async () => {
    const { client, live, say, heard } = setStage()
    const before: unknown[] = []
    await live()
    heard()
    client.on('news', (data) => {
      if (data === 16) before.push(...heard())
    })
    for (let s = 1; s <= 17; s++) say(down(s))

    expect(before).toEqual([])
    expect(heard()).toEqual([{ t: 'a', s: 16 }])
  })

  test('acknowledges a repeat again: the server has missed the word', async () => {
    const { live, say, heard, platform } = setStage()
    await live()
    say(down(1))
    await platform.advance(25)
    heard()
    say(down(1))
    await platform.advance(25)

    expect(heard()).toEqual([{ t: 'a', s: 1 }])
  })

  test('is not acknowledged on a link that is gone', async () => {
    const { live, say, heard, cut, open } = setStage()
    await live()
    say(down(1))
    await cut()
    await open()

    expect(heard()).toEqual([])
  })

  test('brings volatile messages, which have no number', async () => {
    const { client, live, say, heard, platform } = setStage()
    const news: unknown[] = []
    client.on('v', (data) => news.push(data))
    await live()
    heard()
    say({ t: 'v', e: 'v', d: 1 }, { t: 'v', e: 'v' })
    await platform.advance(100)

    expect(news).toEqual([1, undefined])
    expect(heard()).toEqual([])
  })
})

describe('a gap', () => {
  const lost = (reason: string) => ({ welcome: { session: 'S2', lost: reason } })

  test('is not told of at the first start, nor when everything was found again', async () => {
    const { live, cut, gaps, client } = setStage()
    await live()
    await cut()
    await live({ welcome: { resumed: true } })

    expect(client.getState()).toMatchObject({ recovered: true })
    expect(gaps).toEqual([])
  })

  test.each(['unknown', 'overflow', 'rollback', 'user'])(
    'is told of once when the session is lost: %s',
    async (reason) => {
      const { live, cut, gaps, client, say, heard } = setStage()
      await live()
      say(down(1))
      await cut()
      await live(lost(reason))
      await cut()
      await live({ welcome: { session: 'S2', resumed: true } })

      expect(gaps).toEqual([{ fromServer: true, toServer: false, reason }])
      expect(heard()[0]).toMatchObject({ stream: { id: 'S2', s: 0 } })
      expect(client.getState()).toMatchObject({ sessionId: 'S2', recovered: true })
    },
  )

  test('is told of when the connection is back, and that was told', async () => {
    const { client, live, say, cut, log } = setStage()
    const states: unknown[] = []
    client.lifecycle.on('gap', () => states.push(client.getState().status, log.at(-1)))
    await live()
    client.send('m', 1)
    say(acknowledged(1))
    await cut()
    await live({ welcome: { resumed: true, cursors: { [OWN]: 0 }, held: true } })

    expect(states).toEqual(['connected', 'connected'])
  })

  test('is one for both directions', async () => {
    const { client, live, cut, gaps, say } = setStage()
    await live()
    client.send('m', 1)
    client.send('m', 2)
    say(acknowledged(2))
    await cut()
    await live({ welcome: { session: 'S2', lost: 'unknown', cursors: { [OWN]: 0 }, held: true } })

    expect(gaps).toEqual([{ fromServer: true, toServer: true, reason: 'unknown' }])
  })

  test('may be one of the way up alone', async () => {
    const { client, live, cut, gaps, say } = setStage()
    await live()
    client.send('m', 1)
    say(acknowledged(1))
    await cut()
    await live({ welcome: { resumed: true, cursors: { [OWN]: 0 }, held: true } })
    await cut()
    await live({ welcome: { resumed: true, cursors: { [OWN]: 1 } } })

    expect(gaps).toEqual([{ fromServer: false, toServer: true, reason: 'unknown' }])
  })

  test('is told of when another connection has taken the session over', async () => {
    const { live, cut, gaps, heard } = setStage()
    await live()
    await cut(4409)
    await live({ welcome: { session: 'S2' } })

    expect(heard()[0]).toEqual({ t: 'hello', writers: {} })
    expect(gaps).toEqual([{ fromServer: true, toServer: false, reason: 'superseded' }])
  })

  test('is not told of after close: what follows is a new life', async () => {
    const { client, live, gaps, heard } = setStage()
    await live()
    await client.close()
    await live({ welcome: { session: 'S2' } })

    expect(heard()[0]).toEqual({ t: 'hello', writers: {} })
    expect(gaps).toEqual([])
  })
})
