import { describe, expect, test } from 'vitest'
import { createAsker } from '../../../src/client/request-timeouts.js'
import type { RequestOptions } from '../../../src/shared/contract.js'
import { DeliveryError } from '../../../src/shared/errors.js'
import { Request } from '../../../src/outbox/request.js'
import { stored } from '../../support/fake-store.js'

/** An asker over an outbox that takes everything. */
function setUp() {
  const made: Request[] = []
  const cancelled: string[] = []
  const withdrawn: string[] = []
  const surroundings = { now: 0, hurries: 0, isFull: false }
  const asker = createAsker({
    outbox: {
      ask(event) {
        if (surroundings.isFull) throw new DeliveryError('OUTBOX_FULL', 'full')
        const request = new Request(stored('w', made.length + 1, { event }), 1)
        made.push(request)
        return request
      },
      withdraw(request, error) {
        if (request.isDone) return false
        withdrawn.push(request.id)
        request.fail(error)
        return true
      },
    },
    channel: { cancel: ({ id }) => void cancelled.push(id) },
    now: () => surroundings.now,
    hurried: () => void surroundings.hurries++,
  })
  return {
    asker,
    made,
    cancelled,
    withdrawn,
    surroundings,
    ask(options?: RequestOptions): Promise<unknown> {
      const answer = asker.ask('ask', '1', 1, options)
      answer.catch(() => {})
      return answer
    },
    at(now: number): void {
      surroundings.now = now
      asker.elapsed()
    },
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an answer in time', () => {
  test('is handed on, and nothing more is due', async () => {
    const { ask, made, at, withdrawn, cancelled } = setUp()
    const answer = ask()
    made[0]?.answer('yes')

    await expect(answer).resolves.toBe('yes')
    at(1_000_000)
    expect([withdrawn, cancelled]).toEqual([[], []])
  })

  test('lets go of the signal', async () => {
    const { ask, made, withdrawn } = setUp()
    const controller = new AbortController()
    const answer = ask({ signal: controller.signal })
    made[0]?.answer('yes')
    await answer
    controller.abort()

    expect(withdrawn).toEqual([])
  })
})

describe('time', () => {
  test('is 30 seconds by default, and the soonest is the deadline', () => {
    const { ask, asker, surroundings } = setUp()
    const deadlines = [asker.deadline]
    surroundings.now = 500
    void ask()
    deadlines.push(asker.deadline)
    void ask({ timeoutMs: 10 })
    deadlines.push(asker.deadline)
    void ask({ timeoutMs: Infinity })
    deadlines.push(asker.deadline)

    expect(deadlines).toEqual([Infinity, 30_500, 510, 510])
    expect(surroundings.hurries).toBe(3)
  })

  test('gives up those whose time it is, and no others', async () => {
    const { ask, at, asker, withdrawn } = setUp()
    const first = ask({ timeoutMs: 10 })
    void ask({ timeoutMs: 20 })
    at(9)
    const early = [...withdrawn]
    at(10)
    await settle()

    expect([early, withdrawn]).toEqual([[], ['w:1']])
    expect(asker.deadline).toBe(20)
    await expect(first).rejects.toMatchObject({ name: 'DeliveryError', code: 'REQUEST_TIMEOUT' })
    at(20)
    await settle()
    at(21)
    expect(asker.deadline).toBe(Infinity)
  })

  test.each([
    [0, RangeError],
    [-1, RangeError],
    [NaN, RangeError],
    ['5' as unknown as number, TypeError],
  ])('is refused as %s', async (timeoutMs, type) => {
    const { ask, made } = setUp()

    await expect(ask({ timeoutMs })).rejects.toThrow(type)
    expect(made).toEqual([])
  })
})

describe('calling off', () => {
  test('tells the server only of what it may have', async () => {
    const { ask, made, cancelled } = setUp()
    const controller = new AbortController()
    const [waiting, sent, answered] = [1, 2, 3].map(() => ask({ signal: controller.signal }))
    made[1]!.wasSent = made[2]!.wasSent = true
    made[2]!.answer('yes')
    controller.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    await expect(sent).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    await expect(answered).resolves.toBe('yes')
    expect(cancelled).toEqual(['w:2'])
  })

  test('before asking asks nothing', async () => {
    const { ask, made } = setUp()

    await expect(ask({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    expect(made).toEqual([])
  })
})

test('says when the outbox has no room', async () => {
  const { ask, surroundings, asker } = setUp()
  surroundings.isFull = true

  await expect(ask()).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
  expect(asker.deadline).toBe(Infinity)
})
