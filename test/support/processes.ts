import { build } from 'esbuild'
import { fork, type ChildProcess } from 'node:child_process'
import { resolve } from 'node:path'

/** What a program tells of a server of its own. */
export interface ServerNews {
  readonly port?: number
  /** The code of an error. */
  readonly error?: string
}

/** A process of its own, with all that it has said. */
export interface ServerProcess {
  readonly child: ChildProcess
  readonly news: readonly ServerNews[]
  /** What it has printed for errors. */
  readonly printed: string
  end(): Promise<void>
}

/** Makes one file of a program that imports `holdfast/server`, from the sources. */
export async function compileProgram(program: string, outfile: string): Promise<void> {
  await build({
    stdin: { contents: program, loader: 'ts', resolveDir: resolve('.') },
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    alias: { 'holdfast/server': resolve('src/server.ts') },
    // ws is CommonJS, and asks for Node's modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('/')" },
  })
}

export function startProgram(file: string, ...args: string[]): ServerProcess {
  const child = fork(file, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const news: ServerNews[] = []
  let printed = ''
  child.on('message', (message) => void news.push(message as ServerNews))
  child.stderr?.on('data', (data) => void (printed += String(data)))
  return {
    child,
    news,
    get printed() {
      return printed
    },
    end: () =>
      new Promise((done) => {
        if (child.exitCode !== null || child.signalCode !== null) return done()
        child.once('exit', () => done())
        child.kill('SIGKILL')
      }),
  }
}
