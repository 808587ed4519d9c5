import { describe, expect, test, vi } from 'vitest'
import { HoldfastError } from '../../../src/shared/errors.js'
import { jsonFrames } from '../../../src/protocol/frame-codec.js'
import { resolveOptions, type EngineOptions } from '../../../src/server/base/options.js'
import { BoundNames } from '../../../src/server/base/bound-names.js'
import { RejectedError } from '../../../src/server/base/handler-errors.js'
import { HandlerContext } from '../../../src/server/session/handler-context.js'
import { Handlers, type Outcome } from '../../../src/server/session/handlers.js'

const context = new HandlerContext({ writer: 'A', sequence: 1, isRetransmitted: false, enqueuedAt: 0 }, false)

function open(options: EngineOptions = {}): { handlers: Handlers; errors: HoldfastError[]; advice: string[] } {
  const errors: HoldfastError[] = []
  const advice: string[] = []
  const report = (error: HoldfastError, text?: string): void => {
    errors.push(error)
    if (text) advice.push(text)
  }
  const names = new BoundNames()
  return {
    handlers: new Handlers({ codec: jsonFrames, options: resolveOptions(options), report, names }),
    errors,
    advice,
  }
}

const run = (handlers: Handlers, event: string, data?: unknown, isRequest = false): Promise<Outcome> =>
  new Promise((resolve) => handlers.run({ event, data, isRequest }, context, resolve))

describe('events', () => {
  test('are done at once when their handler gives no promise', () => {
    const { handlers } = open()
    const handler = vi.fn()
    const ended = vi.fn()
    handlers.on('a', handler)

    handlers.run({ event: 'a', data: 7, isRequest: false }, context, ended)

    expect(handler).toHaveBeenCalledExactlyOnceWith(7, context)
    expect(ended).toHaveBeenCalledExactlyOnceWith({ status: 'done', payload: '' })
  })

  test('wait for all their handlers', async () => {
    const { handlers } = open()
    const done: string[] = []
    handlers.on('a', async () => {
      await Promise.resolve()
      done.push('slow')
    })
    handlers.on('a', () => done.push('fast'))

    await run(handlers, 'a')

    expect(done).toEqual(['fast', 'slow'])
  })

  test('are rejected when one handler throws, and the others are called all the same', async () => {
    const { handlers, errors } = open()
    const other = vi.fn()
    handlers.on('a', () => {
      throw new Error('no')
    })
    handlers.on('a', other)

    expect(await run(handlers, 'a')).toEqual({ status: 'rejected', code: 'REJECTED', message: 'The handler failed' })
    expect(other).toHaveBeenCalledOnce()
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW', message: 'A handler of "a" threw: Error: no' }])
  })

  test('keep the code of an error of the family, which is no fault', async () => {
    const { handlers, errors } = open()
    handlers.on('a', () => Promise.reject(new HoldfastError('FORBIDDEN', 'not you')))

    expect(await run(handlers, 'a')).toEqual({ status: 'rejected', code: 'FORBIDDEN', message: 'not you' })
    expect(errors).toEqual([])
  })

  test('are rejected when the result cannot be asked for its promise', async () => {
    const { handlers, errors } = open()
    handlers.on('a', () => ({
      // oxlint-disable-next-line unicorn/no-thenable -- That is the case.
      get then(): never {
        throw new Error('no then')
      },
    }))

    expect(await run(handlers, 'a')).toEqual({ status: 'rejected', code: 'REJECTED', message: 'The handler failed' })
    expect(errors).toMatchObject([{ code: 'LISTENER_THREW' }])
  })

  test('are rejected without a word of what was thrown, but for a RejectedError', async () => {
    const { handlers, errors } = open()
    handlers.on('bug', () => {
      throw new Error('cannot reach postgres://admin:secret@10.0.0.5')
    })
    handlers.on('full', () => Promise.reject(new RejectedError('the room is full')))

    expect(await run(handlers, 'bug')).toEqual({ status: 'rejected', code: 'REJECTED', message: 'The handler failed' })
    expect(errors).toMatchObject([{ message: expect.stringContaining('postgres://') }])
    expect(await run(handlers, 'full')).toMatchObject({ code: 'REJECTED', message: 'the room is full' })
    expect(errors).toHaveLength(1)
  })

  test('are rejected in the words of a RejectedError of another copy of the package', async () => {
    const { handlers, errors } = open()
    vi.resetModules()
    const copy = await import('../../../src/server/base/handler-errors.js')
    handlers.on('full', () => Promise.reject(new copy.RejectedError('the room is full')))

    expect(await run(handlers, 'full')).toEqual({ status: 'rejected', code: 'REJECTED', message: 'the room is full' })
    expect(copy.RejectedError).not.toBe(RejectedError)
    expect(errors).toEqual([])
  })

  test('are rejected in bounded words, whatever is thrown, with exposeErrors', async () => {
    const { handlers } = open({ exposeErrors: true })
    handlers.on('long', () => Promise.reject(new Error('a'.repeat(5_000))))
    handlers.on('odd', () => {
      // oxlint-disable-next-line typescript/only-throw-error -- That is the case.
      throw 'text'
    })

    expect((await run(handlers, 'long')) as { message: string }).toMatchObject({ message: 'a'.repeat(1_000) })
    expect(await run(handlers, 'odd')).toMatchObject({ code: 'REJECTED', message: 'text' })
  })

  test('nobody handles are rejected and told', async () => {
    const { handlers, errors } = open()

    expect(await run(handlers, 'constructor')).toMatchObject({ status: 'rejected', code: 'NO_HANDLER' })
    expect(await run(handlers, '__proto__', {}, true)).toMatchObject({ status: 'rejected', code: 'NO_HANDLER' })
    expect(errors).toMatchObject([{ code: 'NO_HANDLER' }, { code: 'NO_HANDLER' }])
  })

  test('are loud about names that no session has ever handled, once each', async () => {
    const { handlers, advice } = open()
    await run(handlers, 'nots\u001b[2J')
    handlers.on('note', () => {})()
    handlers.handle('sum', () => 0)

    for (const event of ['nots', 'nots', 'note']) await run(handlers, event)
    await run(handlers, 'nots', undefined, true)

    expect(advice).toEqual([
      'no session has ever had a handler of "nots\\u001b[2J"; no handler was bound yet',
      'no session has ever had a handler of "nots"; handled are "note", "sum"',
    ])
  })

  test('are loud about no more than a hundred names', async () => {
    const { handlers, advice, errors } = open()
    for (let n = 0; n < 12; n++) handlers.on(`event ${n}`, () => {})

    for (let n = 0; n < 150; n++) await run(handlers, `unknown ${n}`)

    expect(advice).toHaveLength(100)
    expect(advice[0]).toMatch(/"event 9" and 2 more$/)
    expect(errors).toHaveLength(150)
  })

  test('of any name go to the handler of any, unless they have their own', async () => {
    const { handlers } = open()
    const any = vi.fn()
    const own = vi.fn()
    const off = handlers.onAny(any)
    handlers.on('own', own)

    await run(handlers, 'own', 1)
    await run(handlers, '__proto__', 2)

    expect(any).toHaveBeenCalledExactlyOnceWith('__proto__', 2, context)
    off()
    expect(await run(handlers, 'b')).toMatchObject({ code: 'NO_HANDLER' })
  })

  test('know a handler no more that was unbound', async () => {
    const { handlers } = open()
    const handler = vi.fn()
    const offs = [handlers.on('a', handler), handlers.on('a', handler)]

    offs[0]?.()
    await run(handlers, 'a')
    expect(handler).toHaveBeenCalledOnce()
    offs[1]?.()
    offs[1]?.()

    expect(await run(handlers, 'a')).toMatchObject({ code: 'NO_HANDLER' })
  })
})

describe('requests', () => {
  test('are answered with what their handler gives, encoded', async () => {
    const { handlers } = open()
    handlers.handle('sum', (params) => Promise.resolve((params as number[])[0]))

    expect(await run(handlers, 'sum', [3], true)).toEqual({ status: 'done', payload: '3' })
  })

  test('are rejected when the answer cannot be encoded', async () => {
    const { handlers } = open()
    handlers.handle('big', () => 1n)

    expect(await run(handlers, 'big', undefined, true)).toMatchObject({ status: 'rejected', code: 'NOT_ENCODABLE' })
  })

  test('have one handler at a time', async () => {
    const { handlers } = open()
    const off = handlers.handle('a', () => 1)
    const offAny = handlers.handleAny((request) => request)

    expect(() => handlers.handle('a', () => 2)).toThrow('The request "a" has a handler')
    expect(() => handlers.handleAny(() => 2)).toThrow(TypeError)
    off()
    expect(await run(handlers, 'a', undefined, true)).toEqual({ status: 'done', payload: '"a"' })
    offAny()
    expect(await run(handlers, 'a', undefined, true)).toMatchObject({ code: 'NO_HANDLER' })
  })

  test('do not go to handlers of events', async () => {
    const { handlers } = open()
    handlers.on('a', () => 1)

    expect(await run(handlers, 'a', undefined, true)).toMatchObject({ code: 'NO_HANDLER' })
  })
})

test.each(['', 7, 'a'.repeat(257), undefined])('refuses the name %o', (event) => {
  const { handlers } = open()

  // What a caller without types may pass.
  expect(() => handlers.on(event as string, () => {})).toThrow(TypeError)
})

test('refuses a handler that is no function', () => {
  const { handlers } = open()

  // What a caller without types may pass.
  expect(() => handlers.onAny(7 as unknown as () => void)).toThrow('handler must be a function, got 7')
})
