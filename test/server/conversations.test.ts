import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../src/errors.js'
import type { MessageContext } from '../../src/server/api.js'
import { memoryStreams } from '../../src/server/memory-streams.js'
import { createFakeWorld, type FakeClient, type FakeWorld, type Frame } from './world.js'

interface Step {
  readonly from: 'client' | 'server' | 'app'
  readonly on?: number
  readonly connects?: true
  readonly frame?: Frame
  readonly closes?: number
  readonly handles?: string
  readonly retransmitted?: boolean
  readonly maybeDuplicate?: boolean
  readonly finishes?: string
  readonly cancelled?: string
  readonly sends?: { readonly e: string; readonly d: unknown; readonly volatile?: true }
  readonly waits?: number
  readonly pinging?: true
  readonly drains?: number
}

interface Conversation {
  readonly name: string
  readonly steps: readonly Step[]
}

/** How long a step may take, in virtual milliseconds. */
const PATIENCE_MS = 60_000

const conversations = JSON.parse(readFileSync('test/protocol/vectors/conversations.json', 'utf8')) as Conversation[]

describe('the engine, led through the conversations', () => {
  test.each(conversations)('$name', async ({ steps }) => {
    const stage = createStage()

    for (const [index, step] of steps.entries()) {
      try {
        await stage.play(step)
      } catch (cause) {
        throw new Error(`Step ${index + 1}, ${JSON.stringify(step)}: ${String(cause)}`, { cause })
      }
    }
    expect(stage.unexpected()).toEqual([])
  })
})

interface Call {
  readonly id: string
  readonly context: MessageContext
}

/** The server that the vectors ask for. */
function createStage(): { play(step: Step): Promise<void>; unexpected(): Call[] } {
  const world = createFakeWorld({
    streams: memoryStreams({ messagesMax: 4 }),
    limits: { window: { messages: 4, bytes: 100_000 } },
    heartbeatMs: { interval: 5_000, timeout: 5_000 },
    authenticate: ({ auth }) => authenticate(world, auth),
  })
  const clients: { client: FakeClient; read: number }[] = []
  const names = new Map<string, unknown>()
  const calls: Call[] = []
  const waiting = new Map<string, (value: unknown) => void>()
  let cancelled: string[] = []

  world.engine.on('session', (session) => {
    const note = (context: MessageContext): string => {
      const id = context.id || 'volatile'
      calls.push({ id, context })
      return id
    }
    const wait = (_event: unknown, context: MessageContext): Promise<unknown> => {
      const id = note(context)
      return new Promise((resolve) => waiting.set(id, resolve))
    }
    const obey = (_data: unknown, context: MessageContext): Promise<unknown> => {
      const id = note(context)
      return new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          cancelled.push(id)
          reject(new Error('obeyed'))
        })
      })
    }
    const refuse = (_data: unknown, context: MessageContext): never => {
      note(context)
      throw new HoldfastError('REJECTED', 'no')
    }
    session.on('ok', (_data, context) => note(context))
    session.on('slow', wait)
    session.handle('slow', wait)
    session.on('bad', refuse)
    session.handle('bad', refuse)
    session.handle('obedient', obey)
    session.handle('echo', (data, context) => {
      note(context)
      return data
    })
  })

  /** What stands for something that the server makes up takes its first value, and keeps it. */
  function matches(wanted: unknown, got: unknown): boolean {
    if (typeof wanted === 'string' && wanted.startsWith('$')) {
      if (wanted === '$_') return got !== undefined
      if (!names.has(wanted)) names.set(wanted, got)
      return isDeepStrictEqual(names.get(wanted), got)
    }
    if (typeof wanted !== 'object' || wanted === null) return wanted === got
    if (typeof got !== 'object' || got === null) return false
    const keys = new Set([...Object.keys(wanted), ...Object.keys(got)])
    return [...keys].every((key) => matches((wanted as Frame)[key], (got as Frame)[key]))
  }

  const filled = (frame: unknown): unknown =>
    JSON.parse(JSON.stringify(frame), (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith('$') ? names.get(value) : value,
    )

  async function until(what: string, isThere: () => boolean): Promise<void> {
    for (let waited = 0; !isThere(); waited += 5) {
      if (waited > PATIENCE_MS) throw new Error(`waited in vain for ${what}`)
      await world.clock.advance(5)
      for (const { client } of clients) if (client.closed === undefined) answerPings(client)
    }
  }

  const answered = new WeakMap<FakeClient, number>()
  let isAnswering = true
  function answerPings(client: FakeClient): void {
    const pings = client.of('p').length
    for (let count = answered.get(client) ?? 0; isAnswering && count < pings; count++) client.say({ t: 'o' })
    answered.set(client, pings)
  }

  function nextFrame(one: { client: FakeClient; read: number }, wanted: Frame): Frame | undefined {
    for (;;) {
      const got = one.client.frames[one.read]
      if (!got) return undefined
      one.read++
      const isSkipped =
        (got.t === 'p' && wanted.t !== 'p') || (got.t === 'a' && wanted.t === 'a' && !matches(wanted, got))
      if (!isSkipped) return got
    }
  }

  async function hear(one: { client: FakeClient; read: number }, wanted: Frame): Promise<void> {
    isAnswering = wanted.t !== 'p'
    let got: Frame | undefined
    await until(JSON.stringify(wanted), () => (got = nextFrame(one, wanted)) !== undefined)
    expect(matches(wanted, got), `${JSON.stringify(got)} came`).toBe(true)
  }

  async function play(step: Step): Promise<void> {
    const one = clients[(step.on ?? 1) - 1]
    if (step.connects) return void clients.push({ client: world.connect(), read: 0 })
    if (step.from === 'client' && one && step.frame) return one.client.say(filled(step.frame) as Frame)
    if (step.from === 'client' && one) return one.client.connection.closed(step.closes ?? 1006, '')
    if (step.from === 'server' && one && step.frame) return hear(one, step.frame)
    if (step.from === 'server' && one) {
      await until('the close', () => one.client.closed !== undefined)
      expect(one.client.closed?.code).toBe(step.closes)
      return expect(one.client.frames.slice(one.read).filter(({ t }) => t !== 'p')).toEqual([])
    }
    if (step.handles !== undefined) {
      await until(step.handles, () => calls.length > 0)
      const call = calls.shift()
      expect(call?.id).toBe(step.handles)
      if (step.retransmitted !== undefined) expect(call?.context.isRetransmitted).toBe(step.retransmitted)
      if (step.maybeDuplicate !== undefined) expect(call?.context.maybeDuplicate).toBe(step.maybeDuplicate)
      return
    }
    if (step.finishes !== undefined) {
      waiting.get(step.finishes)?.('done')
      return world.clock.settle()
    }
    if (step.cancelled !== undefined) {
      const id = step.cancelled
      await until(`${id} cancelled`, () => cancelled.includes(id))
      cancelled = cancelled.filter((other) => other !== id)
      return
    }
    if (step.sends) {
      const { e, d, volatile } = step.sends
      return volatile ? world.session.volatile(e, d) : world.session.send(e, d)
    }
    if (step.drains !== undefined) return void world.engine.drain({ windowMs: step.drains })
    isAnswering = true
    for (let waited = 0; waited < (step.waits ?? 0); waited += 1_000) {
      await world.clock.advance(Math.min(1_000, (step.waits ?? 0) - waited))
      if (step.pinging) for (const { client } of clients) if (!client.closed) answerPings(client)
    }
  }

  return { play, unexpected: () => calls }
}

function authenticate(world: FakeWorld, auth: unknown): { user: string; expiresAt?: number } | null {
  if (auth === 'ann' || auth === 'bob') return { user: auth }
  if (auth === 'short') return { user: 'ann', expiresAt: world.platform.wallNow() + 60_000 }
  if (auth === 'banned') throw new HoldfastError('FORBIDDEN', 'Not you')
  return null
}
