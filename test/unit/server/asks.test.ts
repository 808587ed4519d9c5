import { describe, expect, test } from 'vitest'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { createFakeWorld, placeOf, type FakeClient } from '../../support/server-world.js'

const settled = async (): Promise<void> => void (await new Promise((resolve) => setImmediate(resolve)))

/** The id that the newest ask of a client wants in its answer. */
const askIn = (client: FakeClient): string =>
  String(
    client
      .of('m')
      .filter(({ r }) => r !== undefined)
      .at(-1)?.['r'],
  )

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error as HoldfastError).code,
  )

/** What a promise has come to by now. */
const now = (promise: Promise<unknown>): Promise<unknown> => Promise.race([promise, settled().then(() => 'open')])

describe('an ask', () => {
  test('is a message of the stream, and resolves with its answer, which is confirmed', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    world.session.send('before')
    const answer = world.session.ask('confirm', { text: 'sure?' })
    world.session.send('behind')

    expect(client.heard()).toMatchObject([
      { t: 'm', s: 1, e: 'before' },
      { t: 'm', s: 2, e: 'confirm', d: { text: 'sure?' } },
      { t: 'm', s: 3, e: 'behind' },
    ])
    client.say({ t: 'r', id: askIn(client), d: { yes: true } })
    expect(client.heard()).toEqual([{ t: 'a', w: {}, r: [askIn(client)] }])
    expect(await answer).toEqual({ yes: true })
  })

  test('may be answered with nothing', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const answer = world.session.ask('ping')
    client.say({ t: 'r', id: askIn(client) })

    expect(await answer).toBeUndefined()
  })

  test('waits for a client that is away, and for an answer that the link has lost', async () => {
    const world = createFakeWorld()
    const first = world.welcome()
    first.drop()
    const answer = world.session.ask('confirm')
    const second = world.connect()
    second.say({ t: 'hello', writers: {}, stream: { ...placeOf(first), c: 1 } })
    const id = askIn(second)
    second.say({ t: 'a', s: 1 })
    second.drop()
    const third = world.connect()
    third.say({ t: 'hello', writers: {}, stream: { ...placeOf(second), s: 1, c: 2 } }, { t: 'r', id, d: 'late' })

    expect(third.of('m')).toEqual([])
    expect(await answer).toBe('late')
  })

  test('fails with the words of the handler, or for want of one', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const failing = world.session.ask('confirm')
    client.say({ t: 'r', id: askIn(client), error: { code: 'WHATEVER', message: `not ${'now '.repeat(500)}` } })
    const missing = world.session.ask('confirm')
    client.say({ t: 'r', id: askIn(client), error: { code: 'NO_HANDLER', message: '' } })

    const error: unknown = await failing.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'DeliveryError', code: 'REJECTED' })
    expect((error as Error).message).toHaveLength(1_000)
    await expect(missing).rejects.toMatchObject({
      name: 'DeliveryError',
      code: 'NO_HANDLER',
      message: 'The client has no handler of "confirm"',
    })
  })

  test('times out, after 30 s where nothing is said, and never with Infinity', async () => {
    const world = createFakeWorld()
    world.welcome().drop()
    const short = codeOf(world.session.ask('confirm', 1, { timeoutMs: 500 }))
    const usual = codeOf(world.session.ask('confirm'))
    const patient = codeOf(world.session.ask('confirm', 1, { timeoutMs: Infinity }))

    await world.clock.advance(499)
    expect(await now(short)).toBe('open')
    await world.clock.advance(1)
    expect(await short).toBe('REQUEST_TIMEOUT')
    expect(await now(usual)).toBe('open')
    await world.clock.advance(29_500)
    expect(await usual).toBe('REQUEST_TIMEOUT')
    await world.clock.advance(60_000)
    expect(await now(patient)).toBe('open')
  })

  test('is given up by its signal', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const controller = new AbortController()
    const answer = codeOf(world.session.ask('confirm', 1, { signal: controller.signal }))
    controller.abort()

    expect(await answer).toBe('REQUEST_ABORTED')
    expect(await codeOf(world.session.ask('confirm', 1, { signal: controller.signal }))).toBe('REQUEST_ABORTED')
    expect(client.of('m')).toHaveLength(1)
  })

  test('ends with its session', async () => {
    const world = createFakeWorld()
    world.welcome()
    const { session } = world
    const answer = codeOf(session.ask('confirm'))
    session.close()

    expect(await answer).toBe('SESSION_ENDED')
    expect(await codeOf(session.ask('confirm'))).toBe('SESSION_ENDED')
    expect(world.errors).toEqual([])
  })

  test('refuses wrong names, params and options', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const { session } = world

    await expect(session.ask('')).rejects.toThrow(TypeError)
    await expect(session.ask('confirm', () => {})).rejects.toMatchObject({ code: 'NOT_ENCODABLE' })
    await expect(session.ask('confirm', 1, { timeoutMs: 0 })).rejects.toThrow('timeoutMs must be an integer from 1')
    await expect(session.ask('confirm', 1, { timeout: 5 } as object)).rejects.toThrow('did you mean "timeoutMs"?')
    expect(client.of('m')).toEqual([])
  })
})

describe('an answer', () => {
  test('reaches a handler that holds up all messages', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const done: unknown[] = []
    const { session } = world
    session.on('save', async () => void done.push(await session.ask('confirm')))
    session.on('next', () => done.push('next'))
    client.say({ t: 'm', w: 'A', s: 1, e: 'save' }, { t: 'm', s: 2, e: 'next' })
    expect(done).toEqual([])
    client.say({ t: 'r', id: askIn(client), d: 'yes' })
    await settled()

    expect(done).toEqual(['yes', 'next'])
  })

  test('reaches a listener of the session that has not bound its handlers yet', async () => {
    const world = createFakeWorld()
    const names: unknown[] = []
    world.engine.on('session', async (session) => {
      const name = await session.ask('name')
      session.on('hello', () => void names.push(name))
    })
    const client = world.welcome()
    client.say({ t: 'm', w: 'A', s: 1, e: 'hello' }, { t: 'r', id: 'unknown' })
    expect(names).toEqual([])
    client.say({ t: 'r', id: askIn(client), d: 'ann' })
    await settled()

    expect(names).toEqual(['ann'])
  })

  test('that nobody waits for is confirmed all the same, and counts to the rate', async () => {
    const world = createFakeWorld({ limits: { framesBurst: 3, framesPerSecond: 1 } })
    const client = world.welcome()
    const answer = world.session.ask('confirm')
    const id = askIn(client)
    client.say({ t: 'r', id, d: 1 }, { t: 'r', id, d: 2 }, { t: 'r', id: 'x' }, { t: 'r', id: 'x' })

    expect(client.of('a')).toHaveLength(4)
    expect(client.closed).toBeUndefined()
    expect(await answer).toBe(1)
    client.say({ t: 'r', id: 'x' })
    expect(client.closed).toMatchObject({ code: 4429 })
  })

  test('is not taken from another session', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const answer = world.session.ask('confirm')
    world.welcome().say({ t: 'r', id: askIn(client), d: 'forged' })

    expect(await now(answer)).toBe('open')
  })

  test('is taken while the server drains', async () => {
    const world = createFakeWorld()
    const client = world.welcome()
    const { session } = world
    session.on('save', async () => void (await session.ask('confirm')))
    client.say({ t: 'm', w: 'A', s: 1, e: 'save' })
    const drained = world.engine.drain({ windowMs: 1 })
    client.say({ t: 'r', id: askIn(client) })
    await drained

    expect(client.of('a').at(-1)).toMatchObject({ w: { A: 1 } })
    expect(client.closed).toMatchObject({ code: 1012 })
  })

  test('before the welcome is a bad frame', () => {
    const world = createFakeWorld({ authenticate: () => new Promise(() => {}) })
    const client = world.connect()
    client.say({ t: 'hello', writers: {} }, { t: 'r', id: 'x' })

    expect(client.closed).toMatchObject({ code: 4400 })
  })
})
