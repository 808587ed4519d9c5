import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const command = join(import.meta.dirname, '../../dist/cli.js')

/** The package's own echo server, in a process of its own. */
export interface EchoProcess {
  readonly port: number
  /** Ends the process as a crash does: without a word to anybody. */
  kill(): Promise<void>
}

/** Runs `holdfast echo` on 127.0.0.1. Port 0 picks a free one. */
export async function startEchoProcess(port = 0, ...flags: string[]): Promise<EchoProcess> {
  const child = spawn(process.execPath, [command, 'echo', '--port', String(port), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await Promise.race([firstLine(child), once(child, 'exit').then(([code]) => `exit code ${code}`)])
  const { port: chosen } = new URL(url)
  return {
    port: Number(chosen),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [bytes]: unknown[] = await once(child.stdout!, 'data')
  return String(bytes).trim()
}
