import { describe, expect, test } from 'vitest'
import { plain, type PlainOptions } from '../../../src/dialects/plain/plain.js'
import { json, text, type Codec } from '../../../src/protocol/codec.js'
import { setUp } from '../../support/client-stage.js'

const INTERVAL = 1_000
const TIMEOUT = 500
/** So much longer a slow link may take for a ping. */
const CARRY_MS = 5
const JSON_PING = '{"event":"ping"}'

/** A client that is connected with a heartbeat which the application has given, and all that reaches its listeners. */
async function connected(options: PlainOptions = {}, heartbeatMs = { interval: INTERVAL, timeout: TIMEOUT }) {
  const stage = setUp({ dialect: plain(options), heartbeatMs })
  const heard: string[] = []
  for (const event of ['ping', 'pong', 'message', 'a']) {
    stage.client.on(event, (data) => heard.push(`${event} ${String(data)}`))
  }
  await stage.connect()
  const { platform } = stage
  const codes = (): string[] => stage.errors.map(({ code }) => code)
  return { ...stage, heard, codes, answer: (frame: string) => platform.link.deliver(frame) }
}

/** Every frame is bytes, and so is every echo. */
const bytes: Codec = {
  encode: (event, data) => new TextEncoder().encode(json().encode(event, data) as string),
  decode: (frame) => json().decode(new TextDecoder().decode(frame as ArrayBuffer)),
}

describe('a heartbeat that is given without a ping', () => {
  test.each([
    ['json', {}, JSON_PING],
    ['text', { codec: text() }, 'ping'],
  ])('pings in the form of the codec %s as soon as there is a connection', async (_name, options, frame) => {
    const { platform } = await connected(options)

    expect(platform.link.written).toEqual([frame])
  })

  test.each([
    ['an echo', {}, JSON_PING],
    ['an echo of the text codec', { codec: text() }, 'ping'],
    ['a text', {}, 'pong'],
    ['a JSON text', {}, '"pong"'],
    ['a type', {}, '{"type":"pong"}'],
    ['an id and a type', {}, '{"id":7,"type":"pong"}'],
    ['an operation', {}, '{"op":"pong"}'],
    ['an event', {}, '{"event":"pong","data":null}'],
  ])('takes %s for the answer, of which no listener hears', async (_name, options, frame) => {
    const { platform, heard, errors, answer } = await connected(options)
    answer(frame)
    await platform.advance(INTERVAL)

    expect(platform.link.written).toHaveLength(2)
    expect(heard).toEqual([])
    expect(errors).toEqual([])
  })

  test('takes an echo in bytes for the answer', async () => {
    const { platform, heard, client } = await connected({ codec: bytes })
    platform.link.deliver((bytes.encode('ping', undefined) as Uint8Array<ArrayBuffer>).buffer)
    await platform.advance(INTERVAL)
    platform.link.deliver((bytes.encode('ping', undefined) as Uint8Array<ArrayBuffer>).buffer)

    expect(heard).toEqual([])
    expect(client.getState().rttMs).toBe(0)
  })

  test('ends a link that falls silent once it has answered', async () => {
    const { platform, answer, log } = await connected()
    answer('pong')
    await platform.advance(INTERVAL + TIMEOUT + CARRY_MS)

    expect(log).toEqual(['connecting', 'connected', 'waiting'])
  })

  test('keeps the silent link of a server that ignores pings, reports it once, and stops', async () => {
    const { platform, codes, log, status, answer } = await connected()
    answer('{"event":"a","data":1}')
    await platform.advance(10 * INTERVAL)
    const pings = platform.link.written.length
    platform.link.close(1006)
    await platform.advance(INTERVAL)
    platform.link.accept()
    await platform.advance(10 * INTERVAL)

    expect(pings).toBe(1)
    expect(platform.link.written).toEqual([JSON_PING])
    expect(codes()).toEqual(['NO_PONG'])
    expect(log).toEqual(['connecting', 'connected', 'waiting', 'connecting', 'connected'])
    expect(status()).toBe('connected')
  })

  test('goes on when the answer comes late after all', async () => {
    const { platform, answer, codes, status } = await connected()
    await platform.advance(2 * TIMEOUT)
    answer('pong')
    await platform.advance(INTERVAL + TIMEOUT + CARRY_MS)

    expect(codes()).toEqual(['NO_PONG'])
    expect(status()).toBe('waiting')
  })

  test('asks each link anew before it is given up', async () => {
    const { platform, answer, status } = await connected()
    answer('pong')
    platform.link.close(1006)
    await platform.advance(INTERVAL)
    platform.link.accept()
    await platform.advance(10 * INTERVAL)

    expect(status()).toBe('connected')
    expect(platform.link.written).toEqual([JSON_PING])
  })

  test('hands on what has a payload', async () => {
    const { answer, heard } = await connected()
    answer('{"event":"ping","data":0}')
    answer('{"event":"pong","data":"hi"}')

    expect(heard).toEqual(['ping 0', 'pong hi'])
  })

  test('sends nothing where it is the default', async () => {
    const { platform, connect } = setUp({ dialect: plain() })
    await connect()
    await platform.advance(60_000)

    expect(platform.link.written).toEqual([])
  })
})

describe('a pong in JSON', () => {
  test('is never a bad frame, also where nobody pings', async () => {
    const { platform, connect, errors, status } = setUp({ dialect: plain() })
    await connect()
    for (let count = 0; count < 10; count++) platform.link.deliver('{"type":"pong"}')

    expect(errors).toEqual([])
    expect(status()).toBe('connected')
  })

  test('is a message where nobody pings and the codec can read it', async () => {
    const { platform, connect, client } = setUp({ dialect: plain() })
    const heard: unknown[] = []
    client.on('pong', (data) => heard.push(data))
    await connect()
    platform.link.deliver('{"event":"pong"}')

    expect(heard).toEqual([undefined])
  })

  test('answers a ping that is given too', async () => {
    const { platform, answer, errors } = await connected({ ping: '{"type":"ping"}' })
    await platform.advance(INTERVAL)
    answer('{"type":"pong"}')

    expect(errors).toEqual([])
  })
})
