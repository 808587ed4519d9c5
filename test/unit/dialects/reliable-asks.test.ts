import { describe, expect, test } from 'vitest'
import { down, setStage, WELCOME } from '../../support/reliable-stage.js'

const settle = async (): Promise<void> => void (await new Promise((resolve) => setImmediate(resolve)))

const ask = (s: number, extra: object = {}) => down(s, { e: 'confirm', r: `ask${s}`, ...extra })

describe('an ask of the server', () => {
  test('is answered with what the handler returns, or promises', async () => {
    const { client, live, say, heard } = setStage()
    client.handle('confirm', (params) => ({ got: params }))
    client.handle('later', async () => {})
    await live()
    heard()
    say(ask(1), down(2, { e: 'later', r: 'ask2' }))
    await settle()

    expect(heard().filter(({ t }) => t === 'r')).toEqual([
      { t: 'r', id: 'ask1', d: { got: 1 } },
      { t: 'r', id: 'ask2' },
    ])
  })

  test('is answered past messages for which the window has no room', async () => {
    const { client, live, say, heard } = setStage()
    client.handle('confirm', () => 'yes')
    await live({ greeting: { window: { messages: 1, bytes: 1_000 } } })
    client.send('m', 1)
    client.send('m', 2)
    heard()
    say(ask(1))
    await settle()

    expect(heard().map(({ t }) => t)).toContain('r')
  })

  test('fails with what the handler throws, which is told here too', async () => {
    const { client, live, say, heard, errors } = setStage()
    client.handle('confirm', () => {
      throw new Error('not now')
    })
    client.handle('later', () => Promise.reject('never'))
    await live()
    heard()
    say(ask(1), down(2, { e: 'later', r: 'ask2' }))
    await settle()

    expect(heard().filter(({ t }) => t === 'r')).toEqual([
      { t: 'r', id: 'ask1', error: { code: 'REJECTED', message: 'not now' } },
      { t: 'r', id: 'ask2', error: { code: 'REJECTED', message: 'never' } },
    ])
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW' }, { code: 'LISTENER_THREW' }])
  })

  test('waits for a handler, and fails when none is bound in time', async () => {
    const { client, platform, live, say, heard } = setStage({ listenWaitMs: 1_000 })
    await live()
    heard()
    say(ask(1))
    await platform.advance(500)
    client.handle('confirm', () => 'late')
    await platform.settle()
    await settle()
    expect(heard().filter(({ t }) => t === 'r')).toEqual([{ t: 'r', id: 'ask1', d: 'late' }])

    say(down(2, { e: 'unknown', r: 'ask2' }))
    await platform.advance(1_000)
    await settle()
    expect(heard().filter(({ t }) => t === 'r')).toEqual([
      { t: 'r', id: 'ask2', error: { code: 'NO_HANDLER', message: 'undefined' } },
    ])
  })

  test.each([
    ['cannot be encoded', () => () => {}, 'NOT_ENCODABLE'],
    ['is longer than the server takes', () => 'x'.repeat(2_000), 'TOO_LARGE'],
  ])('fails when its answer %s', async (_name, handler, code) => {
    const { client, live, say, heard } = setStage()
    client.handle('confirm', handler)
    await live({ greeting: { frame: 1_500 } })
    heard()
    say(ask(1))
    await settle()

    expect(heard().filter(({ t }) => t === 'r')).toMatchObject([{ t: 'r', id: 'ask1', error: { code } }])
  })
})

describe('an answer', () => {
  const resumed = { ...WELCOME, resumed: true }

  test('is sent again on the next link, until the server has it', async () => {
    const { client, live, cut, say, heard, greeted } = setStage()
    client.handle('confirm', (params) => params)
    await live()
    say(ask(1), ask(2))
    await settle()
    say({ t: 'a', w: {}, r: ['ask1'] })
    await cut()
    await greeted()
    const early = heard()
    say(resumed)

    expect(early.map(({ t }) => t)).toEqual(['hello'])
    expect(heard()).toEqual([{ t: 'r', id: 'ask2', d: 2 }])
    say({ t: 'a', w: {}, r: ['ask2', 'unknown'] })
    await cut()
    await greeted()
    say(resumed)
    expect(heard().filter(({ t }) => t === 'r')).toEqual([])
  })

  test('that is made while the link is down goes out with the next', async () => {
    const { client, live, cut, say, heard, greeted } = setStage()
    let answer: (text: string) => void = () => {}
    client.handle('confirm', () => new Promise<string>((resolve) => (answer = resolve)))
    await live()
    say(ask(1))
    await cut()
    answer('yes')
    await settle()
    await greeted()
    say(resumed)

    expect(heard().filter(({ t }) => t === 'r')).toEqual([{ t: 'r', id: 'ask1', d: 'yes' }])
  })

  test('is void where the session is lost', async () => {
    const { client, live, cut, say, heard, greeted } = setStage()
    client.handle('confirm', () => 'yes')
    await live()
    say(ask(1))
    await settle()
    await cut()
    await greeted()
    say({ ...WELCOME, session: 'S2', lost: 'unknown' })

    expect(heard().filter(({ t }) => t === 'r')).toEqual([])
  })
})

test('a message that asks nothing is answered by nobody', async () => {
  const { client, live, say, heard } = setStage()
  client.handle('news', () => 'an answer')
  await live()
  heard()
  say(down(1))
  await settle()

  expect(heard().filter(({ t }) => t === 'r')).toEqual([])
})
