import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../../src/shared/errors.js'
import { acknowledged, down, NAME, setStage } from '../../support/reliable-stage.js'

describe('life', () => {
  test('answers a ping at once', async () => {
    const { live, say, heard } = setStage()
    await live()
    heard()
    say({ t: 'p' })

    expect(heard()).toEqual([{ t: 'o' }])
  })

  test('pings as often as the stricter side wants, and measures the round trip', async () => {
    const { live, say, heard, platform, client } = setStage({ heartbeatMs: { interval: 25_000, timeout: 15_000 } })
    await live({ greeting: { heartbeat: { interval: 4_000, timeout: 60_000 } } })
    heard()
    await platform.advance(3_999)
    const early = heard()
    await platform.advance(1)
    const due = heard()
    await platform.advance(30)
    say({ t: 'o' })

    expect([early, due]).toEqual([[], [{ t: 'p' }]])
    expect(client.getState().rttMs).toBe(30)
  })

  test('waits for a long frame that the server has announced', async () => {
    const { live, say, platform, client, status } = setStage()
    await live({ greeting: { heartbeat: { interval: 1_000, timeout: 2_000 } } })
    say({ t: 'o', next: 80_000 })
    await platform.advance(12_900)
    const meanwhile = status()
    await platform.advance(100)

    expect([meanwhile, status()]).toEqual(['connected', 'waiting'])
    expect(client.getState().rttMs).toBeUndefined()
  })

  test('finds a silent server dead, and comes back', async () => {
    const { live, platform, error, status } = setStage()
    await live({ greeting: { heartbeat: { interval: 1_000, timeout: 2_000 } } })
    await platform.advance(3_000)

    expect(status()).toBe('waiting')
    expect(error()).toMatchObject({ code: 'HEARTBEAT_TIMEOUT' })
    expect(platform.link.dropped?.code).toBe(4000)
  })

  test('finds a link dead in use within six seconds, by default', async () => {
    const { live, platform, client } = setStage()
    await live()
    for (let sends = 0; sends < 20; sends++) {
      client.send('m', sends)
      await platform.advance(300)
    }

    expect(platform.links[0]?.dropped?.reason).toBe('HEARTBEAT_TIMEOUT')
  })

  test('asks soon for a reply that is owed, where its request was acknowledged', async () => {
    const { live, heard, say, platform, client } = setStage()
    await live()
    client.request('ask', 1).catch(() => {})
    heard()
    say(acknowledged(1))
    await platform.advance(2_000)

    expect(heard()).toEqual([{ t: 'p' }])
  })

  test('keeps a server that answers pings while a handler takes long', async () => {
    const { live, heard, say, platform, client, status } = setStage()
    await live()
    client.send('m', 1)
    let pings = 0
    for (let passed = 0; passed < 20_000; passed += 100) {
      await platform.advance(100)
      for (const { t } of heard()) {
        if (t !== 'p') continue
        pings++
        say({ t: 'o' })
      }
    }

    expect(status()).toBe('connected')
    expect(pings).toBe(3)
  })

  test('repeats the server’s words in the reason of the end', async () => {
    const { live, say, platform, error } = setStage()
    await live()
    say({ t: 'error', code: 'RATE_LIMITED', message: 'slow down' })
    platform.link.close(4429)

    expect(error()).toMatchObject({ code: 'CONNECTION_CLOSED', closeCode: 4429 })
    expect(error().message).toContain('RATE_LIMITED: slow down')
  })

  test('comes back when the server wants it, this once', async () => {
    const { live, say, platform, client } = setStage()
    await live()
    say({ t: 'error', code: 'RATE_LIMITED', message: 'slow down', after: 7_000 })
    platform.link.close(4429)
    const { now } = platform.clock
    const first = client.getState()
    await platform.advance(7_000)
    platform.link.refuse()
    const second = client.getState()

    expect(first).toMatchObject({ status: 'waiting', retryAt: platform.clock.wallNow() })
    expect(platform.clock.now - now).toBe(7_000)
    expect(second).toMatchObject({ retryAt: platform.clock.wallNow() + 500 })
  })

  test('sends nothing new to a server that drains, and takes what it still says', async () => {
    const { client, live, say, sequences, platform, greeted, log } = setStage()
    await live()
    client.send('m', 1)
    say({ t: 'drain', after: 3_000 })
    client.send('m', 2)
    const before = sequences()
    say(acknowledged(1))
    const during = sequences()
    platform.link.close(1012)
    await platform.advance(3_000)
    await greeted()

    expect([before, during, sequences()]).toEqual([[1], [], [2]])
    expect(log).toContain(`delivered ${NAME}:1`)
  })

  test.each([
    ['at once', 0, 500],
    ['never', 2 ** 53 - 1, 600_000],
  ])('does not come back %s, though the server says so', async (_, after, expectedMs) => {
    const { live, say, platform, client } = setStage()
    await live()
    say({ t: 'error', code: 'RATE_LIMITED', message: 'slow down', after })
    platform.link.close(4429)

    expect(client.getState()).toMatchObject({ retryAt: platform.clock.wallNow() + expectedMs })
  })

  test('keeps the time of a drain, whatever words follow', async () => {
    const { live, say, platform, client } = setStage()
    await live()
    say({ t: 'drain', after: 3_000 }, { t: 'error', code: 'SERVER_FAILED', message: 'bye' })
    platform.link.close(1012)

    expect(client.getState()).toMatchObject({ retryAt: platform.clock.wallNow() + 3_000 })
  })

  test('says bye before it closes for good', async () => {
    const idle = setStage()
    await idle.live()
    idle.heard()
    await idle.client.close()
    const busy = setStage()
    await busy.live()
    busy.client.send('m', 1)
    busy.heard()
    await busy.client.close()

    for (const { heard, platform } of [idle, busy]) {
      expect(heard()).toEqual([{ t: 'bye' }])
      expect(platform.link.dropped?.code).toBe(1000)
      expect(platform.clock.timers).toBe(0)
    }
  })

  test('forgets its session when it is closed while it waits, since the next may be another user’s', async () => {
    const { client, live, platform, greeted, heard } = setStage()
    await live()
    platform.link.close(1006)
    await platform.settle()
    await client.close()
    client.connect()
    await greeted()

    expect(heard()[0]).toEqual({ t: 'hello', writers: {} })
  })

  test('says bye when it is closed by a listener', async () => {
    const { client, live, say, heard } = setStage()
    client.on('news', () => void client.close())
    await live()
    client.send('m', 1)
    heard()
    say(down(1))

    expect(heard()).toEqual([{ t: 'bye' }])
  })
})

describe('the credential', () => {
  test('is asked for again when the server wants a fresh one', async () => {
    let asked = 0
    const { live, say, heard, platform } = setStage({ auth: async () => `ticket ${++asked}` })
    await live()
    heard()
    say({ t: 'reauth', within: 10_000 })
    await platform.settle()

    expect(heard()).toEqual([{ t: 'auth', auth: 'ticket 2' }])
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no ticket'))],
    ['is no JSON', () => 5n],
  ])('that then %s is reported, and the connection goes on', async (_, second) => {
    let asked = 0
    const { live, say, heard, platform, errors, status } = setStage({ auth: () => (asked++ ? second() : 'ticket') })
    await live()
    heard()
    say({ t: 'reauth', within: 10_000 })
    await platform.settle()

    expect(heard()).toEqual([])
    expect(errors).toMatchObject([{ code: 'AUTH_FAILED' }])
    expect(status()).toBe('connected')
  })

  test('that auth then refuses to give ends the connection, for good', async () => {
    let asked = 0
    const refusal = new RefusedError('UNAUTHORIZED', 'logged out')
    const { live, say, platform, errors, status, error } = setStage({
      auth: () => (asked++ ? Promise.reject(refusal) : 'ticket'),
    })
    await live()
    say({ t: 'reauth', within: 10_000 })
    await platform.advance(600_000)

    expect([status(), error(), asked]).toEqual(['closed', refusal, 2])
    expect(errors).toEqual([])
    expect(platform.liveLinks).toEqual([])
  })

  test('that comes when the link is gone is not sent', async () => {
    const answers: ((ticket: string) => void)[] = []
    const { live, say, heard, platform, cut, open } = setStage({
      auth: ({ attempt }) =>
        answers.length || attempt > 1 ? new Promise((resolve) => answers.push(resolve)) : 'first',
    })
    await live()
    answers.length = 0
    say({ t: 'reauth', within: 10_000 })
    await cut()
    await platform.settle()
    answers.forEach((answer) => answer('late'))
    await open()

    expect(heard()).toEqual([])
  })

  test('is refreshed once after a refusal, and then the client stops', async () => {
    let asked = 0
    const { greeted, say, heard, platform, status, error } = setStage({ auth: () => `ticket ${++asked}` })
    await greeted()
    const [first] = heard()
    say({ t: 'error', code: 'UNAUTHORIZED', message: 'outdated' })
    platform.link.close(4401)
    const once = status()
    await platform.advance(1_000)
    await greeted()
    const [second] = heard()
    platform.link.close(4401)

    expect([first?.['auth'], second?.['auth']]).toEqual(['ticket 1', 'ticket 2'])
    expect(once).toBe('waiting')
    expect(status()).toBe('closed')
    expect(error()).toMatchObject({ name: 'RefusedError', code: 'UNAUTHORIZED' })
  })

  test('is not asked for again when the server forbids it all', async () => {
    const { greeted, platform, status, error } = setStage()
    await greeted()
    platform.link.close(4403)

    expect(status()).toBe('closed')
    expect(error()).toMatchObject({ code: 'REFUSED_BY_SERVER' })
  })
})
