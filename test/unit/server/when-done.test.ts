import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { whenDone } from '../../../src/server/base/when-done.js'

test('goes on at once where there is no promise', () => {
  const onValue = vi.fn()

  whenDone(() => 1, onValue, vi.fn())

  expect(onValue).toHaveBeenCalledExactlyOnceWith(1)
})

test('goes on when a promise is fulfilled', async () => {
  const onValue = vi.fn()

  whenDone(() => Promise.resolve(1), onValue, vi.fn())
  expect(onValue).not.toHaveBeenCalled()
  await vi.waitUntil(() => onValue.mock.calls.length > 0)

  expect(onValue).toHaveBeenCalledExactlyOnceWith(1)
})

test('tells what was thrown', () => {
  const onValue = vi.fn()
  const onError = vi.fn()
  const cause = new Error('broken')

  whenDone<number>(
    () => {
      throw cause
    },
    onValue,
    onError,
  )

  expect(onError).toHaveBeenCalledExactlyOnceWith(cause)
  expect(onValue).not.toHaveBeenCalled()
})

test('tells why a promise was rejected', async () => {
  const onError = vi.fn()
  const cause = new Error('broken')

  whenDone(() => Promise.reject(cause), vi.fn(), onError)
  await vi.waitUntil(() => onError.mock.calls.length > 0)

  expect(onError).toHaveBeenCalledExactlyOnceWith(cause)
})

test('awaits a promise that is not of this realm', async () => {
  const onValue = vi.fn()
  const foreign = runInNewContext('Promise.resolve(1)') as Promise<number>

  whenDone(() => foreign, onValue, vi.fn())
  await vi.waitUntil(() => onValue.mock.calls.length > 0)

  expect(foreign).not.toBeInstanceOf(Promise)
  expect(onValue).toHaveBeenCalledExactlyOnceWith(1)
})
