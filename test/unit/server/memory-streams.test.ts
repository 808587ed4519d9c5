import { describe, expect, test } from 'vitest'
import {
  createMemoryStreams,
  memoryStreams,
  type MemoryStreamsOptions,
} from '../../../src/server/stores/memory-streams.js'
import type {
  Attached,
  AttachRequest,
  StreamEntry,
  StreamMessage,
  Streams,
} from '../../../src/server/stores/stream-store.js'

/** The store answers at once: what it gives is no promise. */
interface Now {
  attach(request?: Partial<AttachRequest>): Attached
  append(id: string, epoch: number, payload?: string, isTaking?: boolean): StreamMessage | 'overflow' | 'gone'
}

function open(options: MemoryStreamsOptions = {}, store = createMemoryStreams(options)) {
  const clock = { now: 0 }
  let ids = 0
  const life = Math.random().toString(36).slice(2, 8)
  const overflows: string[] = []
  const streams = store.open({
    now: () => clock.now,
    createId: () => `${life}-${++ids}`,
    onOverflow: (id) => void overflows.push(id),
  })
  const now: Now = {
    attach: (request = {}) => streams.attach({ user: 'ann', writers: [], ...request }) as Attached,
    append: (id, epoch, payload = '1', isTaking = false) =>
      streams.append(id, epoch, entry(payload), isTaking) as StreamMessage,
  }
  return { clock, store, streams, overflows, ...now }
}

const entry = (payload = '1'): StreamEntry => ({ head: { t: 'm', e: 'news' }, payload })

describe('a stream', () => {
  test('numbers and tags its messages', () => {
    const { attach, append } = open()
    const { id, epoch } = attach()

    const messages = [append(id, epoch), append(id, epoch)] as StreamMessage[]

    expect(messages.map(({ sequence }) => sequence)).toEqual([1, 2])
    expect(new Set(messages.map(({ tag }) => tag)).size).toBe(2)
    for (const { tag } of messages) expect(tag).toMatch(/^[\w.~-]{1,64}$/)
  })

  test('resumes after the last message that was handled', () => {
    const { attach, append } = open()
    const { id, epoch } = attach()
    append(id, epoch, '1')
    const { tag } = append(id, epoch, '2') as StreamMessage
    append(id, epoch, '3')

    const again = attach({ stream: { id, s: 2, g: tag } })

    expect(again).toMatchObject({ id, resumed: true, sequence: 3 })
    expect(again.messages.map(({ payload }) => payload)).toEqual(['3'])
    expect(attach({ stream: { id, s: 2, g: tag } }).resumed).toBe(true)
  })

  test.each([
    ['unknown', { id: 'nobody', s: 1, g: 'x' }],
    ['rollback', { s: 1, g: 'another' }],
    ['rollback', { s: 9, g: 'another' }],
    ['rollback', { s: 1 }],
  ])('is lost: %s', (lost, place) => {
    const { attach, append } = open()
    const { id, epoch } = attach()
    append(id, epoch)

    const again = attach({ stream: { id, ...place } })

    expect(again).toMatchObject({ resumed: false, lost, sequence: 0, messages: [] })
    expect(again.id).not.toBe(id)
  })

  test('is not given to another user, and stays for its own', () => {
    const { attach } = open()
    const { id } = attach()

    expect(attach({ user: 'bob', stream: { id, s: 0 } })).toMatchObject({ resumed: false, lost: 'user' })
    expect(attach({ stream: { id, s: 0 } })).toMatchObject({ resumed: true })
  })

  test('fences who had it before', async () => {
    const { streams, attach, append } = open()
    const { id, epoch } = attach()

    const again = attach({ stream: { id, s: 0 } })
    await streams.end(id, epoch)

    expect(again.epoch).toBeGreaterThan(epoch)
    expect(append(id, epoch)).toBe('gone')
    expect(streams.acknowledge(id, epoch, 0)).toBe(false)
    expect(append(id, again.epoch)).toMatchObject({ sequence: 1 })
  })

  test('is forgotten when its time is over, and lives while it is wanted', () => {
    const { clock, streams, attach } = open({ ttlMs: 1_000 })
    const { id, epoch } = attach()

    clock.now = 900
    expect(streams.acknowledge(id, epoch, 0)).toBe(true)
    clock.now = 1_899
    expect(streams.acknowledge(id, epoch, 0)).toBe(true)
    clock.now = 2_899

    expect(attach({ stream: { id, s: 0 } })).toMatchObject({ lost: 'unknown' })
  })

  test('is forgotten when it is ended', async () => {
    const { streams, attach, append } = open()
    const { id, epoch } = attach()

    await streams.end(id, epoch)

    expect(append(id, epoch)).toBe('gone')
    expect(attach({ stream: { id, s: 0 } })).toMatchObject({ lost: 'unknown' })
  })

  test('is not resumed where messages after the place are kept no more', () => {
    const { streams, attach, append } = open()
    const { id, epoch } = attach()
    const { tag } = append(id, epoch) as StreamMessage
    append(id, epoch)
    void streams.acknowledge(id, epoch, 2)

    expect(attach({ stream: { id, s: 1, g: tag } })).toMatchObject({ resumed: false, lost: 'rollback' })
  })
})

describe('limits', () => {
  test.each<[string, MemoryStreamsOptions, string]>([
    ['messages', { messagesMax: 2 }, '1'],
    ['bytes', { bytesMax: 400 }, 'a'.repeat(120)],
    ['bytes in all', { totalBytesMax: 400 }, 'a'.repeat(120)],
  ])('of %s end the stream that exceeds them', (_, options, payload) => {
    const { attach, append } = open(options)
    const { id, epoch } = attach()
    append(id, epoch, payload)
    append(id, epoch, payload)

    expect(append(id, epoch, payload)).toBe('overflow')
    expect(append(id, epoch, payload)).toBe('overflow')
    expect(append(id, epoch - 1, payload)).toBe('gone')
    expect(attach({ stream: { id, s: 0 } })).toMatchObject({ resumed: false, lost: 'overflow' })
  })

  test.each([{ messagesMax: 2 }, { bytesMax: 400 }])(
    'of one stream, %o, do not count while its client takes',
    (options) => {
      const { attach, append } = open(options)
      const { id, epoch } = attach()

      for (let sequence = 1; sequence <= 9; sequence++) {
        expect(append(id, epoch, 'a'.repeat(120), true)).toMatchObject({ sequence })
      }
      expect(append(id, epoch)).toBe('overflow')
    },
  )

  test('of bytes let a single message pass', () => {
    const { attach, append } = open({ bytesMax: 100 })
    const { id, epoch } = attach()

    expect(append(id, epoch, 'a'.repeat(1_000))).toMatchObject({ sequence: 1 })
    expect(append(id, epoch)).toBe('overflow')
  })

  test('of all streams end the one that holds most, not the one that speaks next', () => {
    const { attach, append, overflows } = open({ totalBytesMax: 1_000 })
    const [hog, neighbour, other] = [attach(), attach(), attach()]
    append(neighbour.id, neighbour.epoch, 'a'.repeat(100), true)
    append(hog.id, hog.epoch, 'a'.repeat(500), true)

    expect(append(neighbour.id, neighbour.epoch, 'a'.repeat(200))).toMatchObject({ sequence: 2 })
    expect(append(other.id, other.epoch, 'a')).toMatchObject({ sequence: 1 })
    expect(overflows).toEqual([hog.id])
    expect(append(hog.id, hog.epoch)).toBe('overflow')
    expect(attach({ stream: { id: hog.id, s: 0 } })).toMatchObject({ lost: 'overflow' })
  })

  test('make room when messages are acknowledged', () => {
    const { streams, attach, append } = open({ messagesMax: 1, totalBytesMax: 100 })
    const { id, epoch } = attach()

    for (let sequence = 1; sequence < 10; sequence++) {
      expect(append(id, epoch)).toMatchObject({ sequence })
      void streams.acknowledge(id, epoch, sequence)
    }
  })

  test('make room when a stream overflows, ends or expires', () => {
    const { clock, streams, attach, append } = open({ totalBytesMax: 300, messagesMax: 3, ttlMs: 1_000 })
    for (let round = 0; round < 5; round++) {
      const { id, epoch } = attach()
      for (const _ of [1, 2, 3]) expect(append(id, epoch)).toMatchObject({ tag: expect.any(String) })
      if (round % 3 === 0) void streams.end(id, epoch)
      else if (round % 3 === 1) expect(append(id, epoch)).toBe('overflow')
      else clock.now += 1_000
    }
  })

  test.each([
    [{ ttlMs: 0 }, RangeError, 'ttlMs must be an integer from 1 to 2147483647, got 0'],
    [{ bytesMax: '1' }, TypeError, 'bytesMax must be an integer from 1 to 2147483647, got "1"'],
    [{ size: 1 }, TypeError, /^memoryStreams: "size" is no option; /],
    ['big', TypeError, 'options must be an object, got "big"'],
  ])('refuses %o', (options, kind, message) => {
    // What a caller without types may pass.
    const act = (): unknown => memoryStreams(options as MemoryStreamsOptions)

    expect(act).toThrow(kind)
    expect(act).toThrow(message)
  })
})

describe('cursors', () => {
  test('come with the stream, and by themselves', async () => {
    const { streams, attach } = open()
    const cursor = { n: 3, hasSeenAll: true, rejected: [['A', 2, 'REJECTED', 'no']] as const, secret: '' }

    await streams.advance('ann', 'A', cursor)

    expect(attach({ writers: ['A', 'B'] }).cursors).toEqual(new Map([['A', cursor]]))
    expect(streams.cursors('bob', ['A'])).toEqual(new Map())
    expect(streams.cursors('ann', ['A'])).toEqual(new Map([['A', cursor]]))
  })
})

describe('a store that outlives its server', () => {
  test('resumes streams, and is witness of nothing', async () => {
    const first = open()
    const { id, epoch } = first.attach()
    const { tag } = first.append(id, epoch) as StreamMessage
    await first.streams.advance('ann', 'A', { n: 1, hasSeenAll: true, rejected: [], secret: '' })

    const second = open({}, first.store)
    const again = second.attach({ stream: { id, s: 1, g: tag }, writers: ['A'] })

    expect(again).toMatchObject({ resumed: true, sequence: 1 })
    expect(again.cursors.get('A')).toMatchObject({ n: 1, hasSeenAll: false })
    expect((second.append(id, again.epoch) as StreamMessage).tag).not.toBe(tag)
  })
})

describe('a store that goes back in time', () => {
  test('gives no tag twice, and no longer resumes what it has forgotten', async () => {
    const { store, streams, attach, append } = open()
    const { id, epoch } = attach()
    append(id, epoch)
    const snapshot = store.snapshot()
    const { tag } = append(id, epoch) as StreamMessage
    await streams.advance('ann', 'A', { n: 1, hasSeenAll: true, rejected: [], secret: '' })

    store.restore(snapshot)
    const second = append(id, epoch) as StreamMessage

    expect(second.sequence).toBe(2)
    expect(second.tag).not.toBe(tag)
    expect(streams.cursors('ann', ['A'])).toEqual(new Map())
    expect(attach({ stream: { id, s: 2, g: tag } })).toMatchObject({ resumed: false, lost: 'rollback' })
  })

  test('may be blind to that: then only the tags tell', () => {
    const { store, attach, append } = open()
    const { id, epoch } = attach()
    const { tag: first } = append(id, epoch) as StreamMessage
    const snapshot = store.snapshot()
    const { tag: second } = append(id, epoch) as StreamMessage

    store.restore(snapshot, true)
    append(id, epoch)

    const resume = (s: number, g: string) => attach({ stream: { id, s, g } })
    expect(resume(1, first)).toMatchObject({ resumed: true })
    expect(resume(2, second)).toMatchObject({ resumed: false, lost: 'rollback' })
  })

  test('is not changed by what happens after the snapshot, and may be restored again', () => {
    const { store, attach, append } = open()
    const { id, epoch } = attach()
    append(id, epoch)
    const snapshot = store.snapshot()

    for (const _ of [1, 2]) {
      store.restore(snapshot)
      expect(append(id, epoch)).toMatchObject({ sequence: 2 })
    }
  })
})

test('memoryStreams opens to all verbs', () => {
  const streams: Streams = memoryStreams().open({ now: () => 0, createId: () => 'id' })

  expect(streams.ttlMs).toBe(120_000)
})
