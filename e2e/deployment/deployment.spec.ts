import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { WebSocket } from 'ws'
import { freePort, layOut, pageOf, readRecipes, startProgram, type Program } from '../../scripts/recipes.mjs'
import { findNginx, programsNamed } from '../../scripts/system-packages.mjs'
import { createClient, reliable, type Client, type WebSocketClass } from '../../src/index.js'
import { expect, test as base } from '../support/test.js'

/** A block of the page that runs. */
interface Running {
  readonly program: Program
  readonly port: number
  readonly folder: string
  /** What a request for a page gets. */
  readonly page: Response
}

/** What is put in the place of what in all blocks, and whether the program has a channel to its parent. */
interface RunOptions {
  readonly changes?: readonly (readonly [from: string, to: string])[]
  readonly withMessages?: boolean
}

interface Fixtures {
  /** Runs a block of docs/deployment.md until the test is over. */
  run: (file: string, options?: RunOptions) => Promise<Running>
  /** Runs a program beside it. */
  start: (command: string, args: readonly string[], cwd: string) => Program
  /** A client in Node, whose upgrade has these headers. */
  dial: (port: number, headers?: Record<string, string>) => Client
}

const test = base.extend<Fixtures>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  start: async ({}, use) => {
    const programs: Program[] = []
    await use((command, args, cwd) => {
      const program = startProgram(command, args, { cwd })
      programs.push(program)
      return program
    })
    for (const program of programs) await program.stop()
  },
  // oxlint-disable-next-line no-empty-pattern -- as above
  run: async ({}, use, { title }) => {
    const programs: Program[] = []
    await use(async (file, { changes = [], withMessages = false } = {}) => {
      const port = await freePort()
      const folder = await layOut(`${title.replace(/\W+/g, '-')}-${port}`, changes)
      const program = startProgram(process.execPath, [file], { cwd: folder, env: { PORT: String(port) }, withMessages })
      programs.push(program)
      return { program, port, folder, page: await pageOf(`http://127.0.0.1:${port}/`, program) }
    })
    for (const program of programs) await program.stop()
  },
  // oxlint-disable-next-line no-empty-pattern -- as above
  dial: async ({}, use) => {
    const clients: Client[] = []
    await use((port, headers = {}) => {
      class WebSocketWithHeaders extends WebSocket {
        constructor(url: string, protocols?: string | string[]) {
          super(url, protocols, { headers, perMessageDeflate: false })
        }
      }
      const client = createClient({
        url: `ws://127.0.0.1:${port}/live`,
        dialect: reliable(),
        // A WebSocket of ws is no EventTarget, and needs not be.
        WebSocket: WebSocketWithHeaders as unknown as WebSocketClass,
      })
      client.connect()
      clients.push(client)
      return client
    })
    for (const client of clients) await client.close()
  },
})

const closeCodeOf = (client: Client): unknown => {
  const state = client.getState()
  return 'error' in state && state.error && 'closeCode' in state.error ? state.error.closeCode : undefined
}

for (const file of ['server.mjs', 'fastify.mjs', 'hono.mjs']) {
  test(`${file} serves pages, answers clients, and sends them away when it stops`, async ({ run, dial }) => {
    const { program, port, page } = await run(file)
    const client = dial(port)

    expect(await page.text()).toBe('a page')
    expect(await client.request('whoami')).toEqual({ user: '', address: '127.0.0.1' })
    expect(await program.stop('SIGTERM')).toBe(0)
    expect(closeCodeOf(client)).toBe(1012)
    expect(program.said).toBe('')
  })
}

test('express.mjs knows its users by their cookies, and those of foreign pages by none', async ({ run, dial }) => {
  const { program, port, page } = await run('express.mjs')
  const login = await fetch(`http://127.0.0.1:${port}/login`)
  const [cookie = ''] = login.headers.getSetCookie()[0]?.split(';') ?? []

  expect(await page.text()).toBe('a page')
  const ours = dial(port, { cookie, origin: `http://127.0.0.1:${port}` })
  expect(await ours.request('whoami')).toEqual({ user: 'ann', address: '127.0.0.1' })
  const foreign = dial(port, { cookie, origin: 'https://evil.example' })
  await expect.poll(() => foreign.getState()).toMatchObject({ status: 'closed', error: { code: 'UNAUTHORIZED' } })
  expect(await program.stop('SIGINT')).toBe(0)
  expect(closeCodeOf(ours)).toBe(1012)
})

test('vite.config.mjs answers clients beside the hot reloading', async ({ start, dial }) => {
  const vite = join(createRequire(import.meta.url).resolve('vite/package.json'), '../bin/vite.js')
  const port = await freePort()
  const folder = await layOut(`vite-${port}`)
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>a page</title>')
  const program = start(process.execPath, [vite, '--port', String(port), '--host', '127.0.0.1'], folder)
  const page = await pageOf(`http://127.0.0.1:${port}/`, program)
  const token = /"([\w-]{12})"/.exec(await (await fetch(`http://127.0.0.1:${port}/@vite/client`)).text())?.[1]
  const reloading = new WebSocket(`ws://127.0.0.1:${port}/?token=${token}`, 'vite-hmr')
  const [connected]: unknown[] = await once(reloading, 'message')
  reloading.terminate()

  expect(await page.text()).toContain('@vite/client')
  expect(String(connected)).toContain('connected')
  expect(await dial(port).request('whoami')).toEqual({ user: '', address: '127.0.0.1' })
})

test('live.conf of nginx passes upgrades, addresses and hosts on', async ({ run, start, dial }) => {
  // The client is on this machine too, where every address is the proxy's: so it is told by its place.
  const { port, folder } = await run('server.mjs', { changes: [[`['loopback']`, '1']] })
  const outside = await freePort()
  const live = (await readRecipes()).get('live.conf')
  await writeFile(
    join(folder, 'live.conf'),
    String(live).replace('listen 8080', `listen 127.0.0.1:${outside}`).replace('127.0.0.1:3000', `127.0.0.1:${port}`),
  )
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ')
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr warn; events {}
     http { access_log off; ${temporary} include ${folder}/live.conf; }`,
  )
  const nginx = start(await findNginx(), ['-e', 'stderr', '-p', folder, '-c', 'nginx.conf'], folder)
  const page = await pageOf(`http://127.0.0.1:${outside}/`, nginx)

  expect(await page.text()).toBe('a page')
  const client = dial(outside, { 'x-forwarded-for': '203.0.113.66', origin: `http://127.0.0.1:${outside}` })
  expect(await client.request('whoami')).toEqual({ user: '', address: '127.0.0.1' })
})

test('live.service stops the server with time for its clients', async ({ run, dial }) => {
  const { program, port, folder } = await run('server.mjs')
  const unit = String((await readRecipes()).get('live.service'))
  const [, signal] = /^KillSignal=(SIG\w+)$/m.exec(unit) ?? []
  const [, stopS] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? []
  const client = dial(port)
  await client.request('whoami')

  expect(await program.stop(signal as NodeJS.Signals)).toBe(0)
  expect(closeCodeOf(client)).toBe(1012)
  expect(Number(stopS)).toBeGreaterThan(30)

  const path = join(folder, 'live.service')
  await writeFile(path, unit.replace('/usr/bin/node', process.execPath).replace('/srv/live', folder))
  for (const verify of programsNamed(['systemd-analyze']).slice(0, 1)) {
    const { stderr } = await promisify(execFile)(verify, ['verify', '--man=no', path])
    expect(stderr).not.toContain('live.service')
  }
})

test('ecosystem.config.cjs fits what server.mjs does under PM2', async ({ run, dial }) => {
  const { program, port, folder } = await run('server.mjs', { withMessages: true })
  const { apps } = createRequire(import.meta.url)(join(folder, 'ecosystem.config.cjs')) as {
    apps: { script: string; wait_ready: boolean; kill_timeout: number; instances: number }[]
  }
  const client = dial(port)
  await client.request('whoami')

  expect(apps).toMatchObject([{ script: 'server.mjs', wait_ready: true, instances: 1 }])
  expect(apps[0]?.kill_timeout).toBeGreaterThan(30_000)
  expect(program.messages).toEqual(['ready'])
  expect(await program.stop('SIGINT')).toBe(0)
  expect(closeCodeOf(client)).toBe(1012)
})
