import { describe, expect, test } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import { json } from '../../../src/protocol/codec.js'
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
