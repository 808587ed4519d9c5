import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemPlatform } from '../../../src/platform/platform.js'
import { sessionNotes } from '../../../src/platform/session-notes.js'
import type { TransportListener, WebSocketClass } from '../../../src/platform/transport.js'

const DEAF: TransportListener = { opened() {}, frame() {}, closed() {}, blocked() {} }

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('systemPlatform', () => {
  test('touches no global when it is made', () => {
    for (const name of ['performance', 'crypto', 'WebSocket', 'location', 'document']) {
      vi.stubGlobal(name, undefined)
    }

    expect(() => systemPlatform()).not.toThrow()
  })

  test('has a monotonic clock and one on the wall', () => {
    const platform = systemPlatform()
    const readings = Array.from({ length: 100 }, () => platform.now())

    expect(readings).toEqual([...readings].sort((a, b) => a - b))
    expect(Math.abs(platform.wallNow() - Date.now())).toBeLessThan(1_000)
  })

  test('draws from zero up to one', () => {
    const platform = systemPlatform()
    const draws = Array.from({ length: 1_000 }, () => platform.random())

    expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true)
    expect(new Set(draws).size).toBeGreaterThan(990)
  })

  test('makes ids of 128 random bits that need no escaping anywhere', () => {
    const platform = systemPlatform()
    const ids = Array.from({ length: 1_000 }, () => platform.createId())

    expect(ids.every((id) => /^[\w-]{22}$/.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(1_000)
    expect(new Set(ids.flatMap((id) => id.slice(0, 21).split(''))).size).toBe(64)
  })

  test('rings once, and not when it is called off', () => {
    vi.useFakeTimers()
    const rings: string[] = []
    const platform = systemPlatform()
    platform.setTimer(() => rings.push('a'), 100)
    platform.setTimer(() => rings.push('b'), 50)()
    vi.advanceTimersByTime(99)
    const early = [...rings]
    vi.advanceTimersByTime(1_000)

    expect(early).toEqual([])
    expect(rings).toEqual(['a'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('never rings at once for a delay that is too long for a timer, and does for one that is past', () => {
    vi.useFakeTimers()
    const rings: string[] = []
    const platform = systemPlatform()
    const cancel = platform.setTimer(() => rings.push('long'), 2 ** 40)
    platform.setTimer(() => rings.push('past'), -5)
    vi.advanceTimersByTime(1_000_000)
    cancel()

    expect(rings).toEqual(['past'])
  })

  test('knows the page it is on, if there is one', () => {
    const platform = systemPlatform()
    const none = platform.pageUrl
    vi.stubGlobal('location', { href: 'https://page.example/app' })

    expect(none).toBeUndefined()
    expect(platform.pageUrl).toBe('https://page.example/app')
  })

  test('knows where the page says that its URLs begin', () => {
    const platform = systemPlatform()
    vi.stubGlobal('location', { href: 'https://page.example/app' })
    vi.stubGlobal('document', { baseURI: 'https://base.example/' })

    expect(platform.pageUrl).toBe('https://base.example/')
  })

  test('says what to do where there is no WebSocket', () => {
    vi.stubGlobal('WebSocket', undefined)

    expect(() => systemPlatform().createTransport(DEAF)).toThrow(/pass one as options\.WebSocket/)
  })

  test('takes the class that it is given, else the global one', async () => {
    const made: string[] = []
    const fake = (name: string): WebSocketClass =>
      function () {
        made.push(name)
        return Object.assign(new EventTarget(), { readyState: 0, close() {}, bufferedAmount: 0 })
      } as unknown as WebSocketClass
    vi.useFakeTimers()
    vi.stubGlobal('WebSocket', fake('global'))
    systemPlatform().createTransport(DEAF).open('ws://server/', [])
    await vi.advanceTimersByTimeAsync(10)
    systemPlatform(fake('given')).createTransport(DEAF).open('ws://server/', [])
    await vi.advanceTimersByTimeAsync(10)

    expect(made).toEqual(['global', 'given'])
  })

  test('leaves notes for the next page of the tab, which are gone once they are taken up', () => {
    const notes = new Map<string, string>()
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => notes.get(key) ?? null,
      setItem: (key: string, note: string) => void notes.set(key, note),
      removeItem: (key: string) => void notes.delete(key),
    })
    sessionNotes.keep('chat', 'a note')
    const keys = [...notes.keys()]
    const next = sessionNotes

    expect(keys).toEqual(['holdfast:chat'])
    expect([next.recall('chat'), next.recall('chat'), next.recall('news')]).toEqual(['a note', undefined, undefined])
  })

  test.each([
    ['is none', undefined],
    [
      'is forbidden',
      {
        getItem() {
          throw new Error('SecurityError')
        },
        setItem() {
          throw new Error('QuotaExceededError')
        },
      },
    ],
  ])('leaves and finds no notes where the storage %s', (_, storage) => {
    vi.stubGlobal('sessionStorage', storage)
    const platform = sessionNotes

    expect(() => platform.keep('chat', 'a note')).not.toThrow()
    expect(platform.recall('chat')).toBeUndefined()
  })

  test('throws an error that nobody listens for where the surroundings see it', async () => {
    const error = new Error('nobody listened')
    const thrown: unknown[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => {
      try {
        task()
      } catch (caught) {
        thrown.push(caught)
      }
    })
    systemPlatform().throwLater(error)
    await Promise.resolve()

    expect(thrown).toEqual([error])
  })

  test('watches for signals until it is called off', () => {
    const target = new EventTarget()
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target))
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target))
    const signals: string[] = []
    const unwatch = systemPlatform().watchSignals((signal) => signals.push(signal))
    target.dispatchEvent(new Event('online'))
    unwatch()
    target.dispatchEvent(new Event('online'))

    expect(signals).toEqual(['wake'])
  })
})
