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
 * With `capture` the output is returned; otherwise it goes where ours goes. Never rejects.
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
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))

  let timedOut = false
  const terminate = setTimeout(() => {
    timedOut = true
    signalGroup(child, 'SIGTERM')
  }, timeoutMs)
  const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), timeoutMs + GRACE_MS)

  return new Promise((settle) => {
    const finish = (ok, reason) => {
      clearTimeout(terminate)
      clearTimeout(kill)
      running.delete(child)
      settle({ ok, output, reason })
    }
    child.on('error', (error) => finish(false, error.message))
    child.on('exit', () => signalGroup(child, 'SIGKILL'))
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
