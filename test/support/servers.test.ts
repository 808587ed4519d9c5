import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nextClose, nextMessage, openClient } from './clients.js'
import { createRecordingServer, type RecordingServer } from './servers.js'

let server: RecordingServer

beforeEach(async () => {
  server = await createRecordingServer()
})

afterEach(async () => {
  await server.stop()
})

test('records each message with its connection', async () => {
  const first = await openClient(server.url)
  const second = await openClient(server.url)

  first.client.send('a')
  await server.when(({ messages }) => messages.length === 1)
  second.client.send(Buffer.from('b'))
  await server.when(({ messages }) => messages.length === 2)

  expect(server.messages).toEqual([
    { connection: 1, text: 'a', isBinary: false, at: expect.any(Number) },
    { connection: 2, text: 'b', isBinary: true, at: expect.any(Number) },
  ])
})

test('echoes when told so, and not before', async () => {
  const { client } = await openClient(server.url)

  client.send('unanswered')
  await server.when(({ messages }) => messages.length === 1)
  server.isEchoing = true
  client.send('answered')

  expect(await nextMessage(client)).toBe('answered')
})

test('sends to every client', async () => {
  const first = await openClient(server.url)
  const second = await openClient(server.url)
  const received = Promise.all([nextMessage(first.client), nextMessage(second.client)])

  server.send('news')

  expect(await received).toEqual(['news', 'news'])
})

test('closes with a code and a reason', async () => {
  const { client } = await openClient(server.url)
  const closed = nextClose(client)

  server.disconnect(4401, 'log in again')

  expect(await closed).toEqual({ closeCode: 4401, reason: 'log in again' })
  await server.when(({ liveConnections }) => liveConnections === 0)
})

test('drops connections without a close frame', async () => {
  const { client } = await openClient(server.url)
  const closed = nextClose(client)

  server.terminate()

  expect(await closed).toMatchObject({ closeCode: 1006 })
})

test('reads nothing while it is paused, also from who comes later', async () => {
  const { client } = await openClient(server.url)
  server.pause()
  const { client: late } = await openClient(server.url)

  client.send('held')
  late.send('held too')
  // Another client's whole handshake, after which an unpaused server would have read both.
  await openClient(server.url)
  const whilePaused = server.messages.length
  server.resume()
  await server.when(({ messages }) => messages.length === 2)

  expect(whilePaused).toBe(0)
})

test('refuses when stopped, and comes back on the same port with its memory', async () => {
  const before = await openClient(server.url)
  before.client.send('before')
  await server.when(({ messages }) => messages.length === 1)
  const closed = nextClose(before.client)

  await server.stop()
  await expect(openClient(server.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await server.start()
  const after = await openClient(server.url)
  after.client.send('after')
  await server.when(({ messages }) => messages.length === 2)

  expect(await closed).toMatchObject({ closeCode: 1006 })
  expect(server.messages.map(({ connection, text }) => [connection, text])).toEqual([
    [1, 'before'],
    [2, 'after'],
  ])
  expect([server.acceptedConnections, server.liveConnections]).toEqual([2, 1])
})

test('stops although somebody has connected and said nothing', async () => {
  const socket = connect(server.port, '127.0.0.1').resume()
  const gone = once(socket, 'close')
  await once(socket, 'connect')

  await server.stop()

  await gone
  expect(server.acceptedConnections).toBe(0)
})
