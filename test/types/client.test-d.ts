import { describe, expectTypeOf, test } from 'vitest'
import {
  createClient,
  json,
  memoryStore,
  persistent,
  plain,
  reliable,
  text,
  type Body,
  type Client,
  type ClientOptions,
  type ClientState,
  type Codec,
  type Contract,
  type Delivery,
  type ErrorCode,
  type Gap,
  type HoldfastError,
  type LifecycleEvents,
  type OutboxItem,
  type OutboxStore,
  type Receipt,
  type RequestOptions,
  type Untyped,
} from '../../src/index.js'
import { useConnection, useEvent, usePending } from '../../src/react/hooks.js'

/** As an interface, which has no index signature, and as a type: both must do. */
interface Chat {
  fromServer: { message: { from: string; text: string }; typing: { who: string }; tick: undefined }
  toServer: { message: { text: string }; leave: undefined; rename: string | undefined; any: unknown }
  requests: {
    join: { params: { room: string }; result: { members: string[] } }
    time: { result: number }
    forget: { params: string | undefined }
  }
}

interface FromChat {
  message: { text: string }
}

interface ByInterface {
  fromServer: FromChat
  toServer: FromChat
}

// Never called: what stands here is only compiled.
const chat = null as unknown as Client<Chat>
const untyped = null as unknown as Client
const none = null as Client<Chat> | null | undefined

describe('what the client sends', () => {
  test('takes the events of the contract with their payloads', () => {
    expectTypeOf(chat.send('message', { text: 'hi' })).toEqualTypeOf<Delivery>()
    expectTypeOf(chat.send('message', { text: 'hi' }, { ttlMs: 5, key: 'k', volatile: true })).toEqualTypeOf<Delivery>()
    expectTypeOf(chat.send<'message'>)
      .parameter(0)
      .toEqualTypeOf<'message'>()
  })

  test('refuses anything else', () => {
    // @ts-expect-error there is no such event
    chat.send('massage', { text: 'hi' })
    // @ts-expect-error the server sends it, not the client
    chat.send('typing', { who: 'me' })
    // @ts-expect-error the payload is missing
    chat.send('message')
    // @ts-expect-error a property of the payload is missing
    chat.send('message', {})
    // @ts-expect-error a property has the wrong type
    chat.send('message', { text: 5 })
    // @ts-expect-error a property is one too many
    chat.send('message', { text: 'hi', from: 'me' })
    // @ts-expect-error there is no such option
    chat.send('message', { text: 'hi' }, { ttl: 5 })
    // @ts-expect-error an option has the wrong type
    chat.send('message', { text: 'hi' }, { ttlMs: '5' })
  })

  test('lets the payload be left out only where the contract says undefined', () => {
    chat.send('leave')
    chat.send('leave', undefined, { ttlMs: 5 })
    chat.send('rename')
    chat.send('rename', 'new')
    chat.send('any')
    chat.send('any', Symbol('s'))
    // @ts-expect-error there is nothing to say
    chat.send('leave', 'now')
    // @ts-expect-error not a name
    chat.send('rename', 5)
  })

  test('may be nothing at all', () => {
    const listener = null as unknown as Client<{ fromServer: { m: string } }>
    listener.on('m', (payload) => expectTypeOf(payload).toEqualTypeOf<string>())
    // @ts-expect-error the contract lets the client say nothing
    listener.send('m', 'hi')
  })
})

describe('what the client asks', () => {
  test('takes the requests of the contract with their params, and is answered with their result', () => {
    expectTypeOf(chat.request('join', { room: 'a' })).resolves.toEqualTypeOf<{ members: string[] }>()
    expectTypeOf(chat.request('time')).resolves.toEqualTypeOf<number>()
    expectTypeOf(chat.request('forget')).resolves.toEqualTypeOf<undefined>()
    expectTypeOf(untyped.request('anything', { at: 'all' })).resolves.toEqualTypeOf<unknown>()
  })

  test('takes a time and a signal', () => {
    expectTypeOf<RequestOptions>().toEqualTypeOf<{ timeoutMs?: number; signal?: AbortSignal }>()
    void chat.request('join', { room: 'a' }, { timeoutMs: 5, signal: new AbortController().signal })
    void chat.request('time', undefined, { timeoutMs: Infinity })
    // @ts-expect-error there is no such option
    void chat.request('time', undefined, { timeout: 5 })
  })

  test('refuses anything else', () => {
    // @ts-expect-error there is no such request
    void chat.request('jion', { room: 'a' })
    // @ts-expect-error that is a message, not a request
    void chat.request('message', { text: 'hi' })
    // @ts-expect-error the params are missing
    void chat.request('join')
    // @ts-expect-error a property has the wrong type
    void chat.request('join', { room: 5 })
    // @ts-expect-error there is nothing to say
    void chat.request('time', 'now')
    // @ts-expect-error the contract lets the client ask nothing
    void (null as unknown as Client<ByInterface>).request('join')
  })
})

describe('what the server sends', () => {
  test('reaches listeners with its type', () => {
    chat.on('message', (message) => expectTypeOf(message).toEqualTypeOf<{ from: string; text: string }>())
    chat.once('typing', (typing) => expectTypeOf(typing).toEqualTypeOf<{ who: string }>())
    chat.on('tick', (nothing) => expectTypeOf(nothing).toEqualTypeOf<undefined>())
    expectTypeOf(chat.on('tick', () => {})).toEqualTypeOf<() => void>()
    chat.on('tick', async () => {}, { signal: new AbortController().signal })
  })

  test('can be read in a loop with its type', async () => {
    for await (const message of chat.events('message')) {
      expectTypeOf(message).toEqualTypeOf<{ from: string; text: string }>()
      break
    }
    chat.events('message', { bufferMax: 5, signal: new AbortController().signal })
  })

  test('is refused under any other name or type', () => {
    // @ts-expect-error there is no such event
    chat.on('massage', () => {})
    // @ts-expect-error the client sends it, not the server
    chat.on('leave', () => {})
    // @ts-expect-error the payload is no string
    chat.on('message', (message: string) => message)
    // @ts-expect-error there is no such event
    chat.events('massage')
    // @ts-expect-error there is no such option
    chat.on('message', () => {}, { once: true })
  })
})

describe('contracts', () => {
  test('may be made of interfaces', () => {
    const client = createClient<ByInterface>({ url: 'ws://server/' })
    expectTypeOf(client).toEqualTypeOf<Client<ByInterface>>()
    expectTypeOf<ByInterface>().toExtend<Contract>()
    client.send('message', { text: 'hi' })
    // @ts-expect-error a property of the payload is missing
    client.send('message', {})
  })

  test('may be left out: any event and payload, and unknown on receipt', () => {
    expectTypeOf(createClient({ url: 'ws://server/' })).toEqualTypeOf<Client>()
    expectTypeOf<Untyped['toServer']>().toEqualTypeOf<Record<string, unknown>>()
    untyped.send('anything')
    untyped.send('anything', { at: 'all' }, { ttlMs: 5 })
    untyped.on('anything', (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>())
    // @ts-expect-error a name is a string
    untyped.send(5)
    // @ts-expect-error what comes is not known to have this
    untyped.on('anything', (payload) => payload.text)
  })

  test('must have the right shape', () => {
    // @ts-expect-error events are an object
    createClient<{ fromServer: string }>({ url: 'ws://server/' })
    // @ts-expect-error a contract is an object
    createClient<string>({ url: 'ws://server/' })
  })
})

describe('the state', () => {
  const state = null as unknown as ClientState

  test('has what belongs to its status, and nothing else', () => {
    if (state.status === 'waiting') {
      expectTypeOf(state.retryAt).toEqualTypeOf<number>()
      expectTypeOf(state.error).toEqualTypeOf<HoldfastError>()
    }
    if (state.status === 'closed') expectTypeOf(state.error).toEqualTypeOf<HoldfastError | null>()
    if (state.status === 'connecting') expectTypeOf(state.attempt).toEqualTypeOf<number>()
    if (state.status === 'connected') {
      expectTypeOf(state.connectedAt).toEqualTypeOf<number>()
      // @ts-expect-error a connection that works has no error
      void state.error
    }
    // @ts-expect-error only a client that waits has this
    void state.retryAt
  })

  test('has always what belongs to every status', () => {
    expectTypeOf(state).toExtend<{
      pending: number
      rttMs: number | undefined
      lastReceivedAt: number | undefined
      errorCount: number
      durable: boolean
      storageError: HoldfastError | undefined
    }>()
    expectTypeOf<ClientState['status']>().toEqualTypeOf<
      'idle' | 'connecting' | 'handshaking' | 'connected' | 'waiting' | 'suspended' | 'closed'
    >()
    // @ts-expect-error it is read, not written
    state.pending = 5
  })
})

describe('a delivery', () => {
  const delivery = null as unknown as Delivery

  test('can be read and awaited', () => {
    expectTypeOf(delivery.id).toEqualTypeOf<string>()
    expectTypeOf(delivery.status).toEqualTypeOf<'queued' | 'stored' | 'sent' | 'delivered' | 'failed'>()
    expectTypeOf(delivery.stored).resolves.toEqualTypeOf<void>()
    expectTypeOf(delivery.delivered).resolves.toEqualTypeOf<Receipt>()
    expectTypeOf<Receipt['confirmedBy']>().toEqualTypeOf<'browser' | 'server'>()
    expectTypeOf(delivery.error).toEqualTypeOf<HoldfastError | undefined>()
  })

  test('cannot be changed by whoever holds it', () => {
    // @ts-expect-error it is read, not written
    delivery.status = 'delivered'
    // @ts-expect-error only the outbox settles it
    delivery.deliver({ confirmedBy: 'server' })
  })
})

describe('lifecycle and outbox', () => {
  test('say what they know, typed', () => {
    expectTypeOf<keyof LifecycleEvents>().toEqualTypeOf<
      'state' | 'stored' | 'delivered' | 'failed' | 'session' | 'gap' | 'rtt' | 'error'
    >()
    chat.lifecycle.on('state', (state) => expectTypeOf(state).toEqualTypeOf<ClientState>())
    chat.lifecycle.on('failed', (delivery) => expectTypeOf(delivery).toEqualTypeOf<Delivery>())
    chat.lifecycle.on('session', ({ recovered }) => expectTypeOf(recovered).toEqualTypeOf<boolean>())
    chat.lifecycle.on('gap', (gap) => expectTypeOf(gap).toEqualTypeOf<Gap>())
    chat.lifecycle.once('rtt', (rttMs) => expectTypeOf(rttMs).toEqualTypeOf<number>())
    chat.lifecycle.on('error', ({ code }) => expectTypeOf(code).toEqualTypeOf<ErrorCode>())
    // @ts-expect-error that is an event of the application
    chat.lifecycle.on('message', () => {})
    expectTypeOf(chat.outbox.list()).toEqualTypeOf<OutboxItem[]>()
    expectTypeOf(chat.outbox.remove('id')).toEqualTypeOf<boolean>()
    expectTypeOf(chat.outbox.clear()).toEqualTypeOf<number>()
    expectTypeOf(chat.outbox.failed()).toEqualTypeOf<OutboxItem[]>()
  })

  test('are the useSyncExternalStore pair', () => {
    expectTypeOf(chat.subscribe).toEqualTypeOf<(listener: () => void) => () => void>()
    expectTypeOf(chat.getState).toEqualTypeOf<() => ClientState>()
    expectTypeOf(chat.close({ drainMs: 5 })).resolves.toEqualTypeOf<void>()
  })

  test('every error code is spelled right', () => {
    // @ts-expect-error there is no such code
    const code: ErrorCode = 'UNREACHEABLE'
    void code
  })
})

describe('options', () => {
  test('take every form of url', () => {
    const urls: ClientOptions['url'][] = [
      'wss://server/',
      new URL('wss://server/'),
      () => 'wss://server/',
      async () => new URL('wss://server/'),
      ({ attempt, signal }) => {
        expectTypeOf(attempt).toEqualTypeOf<number>()
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
        return 'wss://server/'
      },
    ]
    void urls
    // @ts-expect-error there must be a url
    createClient({})
    // @ts-expect-error a number is no url
    createClient({ url: 5 })
    // @ts-expect-error nor is a promise: a provider is asked anew each time
    createClient({ url: Promise.resolve('wss://server/') })
  })

  test('take their values, in whole or in part, and no others', () => {
    const url = 'wss://server/'
    createClient({ url, dialect: plain({ codec: text(), ping: 'ping', pong: (frame) => frame === 'pong' }) })
    createClient({ url, outbox: memoryStore(), overflow: 'drop-oldest', outboxMax: { bytes: 5 } })
    createClient({
      url,
      retryDelayMs: { max: 5 },
      heartbeatMs: { interval: 5 },
      shouldReconnect: ({ code }) => code > 1,
    })
    // @ts-expect-error there is no such policy
    createClient({ url, overflow: 'drop' })
    // @ts-expect-error there is no such option
    createClient({ url, retryDelay: 5 })
    // @ts-expect-error it is a group
    createClient({ url, heartbeatMs: 5 })
    // @ts-expect-error there is no such limit
    createClient({ url, outboxMax: { megabytes: 5 } })
  })

  test('take a credential of any kind, and a source that is told of the attempt', () => {
    const url = 'wss://server/'
    const dialect = reliable({ resumeKey: 'chat' })
    createClient({ url, dialect, auth: () => 'token' })
    createClient({ url, dialect, auth: async ({ attempt, signal }) => ({ attempt, isAborted: signal.aborted }) })
    // @ts-expect-error it is asked for anew each time
    createClient({ url, dialect, auth: 'token' })
    // @ts-expect-error a key is text
    reliable({ resumeKey: 5 })
  })

  test('have bytes in a buffer that is not shared, where TypeScript can say so', () => {
    expectTypeOf<Body>().toEqualTypeOf<string | Uint8Array<ArrayBuffer>>()
  })

  test('take stores and codecs of other people', () => {
    const store: OutboxStore = { open() {}, commit: async () => {}, close() {} }
    const codec: Codec = { encode: (event) => event, decode: () => ({ event: 'm', data: 1 }) }
    createClient({ url: 'wss://server/', outbox: persistent(store), dialect: plain({ codec }) })
    expectTypeOf(json()).toEqualTypeOf<Codec>()
    // @ts-expect-error a codec reads as well as it writes
    plain({ codec: { encode: (event: string) => event } })
  })
})

describe('hooks', () => {
  test('know the contract of their client', () => {
    expectTypeOf(useConnection(chat)).toEqualTypeOf<ClientState>()
    expectTypeOf(useConnection(chat, ({ status }) => status === 'connected')).toEqualTypeOf<boolean>()
    expectTypeOf(useConnection(none)).toEqualTypeOf<ClientState>()
    expectTypeOf(usePending(untyped)).toEqualTypeOf<number>()
    expectTypeOf(usePending(none)).toEqualTypeOf<number>()
    useEvent(none, 'message', (message) => expectTypeOf(message).toEqualTypeOf<{ from: string; text: string }>())
    useEvent(chat, 'message', (message) => expectTypeOf(message).toEqualTypeOf<{ from: string; text: string }>())
    useEvent(untyped, 'anything', (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>())
    // @ts-expect-error there is no such event
    useEvent(chat, 'massage', () => {})
    // @ts-expect-error the payload is no string
    useEvent(chat, 'message', (message: string) => message)
  })
})
