import { createServer, memoryStreams, type Server, type Session } from '../../src/server.js'

/** One number as the server's handler got it. */
export interface Handled {
  readonly tab: string
  readonly number: number
  readonly id: string
  readonly maybeDuplicate: boolean
}

/** A companion server of numbers, which can be stopped and started with its memory. */
export interface Companion {
  readonly port: number
  /** Every number, in the order in which the handler finished with them; restarts do not count anew. */
  readonly handled: readonly Handled[]
  /** Sends the next numbers to each tab, at 500 a second, as long as the server is up and knows the tab. */
  produce(tabs: readonly string[], count: number): Promise<void>
  /** How many numbers were sent to the tab. */
  sentTo(tab: string): number
  /** Stops without a warning, and listens again on the same port with the same streams. */
  restart(downMs: number): Promise<void>
  stop(): Promise<void>
}

interface Numbers {
  fromServer: { number: number }
  toServer: { number: { tab: string; number: number } }
  requests: { join: { params: string; result: string } }
}

const PER_TICK = 10
const TICK_MS = 20

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts a companion server on a free port of 127.0.0.1, whose only user shows "secret". */
export async function startCompanion(): Promise<Companion> {
  const streams = memoryStreams()
  const handled: Handled[] = []
  /** Which tab each session is, by its id, and the sessions of the server that is up. */
  const tabOf = new Map<string, string>()
  const sessions = new Map<string, Session<Numbers>>()
  const sent = new Map<string, number>()
  let { server, port } = await listen(0)

  async function listen(wanted: number): Promise<{ server: Server<Numbers>; port: number }> {
    const opened = createServer<Numbers>({
      host: '127.0.0.1',
      port: wanted,
      streams,
      authenticate: ({ auth }) => (auth === 'secret' ? { user: 'ann' } : null),
      heartbeatMs: { interval: 300, timeout: 300 },
    })
    opened.on('session', (session) => {
      const known = tabOf.get(session.id)
      if (known !== undefined) sessions.set(known, session)
      session.handle('join', (tab) => {
        tabOf.set(session.id, tab)
        sessions.set(tab, session)
        return session.id
      })
      session.on('number', ({ tab, number }, { id, maybeDuplicate }) => {
        handled.push({ tab, number, id, maybeDuplicate })
      })
    })
    return { server: opened, port: (await opened.listening).port }
  }

  return {
    port,
    handled,
    async produce(tabs, count) {
      for (let index = 0; index < count; index++) {
        for (const tab of tabs) {
          const session = sessions.get(tab)
          if (!session) continue // The server is down, or has not seen the tab since.
          const number = sent.get(tab) ?? 0
          session.send('number', number)
          sent.set(tab, number + 1)
        }
        if (index % PER_TICK === PER_TICK - 1) await sleep(TICK_MS)
      }
    },
    sentTo: (tab) => sent.get(tab) ?? 0,
    async restart(downMs) {
      sessions.clear()
      await server.close()
      await sleep(downMs)
      ;({ server, port } = await listen(port))
    },
    stop: () => server.close(),
  }
}
