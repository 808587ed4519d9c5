import { afterEach, describe, expect, test, vi } from 'vitest'
import { watchSignals, type Signal } from '../../../src/platform/page-lifecycle.js'

afterEach(() => vi.unstubAllGlobals())

/** Node's class calls listeners in the order of their binding; a browser's those that capture first. Source: DOM Standard, "dispatch". */
class PageTarget extends EventTarget {
  readonly #first = new EventTarget()

  override addEventListener(...[type, listener, options]: Parameters<EventTarget['addEventListener']>): void {
    if (options === true) this.#first.addEventListener(type, listener)
    else super.addEventListener(type, listener, options)
  }

  override removeEventListener(...[type, listener, options]: Parameters<EventTarget['removeEventListener']>): void {
    if (options === true) this.#first.removeEventListener(type, listener)
    else super.removeEventListener(type, listener)
  }

  override dispatchEvent(event: Event): boolean {
    // An event of Node is dispatched once.
    this.#first.dispatchEvent(Object.assign(new Event(event.type), event))
    return super.dispatchEvent(event)
  }
}

/** A page, as far as signals know one. */
function setUp(more = {}) {
  const page = new PageTarget()
  const document = Object.assign(new PageTarget(), { hidden: false, ...more })
  const counts = new Map<string, number>()
  for (const target of [page, document]) {
    const add = target.addEventListener.bind(target)
    const remove = target.removeEventListener.bind(target)
    target.addEventListener = (...given: Parameters<typeof add>) => {
      counts.set(given[0], (counts.get(given[0]) ?? 0) + 1)
      add(...given)
    }
    target.removeEventListener = (...given: Parameters<typeof remove>) => {
      counts.set(given[0], (counts.get(given[0]) ?? 0) - 1)
      remove(...given)
    }
  }
  vi.stubGlobal('document', document)
  vi.stubGlobal('addEventListener', page.addEventListener)
  vi.stubGlobal('removeEventListener', page.removeEventListener)
  const signals: Signal[] = []
  const unwatch = watchSignals((signal) => signals.push(signal))
  return {
    signals,
    unwatch,
    page,
    document,
    counts,
    onPage: (type: string, extra = {}) => page.dispatchEvent(Object.assign(new Event(type), extra)),
    onDocument: (type: string) => document.dispatchEvent(new Event(type)),
  }
}

describe('watchSignals', () => {
  test('takes online for a wake and offline for a doubt', () => {
    const { onPage, signals } = setUp()
    onPage('online')
    onPage('offline')

    expect(signals).toEqual(['wake', 'doubt'])
  })

  test('tells when the page goes out of view, and wakes when it comes back', () => {
    const { onDocument, document, signals } = setUp()
    document.hidden = true
    onDocument('visibilitychange')
    document.hidden = false
    onDocument('visibilitychange')

    expect(signals).toEqual(['hide', 'wake'])
  })

  test('tells a page that goes into the back/forward cache, and comes back, from one that ends', () => {
    const { onPage, signals } = setUp()
    onPage('pageshow', { persisted: false })
    onPage('pagehide', { persisted: false })
    onPage('pagehide', { persisted: true })
    onPage('pageshow', { persisted: true })

    expect(signals).toEqual(['part', 'leave', 'part', 'suspend', 'resume'])
  })

  test('speaks first and last of all that hear the page end, whenever they were bound', () => {
    const { page, onPage, signals } = setUp()
    page.addEventListener('pagehide', () => void signals.push('hide'))
    onPage('pagehide', { persisted: true })
    onPage('pagehide', { persisted: true })

    expect(signals).toEqual(['part', 'hide', 'suspend', 'part', 'hide', 'suspend'])
  })

  test('says nothing more when the last of them calls it off', () => {
    const { page, onPage, unwatch, signals } = setUp()
    page.addEventListener('pagehide', unwatch)
    onPage('pagehide', { persisted: true })

    expect(signals).toEqual(['part'])
  })

  test('suspends and resumes with a freeze', () => {
    const { onDocument, signals } = setUp()
    onDocument('freeze')
    onDocument('resume')

    expect(signals).toEqual(['suspend', 'resume'])
  })

  test('is suspended while the browser makes it ready for a user, and resumes when one comes', async () => {
    const { onDocument, signals } = setUp({ prerendering: true })
    const before = [...signals]
    await Promise.resolve()
    onDocument('prerenderingchange')

    expect(before).toEqual([])
    expect(signals).toEqual(['suspend', 'resume'])
  })

  test('hears nothing more, and leaves nothing bound, once it is called off', () => {
    const { onPage, onDocument, unwatch, signals, counts } = setUp()
    const bound = [...counts.values()].reduce((sum, count) => sum + count, 0)
    unwatch()
    onPage('online')
    onPage('pagehide', { persisted: true })
    onDocument('freeze')
    onDocument('visibilitychange')

    expect(bound).toBeGreaterThan(0)
    expect([...counts.values()].every((count) => count <= 0)).toBe(true)
    expect(signals).toEqual([])
  })

  test('is content without a page', () => {
    vi.stubGlobal('document', undefined)
    vi.stubGlobal('addEventListener', undefined)
    vi.stubGlobal('removeEventListener', undefined)

    const unwatch = watchSignals(() => {})

    expect(unwatch).not.toThrow()
  })
})
