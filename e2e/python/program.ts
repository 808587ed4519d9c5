import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findPython } from '../../scripts/system-packages.mjs'

/** A Python program that says what it does in lines of JSON, and is told what to do in the same way. */
export interface Program {
  /** Every line so far. */
  readonly lines: readonly Line[]
  /** The first line that fits, said already or yet to come. Rejects when the program ends without it. */
  line(fits: (line: Line) => boolean): Promise<Line>
  tell(line: object): void
  signal(signal: NodeJS.Signals): void
  /** The exit code, and null after a signal. */
  readonly ended: Promise<number | null>
  /** Kills it if it still runs. */
  stop(): Promise<void>
}

export type Line = Readonly<Record<string, unknown>>

/** Runs a program of this folder on the Python that has `websockets`. What it writes to stderr, we do too. */
export async function startProgram(name: string, ...args: readonly (string | number)[]): Promise<Program> {
  // -B: leaves no compiled files beside the source; -u: a line is out when it is printed.
  const command = ['-B', '-u', join(import.meta.dirname, name), ...args.map(String)]
  const child = spawn(await findPython(), command, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: Line[] = []
  const watchers = new Set<() => void>()
  const ended = once(child, 'close').then(([code]) => code as number | null) // Documented for "close".
  let isOver = false

  const notify = (): void => watchers.forEach((watch) => watch())
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line)
    notify()
  })
  child.stdin.on('error', () => {}) // It has ended, which `ended` tells.
  void ended.then(() => {
    isOver = true
    notify()
  })

  return {
    lines,
    line: (fits) =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          const found = lines.find(fits)
          if (!found && !isOver) return
          watchers.delete(watch)
          if (found) resolve(found)
          else reject(new Error(`${name} has ended without the line; it said ${JSON.stringify(lines.slice(-5))}`))
        }
        watchers.add(watch)
        watch()
      }),
    tell: (line) => child.stdin.write(`${JSON.stringify(line)}\n`),
    signal: (signal) => child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
