import { expect, test } from 'vitest'
import { DeliveryError } from '../../../src/shared/errors.js'
import { Request } from '../../../src/outbox/request.js'
import { stored } from '../../support/fake-store.js'

const make = (): Request => new Request(stored('w', 3), 10)
const error = new DeliveryError('REQUEST_TIMEOUT', 'too late')

test('waits in the queue as a message that needs no store and never expires', () => {
  expect(make()).toMatchObject({
    id: 'w:3',
    isRequest: true,
    isStored: true,
    isDone: false,
    wasSent: false,
    expiresAt: Infinity,
  })
})

test('is answered', async () => {
  const request = make()
  request.answer({ a: 1 })

  expect(request).toMatchObject({ isDone: true, status: 'delivered' })
  await expect(request.result).resolves.toEqual({ a: 1 })
})

test('fails', async () => {
  const request = make()
  request.fail(error)

  expect(request).toMatchObject({ isDone: true, status: 'failed', error })
  await expect(request.result).rejects.toBe(error)
})

test('is abandoned with its client', async () => {
  const request = make()
  request.abandon(error)

  expect(request.isDone).toBe(true)
  await expect(request.result).rejects.toBe(error)
})

test('has one result', async () => {
  const request = make()
  request.answer('first')
  request.answer('second')
  request.abandon(error)

  await expect(request.result).resolves.toBe('first')
})
