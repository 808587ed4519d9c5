import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** How long a program may take to answer, and to end, in milliseconds. */
const READY_WITHIN_MS = 60_000
const GONE_WITHIN_MS = 20_000
const LOOK_EVERY_MS = 50

/** The blocks of docs/deployment.md by their names: what stands in the comment of their first line. */
export async function readRecipes() {
  const page = await readFile(join(ROOT, 'docs/deployment.md'), 'utf8')
  const blocks = [...page.matchAll(/^```\w+\n(?:\/\/|#) (\S+)\n(.*?)^```$/gms)]
  return new Map(blocks.map(([, name, text]) => [name, text]))
}

/**
 * A folder of the package with all blocks in it: what stands there imports `holdfast` as users do.
 *
 * @param changes what is put in the place of what, so that they fit the machine
 */
export async function layOut(name, changes = []) {
  const folder = join(ROOT, 'test-results', 'recipes', name)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const [file, block] of await readRecipes()) {
    const text = changes.reduce((before, [from, to]) => before.replaceAll(from, to), block)
    await writeFile(join(folder, file), text)
  }
  return folder
}

/** A port that was free just now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Runs a program until it is stopped; `said` is all that it has printed. */
export function startProgram(command, args, { cwd, env = {}, withMessages = false }) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(withMessages ? ['ipc'] : [])],
  })
  const program = {
    child,
    said: '',
    messages: [],
    exited: once(child, 'exit').then(([code, signal]) => code ?? signal),
    /** Ends it, and gives the exit code; kills what does not end. */
    async stop(signal = 'SIGTERM') {
      const timer = setTimeout(() => child.kill('SIGKILL'), GONE_WITHIN_MS)
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      try {
        return await program.exited
      } finally {
        clearTimeout(timer)
      }
    },
  }
  child.on('message', (message) => program.messages.push(message))
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (program.said += bytes))
  return program
}

/** The response to a request for a page, once there is one. Throws when the program ends first, or takes too long. */
export async function pageOf(url, program) {
  let end
  void program.exited.then((how) => (end = how))
  for (let waitedMs = 0; waitedMs < READY_WITHIN_MS && end === undefined; waitedMs += LOOK_EVERY_MS) {
    try {
      return await fetch(url)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }
  throw new Error(`Nobody answers at ${url}; the program has ended with ${end} and said:\n${program.said}`)
}
