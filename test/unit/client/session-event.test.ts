import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { down, NAME, OWN, setStage, WELCOME, type Frame } from '../../support/reliable-stage.js'

/** What the page asks first has a writer of its own. */
const FIRST = 'id-3~id-4'

const quiet = (asked: Promise<unknown>): void => void asked.catch(() => {})

/** A client that joins a room at each welcome. */
function open() {
  const stage = setStage()
  const told: unknown[] = []
  stage.client.lifecycle.on('session', ({ recovered }) => {
    told.push(recovered)
    quiet(stage.client.request('join', 'a'))
    quiet(stage.client.request('join', 'b'))
  })
  stage.client.lifecycle.on('gap', () => told.push('gap'))
  stage.client.on('news', (data) => told.push(data))
  return { ...stage, told }
}

const brief = (frames: readonly Frame[]): string[] =>
  frames.map(({ t, e, s, d, u }) =>
    [t, e, s, d, u && 'again']
      .flatMap((one) => (typeof one === 'string' || typeof one === 'number' ? [one] : []))
      .join(' '),
  )

describe('the lifecycle event "session"', () => {
  test('is told at the welcome, before anything goes out that waits; what it asks goes first', async () => {
    const { client, greeted, say, heard, told } = open()
    client.send('m', 1)
    client.send('m', 2)
    await greeted()
    const early = brief(heard())
    say(WELCOME, down(1))

    expect(early).toEqual(['hello'])
    expect(told).toEqual([false, 1])
    expect(heard()).toMatchObject([
      { t: 'skip', w: FIRST, s: 1 },
      { t: 'm', w: FIRST, s: 1, e: 'join', d: 'a', r: 1 },
      { t: 'm', s: 2, e: 'join', d: 'b', r: 1 },
      { t: 'm', w: OWN, s: 1, d: 1 },
      { t: 'm', s: 2, d: 2 },
    ])
  })

  test('says whether the session goes on, and comes before the gap', async () => {
    const { live, cut, told } = open()
    await live()
    await cut()
    await live({ welcome: { resumed: true } })
    await cut()
    await live({ welcome: { session: 'S2', lost: 'restart' } })

    expect(told).toEqual([false, true, false, 'gap'])
  })

  test('asks anew behind what it has asked and has no reply to', async () => {
    const { client, live, cut, heard } = open()
    await live()
    client.send('m', 1)
    await cut()
    await live({ welcome: { resumed: true, cursors: { [FIRST]: 1, [OWN]: 0 } } })

    expect(brief(heard())).toEqual([
      'hello',
      'm join 1 a again',
      'm join 2 b again',
      'm join 3 a',
      'm join 4 b',
      'm m 1 1 again',
    ])
  })

  test('lets messages, and what is asked later, wait for their turn', async () => {
    const { client, greeted, say, heard, platform } = setStage()
    client.lifecycle.on('session', async () => {
      client.send('m', 'in the listener')
      await Promise.resolve()
      quiet(client.request('late'))
    })
    client.send('m', 'before')
    await greeted()
    say(WELCOME)
    await platform.settle()

    expect(brief(heard())).toEqual(['hello', 'm m 1 before', 'm m 2 in the listener', 'm late 3'])
  })

  test('holds back nothing where nobody listens', async () => {
    const { client, greeted, heard } = setStage()
    client.send('m', 1)
    await greeted()

    expect(brief(heard())).toEqual(['hello', 'm m 1 1'])
  })

  test('holds back nothing for a listener that was bound after the welcome', async () => {
    const { client, live, heard } = setStage()
    await live()
    client.lifecycle.on('session', () => {})
    client.send('m', 1)

    expect(brief(heard()).slice(1)).toEqual(['skip 1', 'm m 1 1'])
  })

  test('is waited for on the next connection too, where its listener has begun that', async () => {
    const { client, live, greeted, heard, say, platform } = setStage()
    let times = 0
    client.lifecycle.on('session', () => {
      if (++times === 1) client.reconnect()
    })
    client.send('m', 1)
    await live()
    await platform.settle()
    await greeted()
    const early = brief(heard())
    say(WELCOME)

    expect(early).toEqual(['hello'])
    expect(brief(heard())).toEqual(['m m 1 1'])
    expect(times).toBe(2)
  })

  test('loses nothing when its listener throws', async () => {
    const { client, greeted, say, heard, errors } = setStage()
    client.lifecycle.on('session', () => {
      throw new Error('a bug')
    })
    const delivery = client.send('m', 1)
    await greeted()
    say(WELCOME)

    expect(errors).toMatchObject([{ code: 'LISTENER_THREW' }])
    expect(brief(heard())).toEqual(['hello', 'm m 1 1'])
    expect(delivery.id).toBe(`${NAME}:1`)
  })

  test('is told by a plain server’s client at each connection, before its queue goes out', async () => {
    const platform = createFakePlatform()
    const client = createClient({ url: 'ws://server/', platform })
    const log: unknown[] = []
    client.lifecycle.on('session', ({ recovered }) => {
      log.push(recovered, platform.link.written.length)
      client.send('login', 'ann', { volatile: true })
    })
    client.send('m', 1)
    client.connect()
    await platform.settle()
    platform.link.accept()

    expect(log).toEqual([false, 0])
    expect(platform.link.written.map((text) => (JSON.parse(String(text)) as { event: string }).event)).toEqual([
      'login',
      'm',
    ])
  })
})
