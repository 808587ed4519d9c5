import { describe, expect, test } from 'vitest'
import type { RequestOptions } from '../../../src/shared/contract.js'
import { DeliveryError } from '../../../src/shared/errors.js'
import { createRequests, Request } from '../../../src/outbox/requests.js'

const GONE = new DeliveryError('REQUEST_ABORTED', 'gone')

/** Requests over an outbox that takes everything, in which each stands where the test puts it. */
function setUp() {
  const made: Request[] = []
  const log: string[] = []
  const surroundings = { now: 0, turns: 0, isFull: false, isDropping: false }
  const outbox: Parameters<typeof createRequests>[0]['outbox'] = {
    awaited: 0,
    enter(_, make) {
      if (surroundings.isFull) throw new DeliveryError('OUTBOX_FULL', 'full')
      const entry = make('w', made.length + 1)
      if (!(entry instanceof Request)) throw new TypeError('only requests are asked')
      entry.place = 'waiting'
      if (surroundings.isDropping) entry.fail(new DeliveryError('OUTBOX_FULL', 'full'))
      made.push(entry)
      return entry
    },
    fail(entry, error) {
      log.push(`fail ${entry.id}`)
      entry.place = 'out'
      entry.fail(error)
    },
    release: ({ id }) => void log.push(`release ${id}`),
  }
  const requests = createRequests({
    outbox,
    platform: { now: () => surroundings.now, wallNow: () => 1_000 + surroundings.now, createId: () => 'id' },
    cancel: ({ id }) => void log.push(`cancel ${id}`),
    progressed: () => void surroundings.turns++,
  })
  return {
    requests,
    outbox,
    made,
    log,
    surroundings,
    /** Asks; the test may leave the result alone. */
    ask(options?: RequestOptions): Promise<unknown> {
      const result = requests.ask('ask', '1', 1, options)
      result.catch(() => {})
      return result
    },
    /** The request of this position was transmitted. */
    sent(...indexes: number[]): void {
      for (const index of indexes) Object.assign(made[index]!, { place: 'in flight', wasSent: true })
    },
    /** The server has handled the request of this position. */
    handled(index: number): void {
      made[index]!.place = 'out'
      made[index]!.deliver()
    },
    at(now: number): void {
      surroundings.now = now
      requests.elapsed()
    },
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a request', () => {
  const make = (): Request => {
    const request = new Request({ awaited: 0 }, 'w', 3, 'ask', '1', 10, 5)
    request.result.catch(() => {})
    return request
  }

  test('waits in the queue as a message that needs no store and never expires', () => {
    expect(make()).toMatchObject({
      id: 'w:3',
      isRequest: true,
      isStored: true,
      isDone: false,
      wasSent: false,
      ttlMs: undefined,
    })
  })

  test('has a reply', async () => {
    const request = make()
    request.reply({ a: 1 })

    expect(request).toMatchObject({ isDone: true, status: 'delivered' })
    await expect(request.result).resolves.toEqual({ a: 1 })
  })

  test('fails', async () => {
    const request = make()
    request.fail(GONE)

    expect(request).toMatchObject({ isDone: true, status: 'failed', error: GONE })
    await expect(request.result).rejects.toBe(GONE)
  })

  test('is abandoned with its client', async () => {
    const request = make()
    request.abandon(GONE)

    expect(request.isDone).toBe(true)
    await expect(request.result).rejects.toBe(GONE)
  })

  test('has one result', async () => {
    const request = make()
    request.reply('first')
    request.reply('second')
    request.abandon(GONE)

    await expect(request.result).resolves.toBe('first')
  })

  test('is counted once where it is acknowledged twice, and not where it is settled', () => {
    const tally = { awaited: 0 }
    const request = new Request(tally, 'w', 1, 'ask', '1', 1, 5)
    request.deliver()
    request.deliver()
    const settled = new Request(tally, 'w', 2, 'ask', '1', 1, 5)
    settled.reply('yes')
    settled.deliver()

    expect(tally.awaited).toBe(1)
  })
})

describe('a reply', () => {
  test('settles the request that it names, which leaves its place in the queue', async () => {
    const { requests, ask, made, log } = setUp()
    const [, second] = [ask(), ask()]
    requests.reply('w:2', { data: 'yes' })

    expect(made.map(({ isDone }) => isDone)).toEqual([false, true])
    expect(log).toEqual(['release w:2'])
    await expect(second).resolves.toBe('yes')
  })

  test('may be an error', async () => {
    const { requests, ask, made } = setUp()
    const first = ask()
    requests.reply('w:1', { error: GONE })

    expect(made[0]).toMatchObject({ status: 'failed', error: GONE })
    await expect(first).rejects.toBe(GONE)
  })

  test('settles nothing twice, and nothing that was never asked', async () => {
    const { requests, ask, log } = setUp()
    const first = ask()
    requests.reply('w:1', { data: 'yes' })
    requests.reply('w:1', { error: GONE })
    requests.reply('w:9', { data: 'no' })

    await expect(first).resolves.toBe('yes')
    expect(log).toEqual(['release w:1'])
  })

  test('in time is handed on, and nothing more is due', async () => {
    const { ask, requests, at, log } = setUp()
    const result = ask()
    requests.reply('w:1', { data: 'yes' })

    await expect(result).resolves.toBe('yes')
    expect(requests.deadline).toBe(Infinity)
    at(1_000_000)
    expect(log).toEqual(['release w:1'])
  })

  test('lets go of the signal', async () => {
    const { ask, requests, log, surroundings } = setUp()
    const controller = new AbortController()
    const result = ask({ signal: controller.signal })
    requests.reply('w:1', { data: 'yes' })
    await result
    const before = surroundings.turns
    controller.abort()

    expect(log).toEqual(['release w:1'])
    expect(surroundings.turns).toBe(before)
  })
})

describe('what the server has handled', () => {
  test('is awaited until its reply', () => {
    const { outbox, requests, ask, handled } = setUp()
    void ask()
    const counts = [outbox.awaited]
    handled(0)
    counts.push(outbox.awaited)
    requests.reply('w:1', { data: 'yes' })
    counts.push(outbox.awaited)

    expect(counts).toEqual([0, 1, 0])
  })

  test('is not awaited where it had its reply or was given up before', () => {
    const { outbox, requests, ask, sent, handled, at } = setUp()
    void ask()
    void ask({ timeoutMs: 10 })
    sent(0, 1)
    requests.reply('w:1', { data: 'yes' })
    at(10)
    handled(0)
    handled(1)

    expect(outbox.awaited).toBe(0)
  })

  test('is not awaited any more once it is given up', () => {
    const { outbox, ask, sent, handled, at } = setUp()
    void ask({ timeoutMs: 10 })
    sent(0)
    handled(0)
    const before = outbox.awaited
    at(10)

    expect([before, outbox.awaited]).toEqual([1, 0])
  })

  test('fails when its reply is lost with the session; the others go on', async () => {
    const { outbox, requests, ask, handled } = setUp()
    const [first, second] = [ask(), ask()]
    handled(0)
    requests.lose()
    requests.reply('w:2', { data: 'yes' })

    await expect(first).rejects.toMatchObject({ name: 'DeliveryError', code: 'RESULT_LOST' })
    await expect(first).rejects.toThrow('"ask"')
    expect(outbox.awaited).toBe(0)
    expect(requests.deadline).toBe(Infinity)
    await expect(second).resolves.toBe('yes')
  })
})

describe('time', () => {
  test('is 30 seconds by default, and the soonest is the deadline', () => {
    const { ask, requests, surroundings } = setUp()
    const deadlines = [requests.deadline]
    surroundings.now = 500
    for (const options of [{}, { timeoutMs: 10 }, { timeoutMs: Infinity }]) {
      void ask(options)
      deadlines.push(requests.deadline)
    }

    expect(deadlines).toEqual([Infinity, 30_500, 510, 510])
    expect(surroundings.turns).toBe(3)
  })

  test('gives up those whose time it is, and no others', async () => {
    const { ask, at, requests, log } = setUp()
    const first = ask({ timeoutMs: 10 })
    void ask({ timeoutMs: 20 })
    at(9)
    const early = [...log]
    at(10)

    expect([early, log]).toEqual([[], ['fail w:1']])
    expect(requests.deadline).toBe(20)
    await expect(first).rejects.toMatchObject({ name: 'DeliveryError', code: 'REQUEST_TIMEOUT' })
    at(20)
    expect(requests.deadline).toBe(Infinity)
  })

  test('that is late gives up all whose time is over', () => {
    const { ask, at, log } = setUp()
    for (const timeoutMs of [30, 10, 20, 40]) void ask({ timeoutMs })
    at(35)

    expect(log).toEqual(['fail w:2', 'fail w:3', 'fail w:1'])
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
    const { ask, requests, sent, log, surroundings } = setUp()
    const controller = new AbortController()
    const [waiting, inFlight, replied] = [1, 2, 3].map(() => ask({ signal: controller.signal }))
    sent(1, 2)
    requests.reply('w:3', { data: 'yes' })
    const before = surroundings.turns
    controller.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    await expect(inFlight).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    await expect(replied).resolves.toBe('yes')
    expect(log).toEqual(['release w:3', 'fail w:1', 'release w:2', 'cancel w:2'])
    expect(surroundings.turns).toBeGreaterThan(before)
  })

  test('tells the server of one that waits again after a cut, since it may have it', async () => {
    const { ask, sent, made, log } = setUp()
    const controller = new AbortController()
    void ask({ signal: controller.signal })
    sent(0)
    made[0]!.place = 'waiting'
    controller.abort()

    expect(log).toEqual(['fail w:1', 'cancel w:1'])
  })

  test('before asking asks nothing', async () => {
    const { ask, made } = setUp()

    await expect(ask({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'REQUEST_ABORTED' })
    expect(made).toEqual([])
  })

  test('twice gives up once', () => {
    const { ask, at, sent, log } = setUp()
    const controller = new AbortController()
    void ask({ signal: controller.signal, timeoutMs: 10 })
    sent(0)
    at(10)
    controller.abort()

    expect(log).toEqual(['release w:1', 'cancel w:1'])
  })
})

describe('no room', () => {
  test('is said to the caller', async () => {
    const { ask, surroundings, requests } = setUp()
    surroundings.isFull = true

    await expect(ask()).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
    expect(requests.deadline).toBe(Infinity)
  })

  test('is said as well where the outbox hands the request back failed; no reply is waited for', async () => {
    const { ask, surroundings, requests } = setUp()
    surroundings.isDropping = true
    const result = ask()
    const { deadline } = requests

    await expect(result).rejects.toMatchObject({ code: 'OUTBOX_FULL' })
    expect(deadline).toBe(Infinity)
  })
})

test('the end of the client fails all of them, and nothing more is due', async () => {
  const { outbox, requests, ask, handled, at, log } = setUp()
  const asked = [ask(), ask()]
  handled(0)
  requests.close(GONE)

  for (const result of asked) await expect(result).rejects.toBe(GONE)
  expect([outbox.awaited, requests.deadline]).toEqual([0, Infinity])
  at(1_000_000)
  requests.reply('w:2', { data: 'late' })
  await settle()
  expect(log).toEqual([])
})
