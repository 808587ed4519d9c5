import { afterEach, describe, expect, test, vi } from 'vitest'
import { warnBeforeUnload } from '../../../src/client/warn-before-unload.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { setUp } from '../../support/client-stage.js'
import { createFakeStore } from '../../support/fake-store.js'

afterEach(() => vi.unstubAllGlobals())

/** A page that counts who wants to be asked, and whether a browser would ask. */
function setPage() {
  const page = new EventTarget()
  let bound = 0
  vi.stubGlobal('addEventListener', (type: string, listener: (event: Event) => void) => {
    bound++
    page.addEventListener(type, listener)
  })
  vi.stubGlobal('removeEventListener', (type: string, listener: (event: Event) => void) => {
    bound--
    page.removeEventListener(type, listener)
  })
  return {
    bound: () => bound,
    isAsked() {
      const event = Object.defineProperty(new Event('beforeunload', { cancelable: true }), 'returnValue', {
        writable: true,
        value: '',
      })
      return !page.dispatchEvent(event)
    },
  }
}

describe('warnBeforeUnload', () => {
  test('asks while something is pending in memory, and binds no listener at any other time', async () => {
    const page = setPage()
    const { client, platform, connect, send } = setUp()
    const stop = warnBeforeUnload(client)
    const before = page.isAsked()
    send('a')
    await platform.settle()
    const queued = page.isAsked()
    await connect()
    await platform.advance(100)

    expect([before, queued, page.isAsked()]).toEqual([false, true, false])
    expect(page.bound()).toBe(0)
    stop()
  })

  test('asks about what was pending before, until it is stopped', () => {
    const page = setPage()
    const { client, send } = setUp()
    send('a')
    const stop = warnBeforeUnload(client)
    const asked = page.isAsked()
    stop()
    stop()

    expect(asked).toBe(true)
    expect(page.isAsked()).toBe(false)
    expect(page.bound()).toBe(0)
  })

  test('does not ask while a store keeps what is pending, and asks once it takes nothing', async () => {
    const page = setPage()
    const store = createFakeStore({ isAsync: true })
    const { client, platform, send } = setUp({ outbox: persistent(store) })
    warnBeforeUnload(client)
    send('a')
    await platform.settle()
    const stored = page.isAsked()
    store.failCommits(new Error('disk'))
    send('b')
    await platform.settle()

    expect(stored).toBe(false)
    expect(page.isAsked()).toBe(true)
  })

  test('does nothing where there is no page, as in a worker or in Node', () => {
    const { client, send } = setUp()
    send('a')
    vi.stubGlobal('addEventListener', undefined)
    vi.stubGlobal('removeEventListener', undefined)
    const stop = warnBeforeUnload(client)

    expect(stop).not.toThrow()
  })
})
