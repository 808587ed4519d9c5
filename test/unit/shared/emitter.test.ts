import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import type { ListenerError } from '../../../src/shared/errors.js'
import { createEmitter } from '../../../src/shared/emitter.js'
import { show } from '../../../src/shared/validate.js'

type Names = Record<string, unknown>

function setUp() {
  const errors: ListenerError[] = []
  return { errors, emitter: createEmitter<Names>((error) => errors.push(error)) }
}

/** A signal that knows how many listen to it. */
function countingSignal() {
  const controller = new AbortController()
  const { signal } = controller
  const listening = new Set<unknown>()
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listening.add(given[1])
    add(...given)
  }
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listening.delete(given[1])
    remove(...given)
  }
  return { signal, abort: () => controller.abort(), listeners: () => listening.size }
}

const INHERITED = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'then']

describe('on', () => {
  test('calls the listeners in the order they were bound, with the payload', () => {
    const { emitter } = setUp()
    const calls: unknown[] = []
    emitter.on('a', (payload) => calls.push(['first', payload]))
    emitter.on('b', (payload) => calls.push(['other', payload]))
    emitter.on('a', (payload) => calls.push(['second', payload]))

    const count = emitter.emit('a', 7)

    expect(calls).toEqual([
      ['first', 7],
      ['second', 7],
    ])
    expect(count).toBe(2)
  })

  test.each(INHERITED)('takes "%s" for a name like any other', (name) => {
    const { emitter, errors } = setUp()
    const listener = vi.fn()

    const unheard = emitter.emit(name, 1)
    const off = emitter.on(name, listener)
    const heard = emitter.emit(name, 2)
    off()
    emitter.emit(name, 3)

    expect([unheard, heard, emitter.emit(name, 4)]).toEqual([0, 1, 0])
    expect(listener.mock.calls).toEqual([[2]])
    expect(errors).toEqual([])
  })

  test.each([[''], [1], [undefined], [null], [Symbol('s')], [{}]])('refuses %s for a name', (name) => {
    const { emitter } = setUp()

    expect(() => emitter.on(name as string, () => {})).toThrow(TypeError)
    expect(() => emitter.on(name as string, () => {})).toThrow(/^event must be a non-empty string, got /)
  })

  test.each([[undefined], [null], ['f'], [{}]])('refuses %s for a listener', (listener) => {
    const { emitter } = setUp()

    expect(() => emitter.on('a', listener as never)).toThrow(/^listener must be a function, got /)
    expect(() => emitter.once('a', listener as never)).toThrow(TypeError)
  })

  test('makes two bindings of one function', () => {
    const { emitter } = setUp()
    const listener = vi.fn()
    const off = emitter.on('a', listener)
    emitter.on('a', listener)

    emitter.emit('a', 1)
    off()
    off()
    emitter.emit('a', 2)

    expect(listener.mock.calls).toEqual([[1], [1], [2]])
  })

  test('is done when its signal aborts, and leaves nothing on the signal', () => {
    const { emitter } = setUp()
    const { signal, abort, listeners } = countingSignal()
    const listener = vi.fn()
    emitter.on('a', listener, { signal })
    const off = emitter.on('a', listener, { signal })

    emitter.emit('a', 1)
    off()
    emitter.emit('a', 2)
    abort()
    emitter.emit('a', 3)

    expect(listener.mock.calls).toEqual([[1], [1], [2]])
    expect(listeners()).toBe(0)
  })

  test('binds nothing when its signal has aborted already', () => {
    const { emitter } = setUp()
    const off = emitter.on('a', () => {}, { signal: AbortSignal.abort() })

    expect(emitter.emit('a', 1)).toBe(0)
    expect(() => off()).not.toThrow()
  })
})

describe('a listener that fails', () => {
  test('stops nobody else, and is reported with its cause', () => {
    const { emitter, errors } = setUp()
    const cause = new RangeError('oops')
    const second = vi.fn()
    emitter.on('a', () => {
      throw cause
    })
    emitter.on('a', second)

    const count = emitter.emit('a', 1)

    expect(count).toBe(2)
    expect(second).toHaveBeenCalledOnce()
    expect(errors).toMatchObject([{ name: 'ListenerError', code: 'LISTENER_THREW', cause }])
    expect(errors[0]?.message).toContain('"a"')
  })

  test('is reported when its promise is rejected', async () => {
    const { emitter, errors } = setUp()
    emitter.on('a', () => Promise.reject(new RangeError('later')))
    emitter.once('a', async () => {
      await Promise.resolve()
      throw new RangeError('much later')
    })

    emitter.emit('a', 1)
    await new Promise((resolve) => setImmediate(resolve))

    expect(errors.map(({ cause }) => String(cause)).sort()).toEqual(['RangeError: later', 'RangeError: much later'])
  })

  test('is reported when its promise is of another realm, or of a library', async () => {
    const { emitter, errors } = setUp()
    emitter.on('a', () => runInNewContext('Promise.reject(new RangeError("far"))') as unknown)
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    emitter.on('a', () => ({ then: (_: unknown, reject: (cause: unknown) => void) => reject('near') }))

    emitter.emit('a', 1)
    await new Promise((resolve) => setImmediate(resolve))

    expect(errors.map(({ cause }) => String(cause)).sort()).toEqual(['RangeError: far', 'near'])
  })

  test.each([[undefined], [null], ['text'], [Symbol('s')]])('is reported when it throws %s', (thrown) => {
    const { emitter, errors } = setUp()
    emitter.on('a', () => {
      // oxlint-disable-next-line typescript/only-throw-error -- applications do
      throw thrown
    })
    emitter.emit('a', 1)

    expect(errors).toHaveLength(1)
  })
})

describe('during an emit', () => {
  test('a listener that is unbound is not called any more', () => {
    const { emitter } = setUp()
    const second = vi.fn()
    emitter.on('a', () => off())
    const off = emitter.on('a', second)

    emitter.emit('a', 1)

    expect(second).not.toHaveBeenCalled()
  })

  test('a listener that is bound waits for the next', () => {
    const { emitter } = setUp()
    const late = vi.fn()
    emitter.once('a', () => emitter.on('a', late))

    emitter.emit('a', 1)
    emitter.emit('a', 2)

    expect(late.mock.calls).toEqual([[2]])
  })

  test('a listener may emit again', () => {
    const { emitter } = setUp()
    const seen: unknown[] = []
    emitter.on('a', (payload) => {
      seen.push(payload)
      if (payload === 1) emitter.emit('a', 2)
    })

    emitter.emit('a', 1)

    expect(seen).toEqual([1, 2])
  })
})

describe('an emit that waits for an answer', () => {
  test('gets what the first listener returns that returns something, once all have finished', async () => {
    const { emitter } = setUp()
    let finish = (): void => {}
    emitter.on('ask', () => undefined)
    emitter.on('ask', (payload) => `first of ${String(payload)}`)
    emitter.on('ask', () => new Promise<string>((resolve) => (finish = () => resolve('second'))))
    const answers: unknown[] = []
    const answered = new Promise<void>((resolve) =>
      emitter.emit('ask', 7, (answer) => {
        answers.push(answer)
        resolve()
      }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    const early = [...answers]
    finish()
    await answered

    expect(early).toEqual([])
    expect(answers).toEqual(['first of 7'])
  })

  test('gets an answer without a value from listeners that return nothing', async () => {
    const { emitter } = setUp()
    emitter.on('ask', async () => {})

    const answer = await new Promise((resolve) => emitter.emit('ask', 1, resolve))

    expect(answer).toBeUndefined()
  })

  test('is told why there is none', async () => {
    const { emitter, errors } = setUp()
    const answers: unknown[] = []
    emitter.emit('nobody', 1, (...answer) => answers.push(answer))
    emitter.on('ask', () => {
      throw new Error('broken')
    })
    emitter.on('ask', () => Promise.reject(new Error('broken later')))
    emitter.emit('ask', 1, (...answer) => answers.push(answer))
    await new Promise((resolve) => setImmediate(resolve))

    expect(answers).toEqual([
      [undefined, {}],
      [undefined, { status: 'rejected', reason: new Error('broken') }],
    ])
    expect(errors).toHaveLength(2)
  })

  test('gets the answer of one though another fails', async () => {
    const { emitter } = setUp()
    emitter.on('ask', () => {
      throw new Error('broken')
    })
    emitter.on('ask', () => 'fine')

    const answer = await new Promise((resolve) => emitter.emit('ask', 1, (...given) => resolve(given)))

    expect(answer).toEqual(['fine', undefined])
  })
})

describe('once', () => {
  test('hears one event, even one that is emitted from within', () => {
    const { emitter } = setUp()
    const seen: unknown[] = []
    emitter.once('a', (payload) => {
      seen.push(payload)
      emitter.emit('a', 2)
    })

    emitter.emit('a', 1)
    emitter.emit('a', 3)

    expect(seen).toEqual([1])
  })

  test('can be called off before, by hand or by signal', () => {
    const { emitter } = setUp()
    const { signal, abort, listeners } = countingSignal()
    const listener = vi.fn()
    emitter.once('a', listener)()
    emitter.once('a', listener, { signal })
    abort()

    emitter.emit('a', 1)

    expect(listener).not.toHaveBeenCalled()
    expect(listeners()).toBe(0)
  })
})

describe('events', () => {
  test('yields in order what was emitted before and while the loop ran', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    emitter.emit('a', 1)
    emitter.emit('a', 2)
    const seen: unknown[] = []
    for await (const payload of events) {
      seen.push(payload)
      if (payload === 2) emitter.emit('a', 3)
      if (payload === 3) break
    }

    expect(seen).toEqual([1, 2, 3])
  })

  test('is unbound when the loop is left', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    emitter.emit('a', 1)
    for await (const _ of events) break

    expect(emitter.emit('a', 2)).toBe(0)
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('is unbound by return() before the first next()', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')

    const left = events.return()

    expect(emitter.emit('a', 1)).toBe(0)
    expect(await left).toEqual({ done: true, value: undefined })
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('ends a next() that waits when return() is called', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    const waiting = events.next()

    await events.return()

    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(emitter.emit('a', 1)).toBe(0)
  })

  test('forgets what it had buffered when return() is called', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    emitter.emit('a', 1)

    await events.return()

    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('loses nothing that came before return() to a next() that waited for it', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    const waiting = events.next()
    emitter.emit('a', 1)

    await events.return()

    expect(await waiting).toEqual({ done: false, value: 1 })
  })

  test('serves two concurrent next() in their order, one event each', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    const first = events.next()
    const second = events.next()

    emitter.emit('a', 1)
    emitter.emit('a', 2)

    expect(await first).toEqual({ done: false, value: 1 })
    expect(await second).toEqual({ done: false, value: 2 })
  })

  test('ends when its signal aborts, after what was buffered', async () => {
    const { emitter } = setUp()
    const { signal, abort } = countingSignal()
    const events = emitter.events('a', { signal })
    emitter.emit('a', 1)

    abort()
    emitter.emit('a', 2)

    expect(await events.next()).toEqual({ done: false, value: 1 })
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('wakes a loop that waits when its signal aborts', async () => {
    const { emitter } = setUp()
    const { signal, abort } = countingSignal()
    const waiting = emitter.events('a', { signal }).next()

    abort()

    expect(await waiting).toEqual({ done: true, value: undefined })
  })

  test('is over at once with a signal that has aborted', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a', { signal: AbortSignal.abort() })

    expect(emitter.emit('a', 1)).toBe(0)
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('leaves nothing on a signal that outlives it', async () => {
    const { emitter } = setUp()
    const { signal, listeners } = countingSignal()
    const left = emitter.events('a', { signal })
    emitter.emit('a', 1)
    for await (const _ of left) break
    await emitter.events('a', { signal }).return()

    expect(listeners()).toBe(0)
  })

  test('tells a loop that is too slow, after what it had buffered', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a', { bufferMax: 2 })
    for (const payload of [1, 2, 3, 4]) emitter.emit('a', payload)
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const payload of events) seen.push(payload)
    })()

    await expect(reading).rejects.toMatchObject({ code: 'ITERATOR_OVERFLOW' })
    expect(seen).toEqual([1, 2])
    expect(emitter.emit('a', 5)).toBe(0)
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('buffers ten thousand by default', async () => {
    const { emitter } = setUp()
    const events = emitter.events('a')
    for (let count = 0; count < 10_000; count++) emitter.emit('a', count)

    expect(emitter.emit('a', 'one more')).toBe(1)
    expect(emitter.emit('a', 'and more')).toBe(0)
    expect((await events.next()).value).toBe(0)
  })

  test('refuses a wrong name at the call, not at the first next()', () => {
    const { emitter } = setUp()

    expect(() => emitter.events('')).toThrow(TypeError)
  })
})

test.each([0, -1, NaN, 'x' as unknown as number])('refuses %s for the length of a loop’s buffer', (bufferMax) => {
  const events = createEmitter<{ tick: number }>(() => {})

  expect(() => events.events('tick', { bufferMax })).toThrow(
    `bufferMax must be a number from 1 to Infinity, got ${show(bufferMax)}`,
  )
})
