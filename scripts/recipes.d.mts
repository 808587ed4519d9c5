import type { ChildProcess } from 'node:child_process'

/** A program that runs. */
export interface Program {
  readonly child: ChildProcess
  readonly said: string
  /** What it has sent to its parent. */
  readonly messages: readonly unknown[]
  readonly exited: Promise<number | string>
  stop(signal?: NodeJS.Signals): Promise<number | string>
}

export function readRecipes(): Promise<Map<string, string>>
export function layOut(name: string, changes?: readonly (readonly [from: string, to: string])[]): Promise<string>
export function freePort(): Promise<number>
export function startProgram(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: Readonly<Record<string, string>>; withMessages?: boolean },
): Program
export function pageOf(url: string, program: Program): Promise<Response>
