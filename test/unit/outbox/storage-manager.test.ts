import { afterEach, expect, test, vi } from 'vitest'
import { estimateStorage, persistStorage } from '../../../src/outbox/stores/storage-manager.js'

afterEach(() => vi.unstubAllGlobals())

const browserWith = (storage: object | undefined): void => void vi.stubGlobal('navigator', { storage })

test('says how much the site holds and may hold, and whether it may be taken away', async () => {
  browserWith({ estimate: async () => ({ usage: 5, quota: 10 }), persisted: async () => true })

  expect(await estimateStorage()).toEqual({ usageBytes: 5, quotaBytes: 10, isPersistent: true })
})

test.each([
  [undefined],
  [{}],
  [{ estimate: async () => Promise.reject(new Error('no')), persist: async () => Promise.reject(new Error('no')) }],
])('says nothing, and throws nothing, where the browser does not: %o', async (storage) => {
  browserWith(storage)

  expect(await estimateStorage()).toEqual({ usageBytes: undefined, quotaBytes: undefined, isPersistent: undefined })
  expect(await persistStorage()).toBe(false)
})

test('asks the browser to keep what is stored', async () => {
  const persist = vi.fn(async () => true)
  browserWith({ persist })

  expect(await persistStorage()).toBe(true)
  expect(persist).toHaveBeenCalledTimes(1)
})
