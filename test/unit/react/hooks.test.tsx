// @vitest-environment happy-dom
import { act, StrictMode, useEffect, useState, type ReactNode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import type { ClientState } from '../../../src/client/snapshot.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import { text } from '../../../src/protocol/codec.js'
import { useConnection, useEvent, usePending } from '../../../src/react/hooks.js'
import { createFakePlatform } from '../../support/fake-platform.js'

declare global {
  // oxlint-disable-next-line no-var -- only a var is a property of globalThis
  var IS_REACT_ACT_ENVIRONMENT: boolean
}

let root: Root | undefined

beforeEach(() => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true
  document.body.innerHTML = '<main></main>'
})

afterEach(async () => {
  await act(async () => root?.unmount())
  root = undefined
})

const main = (): Element => document.querySelector('main')!

function setUp() {
  const platform = createFakePlatform()
  const client = createClient({ url: 'ws://server/', platform, dialect: plain({ codec: text() }) })
  return {
    client,
    platform,
    async render(node: ReactNode): Promise<void> {
      root ??= createRoot(main())
      await act(async () => root?.render(<StrictMode>{node}</StrictMode>))
    },
    shown: () => main().textContent,
    async connect(): Promise<void> {
      await act(async () => {
        client.connect()
        await platform.settle()
        platform.link.accept()
      })
    },
    act: (work: () => unknown) =>
      act(async () => {
        work()
        await platform.settle()
      }),
  }
}

describe('useConnection', () => {
  test('shows the state, and follows it', async () => {
    const { client, render, shown, connect, act: perform } = setUp()
    function Status() {
      const { status, pending } = useConnection(client)
      return `${status} ${pending}`
    }
    await render(<Status />)
    const first = shown()
    await connect()
    const second = shown()
    await perform(() => client.close())

    expect([first, second, shown()]).toEqual(['idle 0', 'connected 0', 'closed 0'])
  })

  test('shows two components the same state in every render', async () => {
    const { client, render, connect, act: perform } = setUp()
    const renders: string[][] = []
    function useSeen() {
      const { status, pending } = useConnection(client)
      return `${status} ${pending}`
    }
    function Left({ seen }: { seen: string[] }) {
      seen.push(useSeen())
      return null
    }
    function Both() {
      const seen = [useSeen()]
      renders.push(seen)
      return (
        <>
          <Left seen={seen} />
          <Left seen={seen} />
        </>
      )
    }
    await render(<Both />)
    await connect()
    await perform(() => client.send('message', 'a'))

    expect(renders.filter((seen) => seen.length > 2).length).toBeGreaterThan(1)
    expect(renders.filter((seen) => new Set(seen).size > 1)).toEqual([])
  })

  test('opens nothing by itself, not even under StrictMode', async () => {
    const { client, platform, render } = setUp()
    const Status = () => useConnection(client).status
    await render(<Status />)

    expect(platform.links).toEqual([])
    expect(platform.clock.timers).toBe(0)
    expect(platform.watchers).toBe(0)
  })

  test('hears nothing more once it is unmounted', async () => {
    const { client, render, connect } = setUp()
    let renders = 0
    function Status() {
      renders++
      return useConnection(client).status
    }
    await render(<Status />)
    await render(null)
    const before = renders
    await connect()

    expect(renders).toBe(before)
  })

  test('renders again only for what was read', async () => {
    const { client, platform, render, shown, connect, act: perform } = setUp()
    let renders = 0
    function Status() {
      renders++
      return useConnection(client).status
    }
    await render(<Status />)
    await connect()
    const connected = renders
    await perform(() => platform.link.deliver('hello'))
    await perform(() => platform.link.hold())
    await perform(() => client.send('message', 'a'))
    const quiet = renders
    await perform(() => platform.link.close())

    expect(quiet).toBe(connected)
    expect(shown()).toBe('waiting')
  })

  test('shows at once what is read for the first time, and follows it', async () => {
    const { client, platform, render, shown, connect, act: perform } = setUp()
    function Status({ isLong = false }) {
      const state = useConnection(client)
      return isLong ? `${state.status} ${state.pending}` : state.status
    }
    await render(<Status />)
    await connect()
    await perform(() => platform.link.hold())
    await perform(() => client.send('message', 'a'))
    await render(<Status isLong />)
    const long = shown()
    await perform(() => client.send('message', 'b'))

    expect([long, shown()]).toEqual(['connected 1', 'connected 2'])
  })

  test('keeps what a render has seen, for who looks back', async () => {
    const { client, render, connect } = setUp()
    const states: ClientState[] = []
    function Status() {
      const state = useConnection(client)
      const { status } = state
      useEffect(() => void states.push(state), [state])
      return status
    }
    await render(<Status />)
    await connect()

    expect([...new Set(states)].map(({ status }) => status)).toEqual(['idle', 'connecting', 'connected'])
  })

  test.each<[string, (state: ClientState) => unknown]>([
    ['is copied', (state) => ({ ...state })],
    ['is searched', (state) => 'pending' in state],
    ['is written down', (state) => JSON.stringify(state)],
  ])('follows all of a state that %s', async (_, look) => {
    const { client, render, connect, act: perform } = setUp()
    const seen: unknown[] = []
    function Whole() {
      seen.push(look(useConnection(client)))
      return null
    }
    await render(<Whole />)
    await connect()
    const before = seen.length
    await perform(() => client.send('message', 'a'))

    expect(seen.length).toBeGreaterThan(before)
    expect(seen.at(-1)).toEqual(look(client.getState()))
  })

  test('with a selection renders again only when that changes', async () => {
    const { client, platform, render, shown, connect, act: perform } = setUp()
    let renders = 0
    function Status() {
      renders++
      return useConnection(client, ({ status }) => status === 'connected') ? 'on' : 'off'
    }
    await render(<Status />)
    const first = shown()
    await connect()
    const connected = renders
    await perform(() => platform.link.hold())
    await perform(() => client.send('message', 'a'))

    expect([first, shown(), renders]).toEqual(['off', 'on', connected])
  })

  test('with a selection sees the props of the last render, and may get a new object', async () => {
    const { client, render, shown, connect } = setUp()
    function Status({ name }: { name: string }) {
      const { label } = useConnection(client, ({ status }) => ({ label: `${name} ${status}` }))
      return label
    }
    await render(<Status name="first" />)
    await connect()
    const before = shown()
    await render(<Status name="second" />)

    expect([before, shown()]).toEqual(['first connected', 'second connected'])
  })

  test('takes no client at all, and one that comes later', async () => {
    const { client, render, shown, connect } = setUp()
    interface Given {
      given: typeof client | null | undefined
    }
    function Status({ given }: Given) {
      const { status } = useConnection(given)
      const isIdle = useConnection(given, (state) => state.status === 'idle')
      useEvent(given, 'message', () => {})
      return `${status} ${isIdle} ${usePending(given)}`
    }
    const html = renderToString(<Status given={null} />)
    await render(<Status given={undefined} />)
    const without = shown()
    await connect()
    await render(<Status given={client} />)
    const late = shown()
    await render(<Status given={null} />)

    expect([html, without, late, shown()]).toEqual(['idle true 0', 'idle true 0', 'connected false 0', 'idle true 0'])
  })

  test('lets a child send in its effects, which run before and after those that connect and close', async () => {
    const { client, platform, render, act: perform } = setUp()
    function Child() {
      useEffect(() => {
        client.send('message', 'join')
        return () => void client.send('message', 'leave')
      }, [])
      return null
    }
    function App() {
      useEffect(() => {
        client.connect()
        return () => void client.close()
      }, [])
      return <Child />
    }
    await render(<App />)
    await perform(() => platform.link.accept())
    const mounted = [...platform.link.received]
    await render(null)
    await render(<App />)
    await perform(() => platform.link.accept())

    expect(mounted).toEqual(['join', 'leave', 'join'])
    expect(platform.link.received).toEqual(['leave', 'join', 'leave', 'join'])
  })

  test('renders on a server what the browser then takes over', async () => {
    const { client, connect } = setUp()
    const Status = () => <p>{useConnection(client).status}</p>
    await connect()
    const errors: unknown[] = []

    main().innerHTML = renderToString(<Status />)
    const html = main().innerHTML
    await act(async () => {
      root = hydrateRoot(main(), <Status />, { onRecoverableError: (error) => errors.push(error) })
    })

    expect(html).toBe('<p>idle</p>')
    expect(errors).toEqual([])
    expect(main().innerHTML).toBe('<p>connected</p>')
  })
})

describe('usePending', () => {
  test('renders again only when the number changes', async () => {
    const { client, platform, render, shown, connect, act: perform } = setUp()
    let renders = 0
    function Pending() {
      renders++
      return `${usePending(client)}`
    }
    await render(<Pending />)
    const mounted = renders
    await connect()
    await perform(() => platform.link.deliver('hello'))
    const quiet = renders
    await perform(() => {
      platform.link.hold()
      client.send('message', 'a')
      client.send('message', 'b')
    })

    expect(quiet).toBe(mounted)
    expect(renders).toBeGreaterThan(quiet)
    expect(shown()).toBe('2')
  })

  test('is none on a server', () => {
    const { client } = setUp()
    client.send('message', 'a')
    const Pending = () => `${usePending(client)}`

    expect(renderToString(<Pending />)).toBe('0')
  })
})

describe('useEvent', () => {
  test('calls once for each event, however they come', async () => {
    const { client, platform, render, connect, act: perform } = setUp()
    const seen: unknown[] = []
    function Ears() {
      useEvent(client, 'message', (payload) => seen.push(payload))
      return null
    }
    await render(<Ears />)
    await connect()
    await perform(() => ['a', 'b', 'c'].forEach((frame) => platform.link.deliver(frame)))

    expect(seen).toEqual(['a', 'b', 'c'])
  })

  test('sees the props and the state of the last render', async () => {
    const { client, platform, render, connect, act: perform } = setUp()
    const seen: string[] = []
    function Ears({ name }: { name: string }) {
      const [count, setCount] = useState(0)
      useEvent(client, 'message', (payload) => seen.push(`${name} ${count} ${String(payload)}`))
      return <button onClick={() => setCount(count + 1)} />
    }
    await render(<Ears name="first" />)
    await connect()
    await perform(() => platform.link.deliver('a'))
    await render(<Ears name="second" />)
    await act(async () => document.querySelector('button')?.click())
    await perform(() => platform.link.deliver('b'))

    expect(seen).toEqual(['first 0 a', 'second 1 b'])
  })

  test('binds once, and not anew at every render', async () => {
    const { client, render } = setUp()
    const on = vi.spyOn(client, 'on')
    function Ears({ listener }: { listener: () => void }) {
      useEvent(client, 'message', listener)
      return null
    }
    await render(<Ears listener={() => {}} />)
    const mounted = on.mock.calls.length
    await render(<Ears listener={() => {}} />)
    await render(<Ears listener={() => {}} />)

    expect(on).toHaveBeenCalledTimes(mounted)
  })

  test('follows to another event and another client, and lets go of the old', async () => {
    const first = setUp()
    const second = setUp()
    const seen: unknown[] = []
    function Ears({ client }: { client: typeof first.client }) {
      useEvent(client, 'message', (payload) => seen.push(payload))
      return null
    }
    await first.render(<Ears client={first.client} />)
    await first.connect()
    await second.connect()
    await first.render(<Ears client={second.client} />)
    await first.act(() => first.platform.link.deliver('to the first'))
    await first.act(() => second.platform.link.deliver('to the second'))
    await first.render(null)
    await first.act(() => second.platform.link.deliver('too late'))

    expect(seen).toEqual(['to the second'])
  })
})
