import { describe, expect, test } from 'vitest'
import { persistent } from '../../../src/outbox/persistence.js'
import { setUp } from '../../support/client-stage.js'
import { createFakeStore } from '../../support/fake-store.js'
import { acknowledged, OWN, setStage, WELCOME } from '../../support/reliable-stage.js'

describe('validWhile', () => {
  test('is asked when the message is about to be sent: what it refuses fails, and the rest goes on', async () => {
    const store = createFakeStore()
    const { client, platform, connect, send, log } = setUp({ outbox: persistent(store) })
    let isOpen = true
    const asked: string[] = []
    const whileOpen = (name: string) => () => {
      asked.push(name)
      return isOpen
    }
    const stale = send('bid', { validWhile: whileOpen('bid') })
    send('text')
    const early = [...asked]
    isOpen = false
    await connect()
    await platform.advance(100)

    expect(early).toEqual([])
    expect(asked).toEqual(['bid'])
    expect(platform.link.received).toEqual(['text'])
    expect(stale.status).toBe('failed')
    await expect(stale.delivered).rejects.toMatchObject({ name: 'DeliveryError', code: 'INVALIDATED' })
    expect(client.outbox.failed()).toMatchObject([{ body: 'bid', error: { code: 'INVALIDATED' } }])
    expect(log).toContain('failed 1 INVALIDATED')
    expect(client.getState().pending).toBe(0)
    expect(store.kept).toEqual([])
  })

  test('lets the message go while it answers true', async () => {
    const { platform, connect, send } = setUp()
    await connect()
    const delivery = send('bid', { validWhile: () => true })
    await platform.advance(100)

    expect(platform.link.received).toEqual(['bid'])
    expect(delivery.status).toBe('delivered')
  })

  test.each([
    ['throws', () => assertNever('oops'), ['LISTENER_THREW']],
    ['answers a promise', () => Promise.resolve(true) as unknown as boolean, []],
    ['answers nothing', () => undefined as unknown as boolean, []],
  ])('that %s fails the message', async (_, validWhile, reported) => {
    const { platform, connect, send, errors } = setUp()
    await connect()
    const delivery = send('bid', { validWhile })
    send('text')

    expect(delivery.error?.code).toBe('INVALIDATED')
    expect(errors.map(({ code }) => code)).toEqual(reported)
    expect(platform.link.received).toEqual(['text'])
  })

  test('may send, take back and close: what it sends goes behind the message that it was asked of', async () => {
    const { client, platform, connect, send } = setUp()
    await connect()
    let count = 0
    send('a', { validWhile: () => !!send(`from a ${++count}`) })
    const gone = send('b', { validWhile: () => client.outbox.clear() > 0 })
    send('c', {
      validWhile() {
        void client.close()
        return true
      },
    })
    await platform.settle()

    expect(platform.link.received).toEqual(['a', 'from a 1'])
    expect(gone.error?.code).toBe('REMOVED')
    expect(client.getState().status).toBe('closed')
  })

  test('is not asked again once a server that acknowledges may have handled the message', async () => {
    const { client, live, cut, greeted, heard, say } = setStage()
    let isOpen = true
    await live()
    const delivery = client.send('m', 1, { validWhile: () => isOpen })
    isOpen = false
    await cut()
    await greeted()
    const again = heard().filter(({ t }) => t === 'm')
    say(WELCOME, acknowledged(1))

    expect(again).toEqual([{ t: 'm', w: OWN, s: 1, e: 'm', d: 1, u: 1, age: 1_000 }])
    expect(delivery.status).toBe('delivered')
  })

  test('leaves a hole that the server is told of', async () => {
    const { client, greeted, say, heard } = setStage()
    client.send('m', 1)
    client.send('m', 2, { validWhile: () => false })
    client.send('m', 3)
    await greeted()
    say(WELCOME)

    expect(heard().slice(1)).toEqual([
      { t: 'm', w: OWN, s: 1, e: 'm', d: 1 },
      { t: 'skip', w: OWN, s: 3 },
      { t: 'm', s: 3, e: 'm', d: 3 },
    ])
  })

  test.each([
    [{ validWhile: true }, /^validWhile must be a function/],
    [{ validWhile: () => true, volatile: true }, /^validWhile must be a function, of a message that is not volatile/],
  ])('is refused at the call as %o', (options, message) => {
    const { client, send } = setUp()

    expect(() => send('a', options)).toThrow(TypeError)
    expect(() => send('a', options)).toThrow(message)
    expect(client.getState().pending).toBe(0)
  })
})

function assertNever(why: string): never {
  throw new RangeError(why)
}
