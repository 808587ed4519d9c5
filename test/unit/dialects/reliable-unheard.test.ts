import { describe, expect, test } from 'vitest'
import { createFakePlatform } from '../../support/fake-platform.js'
import { down, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

/** A connected client without a listener for what the server sends. */
async function setUp(options: Parameters<typeof setStage>[0] = {}) {
  const stage = setStage({ listens: false, ...options })
  await stage.live()
  stage.heard()
  const got: unknown[] = []
  return {
    ...stage,
    got,
    listen: (event: string) => stage.client.on(event, (data) => void got.push(`${event} ${String(data)}`)),
  }
}

describe('a message whose event never had a listener', () => {
  test('waits for one, and nothing is acknowledged meanwhile', async () => {
    const { say, listen, got, heard, errors, platform } = await setUp()
    say(down(1), down(2))
    await platform.advance(9_000)
    const before = heard()
    listen('news')
    await platform.advance(25)

    expect(before).toEqual([])
    expect(got).toEqual(['news 1', 'news 2'])
    expect(heard()).toEqual([{ t: 'a', s: 2 }])
    expect(errors).toEqual([])
  })

  test('holds up what is behind it, in order, and not what is before it', async () => {
    const { say, listen, got, heard, platform } = await setUp()
    listen('known')
    say(down(1, { e: 'known' }), down(2, { e: 'late' }), down(3, { e: 'known' }), down(4, { e: 'later' }))
    await platform.advance(25)
    const early = [...got]
    const acknowledged = heard()
    listen('late')
    await platform.settle()
    const then = [...got]
    listen('later')
    await platform.advance(25)

    expect([early, acknowledged]).toEqual([['known 1'], [{ t: 'a', s: 1 }]])
    expect(then).toEqual(['known 1', 'late 2', 'known 3'])
    expect(got.at(-1)).toBe('later 4')
    expect(heard()).toEqual([{ t: 'a', s: 4 }])
  })

  test('is heard by all listeners that are bound together, after they are bound', async () => {
    const { client, say, got, platform } = await setUp()
    say(down(1))
    client.on('news', () => got.push('one'))
    client.once('news', () => got.push('two'))
    got.push('bound')
    await platform.settle()

    expect(got).toEqual(['bound', 'one', 'two'])
  })

  test('waits for a loop like for a listener', async () => {
    const { client, say, platform } = await setUp()
    say(down(1), down(2))
    await platform.advance(1_000)
    const loop = client.events('news')

    expect([await loop.next(), await loop.next()].map(({ value }) => value)).toEqual([1, 2])
  })

  test('waits for 10 seconds; then its event is reported once, dropped and acknowledged', async () => {
    const { say, listen, got, heard, errors, platform, status } = await setUp()
    listen('known')
    say(down(1), down(2, { e: 'known' }))
    await platform.advance(9_999)
    const before = [...got]
    await platform.advance(26)
    say(down(3), down(4, { e: 'known' }))
    await platform.advance(25)

    expect(before).toEqual([])
    expect(got).toEqual(['known 2', 'known 4'])
    expect(errors.map(({ code, message }) => [code, message])).toEqual([
      ['NO_LISTENER', 'No listener was bound in time for "news", which is dropped'],
    ])
    expect(heard().filter(({ t }) => t === 'a')).toEqual([
      { t: 'a', s: 2 },
      { t: 'a', s: 4 },
    ])
    expect(status()).toBe('connected')
  })

  test('is heard as usual by a listener that comes later still', async () => {
    const { say, listen, got, platform } = await setUp({ listenWaitMs: 500 })
    say(down(1))
    await platform.advance(500)
    listen('news')
    say(down(2))

    expect(got).toEqual(['news 2'])
  })

  test('does not add its wait to that of another', async () => {
    const { say, listen, got, errors, platform } = await setUp({ listenWaitMs: 500 })
    listen('known')
    say(down(1, { e: 'a' }), down(2, { e: 'b' }), down(3, { e: 'c' }), down(4, { e: 'known' }))
    await platform.advance(500)

    expect(got).toEqual(['known 4'])
    expect(errors.map(({ code }) => code)).toEqual(['NO_LISTENER', 'NO_LISTENER', 'NO_LISTENER'])
  })

  test('does not wait anew where the link is lost meanwhile', async () => {
    const { say, listen, got, errors, cut, live, platform, heard } = await setUp({ listenWaitMs: 3_000 })
    listen('known')
    say(down(1), down(2, { e: 'known' }))
    await cut()
    await live({ welcome: { resumed: true } })
    say(down(1), down(2, { e: 'known' }))
    await platform.advance(2_025)

    expect(errors.map(({ code }) => code)).toEqual(['NO_LISTENER'])
    expect(got).toEqual(['known 2'])
    expect(heard().at(-1)).toEqual({ t: 'a', s: 2 })
  })

  test('does not wait for a volatile message, which is now or never', async () => {
    const { say, listen, got, platform } = await setUp()
    say({ t: 'v', e: 'flash', d: 1 })
    listen('flash')
    await platform.settle()

    expect(got).toEqual([])
  })

  test('leaves no timer behind when the client is closed', async () => {
    const { client, say, listen, platform } = await setUp()
    say(down(1))
    await client.close()
    listen('news')
    await platform.settle()

    expect(platform.clock.timers).toBe(0)
  })
})

test('an event whose listener was unbound is not waited for', async () => {
  const { say, listen, heard, errors, platform } = await setUp()
  listen('news')()
  say(down(1))
  await platform.advance(25)

  expect(heard()).toEqual([{ t: 'a', s: 1 }])
  expect(errors).toEqual([])
})

test('a reply passes what waits, since the page may wait for it before it binds its listeners', async () => {
  const { client, say, heard, listen, got, platform } = await setUp()
  const asked = client.request('ask', 1)
  await platform.settle()
  say(down(1), { t: 'r', s: 2, g: 'g2', w: OWN, n: 1, d: 'reply' }, down(3))

  expect(await asked).toBe('reply')
  listen('news')
  await platform.advance(25)
  expect(got).toEqual(['news 1', 'news 3'])
  expect(heard().at(-1)).toEqual({ t: 'a', s: 3 })
})

test('what waited when the link was lost comes again from the server, once', async () => {
  const { say, listen, got, cut, greeted, heard } = await setUp()
  say(down(1), down(2))
  await cut()
  await greeted()
  const [hello] = heard()
  say({ ...WELCOME, resumed: true }, down(1))
  listen('news')
  say(down(2))
  await Promise.resolve()

  expect(hello).toMatchObject({ stream: { id: 'S1', s: 0 } })
  expect(got).toEqual(['news 1', 'news 2'])
})

test('a page that is loaded again gets what waited in the last one', async () => {
  const platform = createFakePlatform()
  const page = () => setStage({ listens: false, resumeKey: 'tab', platform })
  const first = page()
  await first.live()
  first.say(down(1))
  platform.signal('leave')
  await first.client.close()
  const next = page()
  await next.greeted()

  expect(next.heard()).toMatchObject([{ t: 'hello', stream: { id: 'S1', s: 0 } }])
})
