import { describe, expect, test, vi } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { json, type Codec } from '../../../src/protocol/codec.js'
import { RemoteProtocolError } from '../../../src/shared/errors.js'
import { setUp } from '../../support/client-stage.js'

describe('what the server sends', () => {
  test('reaches the listeners, once each and in order', async () => {
    const { client, platform, connect } = setUp({ dialect: plain({ codec: json() }) })
    const seen: unknown[] = []
    client.on('a', (payload) => seen.push(payload))
    client.once('a', (payload) => seen.push(`once ${String(payload)}`))
    await connect()
    for (const data of [1, 2]) platform.link.deliver(JSON.stringify({ event: 'a', data }))

    expect(seen).toEqual([1, 'once 1', 2])
  })

  test('can be read in a loop', async () => {
    const { client, platform, connect } = setUp()
    const events = client.events('message')
    await connect()
    platform.link.deliver('a')
    platform.link.deliver('b')
    const seen: unknown[] = []
    for await (const payload of events) if (seen.push(payload) === 2) break

    expect(seen).toEqual(['a', 'b'])
  })

  test('is counted and reported when it is malformed, eight times over ends the link, and nothing queued is lost', async () => {
    const { client, platform, connect, errors, error, log } = setUp({ dialect: plain({ codec: json() }) })
    await connect()
    platform.link.hold()
    client.send('m', 1)
    for (let count = 0; count < 7; count++) platform.link.deliver('{')
    const seven = [client.getState().status, client.getState().errorCount]
    platform.link.deliver('{')
    const [bad] = platform.links
    const { code } = error()
    await platform.advance(500)
    platform.link.accept()

    expect(seven).toEqual(['connected', 7])
    expect(errors.map((reported) => reported.code)).toEqual(Array.from({ length: 8 }, () => 'BAD_FRAME'))
    expect(bad?.dropped).toMatchObject({ code: 4400 })
    expect(code).toBe('BAD_FRAME')
    expect(platform.link.received).toEqual(['{"event":"m","data":1}'])
    expect(log.filter((line) => line.startsWith('failed'))).toEqual([])
  })

  test('may be named like anything that objects have', async () => {
    const { client, platform, connect, errors } = setUp({ dialect: plain({ codec: json() }) })
    const seen: unknown[] = []
    client.on('constructor', (payload) => seen.push(payload))
    await connect()
    for (const event of ['__proto__', 'toString', 'constructor']) {
      platform.link.deliver(JSON.stringify({ event, data: event }))
    }

    expect(seen).toEqual(['constructor'])
    expect(errors).toEqual([])
  })
})

describe('a codec of the application', () => {
  const { encode } = json()
  const reject = async (): Promise<never> => {
    throw new Error('no zlib')
  }

  test.each([
    ['nothing', () => undefined, 'undefined'],
    ['null', () => null, 'null'],
    ['a promise', async () => ({ event: 'a', data: 1 }), '[object Promise]'],
    ['a promise that is rejected', reject, '[object Promise]'],
    ['an object without an event', () => ({ type: 'a' }), '[object Object]'],
    ['an event that is no string', () => ({ event: 5, data: 1 }), '[object Object]'],
    ['a string', () => 'a', '"a"'],
  ])('that makes %s of a frame is named in a BAD_FRAME, and the connection goes on', async (_what, decode, shown) => {
    const { client, platform, connect, errors, status } = setUp({
      dialect: plain({
        codec: { encode, decode: (frame) => (frame === 'good' ? { event: 'a', data: 1 } : decode()) } as Codec,
      }),
    })
    const seen: unknown[] = []
    client.on('a', (payload) => seen.push(payload))
    await connect()
    for (const frame of ['bad', 'good']) platform.link.deliver(frame)
    await platform.settle()

    expect(errors).toEqual([expect.any(RemoteProtocolError)])
    expect(errors[0]).toMatchObject({ code: 'BAD_FRAME' })
    expect(errors[0]?.message).toContain(`codec.decode made ${shown} of`)
    expect(seen).toEqual([1])
    expect(status()).toBe('connected')
  })

  test('that throws an error of another copy of the package is told in its words', async () => {
    vi.resetModules()
    const copy = await import('../../../src/shared/errors.js')
    const decode = (): never => {
      throw new copy.RemoteProtocolError('BAD_FRAME', 'an odd frame')
    }
    const { platform, connect, errors } = setUp({ dialect: plain({ codec: { ...json(), decode } }) })
    await connect()
    platform.link.deliver('odd')
    await platform.settle()

    expect(errors).toMatchObject([{ code: 'BAD_FRAME', message: 'an odd frame' }])
    expect(errors[0]).not.toBeInstanceOf(RemoteProtocolError)
  })

  test('whose encode is a promise is refused by send, also when it is rejected', async () => {
    const { client, connect } = setUp({ dialect: plain({ codec: { ...json(), encode: reject as never } }) })
    await connect()

    expect(() => client.send('a')).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
    expect(client.getState().pending).toBe(0)
  })

  test('is not the only one that must answer at once: a pong or a ping that is a promise is told', async () => {
    const { client, platform, connect, errors } = setUp({
      dialect: plain({ ping: reject as never, pong: reject as never }),
    })
    const seen: unknown[] = []
    client.on('a', (payload) => seen.push(payload))
    await connect()
    platform.link.deliver('{"event":"a","data":1}')
    await platform.advance(25_000)

    expect(errors.map(({ code }) => code)).toEqual(['BAD_FRAME', 'LISTENER_THREW'])
    expect(errors[0]?.message).toContain('pong must be true or false')
    expect(errors[1]?.message).toContain('ping must be text or bytes')
    expect(seen).toEqual([])
    expect(platform.link.written).toEqual([])
  })
})
