import { describe, expect, test } from 'vitest'
import { plain } from '../../../src/dialects/plain/plain.js'
import type { ClientProtocol } from '../../../src/dialects/dialect.js'
import { json, text } from '../../../src/protocol/codec.js'
import { EMPTY_OUTBOX } from '../../support/empty-outbox.js'

const open = (options?: Parameters<typeof plain>[0]): ClientProtocol => {
  const protocol = plain(options).open({})
  protocol.opened(undefined)
  return protocol
}

/** The frame that asks the server for life. */
function pingOf(protocol: ClientProtocol): unknown {
  protocol.ping?.()
  return protocol.nextFrame(EMPTY_OUTBOX, Infinity, 0)?.frame
}

describe('plain', () => {
  test('speaks JSON, offers nothing and asks nothing by default', () => {
    const dialect = plain()

    expect(dialect.name).toBe('plain')
    expect(dialect.subprotocols).toEqual([])
    expect(dialect.acknowledges).toBe(false)
    expect(open().ping).toBeUndefined()
    expect(dialect.encode('m', 1)).toBe('{"event":"m","data":1}')
    expect(open().receive('{"event":"m","data":1}', 0)).toEqual([{ type: 'message', message: { event: 'm', data: 1 } }])
  })

  test('speaks as its codec does, whose methods it calls as methods', () => {
    class Shout {
      readonly suffix = '!'
      encode(event: string): string {
        return event + this.suffix
      }
      decode(): { event: string; data: string } {
        return { event: 'heard', data: this.suffix }
      }
    }
    const dialect = plain({ codec: new Shout() })

    expect(dialect.encode('hi', undefined)).toBe('hi!')
    expect(dialect.open({}).receive('x', 0)).toEqual([{ type: 'message', message: { event: 'heard', data: '!' } }])
  })

  test('offers the subprotocols in their order', () => {
    expect(plain({ subprotocols: ['b', 'a'] }).subprotocols).toEqual(['b', 'a'])
  })

  test('offers a single one as it is, as the native constructor does', () => {
    expect(plain({ subprotocols: 'graphql-transport-ws' }).subprotocols).toEqual(['graphql-transport-ws'])
  })

  test.each<[value: unknown, shown: string]>([
    ['', '""'],
    ['a b', '"a b"'],
    [5, '5'],
    [null, 'null'],
    [{}, '[object Object]'],
    [['a', 'a'], 'a,a'],
    [['a', 5], 'a,5'],
    [['ä'], 'ä'],
  ])('refuses the subprotocols %j at the call', (subprotocols, shown) => {
    expect(() => plain({ subprotocols: subprotocols as string })).toThrow(
      new TypeError(`subprotocols must be a token, a list of different tokens or a function, got ${shown}`),
    )
  })

  test('takes advice from the close code', () => {
    const dialect = plain()

    expect([1006, 4401, 4403].map((code) => dialect.advise(code))).toEqual(['retry', 'unauthorized', 'stop'])
  })

  test('refuses a bad frame as its codec does', () => {
    expect(() => open().receive('{', 0)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
  })
})

describe('ping and pong', () => {
  const codec = text()
  const types = (protocol: ClientProtocol, ...frames: string[]): string[] =>
    frames.flatMap((frame) => protocol.receive(frame, 0).map(({ type }) => type))

  test('a text ping is answered by its echo or by "pong"', () => {
    const protocol = open({ codec, ping: 'ping' })

    expect(pingOf(protocol)).toBe('ping')
    expect(types(protocol, 'ping', 'pong', 'Pong', '')).toEqual(['pong', 'pong', 'message', 'message'])
  })

  test('a pong that is given is the only one', () => {
    const protocol = open({ codec, ping: 'ping', pong: 'alive' })

    expect(types(protocol, 'alive', 'pong', 'ping')).toEqual(['pong', 'message', 'message'])
  })

  test('a pong may be the empty string', () => {
    expect(types(open({ codec, ping: '', pong: '' }), '', 'pong')).toEqual(['pong', 'message'])
  })

  test('a function makes each ping, and tells each pong', () => {
    let count = 0
    const protocol = open({ codec, ping: () => `ping ${++count}`, pong: (frame) => frame === 'pong 1' })

    expect([pingOf(protocol), pingOf(protocol)]).toEqual(['ping 1', 'ping 2'])
    expect(types(protocol, 'pong 1', 'ping 1')).toEqual(['pong', 'message'])
  })

  test('with a ping function alone no frame is a pong', () => {
    expect(types(open({ codec, ping: () => 'ping' }), 'ping', 'pong')).toEqual(['message', 'message'])
  })

  test('without a ping "pong" is a message', () => {
    expect(types(open({ codec }), 'pong')).toEqual(['message'])
  })

  test('a pong need not be what the codec could read', () => {
    expect(types(open({ codec: json(), ping: 'ping' }), 'pong')).toEqual(['pong'])
  })
})

describe('options', () => {
  test.each([
    ['codec', 'json'],
    ['codec', json],
    ['codec', null],
    ['ping', 5],
    ['ping', null],
    ['pong', true],
    ['pong', null],
  ])('refuses for %s the value %s', (option, value) => {
    expect(() => plain({ [option]: value })).toThrow(TypeError)
    expect(() => plain({ [option]: value })).toThrow(new RegExp(`^${option} must be a .*, got `))
  })
})
