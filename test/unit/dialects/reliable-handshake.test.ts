import { describe, expect, test } from 'vitest'
import { acknowledged, down, GREETING, NAME, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

describe('the greeting', () => {
  test('is waited for: nothing is said before it', async () => {
    const { client, open, heard, status } = setStage()
    client.send('m', 1)
    await open()

    expect(heard()).toEqual([])
    expect(status()).toBe('handshaking')
  })

  test('that never comes is a failed attempt like any other', async () => {
    const { open, platform, status, error, heard } = setStage()
    await open()
    await platform.advance(10_000)

    expect(heard()).toEqual([])
    expect(error()).toMatchObject({ code: 'CONNECT_TIMEOUT' })
    expect(status()).toBe('waiting')
  })

  test.each([
    ['an echo of nothing we said', '{"event":"hello"}'],
    ['no JSON', 'welcome!'],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['binary', new Uint8Array([1, 2]).buffer],
    ['another version', JSON.stringify({ ...GREETING, v: 2 })],
    ['a greeting without a window', JSON.stringify({ ...GREETING, window: undefined })],
    ['a welcome', JSON.stringify(WELCOME)],
    ['an error', '{"t":"error","code":"X","message":"no"}'],
  ])('that is %s ends the client for good with 4406', async (_, first) => {
    const { client, open, say, heard, status, error, platform } = setStage()
    const delivery = client.send('m', 1)
    await open()
    say(first)
    const { link } = platform
    await platform.advance(1_000_000)

    expect(heard()).toEqual([])
    expect(link.dropped).toEqual({ code: 4406, reason: 'PROTOCOL_MISMATCH' })
    expect(status()).toBe('closed')
    expect(error()).toMatchObject({ name: 'RefusedError', code: 'PROTOCOL_MISMATCH' })
    expect(platform.links).toHaveLength(1)
    expect(delivery.status).toBe('stored')
  })

  test('is answered by the hello and the first flight, in the same turn', async () => {
    const { client, greeted, heard, status } = setStage({ auth: () => ({ ticket: 5 }) })
    client.send('a', 1)
    client.send('b')
    await greeted()

    expect(heard()).toEqual([
      { t: 'hello', writers: { [OWN]: 1 }, auth: { ticket: 5 } },
      { t: 'm', w: OWN, s: 1, e: 'a', d: 1 },
      { t: 'm', s: 2, e: 'b' },
    ])
    expect(status()).toBe('handshaking')
  })

  test('finds no writer and no stream in a client that has nothing yet', async () => {
    const { greeted, heard } = setStage()
    await greeted()

    expect(heard()).toEqual([{ t: 'hello', writers: {} }])
  })

  test('takes a credential that no frame can carry for a failed attempt, and not for a foreign server', async () => {
    const { client, platform, status, error } = setStage({ auth: () => 5n })
    client.connect()
    await platform.settle()

    expect(status()).toBe('waiting')
    expect(error()).toMatchObject({ code: 'AUTH_FAILED' })
    expect(platform.links).toEqual([])
  })
})

describe('the welcome', () => {
  test('makes the connection, under the session’s name', async () => {
    const { client, live, log } = setStage()
    await live()

    expect(client.getState()).toMatchObject({ status: 'connected', sessionId: 'S1', recovered: false })
    expect(log).toEqual(['connecting', 'handshaking', 'connected'])
  })

  test('that never comes is a failed attempt', async () => {
    const { greeted, platform, error } = setStage()
    await greeted()
    await platform.advance(10_000)

    expect(error()).toMatchObject({ code: 'CONNECT_TIMEOUT' })
  })

  test('comes first, and once', async () => {
    const early = setStage()
    await early.greeted()
    early.say(down(1))
    const late = setStage()
    await late.live()
    late.say(WELCOME)
    const again = setStage()
    await again.live()
    again.say(GREETING)

    for (const { platform, error } of [early, late, again]) {
      expect(error()).toMatchObject({ code: 'BAD_FRAME' })
      expect(platform.link.dropped).toEqual({ code: 4400, reason: 'BAD_FRAME' })
    }
  })

  test('settles what its cursors cover, and goes on behind them', async () => {
    const { client, live, cut, greeted, say, log, heard, pending } = setStage()
    await live()
    for (const data of [1, 2, 3]) client.send('m', data)
    await cut()
    await greeted()
    say({ ...WELCOME, resumed: true, cursors: { [OWN]: 2 } })

    expect(log.filter((line) => line.startsWith('delivered'))).toEqual([`delivered ${NAME}:1`, `delivered ${NAME}:2`])
    expect(pending()).toBe(1)
    expect(heard().map(({ s }) => s)).toEqual([undefined, 1, 2, 3])
  })

  test('tells of rejections that were remembered', async () => {
    const { client, live, cut, greeted, say } = setStage()
    await live()
    const [good, bad] = [client.send('m', 1), client.send('m', 2)]
    await cut()
    await greeted()
    say({ ...WELCOME, resumed: true, cursors: { [OWN]: 2 }, no: [[OWN, 2, 'TOO_RUDE', 'mind your tongue']] })

    expect(good?.status).toBe('delivered')
    expect(bad).toMatchObject({ status: 'failed', error: { code: 'REJECTED', message: 'mind your tongue' } })
  })

  test('that says resumed where no session was named, breaks the rules', async () => {
    const { live, error, platform } = setStage()
    await live({ welcome: { resumed: true } })

    expect(error()).toMatchObject({ name: 'RemoteProtocolError', code: 'BAD_FRAME' })
    expect(platform.link.dropped?.code).toBe(4400)
  })

  test('that holds is answered by resume, and everything is sent again', async () => {
    const { client, live, cut, greeted, say, heard } = setStage()
    await live()
    client.send('m', 1)
    client.send('m', 2)
    say(acknowledged(1))
    await cut()
    await greeted()
    heard()
    say({ ...WELCOME, cursors: { [OWN]: 0 }, held: true })

    expect(heard()).toEqual([
      { t: 'resume', writers: { [OWN]: 2 } },
      { t: 'm', w: OWN, s: 2, e: 'm', d: 2, u: 1, age: 1_000 },
    ])
  })

  test('that holds a client with nothing left says where it goes on', async () => {
    const { client, live, cut, greeted, say, heard } = setStage()
    await live()
    client.send('m', 1)
    say(acknowledged(1))
    await cut()
    await greeted()
    const [hello] = heard()
    say({ ...WELCOME, cursors: { [OWN]: 0 }, held: true })
    client.send('m', 2)

    expect(hello).toMatchObject({ writers: { [OWN]: 2 } })
    expect(heard()).toEqual([
      { t: 'resume', writers: { [OWN]: 2 } },
      { t: 'm', w: OWN, s: 2, e: 'm', d: 2 },
    ])
  })
})
