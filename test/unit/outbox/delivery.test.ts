import { afterEach, describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import type { Entry } from '../../../src/outbox/delivery.js'
import { stored } from '../../support/fake-store.js'
import { makeEntry } from '../../support/outbox-stage.js'

const RECEIPT = { confirmedBy: 'server' } as const
const error = new DeliveryError('EXPIRED', 'late')
const make = (): Entry => makeEntry('w', 7)

const rejections: unknown[] = []
const note = (reason: unknown): void => void rejections.push(reason)
process.on('unhandledRejection', note)
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  expect(rejections.splice(0)).toEqual([])
})

describe('an entry', () => {
  test.each([{}, { ttlMs: 5 }, { key: '' }, { ttlMs: 5, key: 'k', body: new Uint8Array([1]) }])(
    'is stored as the message that it was made of, and nothing else: %j',
    (extra) => {
      expect(makeEntry('w', 7, extra).message).toStrictEqual(stored('w', 7, extra))
    },
  )
})

describe('a delivery', () => {
  test('has an id that no reload changes', () => {
    expect(make().id).toBe('w:7')
  })

  test('goes from queued over stored to delivered', async () => {
    const entry = make()
    const seen = [entry.status]
    const promises = Promise.all([entry.stored, entry.delivered])
    entry.keep()
    seen.push(entry.status)
    entry.deliver(RECEIPT)
    seen.push(entry.status)

    expect(seen).toEqual(['queued', 'stored', 'delivered'])
    expect(await promises).toEqual([undefined, RECEIPT])
    expect(entry.error).toBeUndefined()
  })

  test('gives the same promise each time, asked before or after', async () => {
    const early = make()
    const [stored1, delivered1] = [early.stored, early.delivered]
    early.keep()
    early.deliver(RECEIPT)
    const late = make()
    late.keep()
    late.deliver(RECEIPT)

    expect(early.stored).toBe(stored1)
    expect(early.delivered).toBe(delivered1)
    await expect(late.stored).resolves.toBeUndefined()
    await expect(late.delivered).resolves.toEqual(RECEIPT)
  })

  test('that fails breaks both promises with the reason', async () => {
    const early = make()
    const promises = Promise.allSettled([early.stored, early.delivered])
    early.fail(error)
    const late = make()
    late.fail(error)

    expect(early.status).toBe('failed')
    expect(early.error).toBe(error)
    expect(await promises).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ])
    await expect(late.delivered).rejects.toBe(error)
  })

  test('that fails after it was stored does not unsay that', async () => {
    const entry = make()
    entry.keep()
    entry.fail(error)

    await expect(entry.stored).resolves.toBeUndefined()
    await expect(entry.delivered).rejects.toBe(error)
  })

  test('that nobody looks at rejects nothing', async () => {
    const entry = make()
    entry.fail(error)
    await new Promise((resolve) => setImmediate(resolve))

    expect(rejections).toEqual([])
  })

  test('whose client is gone keeps its status, and breaks its promises', async () => {
    const entry = make()
    entry.keep()
    entry.abandon(error)

    expect(entry.status).toBe('stored')
    await expect(entry.stored).resolves.toBeUndefined()
    await expect(entry.delivered).rejects.toBe(error)
  })

  test('past the queue was sent, was never stored, and is known no further than the browser', async () => {
    const entry = make()
    entry.pass()

    expect(entry.status).toBe('sent')
    await expect(entry.delivered).resolves.toEqual({ confirmedBy: 'browser' })
    await expect(entry.stored).rejects.toMatchObject({ code: 'NOT_STORED' })
  })
})
