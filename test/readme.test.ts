import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { Client } from '../src/client/api.js'
import { createClient } from '../src/client/client.js'
import { reliable } from '../src/dialects/reliable/reliable.js'
import { samplesOf } from '../scripts/samples.mjs'
import { PlainWebSocket } from './support/clients.js'
import { compileProgram, startProgram, type ServerProcess } from './support/processes.js'

/** What README's server takes from the application around it: a table of members that outlives the process. */
const APPLICATION = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
const TABLE = process.argv[2] ?? ''
const read = (): [string, string][] => (existsSync(TABLE) ? JSON.parse(readFileSync(TABLE, 'utf8')) : [])
const users = { ofTicket: async (ticket: unknown) => ({ user: String(ticket), expiresAt: Date.now() + 3_600_000 }) }
const database = {
  insert: async () => {},
  roomsOf: async (user: string) => read().flatMap(([room, member]) => (member === user ? [room] : [])),
  membersOf: async (room: string) => read().flatMap(([one, member]) => (one === room ? [member] : [])),
  addMember: async (room: string, user: string) => writeFileSync(TABLE, JSON.stringify([...read(), [room, user]])),
}
`

interface Chat {
  fromServer: { message: { from: string; text: string } }
  toServer: { message: { text: string } }
  requests: { join: { params: { room: string }; result: { members: string[] } } }
}

const folder = mkdtempSync(join(tmpdir(), 'readme-'))
const clients: Client<Chat>[] = []
let server: ServerProcess | undefined

afterEach(async () => {
  vi.unstubAllGlobals()
  await Promise.all(clients.map((client) => client.close()))
  await server?.end()
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return address !== null && typeof address === 'object' ? address.port : 0
}

/** README's server as a program of its own, on this port. */
async function compile(port: number): Promise<string> {
  const sample = samplesOf(readFileSync('README.md', 'utf8')).get('server.ts') ?? ''
  const outfile = join(folder, 'server.mjs')
  await compileProgram(APPLICATION + sample.replace('8080', String(port)), outfile)
  return outfile
}

function open(url: string, user: string): { client: Client<Chat>; heard: string[]; gaps: string[] } {
  const heard: string[] = []
  const gaps: string[] = []
  const client = createClient<Chat>({ url, dialect: reliable(), auth: () => user, retryDelayMs: { min: 20, max: 100 } })
  client.on('message', ({ text }) => void heard.push(text))
  client.lifecycle.on('gap', ({ reason }) => void gaps.push(reason))
  client.connect()
  clients.push(client)
  return { client, heard, gaps }
}

test(
  "README's server keeps nobody out of a room that was joined before it was killed",
  { timeout: 30_000 },
  async () => {
    vi.stubGlobal('WebSocket', PlainWebSocket)
    const port = await freePort()
    const program = await compile(port)
    const start = (): ServerProcess => (server = startProgram(program, join(folder, 'members.json')))
    start()
    const [ann, bob] = [open(`ws://127.0.0.1:${port}`, 'ann'), open(`ws://127.0.0.1:${port}`, 'bob')]
    await ann.client.request('join', { room: 'lobby' })
    expect(await bob.client.request('join', { room: 'lobby' })).toEqual({ members: ['ann', 'bob'] })
    await ann.client.send('message', { text: 'before' }).delivered
    await vi.waitFor(() => expect(bob.heard).toEqual(['before']), 5_000)

    await server?.end()
    await vi.waitFor(() => expect(bob.client.getState().status).not.toBe('connected'), 5_000)
    start()
    await vi.waitFor(() => expect(bob.gaps).toHaveLength(1), 10_000)
    await ann.client.send('message', { text: 'after' }).delivered

    await vi.waitFor(
      () =>
        expect([ann.heard, bob.heard]).toEqual([
          ['before', 'after'],
          ['before', 'after'],
        ]),
      5_000,
    )
  },
)
