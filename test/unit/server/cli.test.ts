import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { nextClose, nextMessage, openClient } from '../../support/clients.js'

/** A package as npm would install it: its manifest, `dist/cli.js` and what that imports. */
let packageFolder: string
const children: ChildProcess[] = []

beforeAll(async () => {
  packageFolder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  await copyFile('package.json', join(packageFolder, 'package.json'))
  await symlink(resolve('node_modules'), join(packageFolder, 'node_modules'))
  await build({
    entryPoints: ['src/server/echo/cli.ts'],
    outfile: join(packageFolder, 'dist/cli.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  })
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

afterAll(async () => {
  await rm(packageFolder, { recursive: true, force: true })
})

function start(...flags: string[]): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  const child = spawn(process.execPath, [join(packageFolder, 'dist/cli.js'), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

async function run(...flags: string[]): Promise<{ exitCode: unknown; stdout: string; stderr: string }> {
  const child = start(...flags)
  const [[exitCode], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { exitCode, stdout, stderr }
}

async function listen(...flags: string[]): Promise<{ child: ChildProcess; url: string; lines: string[] }> {
  const child = start('echo', ...flags)
  const lines: string[] = []
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(reader, 'line')
  return { child, url: lines[0] ?? '', lines }
}

describe('holdfast echo', () => {
  test('echoes at the URL that it prints', async () => {
    const { url } = await listen('--port', '0')
    const { client } = await openClient(url)

    client.send('hello')

    expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/)
    expect(await nextMessage(client)).toBe('hello')
  })

  test('keeps to the longest message that it is given', async () => {
    const { url } = await listen('--port=0', '--payload-bytes-max=10')
    const { client } = await openClient(url)

    client.send('12345678901')

    expect(await nextClose(client)).toMatchObject({ closeCode: 1009 })
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('closes clients with 1001 and exits with 0 on %s', async (signal) => {
    const { child, url, lines } = await listen('--port', '0')
    const { client } = await openClient(url)
    const closed = nextClose(client)
    const exited = once(child, 'exit')

    child.kill(signal)

    expect(await closed).toEqual({ closeCode: 1001, reason: 'server is shutting down' })
    expect(await exited).toEqual([0, null])
    expect(lines).toEqual([url])
  })

  test('says in one line that the port is in use, and exits with 1', async () => {
    const { url } = await listen('--port', '0')
    const { port } = new URL(url)

    const { exitCode, stdout, stderr } = await run('echo', '--port', port)

    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toBe(`holdfast: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`)
  })

  test('tries the host that it is given, and port 8080 when none is', async () => {
    // RFC 5737 section 3: no machine has this address, so nobody can bind it.
    const { exitCode, stderr } = await run('echo', '--host', '192.0.2.1')

    expect(exitCode).toBe(1)
    expect(stderr).toBe('holdfast: listen EADDRNOTAVAIL: address not available 192.0.2.1:8080\n')
  })
})

describe('holdfast', () => {
  test.each([
    [['echo', '--port', 'abc'], '--port must be a whole number, got "abc"'],
    [['echo', '--port=-1'], '--port must be a whole number, got "-1"'],
    [['echo', '--port', '65536'], 'port must be an integer from 0 to 65535, got 65536'],
    [['echo', '--payload-bytes-max', '0'], 'payloadBytesMax must be an integer from 1 to 2147483647, got 0'],
    [['echo', '--host', ''], 'host must be a non-empty string, got ""'],
    [['echo', '--colour'], "Unknown option '--colour'"],
    [['echo', '--port'], "Option '--port <value>' argument missing"],
    [['echo', '--port', '-1'], "Option '--port' argument is ambiguous."],
    [['serve'], 'The command must be "echo", got "serve"'],
    [['echo', 'again'], 'The command must be "echo", got "echo again"'],
    [[], 'The command must be "echo", got ""'],
  ])('refuses %j in one line and exits with 2', async (flags, reason) => {
    const { exitCode, stdout, stderr } = await run(...flags)

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain(`holdfast: ${reason}`)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('prints its help', async () => {
    const { exitCode, stdout } = await run('--help')

    expect(exitCode).toBe(0)
    expect(stdout).toContain('Usage: holdfast echo')
  })

  test('prints its version', async () => {
    const manifest: unknown = JSON.parse(await readFile('package.json', 'utf8'))

    const { exitCode, stdout } = await run('--version')

    expect(exitCode).toBe(0)
    expect(manifest).toMatchObject({ version: stdout.trim() })
  })
})
