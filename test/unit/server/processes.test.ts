import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Client } from '../../../src/client/api.js'
import { createClient } from '../../../src/client/client.js'
import { reliable } from '../../../src/dialects/reliable/reliable.js'
import { PlainWebSocket } from '../../support/clients.js'
import { compileProgram, startProgram, type ServerProcess } from '../../support/processes.js'

/** A server, or two workers with one each. `silent`: nobody listens for errors. */
const PROGRAM = `
import cluster from 'node:cluster'
import { createServer } from 'holdfast/server'
const [port = '0', kind = ''] = process.argv.slice(2)
if (kind.includes('cluster') && cluster.isPrimary) {
  for (const worker of [cluster.fork(), cluster.fork()]) worker.on('message', (news) => process.send?.(news))
} else {
  const server = createServer({ port: Number(port) })
  if (!kind.includes('silent')) server.on('error', ({ code }) => process.send?.({ error: code }))
  server.on('session', () => {})
  server.listening.then((address) => process.send?.({ port: address.port }))
}
`

const folder = mkdtempSync(join(tmpdir(), 'processes-'))
const program = join(folder, 'server.mjs')
let running: ServerProcess[] = []
let client: Client | undefined

beforeAll(() => compileProgram(PROGRAM, program))
beforeEach(() => void vi.stubGlobal('WebSocket', PlainWebSocket))
afterEach(async () => {
  await client?.close()
  client = undefined
  await Promise.all(running.map((one) => one.end()))
  running = []
  vi.unstubAllGlobals()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WITHIN = { timeout: 10_000, interval: 20 }

async function start(port = 0, kind = 'alone'): Promise<ServerProcess & { readonly port: number }> {
  const started = startProgram(program, String(port), kind)
  running.push(started)
  await vi.waitFor(() => expect(started.news.some((one) => one.port)).toBe(true), WITHIN)
  return Object.assign(started, { port: started.news.find((one) => one.port)?.port ?? 0 })
}

const errorsOf = ({ news }: ServerProcess): unknown[] =>
  news.flatMap(({ error }) => (error === undefined ? [] : [error]))

/** A client that is sent to these ports one after the other, as by a balancer; resolves after so many welcomes. */
async function alternate(ports: readonly number[], welcomes: number): Promise<void> {
  let dials = 0
  let count = 0
  const opened = createClient({
    url: () => `ws://127.0.0.1:${ports[dials++ % ports.length]}`,
    dialect: reliable(),
    retryDelayMs: { min: 10, max: 50 },
  })
  client = opened
  opened.lifecycle.on('session', () => {
    if (++count < welcomes) queueMicrotask(opened.reconnect)
  })
  opened.connect()
  await vi.waitFor(() => expect(count).toBe(welcomes), WITHIN)
}

test('a process that answers beside another one is found out, and told once', { timeout: 30_000 }, async () => {
  const [older, younger] = [await start(), await start()]

  await alternate([older.port, younger.port], 7)
  await vi.waitFor(() => expect(errorsOf(older)).toEqual(['MEMORY_NOT_SHARED']), WITHIN)

  expect(errorsOf(younger)).toEqual([])
})

test('a process that has taken the place of another one is not accused', { timeout: 30_000 }, async () => {
  const before = await start()
  await alternate([before.port], 1)
  const sessionBefore = client?.getState()
  await before.end()
  const after = await start(before.port)
  await vi.waitFor(() => expect(client?.getState()).toMatchObject({ status: 'connected', recovered: false }), WITHIN)
  await vi.waitFor(() => expect(client?.getState()).not.toMatchObject(sessionIdOf(sessionBefore)), WITHIN)

  client?.reconnect()
  await vi.waitFor(() => expect(client?.getState()).toMatchObject({ status: 'connected', recovered: true }), WITHIN)

  expect(errorsOf(after)).toEqual([])
})

const sessionIdOf = (state: object | undefined): object => ({
  sessionId: state && 'sessionId' in state && state.sessionId,
})

test('each worker of a cluster is told when it listens', { timeout: 30_000 }, async () => {
  const primary = await start(0, 'cluster')

  await vi.waitFor(() => expect(errorsOf(primary)).toEqual(['MEMORY_NOT_SHARED', 'MEMORY_NOT_SHARED']), WITHIN)
})

test('a worker whose errors nobody hears prints it, and what to do', { timeout: 30_000 }, async () => {
  const primary = await start(0, 'cluster silent')

  await vi.waitFor(() => expect(primary.printed.match(/Holdfast server: MEMORY_NOT_SHARED/g)).toHaveLength(2), WITHIN)
  expect(primary.printed).toContain('sticky sessions')
})
