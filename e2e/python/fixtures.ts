import type { Fixtures } from '@playwright/test'
import { createServer, type Server, type ServerOptions, type Session } from '../../src/server.js'
import { createFaultProxy, type FaultProxy } from '../../test/support/fault-proxy.js'
import { type Line, type Program, startProgram } from './program.js'

interface Numbers {
  fromServer: { number: number }
  toServer: { number: number }
  requests: {
    double: { params: number; result: number }
    fail: { params: string; result: never }
  }
  asks: { half: { params: unknown; result: number }; unknown: { params: undefined; result: undefined } }
}

/** A companion server, whose only user shows "secret", and the faulty way to it. */
export interface Companion {
  readonly server: Server<Numbers>
  readonly link: FaultProxy
  /** What the handler of `number` has got, in order. */
  readonly handled: {
    readonly number: number
    readonly id: string
    readonly isRetransmitted: boolean
    readonly maybeDuplicate: boolean
  }[]
  /** In the order in which they were made. */
  readonly sessions: Session<Numbers>[]
}

/** What the tests of Python need beside a page. */
export interface PythonFixtures {
  /** Runs a Python program until the test is over. */
  run: typeof startProgram
  /** Starts a server until the test is over. */
  open: (options?: ServerOptions) => Promise<Companion>
}

/** Python programs and companion servers, which end with the test. */
export const pythonFixtures: Fixtures<PythonFixtures> = {
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  run: async ({}, use) => {
    const programs: Program[] = []
    await use(async (...command) => {
      const program = await startProgram(...command)
      programs.push(program)
      return program
    })
    for (const program of programs) await program.stop()
  },
  // oxlint-disable-next-line no-empty-pattern -- as above
  open: async ({}, use) => {
    const companions: Companion[] = []
    await use(async (options) => {
      const companion = await startCompanion(options)
      companions.push(companion)
      return companion
    })
    for (const { server, link } of companions) {
      await link.close()
      await server.close()
    }
  },
}

async function startCompanion(options?: ServerOptions): Promise<Companion> {
  const server = createServer<Numbers>({
    host: '127.0.0.1',
    port: 0,
    authenticate: ({ auth }) => (auth === 'secret' ? { user: 'ann' } : null),
    heartbeatMs: { interval: 300, timeout: 300 },
    ...options,
  })
  const handled: Companion['handled'] = []
  const sessions: Session<Numbers>[] = []
  server.on('error', () => {}) // Handlers of these tests throw; the client is told.
  server.on('session', (session) => {
    sessions.push(session)
    session.on('number', (number, { id, isRetransmitted, maybeDuplicate }) => {
      if (number < 0) throw new Error('below zero')
      handled.push({ number, id, isRetransmitted, maybeDuplicate })
    })
    session.handle('double', (number) => number * 2)
    session.handle('fail', (why) => {
      throw new Error(why)
    })
  })
  const { port } = await server.listening
  const link = await createFaultProxy({ target: { host: '127.0.0.1', port } })
  return { server, link, handled, sessions }
}

/** The values that a program's lines have under a name, in order. */
export const valuesOf = (lines: readonly Line[], name: string): unknown[] =>
  lines.filter((line) => name in line).map((line) => line[name])
