import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/outbox/stores/memory-store.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { down, setStage } from '../../support/reliable-stage.js'

describe('a page that is loaded again', () => {
  const setTab = () => {
    const platform = createFakePlatform()
    const page = () => setStage({ platform, resumeKey: 'chat', outbox: memoryStore() })
    return { platform, page }
  }
  const leave = async ({ platform, client }: ReturnType<typeof setStage>): Promise<void> => {
    platform.signal('leave')
    // What a browser does with the sockets of a page that ends.
    await client.close()
  }

  test('goes on where it was, once', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    first.say(down(1))
    await leave(first)
    const second = page()
    await second.live({ welcome: { resumed: true } })
    const { recovered } = second.client.getState() as { recovered?: boolean }
    await second.client.close()
    const third = page()
    await third.live({ welcome: { session: 'S2' } })

    expect(recovered).toBe(true)
    expect(second.gaps).toEqual([])
    expect(third.gaps).toEqual([])
    expect(third.heard()[0]).toEqual({ t: 'hello', writers: {} })
  })

  test('names the place that the last page had left', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    first.say(down(1), down(2))
    await leave(first)
    const second = page()
    await second.greeted()

    expect(second.heard()).toMatchObject([{ t: 'hello', writers: {}, stream: { id: 'S1', s: 2, g: 'g2' } }])
  })

  test('goes on behind the last message that was told, though another has come', async () => {
    const { page } = setTab()
    const { client, live, platform, say } = page()
    const told: unknown[] = []
    client.on('news', (news) => void told.push(news))
    await live({ greeting: { window: { messages: 1, bytes: 2 ** 20 } } })
    say(down(1))
    for (let count = 0; count < 2_500; count++) client.send('m', count)
    // So many failures are told in several tasks, and the message comes behind them.
    client.outbox.clear()
    say(down(2))
    platform.signal('leave')

    expect(told).toEqual([1])
    expect(JSON.parse(platform.notes.recall('chat') ?? '')).toMatchObject({ id: 'S1', s: 1, g: 'g1' })
  })

  test('is told of a gap when its session is gone', async () => {
    const { page } = setTab()
    const first = page()
    await first.live()
    await leave(first)
    const second = page()
    await second.live({ welcome: { session: 'S2', lost: 'unknown' } })

    expect(second.gaps).toMatchObject([{ fromServer: true, reason: 'unknown' }])
  })

  test('touches no note before it connects', async () => {
    const { platform, page } = setTab()
    platform.notes.keep('chat', '{"id":"S1","s":2,"g":"g2"}')
    page()

    expect(platform.notes.recall('chat')).toBe('{"id":"S1","s":2,"g":"g2"}')
  })

  test.each(['hide', 'suspend'] as const)(
    'leaves a note too when it may end without another word (%s)',
    async (how) => {
      const { page, platform } = setTab()
      const first = page()
      await first.live()
      first.say(down(1))
      platform.signal(how)

      expect(JSON.parse(platform.notes.recall('chat') ?? '')).toMatchObject({ id: 'S1', s: 1, g: 'g1' })
    },
  )

  test('keeps the note up to date while it is out of view, and takes it back in view', async () => {
    const { page, platform } = setTab()
    const first = page()
    await first.live()
    const read = (): unknown => {
      const note = platform.notes.recall('chat')
      if (note !== undefined) platform.notes.keep('chat', note)
      return note && JSON.parse(note)
    }
    const seen = read()
    platform.signal('hide')
    first.say(down(1))
    const hidden = read()
    platform.signal('wake')

    expect(seen).toBeUndefined()
    expect(hidden).toMatchObject({ id: 'S1', s: 1, g: 'g1' })
    expect(read()).toBeUndefined()
  })

  test('takes back no note but its own when it returns', async () => {
    const { page, platform } = setTab()
    const first = page()
    await first.live()
    platform.signal('suspend')
    platform.notes.keep('chat', '{"id":"S9","s":0,"c":1}')
    platform.signal('resume')

    expect(platform.notes.recall('chat')).toBe('{"id":"S9","s":0,"c":1}')
  })

  test('leaves what it has not read yet when it comes into view', async () => {
    const { page, platform } = setTab()
    platform.notes.keep('chat', '{"id":"S9","s":0,"c":1}')
    const first = page()
    first.client.connect()
    platform.signal('hide')
    platform.signal('wake')
    await first.greeted()

    expect(first.heard()).toMatchObject([{ t: 'hello', stream: { id: 'S9', c: 2 } }])
  })

  test('leaves no note of a session that it has ended', async () => {
    const { page, platform } = setTab()
    const first = page()
    await first.live()
    platform.signal('hide')
    await first.client.close()

    expect(platform.notes.recall('chat')).toBeUndefined()
  })

  test('leaves no note without a key, nor before it had a session', async () => {
    const platform = createFakePlatform()
    const nameless = setStage({ platform })
    await nameless.live()
    await leave(nameless)
    const early = setStage({ platform, resumeKey: 'chat' })
    await early.greeted()
    await leave(early)

    expect(platform.notes.recall('chat')).toBeUndefined()
  })

  test.each([
    '',
    '{',
    'null',
    '5',
    '[]',
    '{}',
    '{"id":5,"s":1}',
    '{"id":"S1","s":"1"}',
    '{"id":"S1","s":-1}',
    '{"id":"","s":0}',
  ])('starts afresh from the damaged note %s', async (note) => {
    const { platform, page } = setTab()
    platform.notes.keep('chat', note)
    const next = page()
    await next.live()

    expect(next.heard()[0]).toEqual({ t: 'hello', writers: {} })
    expect(next.gaps).toEqual([])
    expect(next.status()).toBe('connected')
  })
})
