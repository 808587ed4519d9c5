import { expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { show } from '../../../src/outbox/outbox-item.js'
import { makeEntry } from '../../support/outbox-stage.js'

test('shows of an entry what people may see, and nothing that is not there', () => {
  const entry = makeEntry('w', 1, { body: 'hi', bytes: 2, enqueuedAt: 5 })

  expect(show(entry)).toEqual({ id: 'w:1', event: 'm', status: 'queued', body: 'hi', bytes: 2, enqueuedAt: 5 })
})

test('shows the key and the error where there are', () => {
  const error = new DeliveryError('EXPIRED', 'late')
  const entry = makeEntry('w', 1, { key: '' })
  entry.fail(error)

  expect(show(entry)).toMatchObject({ key: '', error, status: 'failed' })
})

test('shows it as it was, not as it becomes', () => {
  const entry = makeEntry('w', 1)
  const item = show(entry)
  entry.keep()

  expect(item.status).toBe('queued')
})
