import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { deflateOptions, freeBetweenMessages } from '../../../src/server/http/compression.js'
import { nextMessage, openClient } from '../../support/clients.js'

const cleanups: (() => unknown)[] = []

afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp()
})

/** Both ends of one connection, compressed as our servers do it. */
async function connect(perMessageDeflate = true): Promise<{ client: WebSocket; atServer: WebSocket }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: deflateOptions(true) })
  cleanups.push(() => server.close())
  const connected = once(server, 'connection')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { client } = await openClient(`ws://127.0.0.1:${port}`, { perMessageDeflate })
  cleanups.push(() => client.terminate())
  const [atServer] = (await connected) as [WebSocket]
  freeBetweenMessages(atServer)
  return { client, atServer }
}

/** The streams of zlib that the connection holds. */
function heldBy(client: WebSocket): unknown[] {
  const { _extensions } = client as unknown as { _extensions: Record<string, { _deflate: unknown; _inflate: unknown }> }
  const { _deflate, _inflate } = _extensions['permessage-deflate']!
  return [_deflate, _inflate].filter(Boolean)
}

const long = JSON.stringify(Array.from({ length: 1_000 }, (_, id) => ({ id, name: `name ${id}` })))

test('is declined unless it is wanted', () => {
  expect([deflateOptions(), deflateOptions(false)]).toEqual([false, false])
})

test('keeps nothing of zlib between messages, in either direction', async () => {
  const { client, atServer } = await connect()
  atServer.on('message', (data: Buffer) => atServer.send(data.toString()))

  for (let round = 0; round < 3; round++) {
    client.send(long)
    expect(await nextMessage(client)).toBe(long)
  }

  expect(client.extensions).toBe('permessage-deflate')
  expect(heldBy(atServer)).toEqual([])
})

test('keeps what the fragments of one message share, also while others are sent', async () => {
  const { client, atServer } = await connect()
  const whole = nextMessage(atServer)

  client.send(long.slice(0, 5_000), { fin: false })
  for (let round = 0; round < 3; round++) {
    atServer.send(long)
    expect(await nextMessage(client)).toBe(long)
  }
  client.send(long.slice(5_000), { fin: true })

  expect(await whole).toBe(long)
  expect(heldBy(atServer)).toEqual([])
})

test('asks clients on ws to leave short messages as they are', async () => {
  const { client, atServer } = await connect()

  client.send('a'.repeat(1_023))
  const short = await nextMessage(atServer)

  expect(short).toBe('a'.repeat(1_023))
  expect(heldBy(client)).toEqual([])
})

test('does no harm to a connection without it', async () => {
  const { client, atServer } = await connect(false)

  atServer.send(long)

  expect(await nextMessage(client)).toBe(long)
})
