import { describe, expect, test } from 'vitest'
import type { DeliveryError } from '../../../src/shared/errors.js'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { GREETING, setStage, WELCOME } from '../../support/reliable-stage.js'

/** The page's own writer: its id is the first that the platform makes. */
const OWN = 'id-1'

const acknowledged = (sequence: number, writer = OWN) => ({ t: 'a', w: { [writer]: sequence } })
const down = (s: number, extra = {}) => ({ t: 'm', s, g: `g${s}`, e: 'news', d: s, ...extra })

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

    expect(log.filter((line) => line.startsWith('delivered'))).toEqual([`delivered ${OWN}:1`, `delivered ${OWN}:2`])
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
      { t: 'm', w: OWN, s: 2, e: 'm', d: 2, u: 1 },
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

describe('the way up', () => {
  test('names the writer once, and again after another’s message', async () => {
    const store = createFakeStore()
    const { client, live, heard } = setStage({ outbox: store })
    await live()
    client.send('m', 1)
    client.send('m', 2)
    store.adoptLate(stored('old', 4, { body: '"x"' }))
    client.send('m', 3)
    client.send('m', 4)

    expect(heard().slice(1)).toEqual([
      { t: 'skip', w: OWN, s: 1 },
      { t: 'm', w: OWN, s: 1, e: 'm', d: 1 },
      { t: 'm', s: 2, e: 'm', d: 2 },
      { t: 'skip', w: 'old', s: 4 },
      { t: 'm', w: 'old', s: 4, e: 'm', d: 'x', u: 1 },
      { t: 'm', w: OWN, s: 3, e: 'm', d: 3 },
      { t: 'm', s: 4, e: 'm', d: 4 },
    ])
  })

  test('of another dialect’s making fails, and holds nobody up', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 1, { body: new Uint8Array([1, 2]) }), stored('old', 2, { body: '2' }))
    const { live, log, sequences } = setStage({ outbox: store })
    await live()

    expect(log).toContain('failed old:1 NOT_ENCODABLE')
    expect(sequences()).toContain(2)
  })

  test('says of each message that was found, or sent before, that it may be a repeat', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 2, { body: '1' }), stored('old', 3, { body: '2' }))
    const { client, greeted, cut, heard, say } = setStage({ outbox: store })
    client.send('m', 3)
    await greeted()
    const first = heard()
    await cut()
    client.send('m', 4)
    await greeted()
    const second = heard()
    say(WELCOME)

    expect(first).toEqual([
      { t: 'hello', writers: { old: 2, [OWN]: 1 } },
      { t: 'm', w: 'old', s: 2, e: 'm', d: 1, u: 1 },
      { t: 'm', s: 3, e: 'm', d: 2, u: 1 },
      { t: 'm', w: OWN, s: 1, e: 'm', d: 3 },
    ])
    expect(second.slice(3)).toEqual([
      { t: 'm', w: OWN, s: 1, e: 'm', d: 3, u: 1 },
      { t: 'm', s: 2, e: 'm', d: 4 },
    ])
  })

  test('leaps over holes', async () => {
    const { client, live, heard } = setStage()
    client.send('m', 1)
    const taken = client.send('m', 2)
    client.send('m', 3)
    client.outbox.remove(taken.id)
    await live()

    expect(heard()).toEqual([
      { t: 'hello', writers: { [OWN]: 1 } },
      { t: 'm', w: OWN, s: 1, e: 'm', d: 1 },
      { t: 'skip', w: OWN, s: 3 },
      { t: 'm', s: 3, e: 'm', d: 3 },
    ])
  })

  test('names at most 64 writers, and the others when their turn comes', async () => {
    const store = createFakeStore()
    for (let writer = 1; writer <= 70; writer++) store.leave(stored(`old-${writer}`, 5, { body: '1' }))
    const { live, heard } = setStage({ outbox: store })
    await live()
    const [hello, ...rest] = heard()

    expect(Object.keys(hello?.['writers'] as object)).toHaveLength(64)
    expect(rest.filter(({ t }) => t === 'skip').map(({ w }) => w)).toEqual(
      [65, 66, 67, 68, 69, 70].map((writer) => `old-${writer}`),
    )
    expect(rest.filter(({ t }) => t === 'm')).toHaveLength(70)
  })

  test('keeps within the window of messages, and goes on as they are acknowledged', async () => {
    const { client, live, sequences, say } = setStage()
    await live({ greeting: { window: { messages: 2, bytes: 2 ** 20 } } })
    for (let data = 1; data <= 5; data++) client.send('m', data)
    const first = sequences()
    say(acknowledged(1))
    const second = sequences()
    say(acknowledged(1))
    const third = sequences()
    say(acknowledged(3))

    expect([first, second, third, sequences()]).toEqual([[1, 2], [3], [], [4, 5]])
  })

  test('keeps within the window of bytes, which a single message may exceed', async () => {
    const { client, live, sequences, say } = setStage()
    await live({ greeting: { window: { messages: 512, bytes: 300 } } })
    client.send('m', 'x'.repeat(100))
    client.send('m', 'x'.repeat(100))
    client.send('m', 'x'.repeat(1_000))
    client.send('m', 'y')
    const first = sequences()
    say(acknowledged(2))
    const second = sequences()
    say(acknowledged(3))

    expect([first, second, sequences()]).toEqual([[1, 2], [3], [4]])
  })

  test('finds the window empty on each connection', async () => {
    const { client, live, cut, sequences } = setStage()
    await live({ greeting: { window: { messages: 2, bytes: 300 } } })
    for (let data = 1; data <= 3; data++) client.send('m', data)
    await cut()
    await live({ greeting: { window: { messages: 3, bytes: 300 } }, welcome: { resumed: true } })

    expect(sequences()).toEqual([1, 2, 3])
  })

  test('sends nothing a second time on one connection', async () => {
    const { client, live, heard, say } = setStage()
    await live()
    client.send('m', 1)
    heard()
    say({ t: 'p' }, down(1), { t: 'a', w: {} })

    expect(heard()).toEqual([{ t: 'o' }])
  })

  test('vouches for a message when the server has handled it, and not before', async () => {
    const { client, live, say, platform } = setStage()
    await live()
    const delivery = client.send('m', 1)
    await platform.advance(10_000)
    const before = delivery.status
    say(acknowledged(1))

    expect(before).toBe('sent')
    await expect(delivery.delivered).resolves.toEqual({ confirmedBy: 'server' })
  })

  test('acknowledges several at once, each writer in its own count', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 7, { body: '1' }), stored('old', 8, { body: '2' }))
    const { client, live, say, log, pending } = setStage({ outbox: store })
    for (let data = 1; data <= 3; data++) client.send('m', data)
    await live()
    log.length = 0
    say({ t: 'a', w: { [OWN]: 2 } })
    const overtaken = [...log]
    say({ t: 'a', w: { old: 8 } })

    expect(overtaken).toEqual([])
    expect(log).toEqual(['old:7', 'old:8', `${OWN}:1`, `${OWN}:2`].map((id) => `delivered ${id}`))
    expect(pending()).toBe(1)
  })

  test('keeps a rejection until its turn in the queue comes', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 7, { body: '1' }))
    const { client, live, say } = setStage({ outbox: store })
    const delivery = client.send('m', 1)
    await live()
    say({ t: 'a', w: { [OWN]: 1 }, no: [[OWN, 1, 'NO', 'not you']] })
    const before = delivery.status
    say({ t: 'a', w: { old: 7 } })

    expect(before).toBe('sent')
    expect(delivery).toMatchObject({ status: 'failed', error: { code: 'REJECTED', message: 'not you' } })
  })

  test.each([
    ['NO_HANDLER', 'NO_HANDLER'],
    ['NOT_ALLOWED', 'REJECTED'],
    ['EXPIRED', 'REJECTED'],
  ])('takes a rejection %s as %s, with the server’s words', async (code, expected) => {
    const { client, live, say, log, pending } = setStage()
    await live()
    const delivery = client.send('m', 1)
    const other = client.send('m', 2)
    say({ t: 'a', w: { [OWN]: 2 }, no: [[OWN, 1, code, 'because']] })

    await expect(delivery.delivered).rejects.toMatchObject({
      name: 'DeliveryError',
      code: expected,
      message: 'because',
    })
    expect(other.status).toBe('delivered')
    expect(log).toContain(`failed ${OWN}:1 ${expected}`)
    expect(client.outbox.failed()).toMatchObject([{ id: `${OWN}:1` }])
    expect(pending()).toBe(0)
  })

  test.each([
    ['of our own that was never sent', { [OWN]: 2 }],
    ['of a writer that nobody knows', { stranger: 1 }],
  ])('takes an acknowledgement %s for a broken server, and comes back', async (_, w) => {
    const { client, live, say, error, status, platform, errors, pending } = setStage()
    await live()
    const delivery = client.send('m', 1)
    say({ t: 'a', w })

    expect(error()).toMatchObject({ name: 'RemoteProtocolError', code: 'BAD_ACK' })
    expect(errors).toMatchObject([{ code: 'BAD_ACK' }])
    expect(platform.link.dropped).toEqual({ code: 4400, reason: 'BAD_ACK' })
    expect(status()).toBe('waiting')
    expect([delivery.status, pending()]).toEqual(['stored', 1])
  })

  test('takes such a cursor in a welcome for the same', async () => {
    const { client, greeted, say, error, pending } = setStage()
    client.send('m', 1)
    await greeted()
    say({ ...WELCOME, cursors: { [OWN]: 9 } })

    expect(error()).toMatchObject({ code: 'BAD_ACK' })
    expect(pending()).toBe(1)
  })

  test('sends volatile messages past the queue, and only at once', async () => {
    const { client, greeted, say, heard, pending } = setStage()
    await greeted({ frame: 200, window: { messages: 1, bytes: 100 } })
    const early = client.send('v', 1, { volatile: true })
    say(WELCOME)
    client.send('m', 1)
    client.send('m', 2)
    heard()
    const sent = client.send('v', 2, { volatile: true })
    const large = client.send('v', 'x'.repeat(200), { volatile: true })

    expect(heard()).toEqual([{ t: 'v', e: 'v', d: 2 }])
    expect([early, sent, large].map(({ status }) => status)).toEqual(['failed', 'sent', 'failed'])
    expect(early.error).toMatchObject({ code: 'NOT_CONNECTED' })
    expect(pending()).toBe(2)
  })

  test('comes back when it was told that a message is too old to be numbered so', async () => {
    const { client, live, say, cut, greeted, heard, pending } = setStage()
    await live()
    client.send('m', 1)
    say({ t: 'error', code: 'SEQUENCE_GAP', message: 'one is missing' })
    await cut(4400)
    await greeted()

    expect(heard()).toMatchObject([
      { t: 'hello', writers: { [OWN]: 1 }, stream: { id: 'S1', s: 0 } },
      { s: 1, u: 1 },
    ])
    expect(pending()).toBe(1)
  })
})

describe('a message that is too large', () => {
  test('for the server fails alone, before it is sent, and is leapt over', async () => {
    const { client, live, heard, log, pending } = setStage()
    const [, large] = [client.send('m', 1), client.send('m', 'x'.repeat(2_000)), client.send('m', 3)]
    await live({ greeting: { frame: 1_000 } })

    expect(large).toMatchObject({ status: 'failed', error: { name: 'DeliveryError', code: 'TOO_LARGE' } })
    expect(heard().slice(1)).toEqual([
      { t: 'm', w: OWN, s: 1, e: 'm', d: 1 },
      { t: 'skip', w: OWN, s: 3 },
      { t: 'm', s: 3, e: 'm', d: 3 },
    ])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([`failed ${OWN}:2 TOO_LARGE`])
    expect(pending()).toBe(2)
  })

  test('is never one that could be sent before: a repeat has room for its longer form', async () => {
    const { client, live, cut, sequences, log } = setStage()
    await live({ greeting: { frame: 300 } })
    for (let length = 150; length <= 300; length++) client.send('m', 'x'.repeat(length))
    const sent = sequences()
    log.length = 0
    await cut()
    await live({ greeting: { frame: 300 }, welcome: { resumed: true } })

    expect(sent.length).toBeGreaterThan(5)
    expect(sequences()).toEqual(sent)
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
  })

  test('for somebody on the way is found by sending one at a time, and only it fails', async () => {
    const { client, platform, greeted, live, say, heard, log, pending } = setStage()
    const flights: unknown[][] = []
    let acked = 0
    for (let data = 1; data <= 5; data++) client.send('m', data)
    await live()
    // Somebody who takes all but the third.
    for (let round = 0; round < 40 && pending(); round++) {
      const messages = heard().filter(({ t }) => t === 'm')
      if (!messages.length) break
      flights.push(messages.map(({ s }) => s))
      if (messages.some(({ s }) => s === 3)) {
        platform.link.close(1009)
        await platform.advance(1_000)
        await greeted()
        // What was lost with the link counts as never handled.
        const unhandled = { ...WELCOME, resumed: true, cursors: { [OWN]: acked } }
        flights.push(
          heard()
            .filter(({ t }) => t === 'm')
            .map(({ s }) => s),
        )
        const [only] = flights.at(-1) as number[]
        if (only === 3) continue
        say(unhandled)
        say(acknowledged((acked = only ?? acked)))
      } else {
        say(acknowledged((acked = messages.at(-1)?.['s'] as number)))
      }
    }

    expect(log.filter((line) => line.startsWith('failed'))).toEqual([`failed ${OWN}:3 TOO_LARGE`])
    expect(log.filter((line) => line.startsWith('delivered'))).toHaveLength(4)
    expect(flights.slice(0, 2)).toEqual([[1, 2, 3, 4, 5], [1]])
  })

  test('is not blamed for a hello that is too long, which is told as that', async () => {
    const { client, greeted, platform, errors, log } = setStage({ auth: () => 'x'.repeat(5_000) })
    client.send('m', 1)
    await greeted({ frame: 4_096 })
    await platform.settle()

    expect(errors).toMatchObject([{ code: 'TOO_LARGE', message: expect.stringContaining('Our hello is 50') }])
    expect(log).toEqual(['connecting', 'handshaking', 'waiting'])
    expect(client.outbox.list()).toHaveLength(1)
  })

  test('fails at the first 1009 when it is alone on its way, and slows nobody down', async () => {
    const { client, live, cut, sequences, log } = setStage()
    await live()
    client.send('m', 1)
    await cut(1009)
    client.send('m', 2)
    client.send('m', 3)
    await live({ welcome: { resumed: true } })

    expect(log).toContain(`failed ${OWN}:1 TOO_LARGE`)
    expect(sequences()).toEqual([2, 3])
  })

  test('is nobody where nothing was on its way', async () => {
    const { client, live, cut, sequences, log } = setStage()
    await live()
    await cut(1009)
    client.send('m', 1)
    client.send('m', 2)
    await live({ welcome: { resumed: true } })

    expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
    expect(sequences()).toEqual([1, 2])
  })

  test('is not the message behind a request that nobody waits for any more', async () => {
    const { client, live, cut, log } = setStage()
    await live({ greeting: { window: { messages: 1, bytes: 2 ** 20 } } })
    const gone = new AbortController()
    const request = client.request('ask', 'x'.repeat(500), { signal: gone.signal })
    request.catch(() => {})
    const delivery = client.send('m', 2)
    gone.abort()
    await cut(1009)

    await expect(request).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    expect(delivery.status).toBe('stored')
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
  })
})

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

  test('finds a silent server dead, and comes back', async () => {
    const { live, platform, error, status } = setStage()
    await live({ greeting: { heartbeat: { interval: 1_000, timeout: 2_000 } } })
    await platform.advance(3_000)

    expect(status()).toBe('waiting')
    expect(error()).toMatchObject({ code: 'HEARTBEAT_TIMEOUT' })
    expect(platform.link.dropped?.code).toBe(4000)
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
    expect(log).toContain(`delivered ${OWN}:1`)
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

describe('requests', () => {
  const reply = (s: number, n: number, extra: object = { d: 'yes' }) => ({ t: 'r', s, g: `g${s}`, w: OWN, n, ...extra })

  /** What a promise has come to, without waiting for it. */
  async function fate(promise: Promise<unknown>): Promise<unknown> {
    const open = Symbol('open')
    const outcome = await Promise.race([
      promise.then(
        (value) => ({ value }),
        (error: unknown) => ({ error: (error as DeliveryError).code }),
      ),
      new Promise((resolve) => setImmediate(() => resolve(open))),
    ])
    return outcome === open ? 'open' : outcome
  }

  test('are sent in their turn, and answered by their reply', async () => {
    const { client, live, say, heard, pending } = setStage()
    client.send('m', 1)
    const request = client.request('ask', { q: 1 })
    client.send('m', 3)
    await live()
    const frames = heard().slice(1)
    say(acknowledged(1), reply(1, 2, { d: { a: 1 } }))
    const answered = pending()
    say(acknowledged(3))

    expect(frames).toEqual([
      { t: 'm', w: OWN, s: 1, e: 'm', d: 1 },
      { t: 'm', s: 2, e: 'ask', d: { q: 1 }, r: 1 },
      { t: 'm', s: 3, e: 'm', d: 3 },
    ])
    await expect(request).resolves.toEqual({ a: 1 })
    expect([answered, pending()]).toEqual([1, 0])
  })

  test('may be answered by nothing', async () => {
    const { client, live, say } = setStage()
    await live()
    const request = client.request('ask')
    say(reply(1, 1, {}))

    await expect(request).resolves.toBeUndefined()
  })

  test.each([
    ['NO_HANDLER', 'NO_HANDLER'],
    ['TEAPOT', 'REJECTED'],
  ])('fail by an answer %s with %s, and the server’s words', async (code, expected) => {
    const { client, live, say } = setStage()
    await live()
    const request = client.request('ask')
    say(reply(1, 1, { error: { code, message: 'short and stout' } }))

    await expect(request).rejects.toMatchObject({
      name: 'DeliveryError',
      code: expected,
      message: 'short and stout',
    })
  })

  test('stay pending when they are acknowledged first, and on another connection', async () => {
    const { client, live, say, cut, pending, heard } = setStage()
    await live()
    const request = client.request('ask')
    say(acknowledged(1))
    const first = [await fate(request), pending()]
    await cut()
    await live({ welcome: { resumed: true, cursors: { [OWN]: 1 } } })
    const second = [await fate(request), pending()]
    const frames = heard()
    say(reply(1, 1))

    expect([first, second]).toEqual([
      ['open', 1],
      ['open', 1],
    ])
    expect(frames).toMatchObject([{ t: 'hello', writers: { [OWN]: 2 }, stream: { id: 'S1', s: 0 } }])
    await expect(request).resolves.toBe('yes')
    expect(pending()).toBe(0)
  })

  test('are not sent again when the answer came before the cut', async () => {
    const { client, live, say, cut, heard, pending } = setStage()
    await live()
    const request = client.request('ask')
    say(reply(1, 1))
    await cut()
    await live({ welcome: { resumed: true, cursors: { [OWN]: 1 } } })

    await expect(request).resolves.toBe('yes')
    expect(heard()).toMatchObject([{ t: 'hello', writers: { [OWN]: 2 }, stream: { id: 'S1', s: 1, g: 'g1' } }])
    expect(pending()).toBe(0)
  })

  test('are sent again under their old number when the link was cut', async () => {
    const { client, live, cut, say, heard } = setStage()
    await live()
    const request = client.request('ask')
    await cut()
    await live({ welcome: { resumed: true } })
    const [, again] = heard()
    say(reply(1, 1))

    expect(again).toEqual({ t: 'm', w: OWN, s: 1, e: 'ask', u: 1, r: 1 })
    await expect(request).resolves.toBe('yes')
  })

  test('lose their result with the session, once they are handled', async () => {
    const { client, live, say, cut, heard, pending } = setStage()
    await live()
    const [handled, between, open] = [1, 2, 3].map((q) => client.request('ask', q))
    say(acknowledged(1))
    await cut()
    await live({ welcome: { session: 'S2', lost: 'overflow', cursors: { [OWN]: 2 } } })
    // Sent before the welcome could say so.
    const repeated = heard().filter(({ t }) => t === 'm')
    say(reply(1, 3))

    await expect(handled).rejects.toMatchObject({ code: 'RESULT_LOST' })
    await expect(between).rejects.toMatchObject({ code: 'RESULT_LOST' })
    await expect(open).resolves.toBe('yes')
    expect(repeated.map(({ s }) => s)).toEqual([2, 3])
    expect(pending()).toBe(0)
  })

  test('are given up in time: 30 seconds by default', async () => {
    const { client, live, platform, heard, pending, say } = setStage()
    await live()
    heard()
    const patient = client.request('ask', 1)
    const hasty = client.request('ask', 2, { timeoutMs: 1_000 })
    const tireless = client.request('ask', 3, { timeoutMs: Infinity })
    hasty.catch(() => {})
    patient.catch(() => {})
    await platform.advance(999)
    const early = await fate(hasty)
    await platform.advance(1)
    const due = [await fate(hasty), await fate(patient), pending()]
    for (let s = 0; s < 30; s++) {
      await platform.advance(1_000)
      say({ t: 'p' })
    }

    expect(early).toBe('open')
    expect(due).toEqual([{ error: 'REQUEST_TIMEOUT' }, 'open', 2])
    expect(await fate(patient)).toEqual({ error: 'REQUEST_TIMEOUT' })
    expect(await fate(tireless)).toBe('open')
    expect(heard().filter(({ t }) => t === 'cancel')).toEqual([
      { t: 'cancel', w: OWN, s: 2 },
      { t: 'cancel', w: OWN, s: 1 },
    ])
  })

  test('are given up offline too', async () => {
    const { client, platform, pending } = setStage()
    const request = client.request('ask', 1, { timeoutMs: 1_000 })
    request.catch(() => {})
    await platform.advance(1_000)

    expect(await fate(request)).toEqual({ error: 'REQUEST_TIMEOUT' })
    expect([pending(), platform.clock.timers]).toEqual([0, 0])
  })

  test('that are aborted while they wait are never sent', async () => {
    const { client, live, heard, pending } = setStage()
    const gone = new AbortController()
    const request = client.request('ask', 1, { signal: gone.signal })
    request.catch(() => {})
    client.send('m', 2)
    gone.abort()
    await live()

    await expect(request).rejects.toMatchObject({ name: 'DeliveryError', code: 'REQUEST_ABORTED' })
    expect(heard()).toEqual([
      { t: 'hello', writers: { [OWN]: 2 } },
      { t: 'm', w: OWN, s: 2, e: 'm', d: 2 },
    ])
    expect(pending()).toBe(1)
  })

  test('that are aborted on their way are called off, and keep their place in the window', async () => {
    const { client, live, heard, pending, say, sequences } = setStage()
    await live({ greeting: { window: { messages: 1, bytes: 2 ** 20 } } })
    const gone = new AbortController()
    const request = client.request('ask', 1, { signal: gone.signal })
    request.catch(() => {})
    const before = pending()
    heard()
    gone.abort()
    const after = pending()
    const frames = heard()
    client.send('m', 2)
    const held = sequences()
    say(reply(1, 1, { error: { code: 'CANCELLED', message: 'as you wished' } }), acknowledged(1))

    expect(await fate(request)).toEqual({ error: 'REQUEST_ABORTED' })
    expect([before, after]).toEqual([1, 0])
    expect(frames).toEqual([{ t: 'cancel', w: OWN, s: 1 }])
    expect([held, sequences()]).toEqual([[], [2]])
  })

  test('that are aborted before they are made are not made', async () => {
    const { client, pending } = setStage()

    await expect(client.request('ask', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'REQUEST_ABORTED',
    })
    expect(pending()).toBe(0)
  })

  test('fail when the client is closed, whether they wait, are on their way or are handled', async () => {
    const { client, live, say, platform, pending } = setStage()
    await live({ greeting: { window: { messages: 2, bytes: 2 ** 20 } } })
    const requests = [1, 2, 3, 4].map((q) => client.request('ask', q))
    say(acknowledged(1))
    const closed = client.close()
    const fates = await Promise.all(requests.map(fate))
    await closed

    expect(fates).toEqual(requests.map(() => ({ error: 'CLIENT_CLOSED' })))
    expect([pending(), platform.clock.timers]).toEqual([0, 0])
    await expect(client.request('ask')).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
  })

  test('are waited for by a close that drains', async () => {
    const { client, live, say, status } = setStage()
    await live()
    const request = client.request('ask')
    const closed = client.close({ drainMs: 5_000 })
    say(acknowledged(1))
    await fate(closed)
    const before = status()
    say(reply(1, 1))
    await closed

    expect(before).toBe('connected')
    await expect(request).resolves.toBe('yes')
  })

  test('end a close that drains, when the last is aborted on its way', async () => {
    const { client, live } = setStage()
    await live()
    const gone = new AbortController()
    const request = client.request('ask', 1, { signal: gone.signal })
    request.catch(() => {})
    const closed = client.close({ drainMs: 5_000 })
    gone.abort()

    expect(await fate(closed)).toEqual({ value: undefined })
  })

  test('settle once: a second reply is not heard, nor one that nobody asked for', async () => {
    const { client, live, say, status } = setStage()
    await live()
    const request = client.request('ask')
    say(reply(1, 1), reply(2, 1, { d: 'no' }), reply(3, 99))

    await expect(request).resolves.toBe('yes')
    expect(status()).toBe('connected')
  })

  test.each([
    ['a name that is none', '', undefined, TypeError],
    ['a time that is none', 'ask', { timeoutMs: 0 }, RangeError],
    ['a time of another type', 'ask', { timeoutMs: '5' as unknown as number }, TypeError],
  ])('are refused for %s', async (_, name, options, type) => {
    const { client, pending } = setStage()

    await expect(client.request(name, 1, options)).rejects.toThrow(type)
    expect(pending()).toBe(0)
  })

  test('find no room in a full outbox', async () => {
    for (const overflow of ['reject', 'drop-newest'] as const) {
      const { client, pending } = setStage({ outboxMax: { messages: 1 }, overflow })
      client.send('m', 1)

      await expect(client.request('ask')).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
      expect(pending()).toBe(1)
    }
  })

  test('give way to newer ones where the oldest do', async () => {
    const { client, pending } = setStage({ outboxMax: { messages: 1 }, overflow: 'drop-oldest' })
    const older = client.request('ask', 1)
    older.catch(() => {})
    client.send('m', 2)

    expect(await fate(older)).toEqual({ error: 'OUTBOX_FULL' })
    expect(pending()).toBe(1)
  })

  test('are not stored', async () => {
    const store = createFakeStore()
    const { client } = setStage({ outbox: store })
    client.request('ask').catch(() => {})
    client.send('m', 2)

    expect(store.kept.map(({ sequence }) => sequence)).toEqual([2])
    await client.close()
  })
})

describe('a page that is loaded again', () => {
  const setTab = () => {
    const platform = createFakePlatform()
    const page = () => setStage({ platform, resumeKey: 'chat', outbox: memoryStore() })
    return { platform, page }
  }
  const leave = async ({ platform, client }: ReturnType<typeof setStage>): Promise<void> => {
    platform.signal('leave')
    // What a browser does with the sockets of a page that ends.
    await client.close()
  }

  test('goes on where it was, once', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    first.say(down(1))
    await leave(first)
    const second = page()
    await second.live({ welcome: { resumed: true } })
    const { recovered } = second.client.getState() as { recovered?: boolean }
    await second.client.close()
    const third = page()
    await third.live({ welcome: { session: 'S2' } })

    expect(recovered).toBe(true)
    expect(second.gaps).toEqual([])
    expect(third.gaps).toEqual([])
    expect(third.heard()[0]).toEqual({ t: 'hello', writers: {} })
  })

  test('names the place that the last page had left', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    first.say(down(1), down(2))
    await leave(first)
    const second = page()
    await second.greeted()

    expect(second.heard()).toMatchObject([{ t: 'hello', writers: {}, stream: { id: 'S1', s: 2, g: 'g2' } }])
  })

  test('is told of a gap when its session is gone', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    await leave(first)
    const second = page()
    await second.live({ welcome: { session: 'S2', lost: 'unknown' } })

    expect(second.gaps).toMatchObject([{ fromServer: true, reason: 'unknown' }])
  })

  test('touches no note before it connects', async () => {
    const { platform, page } = setTab()
    platform.keep('chat', '{"id":"S1","s":2,"g":"g2"}')
    page()

    expect(platform.recall('chat')).toBe('{"id":"S1","s":2,"g":"g2"}')
  })

  test('leaves no note without a key, nor before it had a session', async () => {
    const platform = createFakePlatform()
    const nameless = setStage({ platform })
    await nameless.live()
    await leave(nameless)
    const early = setStage({ platform, resumeKey: 'chat' })
    await early.greeted()
    await leave(early)

    expect(platform.recall('chat')).toBeUndefined()
  })

  test.each([
    '',
    '{',
    'null',
    '5',
    '[]',
    '{}',
    '{"id":5,"s":1}',
    '{"id":"S1","s":"1"}',
    '{"id":"S1","s":-1}',
    '{"id":"","s":0}',
  ])('starts afresh from the damaged note %s', async (note) => {
    const { platform, page } = setTab()
    platform.keep('chat', note)
    const next = page()
    await next.live()

    expect(next.heard()[0]).toEqual({ t: 'hello', writers: {} })
    expect(next.gaps).toEqual([])
    expect(next.status()).toBe('connected')
  })
})
