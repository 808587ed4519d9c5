import { expectTypeOf, test } from 'vitest'
import { createClient } from '../../src/index.js'
import { createServer, type Identity, type Session, type UpgradeRequest } from '../../src/server.js'

interface Chat {
  fromServer: { message: { text: string } }
  toServer: { message: { text: string } }
  requests: { join: { params: { room: string }; result: { members: string[] } } }
  asks: { confirm: { params: { text: string }; result: boolean }; version: { params: undefined; result: string } }
}

interface Account {
  readonly user: string
  readonly role: 'admin' | 'guest'
}

const account = (): Account | null => null

test('what authenticate returns is what a session is', () => {
  createServer({ authenticate: account }).on('session', (session) => {
    expectTypeOf(session.identity).toEqualTypeOf<Readonly<Account>>()
  })
  createServer({ authenticate: async () => ({ user: 'ann', age: 7 }) }).on('session', ({ identity }) => {
    expectTypeOf(identity).toEqualTypeOf<Readonly<{ user: string; age: number }>>()
  })
})

test('a contract goes with it', () => {
  createServer<Chat, Account>({ authenticate: account }).on('session', (session) => {
    expectTypeOf(session).toEqualTypeOf<Session<Chat, Account>>()
    expectTypeOf(session.identity.role).toEqualTypeOf<'admin' | 'guest'>()
    session.send('message', { text: session.identity.role })
  })
  createServer<Chat>({ authenticate: account }).on('session', ({ identity }) => {
    expectTypeOf(identity).toEqualTypeOf<Readonly<Identity>>()
  })
})

test('asks are typed on both sides', () => {
  createServer<Chat>().on('session', async (session) => {
    expectTypeOf(await session.ask('confirm', { text: 'sure?' }, { timeoutMs: 5_000 })).toEqualTypeOf<boolean>()
    expectTypeOf(await session.ask('version')).toEqualTypeOf<string>()
    // @ts-expect-error there is no such ask
    await session.ask('join', { room: 'a' })
    // @ts-expect-error its params are others
    await session.ask('confirm', { txt: 'sure?' })
  })
  const client = createClient<Chat>({ url: 'wss://example.com/live' })
  client.handle('confirm', ({ text }) => text === 'sure?')
  client.handle('version', async () => '1')
  // @ts-expect-error the answer is of another type
  client.handle('confirm', () => 'yes')
  // @ts-expect-error that is an event
  client.handle('message', () => true)
  // @ts-expect-error that is an ask
  client.on('confirm', () => true)
})

test('a user is needed', () => {
  // @ts-expect-error there is no user in it
  createServer({ authenticate: () => ({ name: 'ann' }) })
  // @ts-expect-error its name is no text
  createServer({ authenticate: () => ({ user: 7 }) })
})

test('a session of somebody is a session', () => {
  expectTypeOf<Session<Chat, Account>>().toExtend<Session<Chat>>()
})

test('a request cannot be changed', () => {
  const change = (request: UpgradeRequest): void => {
    // @ts-expect-error it is frozen
    request.cookies['sid'] = '1'
    // @ts-expect-error it is frozen
    request.address = '127.0.0.1'
  }
  expectTypeOf(change).toBeFunction()
})
