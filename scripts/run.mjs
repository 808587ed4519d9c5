import { spawn } from 'node:child_process'
import { delimiter, resolve } from 'node:path'

const GRACE_MS = 5_000
const isWindows = process.platform === 'win32'
const tools = resolve(import.meta.dirname, '../node_modules/.bin')
const running = new Set()

process.on('exit', () => running.forEach((child) => signalGroup(child, 'SIGTERM')))
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))

/**
 * Runs a command in a process group of its own, the project's tools first in its PATH.
 *
 * Past `timeoutMs` the group is told to end, then made to. Whatever it leaves behind when it ends is ended too.
 * With `capture` the output is returned; otherwise it goes where ours goes. A process that has left the group may hold
 * the pipes open: they are read for another 5 s at most after the command's own exit, which alone is judged.
 * Never rejects.
 *
 * @returns {Promise<{ ok: boolean, output: string, reason: string }>} `reason` says why it is not `ok`
 */
export function run(command, args, { timeoutMs, cwd, env, capture = false }) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env, PATH: `${tools}${delimiter}${process.env.PATH}` },
    stdio: capture ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    detached: !isWindows,
    shell: isWindows,
  })
  running.add(child)

  let output = ''
  const pipes = [child.stdout, child.stderr].filter(Boolean)
  // Decoded as a stream: a character may be in two chunks.
  for (const pipe of pipes) pipe.setEncoding('utf8').on('data', (chunk) => (output += chunk))

  let timedOut = false
  const terminate = setTimeout(() => {
    timedOut = true
    signalGroup(child, 'SIGTERM')
  }, timeoutMs)
  const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), timeoutMs + GRACE_MS)
  let hangUp

  return new Promise((settle) => {
    const finish = (ok, reason) => {
      clearTimeout(terminate)
      clearTimeout(kill)
      clearTimeout(hangUp)
      running.delete(child)
      settle({ ok, output, reason })
    }
    child.on('error', (error) => finish(false, error.message))
    child.on('exit', () => {
      signalGroup(child, 'SIGKILL')
      clearTimeout(terminate)
      clearTimeout(kill)
      hangUp = setTimeout(() => pipes.forEach((pipe) => pipe.destroy()), GRACE_MS).unref()
    })
    child.on('close', (code, signal) => {
      if (timedOut) finish(false, `took longer than ${timeoutMs / 1000} s`)
      else finish(code === 0, code === 0 ? '' : `ended with ${signal ?? `code ${code}`}`)
    })
  })
}

function signalGroup(child, signal) {
  if (child.pid === undefined) return
  try {
    if (isWindows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}
