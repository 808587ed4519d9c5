/** How a command is run. */
export interface RunOptions {
  readonly timeoutMs: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether the output is returned; otherwise it goes where ours goes. */
  readonly capture?: boolean
}

/** How a command ended; `reason` says why it is not `ok`. */
export interface RunResult {
  readonly ok: boolean
  readonly output: string
  readonly reason: string
}

/** Runs a command in a process group of its own, and ends what it leaves behind. Never rejects. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult>
