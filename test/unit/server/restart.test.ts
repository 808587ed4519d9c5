import { describe, expect, test } from 'vitest'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import { createFakeWorld, placeOf, type FakeClient, type FakeWorld } from '../../support/server-world.js'

type Options = Parameters<typeof createFakeWorld>[0]

/** Servers that follow one another on the same streams, each of whose sessions joins a room. */
function open(): { start(options?: Options): FakeWorld; stop(): void } {
  const streams = memoryStreams()
  let world: FakeWorld | undefined
  return {
    start(options) {
      world = createFakeWorld({ streams, ...options }, world?.clock)
      world.engine.on('session', (session) => session.join('room'))
      return world
    },
    stop: () => world?.engine.stop(),
  }
}

const comeBack = (world: FakeWorld, client: FakeClient): FakeClient => world.welcome({ stream: placeOf(client) })

const fate = (client: FakeClient): unknown => {
  const [welcome] = client.of('welcome')
  return welcome?.resumed === true ? 'resumed' : welcome?.lost
}

const data = (client: FakeClient): unknown[] => client.of('m').map(({ d }) => d)

const SENDS: Record<string, (world: FakeWorld) => void> = {
  'to all': ({ engine }) => engine.broadcast('news', 'missed'),
  'to a room': ({ engine }) => engine.to('room').send('news', 'missed'),
  'to a room that has no member yet': ({ engine }) => engine.to('another').send('news', 'missed'),
}

describe('a server on the streams of an earlier one', () => {
  test('goes on with every session without a gap, as long as nothing was sent to many', () => {
    const { start, stop } = open()
    const before = start()
    const clients = [before.welcome(), before.welcome()]
    before.engine.broadcast('news', 1)
    stop()
    const after = start()

    after.engine.to('room').volatile('news', 'volatile')
    const back = clients.map((client) => comeBack(after, client))
    after.engine.broadcast('news', 2)
    after.engine.to('room').send('news', 3)

    expect(back.map(fate)).toEqual(['resumed', 'resumed'])
    expect(back.map(data)).toEqual([
      [2, 3],
      [2, 3],
    ])
  })

  test.each(Object.keys(SENDS))('tells of a gap who comes back after something was sent %s', (how) => {
    const { start, stop } = open()
    const before = start()
    const [first, last] = [before.welcome(), before.welcome()]
    stop()
    const after = start()

    const early = comeBack(after, first)
    SENDS[how]?.(after)
    const late = comeBack(after, last)
    const again = comeBack(after, late)

    expect([early, late, again].map(fate)).toEqual(['resumed', 'restart', 'resumed'])
  })

  test.each(Object.keys(SENDS))('tells who comes back to a third server of what the second has sent %s', (how) => {
    const { start, stop } = open()
    const before = start()
    const [first, last] = [before.welcome(), before.welcome()]
    stop()
    const second = start()
    const early = comeBack(second, first)
    SENDS[how]?.(second)
    stop()
    const third = start()

    expect([early, last].map((client) => fate(comeBack(third, client)))).toEqual(['resumed', 'restart'])
  })

  test('tells of no gap who was away and known while something was sent', () => {
    const world = open().start()
    const client = world.welcome()
    client.drop()

    world.engine.broadcast('news', 1)
    const back = comeBack(world, client)

    expect(fate(back)).toBe('resumed')
    expect(data(back)).toEqual([1])
  })

  test('tells who goes back to an earlier server that is still there', () => {
    const { start } = open()
    const [one, other] = [start(), start()]
    const client = one.welcome()
    const moved = comeBack(other, client)
    one.engine.broadcast('news', 1)

    expect(fate(moved)).toBe('resumed')
    expect(fate(comeBack(one, moved))).toBe('restart')
  })

  test.each([
    ['in a listener that awaits', true],
    ['in a listener that was bound late', false],
  ])('tells who was not in its room yet, which it joins %s', async (_, awaits) => {
    const streams = memoryStreams()
    const before = createFakeWorld({ streams })
    const [first, last] = [before.welcome(), before.welcome()]
    before.engine.stop()
    const after = createFakeWorld({ streams }, before.clock, false)
    let ready = (): void => {}
    const bind = (): unknown =>
      after.engine.on('session', async (session) => {
        if (awaits) await new Promise<void>((resolve) => (ready = resolve))
        session.join('room')
      })

    if (awaits) bind()
    const early = [comeBack(after, first), comeBack(after, last)]
    after.engine.to('room').send('news', 'missed')
    if (!awaits) bind()
    await after.clock.advance(0)
    ready()
    await after.clock.advance(0)

    const told = early.at(-1)
    expect(told?.closed).toMatchObject({ code: 1013 })
    expect(fate(comeBack(after, last))).toBe('restart')
  })
})
