import { expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { Entry } from '../../../src/outbox/delivery.js'
import { show } from '../../../src/outbox/outbox-item.js'
import { stored } from '../../support/fake-store.js'

test('shows of an entry what people may see, and nothing that is not there', () => {
  const entry = new Entry(stored('w', 1, { body: 'hi', enqueuedAt: 5 }), 2, Infinity)

  expect(show(entry)).toEqual({ id: 'w:1', event: 'm', status: 'queued', body: 'hi', bytes: 2, enqueuedAt: 5 })
})

test('shows the key and the error where there are', () => {
  const error = new DeliveryError('EXPIRED', 'late')
  const entry = new Entry(stored('w', 1, { key: '' }), 2, Infinity)
  entry.fail(error)

  expect(show(entry)).toMatchObject({ key: '', error, status: 'failed' })
})

test('shows it as it was, not as it becomes', () => {
  const entry = new Entry(stored('w', 1), 2, Infinity)
  const item = show(entry)
  entry.keep()

  expect(item.status).toBe('queued')
})
