import { describe, expect, test } from 'vitest'
import type { HoldfastError } from '../../../src/shared/errors.js'
import { createMemoryStreams } from '../../../src/server/stores/memory-streams.js'
import { resolveOptions } from '../../../src/server/base/options.js'
import { nodePlatform } from '../../../src/server/base/platform.js'
import { StreamWriter, type StreamOwner } from '../../../src/server/session/stream-writer.js'
import type { MaybePromise } from '../../../src/shared/maybe-promise.js'
import type { Attached, StreamEntry, Streams } from '../../../src/server/stores/stream-store.js'

const entry = (payload: string): StreamEntry => ({ head: { t: 'm', e: 'news' }, payload })

/** A store that answers when it is told to, in the order of the calls. */
function createSlowStore() {
  const store = createMemoryStreams({ messagesMax: 5 })
  let ids = 0
  const inner = store.open({ now: () => 0, createId: () => `id${++ids}` })
  const line: (() => void)[] = []
  let fails = 0
  const state = { isSlow: false }

  const ask = <T>(run: () => MaybePromise<T>): MaybePromise<T> => {
    if (!state.isSlow) return run()
    return new Promise<T>((resolve, reject) =>
      line.push(() => {
        if (fails-- > 0) reject(new Error('away'))
        else void Promise.resolve(run()).then(resolve)
      }),
    )
  }
  const streams: Streams = {
    ttlMs: inner.ttlMs,
    attach: (request) => ask(() => inner.attach(request)),
    append: (...args) => ask(() => inner.append(...args)),
    acknowledge: (...args) => ask(() => inner.acknowledge(...args)),
    end: (...args) => ask(() => inner.end(...args)),
    sentToMany: () => ask(() => inner.sentToMany()),
    cursors: (...args) => ask(() => inner.cursors(...args)),
    advance: (...args) => ask(() => inner.advance(...args)),
  }
  return {
    store,
    streams,
    inner,
    state,
    fail: (times: number) => void (fails = times),
    async answer() {
      while (line.length) {
        line.shift()?.()
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

function open() {
  const slow = createSlowStore()
  const errors: HoldfastError[] = []
  const told: string[] = []
  const clock = { now: 0, isSending: false }
  const first = slow.inner.attach({ user: '', writers: [] }) as Attached
  const context = {
    streams: slow.streams,
    report: (error: HoldfastError) => void errors.push(error),
    isStopped: () => false,
    platform: { ...nodePlatform, now: () => clock.now },
    options: resolveOptions({ limits: { stalledMs: 1_000, highWaterMark: { messages: 4 } } }),
  }
  const owner: StreamOwner = {
    id: first.id,
    user: 'ann',
    get isSending() {
      return clock.isSending
    },
    onAppended: ({ sequence, payload }) => void told.push(`${sequence}: ${String(payload)}`),
    onStreamOver(reason) {
      told.push(`over: ${reason}`)
      writer.end(reason)
    },
    onStoreFailure: () => void told.push('failed'),
    onIncomplete: () => void told.push('incomplete'),
  }
  const writer = new StreamWriter(context, owner, { sequence: 0, acknowledged: 0 })
  writer.renew(first, 0)
  const attach = (): Attached =>
    slow.inner.attach({ user: '', writers: [], stream: { id: first.id, s: 0 } }) as Attached
  return { ...slow, errors, told, clock, writer, attach }
}

describe('append', () => {
  test('tells each message in its place', () => {
    const { writer, told } = open()

    writer.append(entry('a'))
    writer.append(entry('b'))

    expect(told).toEqual(['1: a', '2: b'])
  })

  test('keeps the order of what was under way when another connection was attached', async () => {
    const { writer, told, state, attach, answer } = open()
    writer.append(entry('a'))
    state.isSlow = true
    const attached = attach()
    writer.append(entry('b'))
    writer.append(entry('c'))

    writer.renew(attached, 0)
    writer.append(entry('d'))
    await answer()

    expect(told).toEqual(['1: a', '2: b', '3: c', '4: d'])
  })

  test('ends the stream when there is no room, and condemns it', () => {
    const { writer, told, errors, clock } = open()
    for (const payload of 'abcde') writer.append(entry(payload))
    clock.now = 1_000

    writer.append(entry('f'))

    expect(told.slice(-2)).toEqual(['incomplete', 'over: overflow'])
    expect(errors).toMatchObject([{ code: 'OVERFLOW', message: /"ann".* 6 messages of 18 bytes/ }])
  })

  test('goes on while the client takes, or was given no time, or is still being written to', () => {
    const { writer, told, clock } = open()
    for (let sequence = 1; sequence <= 20; sequence++) writer.append(entry('a'))
    clock.now = 999
    writer.acknowledge(1)
    clock.now = 1_900
    writer.append(entry('b'))
    clock.isSending = true
    clock.now = 9_000
    writer.append(entry('c'))
    clock.isSending = false
    writer.acknowledge(22)
    clock.now = 20_000

    for (let sequence = 23; sequence <= 40; sequence++) writer.append(entry('d'))

    expect(told).toHaveLength(40)
  })

  test('goes on for a client that has come back', () => {
    const { writer, told, clock, attach } = open()
    for (let sequence = 1; sequence <= 5; sequence++) writer.append(entry('a'))
    clock.now = 5_000

    writer.renew(attach(), 0)
    writer.append(entry('b'))

    expect(told.at(-1)).toBe('6: b')
  })

  test('ends the stream when another server has it, and says what is lost', () => {
    const { writer, told, errors, attach } = open()
    attach()

    writer.append(entry('a'))

    expect(told).toEqual(['over: superseded', 'incomplete'])
    expect(errors).toMatchObject([{ code: 'SESSION_ENDED' }])
  })

  test('ends the stream when the store went back in time, and condemns it', () => {
    const { writer, told, store } = open()
    const snapshot = store.snapshot()
    writer.append(entry('a'))

    store.restore(snapshot)
    writer.append(entry('b'))

    expect(told).toEqual(['1: a', 'incomplete', 'over: lost'])
    expect(writer.isBehind(0)).toBe(true)
  })

  test('ends the stream when the store fails, and condemns it, also when it cannot be ended', async () => {
    const { writer, told, errors, state, fail, answer } = open()
    state.isSlow = true
    fail(2)

    writer.append(entry('a'))
    await answer()

    expect(told).toEqual(['over: failed', 'incomplete', 'incomplete'])
    expect(errors).toMatchObject([{ code: 'STORAGE_FAILED' }, { code: 'STORAGE_FAILED' }])
  })
})

describe('the end', () => {
  test('says what the store does not take of a stream that it was left with', async () => {
    const { writer, errors, state, attach, answer } = open()
    state.isSlow = true
    writer.append(entry('a'))
    writer.end('stopped')
    attach()

    await answer()

    expect(errors).toMatchObject([
      { code: 'SESSION_ENDED', message: '1 messages were sent to a session that has ended' },
    ])
  })
})

describe('pressure', () => {
  test('is told above the high-water mark, and goes when half of it is free', async () => {
    const { writer } = open()
    for (const payload of 'abc') writer.append(entry(payload))
    expect([writer.isWritable, writer.whenWritable()]).toEqual([true, undefined])

    writer.append(entry('d'))
    const room = writer.whenWritable()
    expect([writer.isWritable, writer.whenWritable()]).toEqual([false, room])
    let isResolved = false
    void room?.then(() => (isResolved = true))
    writer.acknowledge(2)
    await Promise.resolve()
    expect([writer.isWritable, isResolved]).toEqual([true, false])
    writer.acknowledge(3)

    await room
  })

  test('counts what the store holds for a client that comes back', async () => {
    const { writer, attach } = open()
    for (const payload of 'abcd') writer.append(entry(payload))

    const room = writer.whenWritable()
    let isResolved = false
    void room?.then(() => (isResolved = true))

    writer.renew(attach(), 0)
    await Promise.resolve()
    expect([writer.isWritable, isResolved]).toEqual([false, false])
    writer.acknowledge(3)

    expect(writer.isWritable).toBe(true)
    await room
  })

  test('lets those go on who wait for room, when a client comes back that has made some', async () => {
    const { writer, attach } = open()
    for (const payload of 'abcd') writer.append(entry(payload))
    const room = writer.whenWritable()

    writer.acknowledge(2)
    writer.renew({ ...attach(), messages: [] }, 4)

    expect(writer.isWritable).toBe(true)
    await room
  })

  test('ends with the stream, for those who wait and for those who come later', async () => {
    const { writer } = open()
    for (const payload of 'abcd') writer.append(entry(payload))
    const room = writer.whenWritable()

    writer.end('expired')

    await expect(room).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    await expect(writer.whenWritable()).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    expect(writer.isWritable).toBe(false)
  })
})

describe('doubt', () => {
  test('keeps what fails until a connection is attached', () => {
    const { writer, told, attach } = open()
    attach()
    writer.doubt()

    writer.append(entry('a'))
    writer.touch()
    writer.append(entry('b'))
    expect(told).toEqual([])
    writer.renew(attach(), 0)

    expect(told).toEqual(['1: a', '2: b'])
  })

  test('condemns a stream that ends with something missing', () => {
    const { writer, told, attach } = open()
    attach()
    writer.doubt()
    writer.append(entry('a'))

    writer.end('expired')

    expect(told).toEqual(['incomplete'])
  })
})

describe('acknowledge', () => {
  test('says whether it is news', () => {
    const { writer } = open()
    writer.append(entry('a'))

    expect([writer.acknowledge(1), writer.acknowledge(1)]).toEqual([true, false])
  })

  test('ends the stream when another server has it', () => {
    const { writer, told, attach } = open()
    attach()

    writer.touch()

    expect(told).toEqual(['over: superseded'])
  })

  test('loses nothing when the store fails', async () => {
    const { writer, told, errors, state, fail, answer } = open()
    state.isSlow = true
    fail(1)

    writer.touch()
    await answer()

    expect(told).toEqual(['failed'])
    expect(errors).toMatchObject([{ code: 'STORAGE_FAILED' }])
  })
})

describe('flush', () => {
  test('resolves when everything so far is acknowledged', async () => {
    const { writer } = open()
    await writer.flush()
    writer.append(entry('a'))
    const flushed: string[] = []
    void writer.flush().then(() => flushed.push('a'))
    writer.append(entry('b'))

    writer.acknowledge(1)
    await Promise.resolve()

    expect(flushed).toEqual(['a'])
    writer.acknowledge(2)
    await writer.flush()
  })

  test('resolves by what a client has handled that comes back', async () => {
    const { writer, attach } = open()
    writer.append(entry('a'))
    const flushed = writer.flush()

    writer.renew(attach(), 1)

    await flushed
  })

  test('rejects when the session ends first, and ever after', async () => {
    const { writer } = open()
    writer.append(entry('a'))
    const flushed = writer.flush()

    writer.end('expired')

    await expect(flushed).rejects.toMatchObject({ name: 'DeliveryError', code: 'SESSION_ENDED' })
    await expect(writer.flush()).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })
})
