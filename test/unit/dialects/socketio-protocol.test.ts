import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { socketIo, type SocketIoOptions } from '../../../src/dialects/socketio/socketio.js'
import { createFakePlatform } from '../../support/fake-platform.js'

const OPEN = '0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}'

/** A client against a server that is scripted word by word. */
async function setUp(options: SocketIoOptions = {}, auth?: () => unknown) {
  const platform = createFakePlatform()
  platform.chance = 0.5
  const client = createClient({
    url: 'ws://server/',
    platform,
    dialect: socketIo(options),
    retryDelayMs: { min: 1_000, max: 1_000 },
    ...(auth && { auth }),
  })
  const errors: string[] = []
  const got: unknown[] = []
  client.lifecycle.on('error', ({ code, message }) => errors.push(`${code}: ${message}`))
  client.on('news', (payload) => got.push(payload))
  client.connect()
  await platform.settle()
  platform.link.accept()
  return {
    client,
    platform,
    errors,
    got,
    async join(reply = '40{"sid":"s"}') {
      platform.link.deliver(OPEN)
      platform.link.deliver(reply)
      await platform.settle()
    },
    /** Cuts the link, and opens the next. */
    async cut() {
      platform.link.close(1006)
      await platform.advance(1_000)
      platform.link.accept()
    },
  }
}

describe('a connection', () => {
  test('says nothing before the engine is open, then joins', async () => {
    const { platform } = await setUp({}, () => 'secret')
    const before = [...platform.link.written]
    platform.link.deliver(OPEN)

    expect(before).toEqual([])
    expect(platform.link.written).toEqual(['40{"token":"secret"}'])
  })

  test('sends nothing of the queue before the namespace has taken us', async () => {
    const { client, platform } = await setUp()
    client.send('message', 1)
    platform.link.deliver(OPEN)
    await platform.settle()
    const before = [...platform.link.written]
    platform.link.deliver('40{"sid":"s"}')
    await platform.settle()

    expect(before).toEqual(['40{}'])
    expect(platform.link.written).toContain('42["message",1]')
  })

  test('offers its session and its place in it when it comes back', async () => {
    const { platform, join, cut } = await setUp()
    await join('40{"sid":"s","pid":"p"}')
    platform.link.deliver('42["news","text","offset-1"]')
    platform.link.deliver('421["news","no offset, since an answer is wanted"]')
    await cut()
    platform.link.deliver(OPEN)

    expect(platform.link.written).toEqual(['40{"pid":"p","offset":"offset-1"}'])
  })

  test('takes what it had missed before it hears that it is recovered', async () => {
    const { platform, join, cut, got, client } = await setUp()
    await join('40{"sid":"s","pid":"p"}')
    await cut()
    platform.link.deliver(OPEN)
    platform.link.deliver('42["news",1,"offset-2"]')
    platform.link.deliver('40{"sid":"s","pid":"p"}')

    expect(got).toEqual([1])
    expect(client.getState()).toMatchObject({ status: 'connected', recovered: true })
  })

  test('that never joins is given up like one that never opens', async () => {
    const { platform, client } = await setUp()
    platform.link.deliver(OPEN)
    await platform.advance(10_000)

    expect(client.getState()).toMatchObject({ status: 'waiting', error: { code: 'CONNECT_TIMEOUT' } })
  })

  test('answers a ping with what it brought', async () => {
    const { platform, join } = await setUp()
    await join()
    platform.link.deliver('2')
    platform.link.deliver('2probe')

    expect(platform.link.written.slice(-2)).toEqual(['3', '3probe'])
  })

  test('sends no pings of its own, and finds silence by the server’s own interval', async () => {
    const { platform, join, client } = await setUp()
    await join()
    const before = platform.link.written.length
    await platform.advance(44_999)
    const patient = client.getState().status
    const { link } = platform
    await platform.advance(1)

    expect(patient).toBe('connected')
    expect(client.getState()).toMatchObject({ status: 'waiting', error: { code: 'HEARTBEAT_TIMEOUT' } })
    expect(link.written).toHaveLength(before)
  })
})

describe('a hostile or broken server', () => {
  test.each([
    ['no packet', 'hello'],
    ['a broken event', '42["news"'],
    ['an event of another namespace', '42/other,["news",1]'],
    ['a second CONNECT', '40{"sid":"t"}'],
    ['a second opening of the engine', OPEN],
    ['an upgrade that nobody asked for', '5'],
    ['a pong that nobody asked for', '3'],
    ['bytes out of turn', new ArrayBuffer(9)],
  ])('that sends %s loses the link, with a typed error, and is tried again later', async (_, frame) => {
    const { platform, join, errors, client } = await setUp()
    await join()
    const { link } = platform
    link.deliver(frame)

    expect(errors).toEqual([expect.stringMatching(/^BAD_FRAME: The server sent/)])
    expect(link).toMatchObject({ status: 'dropped', dropped: { code: 4400 } })
    expect(client.getState().status).toBe('waiting')
  })

  test('that announces attachments and never sends them is found out at its next ping', async () => {
    const { platform, join, errors } = await setUp()
    await join()
    platform.link.deliver('451-["news",{"_placeholder":true,"num":0}]')
    await platform.advance(10_001)
    platform.link.deliver('2')

    expect(errors).toEqual([expect.stringContaining('not the attachments that it announced')])
  })

  test('that sends them late, but in time, is believed', async () => {
    const { platform, join, errors, got } = await setUp()
    await join()
    platform.link.deliver('451-["news",{"_placeholder":true,"num":0}]')
    await platform.advance(9_000)
    platform.link.deliver('2')
    platform.link.deliver(new Uint8Array([7]).buffer)

    expect(errors).toEqual([])
    expect(got).toEqual([expect.any(ArrayBuffer)])
  })

  test('that acknowledges what was never sent changes nothing', async () => {
    const { platform, join, client, errors } = await setUp({ acks: true })
    await join()
    const delivery = client.send('message', 1)
    await platform.settle()
    platform.link.deliver('4399[]')
    const early = delivery.status
    platform.link.deliver('430[]')
    platform.link.deliver('430[]')

    expect(early).toBe('sent')
    expect(delivery.status).toBe('delivered')
    expect(errors).toEqual([])
  })

  test('of Socket.IO 2, which takes everybody in unasked, is left for good', async () => {
    const { client, join } = await setUp()
    await join('40')

    expect(client.getState()).toMatchObject({ status: 'closed', error: { code: 'PROTOCOL_MISMATCH' } })
  })
})

describe('the queue', () => {
  test('goes on when a large answer has left the buffer, though nothing else comes', async () => {
    const { client, platform, join } = await setUp()
    client.on('ask', () => 'x'.repeat(200_000))
    await join()
    platform.link.hold()
    platform.link.deliver('421["ask"]')
    await platform.settle()
    client.send('after', 1)
    await platform.settle()
    platform.link.flush()
    await platform.advance(1_000)

    expect(platform.link.written.at(-1)).toBe('42["after",1]')
  })

  test('fails a message that no such server takes, and goes on', async () => {
    const { client, platform, join } = await setUp()
    const giant = client.send('message', 'x'.repeat(1_000))
    const small = client.send('message', 'small')
    await join()
    await platform.advance(100)

    expect(giant.error).toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('frames of 1000 bytes') })
    expect(small.status).toBe('delivered')
  })

  test('has no more than 64 messages on their way that wait for an acknowledgement', async () => {
    const { client, platform, join } = await setUp({ acks: true })
    await join()
    for (let number = 0; number < 100; number++) client.send('message', number)
    await platform.settle()
    const first = platform.link.written.filter((frame) => String(frame).startsWith('42')).length
    platform.link.deliver('430[]')
    const second = platform.link.written.filter((frame) => String(frame).startsWith('42')).length

    expect([first, second]).toEqual([64, 65])
  })

  test('sends again what was not acknowledged, under a new number, and takes no late word for it', async () => {
    const { client, platform, join, cut } = await setUp({ acks: ['save'] })
    await join()
    const saved = client.send('save', 1)
    await platform.settle()
    await cut()
    await join()
    platform.link.deliver('430[]')
    const late = saved.status
    platform.link.deliver('431[]')

    expect(platform.link.written.at(-1)).toBe('421["save",1]')
    expect([late, saved.status]).toEqual(['sent', 'delivered'])
  })

  test('sends nothing again that needs no acknowledgement and has left, though it stands behind one that waits', async () => {
    const { client, platform, join, cut } = await setUp({ acks: ['save'] })
    await join()
    client.send('save', 1)
    const passing = client.send('message', 2)
    await platform.settle()
    await cut()
    await join()
    await platform.settle()
    platform.link.deliver('431[]')

    expect(platform.link.written).toEqual(['40{}', '421["save",1]'])
    expect(passing.status).toBe('delivered')
    expect(client.getState().pending).toBe(0)
  })

  test('tells the truth of each receipt', async () => {
    const { client, platform, join } = await setUp({ acks: ['save'] })
    await join()
    const deliveries = ['save', 'message', 'save'].map((event) => client.send(event, 1))
    await platform.settle()
    platform.link.deliver('431[]')
    platform.link.deliver('430[]')
    await platform.advance(100)

    expect(await Promise.all(deliveries.map(({ delivered }) => delivered))).toEqual([
      { confirmedBy: 'server' },
      { confirmedBy: 'browser' },
      { confirmedBy: 'server' },
    ])
  })

  test('lets go of what is done though what stands before it waits', async () => {
    const { client, platform, join } = await setUp({ acks: ['save'] })
    await join()
    const saved = client.send('save', 1)
    const passing = client.send('message', 2)
    await platform.advance(100)

    expect([saved.status, passing.status]).toEqual(['sent', 'delivered'])
    expect(client.getState().pending).toBe(1)
  })

  test('lets go of a request that was given up, though its answer never comes', async () => {
    const { client, platform, join } = await setUp()
    await join()
    const request = client.request('ask', 1, { timeoutMs: 500 }).catch((error: unknown) => error)
    await platform.settle()
    await platform.advance(500)

    expect(await request).toMatchObject({ code: 'REQUEST_TIMEOUT' })
    expect(client.getState().pending).toBe(0)
    expect(client.outbox.list()).toEqual([])
  })

  test('fails what is not acknowledged in time while the link works', async () => {
    const { client, platform, join } = await setUp({ acks: true, ackTimeoutMs: 2_000 })
    await join()
    const unheard = client.send('unheard', 1)
    await platform.settle()
    await platform.advance(1_999)
    platform.link.deliver('2')
    const patient = unheard.status
    await platform.advance(1)
    platform.link.deliver('2')

    expect(patient).toBe('sent')
    expect(unheard.error).toMatchObject({ code: 'NOT_ACKNOWLEDGED' })
  })
})

describe('a link that may be dead', () => {
  test('fails nothing that it did not acknowledge: that is sent again', async () => {
    const { client, platform, join } = await setUp({ acks: true })
    await join()
    const message = client.send('message', 1)
    await platform.settle()
    await platform.advance(45_000)
    const { status } = client.getState()
    await platform.advance(1_000)
    platform.link.accept()
    await join()

    expect(status).toBe('waiting')
    expect(message.error).toBeUndefined()
    expect(platform.link.written.at(-1)).toBe('421["message",1]')
  })

  test('takes no answer to a question of an earlier one, whose numbers begin anew', async () => {
    const { client, platform, join, cut } = await setUp()
    let answer: (answer: string) => void = () => {}
    client.on('question', () => new Promise((resolve) => (answer = resolve)))
    await join()
    platform.link.deliver('420["question"]')
    await cut()
    await join()
    answer('late')
    await platform.settle()

    expect(platform.link.written).toEqual(['40{}'])
  })

  test.each([
    ['first', 'giant', 'innocent'],
    ['behind', 'innocent', 'giant'],
  ])('that somebody closes with 1009 over a giant that stands %s fails it, and no other', async (_, ...texts) => {
    const { client, platform, join } = await setUp({ acks: true })
    await join()
    const deliveries = new Map(texts.map((text) => [text, client.send('message', text)]))
    await platform.settle()
    for (let round = 0; round < 6; round++) {
      const numbered = platform.link.written.map((frame) => /^42(\d+)\["message","(\w+)"/.exec(String(frame)))
      if (numbered.some((match) => match?.[2] === 'giant')) {
        platform.link.close(1009)
        await platform.advance(1_000)
        platform.link.accept()
        await join()
      } else {
        for (const match of numbered) if (match) platform.link.deliver(`43${match[1]}[]`)
        await platform.settle()
      }
    }

    expect(deliveries.get('giant')?.error).toMatchObject({ code: 'TOO_LARGE' })
    expect(deliveries.get('innocent')?.status).toBe('delivered')
  })

  test('lets a message expire that had not left the browser, as with plain()', async () => {
    const { client, platform, join, cut } = await setUp()
    await join()
    platform.link.hold()
    const old = client.send('old', 1, { ttlMs: 500 })
    await platform.settle()
    await cut()
    await join()

    expect(old.error).toMatchObject({ code: 'EXPIRED' })
  })
})

describe('goodbye', () => {
  test('is said to the namespace, then to the socket', async () => {
    const { client, platform, join } = await setUp()
    await join()
    const { link } = platform
    await client.close()

    expect(link.written.at(-1)).toBe('41')
    expect(link.dropped?.code).toBe(1000)
  })

  test('by the server is for good', async () => {
    const { client, platform, join } = await setUp()
    await join()
    platform.link.deliver('41')

    expect(client.getState()).toMatchObject({ status: 'closed', error: { code: 'REFUSED_BY_SERVER' } })
  })

  test('by a server that shuts down with 1000 is not', async () => {
    const { client, platform, join } = await setUp()
    await join()
    platform.link.deliver('1')
    platform.link.close(1000)

    expect(client.getState()).toMatchObject({ status: 'waiting' })
  })
})

test('an answer that cannot be sent is reported, and what comes too late is dropped', async () => {
  const { client, platform, join, errors } = await setUp()
  client.on('question', (big) => (big ? 10n : 'small'))
  await join()
  platform.link.deliver('427["question",true]')
  platform.link.deliver('428["question",false]')
  await platform.settle()

  expect(errors).toEqual([expect.stringContaining('LISTENER_THREW: A listener of "question" threw')])
  expect(platform.link.written.at(-1)).toBe('438["small"]')
})
