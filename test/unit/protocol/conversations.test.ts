import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { HoldfastError } from '../../../src/shared/errors.js'
import { RejectedError } from '../../../src/server/base/handler-errors.js'
import type { MessageContext, Session } from '../../../src/server/base/api.js'
import type { SocketConnection } from '../../../src/server/connection/connection-host.js'
import { createEngine } from '../../../src/server/engine/engine.js'
import { memoryStreams } from '../../../src/server/stores/memory-streams.js'
import type { Received } from '../../../src/protocol/codec.js'
import { jsonFrames, type FrameCodec } from '../../../src/protocol/frame-codec.js'
import { msgpackFrames } from '../../../src/protocol/msgpack-frames.js'
import { toMsgpack } from '../../../src/protocol/msgpack-write.js'
import { receivedOf } from '../../support/server-world.js'
import { createFakeClock } from '../../support/fake-platform.js'
import vectors from '../../vectors/conversations.json' with { type: 'json' }

/** One step of a conversation; `vectors/README.md` says what each means. */
interface Step {
  readonly from: string
  readonly on?: number
  readonly connects?: boolean
  readonly frame?: Readonly<Record<string, unknown>>
  readonly closes?: number
  readonly handles?: string
  readonly retransmitted?: boolean
  readonly maybeDuplicate?: boolean
  readonly finishes?: string
  readonly cancelled?: string
  readonly sends?: { readonly e: string; readonly d: unknown; readonly volatile?: boolean }
  readonly asks?: { readonly e: string; readonly d?: unknown }
  readonly answered?: unknown
  readonly unanswered?: string
  readonly waits?: number
  readonly drains?: number
}

interface Conversation {
  readonly name: string
  readonly steps: readonly Step[]
}

type Frame = Record<string, unknown>

/** What the server has said on one connection, and nobody has looked at yet: frames, and the code of a close. */
interface Line {
  readonly connection: SocketConnection
  readonly said: (Frame | number)[]
  /** All acknowledgements since one was looked at, as one. */
  acks: { w: Record<string, number>; no: unknown[]; r: unknown[] }
}

/** How long the server may take for what it does next, in milliseconds. */
const PATIENCE_MS = 60_000

/** Leads the engine through a conversation. */
function createStage({ answersPings, codec }: { answersPings: boolean; codec: FrameCodec }) {
  const clock = createFakeClock()
  const lines: Line[] = []
  const calls: MessageContext[] = []
  const contexts = new Map<string, MessageContext>()
  const finishers = new Map<string, () => void>()
  const bindings = new Map<string, unknown>()
  let session: Session | undefined
  let answer: Promise<unknown> | undefined
  let ids = 0

  const engine = createEngine(
    {
      authenticate({ auth }) {
        if (auth === 'banned') throw new HoldfastError('FORBIDDEN', 'You may not come back')
        if (auth === 'short') return { user: 'ann', expiresAt: clock.wallNow() + 60_000 }
        return auth === 'ann' || auth === 'bob' ? { user: auth } : null
      },
      streams: memoryStreams({ messagesMax: 4 }),
      limits: { window: { messages: 4 } },
      ...(codec !== jsonFrames && { codec: { frames: codec } }),
    },
    {
      now: () => clock.now,
      wallNow: clock.wallNow,
      random: () => 0.5,
      createId: () => `id-${++ids}`,
      setTimer: clock.setTimer,
    },
  )
  engine.on('session', (newest) => {
    session = newest
    for (const [event, handle] of Object.entries(HANDLERS)) {
      const handler = (data: unknown, context: MessageContext): unknown => {
        calls.push(context)
        contexts.set(context.id, context)
        return handle(data, context, finishers)
      }
      newest.on(event, handler)
      newest.handle(event, handler)
    }
  })

  function connect(): void {
    const said: Line['said'] = []
    const acks: Line['acks'] = { w: {}, no: [], r: [] }
    const line: Line = {
      said,
      acks,
      connection: engine.accept(
        {
          bufferedAmount: 0,
          bytesRead: 0,
          bytesWritten: 0,
          bytesLeft: 0,
          send: (frame) => hear(said, codec.read(receivedOf(frame)) as Frame, () => line.connection),
          close(code, reason) {
            said.push(code)
            line.connection.closed(code, reason)
          },
          terminate: () => void said.push(1006),
        },
        { url: '/', headers: {}, subprotocol: codec.subprotocol },
      ),
    }
    lines.push(line)
  }

  /** A frame as this codec has it, right or wrong. */
  function wireOf(frame: unknown): Received {
    return codec === jsonFrames ? JSON.stringify(frame) : receivedOf(toMsgpack(frame))
  }

  /** Nobody listens there any more. */
  function hangUp(line: Line, code: number): void {
    line.connection.closed(code, '')
    lines[lines.indexOf(line)] = { ...line, said: [] }
  }

  function hear(said: Line['said'], frame: Frame, connection: () => SocketConnection): void {
    if (frame['t'] === 'p' && answersPings) queueMicrotask(() => connection().receive(wireOf({ t: 'o' })))
    else said.push(frame)
  }

  /** Waits until `look` finds something. */
  async function patiently<Found>(what: string, look: () => Found | undefined): Promise<Found> {
    for (let waitedMs = 0; ; waitedMs += 5) {
      await clock.advance(0)
      const found = look()
      if (found !== undefined) return found
      assert(waitedMs < PATIENCE_MS, `the server never ${what}`)
      await clock.advance(5)
    }
  }

  /** The next that the server says, acknowledgements aside. */
  function next({ said, acks }: Line): Frame | number | undefined {
    for (let first = said[0]; typeof first === 'object' && first['t'] === 'a'; first = said[0]) {
      said.shift()
      Object.assign(acks.w, first['w'])
      acks.no.push(...((first['no'] as unknown[] | undefined) ?? []))
      acks.r.push(...((first['r'] as unknown[] | undefined) ?? []))
    }
    return said.shift()
  }

  async function expectAck(line: Line, expected: Frame): Promise<void> {
    await patiently(`acknowledges ${JSON.stringify(expected)}`, () => {
      const other = next(line)
      if (other !== undefined) line.said.unshift(other)
      const { w, no, r } = line.acks
      return matches(expected, { t: 'a', w, ...(no.length && { no }), ...(r.length && { r }) }, bindings) || undefined
    })
    line.acks = { w: {}, no: [], r: [] }
  }

  async function expectFrame(line: Line, expected: Frame): Promise<void> {
    if (expected['t'] === 'a') return expectAck(line, expected)
    const frame = await patiently(`says ${JSON.stringify(expected)}`, () => next(line))
    if (typeof frame === 'object' && frame['t'] === 'error') delete frame['after']
    if (!matches(expected, frame, bindings)) expect(frame).toEqual(expected)
  }

  async function expectCall({ handles, retransmitted, maybeDuplicate }: Step): Promise<void> {
    const { id, ...context } = await patiently(`handles ${handles}`, () => calls.shift())
    expect(id || 'volatile').toBe(handles)
    if (retransmitted !== undefined) expect(context.isRetransmitted).toBe(retransmitted)
    if (maybeDuplicate !== undefined) expect(context.maybeDuplicate).toBe(maybeDuplicate)
  }

  async function act(step: Step): Promise<void> {
    if (step.handles !== undefined) return expectCall(step)
    if (step.finishes !== undefined) finishers.get(step.finishes)?.()
    if (step.cancelled !== undefined) expect(contexts.get(step.cancelled)?.signal.aborted).toBe(true)
    if (step.sends?.volatile) session?.volatile(step.sends.e, step.sends.d)
    else if (step.sends) session?.send(step.sends.e, step.sends.d)
    if (step.asks) answer = session?.ask(step.asks.e, step.asks.d)
    answer?.catch(() => {}) // It may fail before anybody looks.
    if (step.answered !== undefined) expect(await answer).toEqual(step.answered)
    if (step.unanswered !== undefined) await expect(answer).rejects.toMatchObject({ code: step.unanswered })
    if (step.drains !== undefined) void engine.drain({ windowMs: step.drains })
    await clock.advance(step.waits ?? 0)
  }

  return {
    async take(step: Step): Promise<void> {
      const { from, on = 1, connects, frame, closes } = step
      if (from === 'app') return act(step)
      if (connects) return connect()
      const line = lines[on - 1]
      assert(line, `there is no connection ${on}`)
      if (from === 'server' && frame) return expectFrame(line, frame)
      if (from === 'server') return expect(await patiently(`closes`, () => next(line))).toBe(closes)
      if (frame) line.connection.receive(wireOf(fill(frame, bindings)))
      else hangUp(line, closes ?? 1006)
      await clock.advance(0)
    },
    /** What nobody expected. */
    async rest(): Promise<unknown[]> {
      await clock.advance(100)
      return [...calls.map(({ id }) => `handles ${id}`), ...lines.map((line) => next(line))].filter(Boolean)
    },
  }
}

type Handler = (data: unknown, context: MessageContext, finishers: Map<string, () => void>) => unknown

const HANDLERS: Readonly<Record<string, Handler>> = {
  ok: () => {},
  slow: (_, { id }, finishers) => new Promise((resolve) => finishers.set(id, () => resolve('done'))),
  bad() {
    throw new RejectedError('no')
  },
  echo: (data) => data,
  obedient: (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new RejectedError('called off')))),
}

/** Whether `actual` is what a step says; what the server made up is taken down, and must be the same ever after. */
function matches(expected: unknown, actual: unknown, bindings: Map<string, unknown>): boolean {
  if (expected === '$_') return actual !== undefined
  if (typeof expected === 'string' && expected.startsWith('$')) {
    if (!bindings.has(expected)) bindings.set(expected, actual)
    return bindings.get(expected) === actual
  }
  if (typeof expected !== 'object' || expected === null) return expected === actual
  if (typeof actual !== 'object' || actual === null) return false
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)])
  return [...keys].every((key) => matches((expected as Frame)[key], (actual as Frame)[key], bindings))
}

/** The frame with what the server made up in its places. */
function fill(value: unknown, bindings: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') return bindings.get(value) ?? value
  if (Array.isArray(value)) return value.map((one) => fill(one, bindings))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, bindings)]))
}

const conversations: readonly Conversation[] = vectors

const spoken = [jsonFrames, msgpackFrames].flatMap((codec) =>
  conversations.map((one) => ({ ...one, codec, subprotocol: codec.subprotocol })),
)

test.each(spoken)('the server $name, in $subprotocol', async ({ steps, codec }) => {
  const isSilent = steps.some(({ closes }) => closes === 4000)
  const stage = createStage({ answersPings: !isSilent, codec })

  for (const step of steps) await stage.take(step)

  expect(await stage.rest()).toEqual([])
})
