import { describe, expect, test } from 'vitest'
import type { DeliveryError } from '../../../src/shared/errors.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { createFakeStore } from '../../support/fake-store.js'
import { acknowledged, OWN, setStage } from '../../support/reliable-stage.js'

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

    expect(again).toEqual({ t: 'm', w: OWN, s: 1, e: 'ask', u: 1, r: 1, age: 1_000 })
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
  })

  test('that are made after close wait for connect, and no longer than their time', async () => {
    const { client, live, platform } = setStage()
    await live()
    await client.close()
    const impatient = client.request('ask', 1, { timeoutMs: 1_000 })
    const request = client.request('ask', 2)
    const fates = Promise.all([fate(impatient), fate(request)])
    await platform.advance(999)
    const early = await fates
    const late = Promise.allSettled([impatient, request])
    await platform.advance(1)
    await client.close()

    expect(early).toEqual(['open', 'open'])
    expect(await late).toMatchObject([{ reason: { code: 'REQUEST_TIMEOUT' } }, { reason: { code: 'CLIENT_CLOSED' } }])
    expect(platform.clock.timers).toBe(0)
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
    const { client } = setStage({ outbox: persistent(store) })
    client.request('ask').catch(() => {})
    client.send('m', 2)

    expect(store.kept.map(({ sequence }) => sequence)).toEqual([2])
    await client.close()
  })
})
