import { afterEach, describe, expect, test, vi } from 'vitest'
import { ABNORMAL, closeEvent, createHandlers } from '../../../src/websocket/events.js'

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('closeEvent', () => {
  test('is an Event with the attributes of a CloseEvent where there is no such class', () => {
    vi.stubGlobal('CloseEvent', undefined)

    const event = closeEvent(ABNORMAL)

    expect(event).toBeInstanceOf(Event)
    expect(event).toMatchObject({ type: 'close', code: 1006, reason: '', wasClean: false })
  })

  test('is a real one where there is', () => {
    class Real extends Event {
      constructor(
        type: string,
        readonly init: CloseEventInit,
      ) {
        super(type)
      }
    }
    vi.stubGlobal('CloseEvent', Real)

    expect(closeEvent({ code: 4000, reason: 'bye', wasClean: true })).toMatchObject({
      type: 'close',
      init: { code: 4000, reason: 'bye', wasClean: true },
    })
    expect(closeEvent(ABNORMAL)).toBeInstanceOf(Real)
  })
})

describe('handlers', () => {
  function setUp() {
    const target = new EventTarget()
    const handlers = createHandlers(target)
    const calls: string[] = []
    const note = (name: string) => () => void calls.push(name)
    const fire = () => {
      calls.length = 0
      target.dispatchEvent(new Event('open'))
      return calls
    }
    return { target, handlers, note, fire }
  }

  test('are null at first, and what they were set to later', () => {
    const { handlers, note } = setUp()
    const handler = note('a')
    const before = handlers.get('open')
    handlers.set('open', handler)

    expect([before, handlers.get('open')]).toEqual([null, handler])
  })

  test('are called with the target for this, and the event', () => {
    const { target, handlers } = setUp()
    const seen: unknown[] = []
    handlers.set('open', function (this: unknown, event: Event) {
      seen.push(this, event.type)
    })
    target.dispatchEvent(new Event('open'))

    expect(seen).toEqual([target, 'open'])
  })

  test('have the turn of the first one that was set, until it is null', () => {
    const { target, handlers, note, fire } = setUp()
    handlers.set('open', note('handler'))
    target.addEventListener('open', note('listener'))
    const first = [...fire()]
    handlers.set('open', note('another'))
    const second = [...fire()]
    handlers.set('open', null)
    const third = [...fire()]
    handlers.set('open', note('last'))

    expect([first, second, third, [...fire()]]).toEqual([
      ['handler', 'listener'],
      ['another', 'listener'],
      ['listener'],
      ['listener', 'last'],
    ])
  })

  test.each([null, undefined, 5, 'function', true, Symbol('a')])('become null when set to %s', (value) => {
    const { handlers, note, fire } = setUp()
    handlers.set('open', note('a'))
    handlers.set('open', value)

    expect([handlers.get('open'), fire()]).toEqual([null, []])
  })

  test('keep an object, which is not called', () => {
    const { handlers, fire } = setUp()
    const object = { handleEvent: () => expect.unreachable() }
    handlers.set('open', object)

    expect([handlers.get('open'), fire()]).toEqual([object, []])
  })
})
