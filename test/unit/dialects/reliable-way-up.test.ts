import { describe, expect, test, vi } from 'vitest'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { acknowledged, down, NAME, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

describe('the way up', () => {
  test('names the writer once, and again after another’s message', async () => {
    const store = createFakeStore()
    const { client, live, heard } = setStage({ outbox: persistent(store) })
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
    const { live, log, sequences } = setStage({ outbox: persistent(store) })
    await live()

    expect(log).toContain('failed old:1 NOT_ENCODABLE')
    expect(sequences()).toContain(2)
  })

  test('says of each message that was found, or sent before, that it may be a repeat', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 2, { body: '1' }), stored('old', 3, { body: '2' }))
    const { client, greeted, cut, heard, say } = setStage({ outbox: persistent(store) })
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
      { t: 'm', w: OWN, s: 1, e: 'm', d: 3, u: 1, age: 1_000 },
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
    const { live, heard } = setStage({ outbox: persistent(store) })
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

  test('encodes a message once while the window has no room for it', async () => {
    const { client, live, sequences } = setStage()
    await live({ greeting: { window: { messages: 512, bytes: 300 } } })
    client.send('m', 'x'.repeat(200))
    client.send('m', 'y'.repeat(40))
    const write = vi.spyOn(jsonFrames, 'write')

    for (let turns = 0; turns < 10; turns++) client.send('m', 'z')

    expect(sequences()).toEqual([1])
    expect(write).not.toHaveBeenCalled()
    write.mockRestore()
  })

  test('finds the window empty on each connection', async () => {
    const { client, live, cut, sequences } = setStage()
    await live({ greeting: { window: { messages: 2, bytes: 300 } } })
    for (let data = 1; data <= 3; data++) client.send('m', data)
    await cut()
    await live({ greeting: { window: { messages: 3, bytes: 300 } }, welcome: { resumed: true } })

    expect(sequences()).toEqual([1, 2, 3])
  })

  test('says how old a message is that has waited', async () => {
    const { client, live, heard, platform } = setStage()
    client.send('m', 'early')
    await platform.advance(5_000.5)
    await live()
    client.send('m', 'late')

    expect(heard().flatMap(({ t, d, age }) => (t === 'm' ? [[d, age]] : []))).toEqual([
      ['early', 5_000],
      ['late', undefined],
    ])
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
    await platform.advance(4_000)
    const before = delivery.status
    say(acknowledged(1))

    expect(before).toBe('sent')
    await expect(delivery.delivered).resolves.toEqual({ confirmedBy: 'server' })
  })

  test('acknowledges several at once, each writer in its own count', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 7, { body: '1' }), stored('old', 8, { body: '2' }))
    const { client, live, say, log, pending } = setStage({ outbox: persistent(store) })
    for (let data = 1; data <= 3; data++) client.send('m', data)
    await live()
    log.length = 0
    say({ t: 'a', w: { [OWN]: 2 } })
    const overtaken = [...log]
    say({ t: 'a', w: { old: 8 } })

    expect(overtaken).toEqual([])
    expect(log).toEqual(['old:7', 'old:8', `${NAME}:1`, `${NAME}:2`].map((id) => `delivered ${id}`))
    expect(pending()).toBe(1)
  })

  test('keeps a rejection until its turn in the queue comes', async () => {
    const store = createFakeStore()
    store.leave(stored('old', 7, { body: '1' }))
    const { client, live, say } = setStage({ outbox: persistent(store) })
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
    expect(log).toContain(`failed ${NAME}:1 ${expected}`)
    expect(client.outbox.failed()).toMatchObject([{ id: `${NAME}:1` }])
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

  test('names a writer with its secret, which stands in no id and in no error', async () => {
    const store = createFakeStore()
    store.leave(stored('old~own', 7, { body: '1' }))
    const { client, greeted, say, log, heard, errors } = setStage({ outbox: persistent(store) })
    const delivery = client.send('m', 1)
    await greeted()
    const [hello] = heard()
    say({ ...WELCOME, cursors: { 'old~own': 7, [OWN]: 5 } })

    expect(hello).toMatchObject({ writers: { 'old~own': 7, 'id-1~id-2': 1 } })
    expect(delivery.id).toBe('id-1:1')
    expect(client.outbox.list().map(({ id }) => id)).toEqual(['old:7', 'id-1:1'])
    expect(errors.map(({ message }) => message)).toEqual(['The server acknowledges id-1:5, which was never sent'])
    expect(log.join()).not.toContain('~')
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

  test('lets a volatile message with a key wait while much is in the buffer, and sends the newest', async () => {
    const { client, live, heard, platform } = setStage()
    await live()
    platform.link.hold()
    client.send('m', 'x'.repeat(200_000))
    heard()
    const [first, second] = [1, 2].map((data) => client.send('v', data, { volatile: true, key: 'v' }))
    const early = heard()
    platform.link.flush()
    await platform.advance(300)

    expect(early).toEqual([])
    expect(first?.error?.code).toBe('SUPERSEDED')
    expect(second?.status).toBe('sent')
    expect(heard()).toEqual([{ t: 'v', e: 'v', d: 2 }])
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
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([`failed ${NAME}:2 TOO_LARGE`])
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

    expect(log.filter((line) => line.startsWith('failed'))).toEqual([`failed ${NAME}:3 TOO_LARGE`])
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

    expect(log).toContain(`failed ${NAME}:1 TOO_LARGE`)
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
