import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { Request } from '../../../src/outbox/request.js'
import { createRequests } from '../../../src/outbox/requests.js'
import { stored } from '../../support/fake-store.js'

const GONE = new DeliveryError('REQUEST_ABORTED', 'gone')

/** So many requests that wait. */
function setUp(count = 2) {
  const requests = createRequests()
  const [first, second] = Array.from({ length: count }, (_, index) => new Request(stored('w', index + 1), 1)) as [
    Request,
    Request,
  ]
  for (const request of [first, second]) {
    request.result.catch(() => {})
    requests.add(request)
  }
  return { requests, first, second }
}

describe('an answer', () => {
  test('settles the request that it names', async () => {
    const { requests, first, second } = setUp()
    requests.answer('w:2', 'yes')

    expect([first.isDone, second.isDone]).toEqual([false, true])
    await expect(second.result).resolves.toBe('yes')
  })

  test('may be an error', async () => {
    const { requests, first } = setUp()
    requests.answer('w:1', undefined, GONE)

    expect(first).toMatchObject({ status: 'failed', error: GONE })
    await expect(first.result).rejects.toBe(GONE)
  })

  test('settles nothing twice, and nothing that nobody asked', async () => {
    const { requests, first } = setUp()
    requests.answer('w:1', 'yes')
    requests.answer('w:1', undefined, GONE)
    requests.answer('w:9', 'no')

    await expect(first.result).resolves.toBe('yes')
  })
})

describe('what the server has handled', () => {
  test('is awaited until it is answered', () => {
    const { requests, first } = setUp()
    const counts = [requests.awaited]
    requests.acknowledged(first)
    counts.push(requests.awaited)
    requests.answer('w:1', 'yes')
    counts.push(requests.awaited)

    expect(counts).toEqual([0, 1, 0])
  })

  test('is not awaited where it was answered or given up before', () => {
    const { requests, first, second } = setUp()
    requests.answer('w:1', 'yes')
    requests.withdraw(second, GONE)
    requests.acknowledged(first)
    requests.acknowledged(second)

    expect(requests.awaited).toBe(0)
  })

  test('fails when its answer is lost with the session; the others go on', async () => {
    const { requests, first, second } = setUp()
    requests.acknowledged(first)
    requests.lose()
    requests.answer('w:2', 'yes')

    expect(first).toMatchObject({ status: 'failed', error: { name: 'DeliveryError', code: 'RESULT_LOST' } })
    expect(first.error?.message).toContain('"m"')
    expect(requests.awaited).toBe(0)
    await expect(second.result).resolves.toBe('yes')
  })
})

describe('giving up', () => {
  test('fails a request that waits, and says whether it did', () => {
    const { requests, first } = setUp()
    requests.acknowledged(first)

    expect([requests.withdraw(first, GONE), requests.withdraw(first, GONE)]).toEqual([true, false])
    expect(first.error).toBe(GONE)
    expect(requests.awaited).toBe(0)
  })

  test('fails all of them when the client closes', () => {
    const { requests, first, second } = setUp()
    requests.acknowledged(first)
    requests.close(GONE)

    expect([first.error, second.error]).toEqual([GONE, GONE])
    expect(requests.awaited).toBe(0)
    expect(requests.withdraw(second, GONE)).toBe(false)
  })
})
