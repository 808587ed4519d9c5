import { createClient } from '../../src/client/client.js'
import type { Gap } from '../../src/dialects/dialect.js'
import { reliable } from '../../src/dialects/reliable/reliable.js'
import type { HoldfastError } from '../../src/shared/errors.js'
import type { ClientOptions } from '../../src/client/options.js'
import { createFakePlatform, type FakePlatform } from './fake-platform.js'

export type Frame = Record<string, unknown>

export const GREETING = {
  t: 'greeting',
  v: 1,
  frame: 2 ** 20,
  window: { messages: 512, bytes: 2 ** 20 },
  heartbeat: { interval: 25_000, timeout: 15_000 },
}

export const WELCOME = { t: 'welcome', session: 'S1', resumed: false, cursors: {} }

/** The page's own writer: its name and its secret are the first that the platform makes. */
export const OWN = 'id-1~id-2'

/** What others see of it, as in the ids of messages. */
export const NAME = 'id-1'

/** The server is done with the writer's messages up to this one. */
export const acknowledged = (sequence: number, writer = OWN): Frame => ({ t: 'a', w: { [writer]: sequence } })

/** A message of the server. */
export const down = (s: number, extra: Frame = {}): Frame => ({ t: 'm', s, g: `g${s}`, e: 'news', d: s, ...extra })

interface StageOptions extends Partial<ClientOptions> {
  platform?: FakePlatform
  resumeKey?: string
  listenWaitMs?: number
  /** Whether the event `news` has a listener from the start. Default: true. */
  listens?: boolean
}

/**
 * A client that speaks `holdfast.1` with a server whose every word the test says.
 *
 * @example
 * const { live, client, heard, say } = setStage()
 * await live()
 * client.send('m', 1)
 * heard() // [{ t: 'skip', … }, { t: 'm', … }]
 * say({ t: 'a', w: { 'id-1~id-2': 1 } })
 */
export function setStage({
  platform = createFakePlatform(),
  resumeKey,
  listenWaitMs,
  listens = true,
  ...options
}: StageOptions = {}) {
  platform.chance ??= 0.5
  const client = createClient({
    url: 'ws://server/',
    retryDelayMs: { min: 1_000, max: 1_000 },
    dialect: reliable({
      ...(resumeKey !== undefined && { resumeKey }),
      ...(listenWaitMs !== undefined && { listenWaitMs }),
    }),
    platform,
    ...options,
  })
  const log: string[] = []
  const errors: HoldfastError[] = []
  const gaps: Gap[] = []
  client.lifecycle.on('state', ({ status }) => log.push(status))
  client.lifecycle.on('delivered', ({ id }) => log.push(`delivered ${id}`))
  client.lifecycle.on('failed', ({ id, error }) => log.push(`failed ${id} ${error?.code}`))
  client.lifecycle.on('error', (error) => void errors.push(error))
  client.lifecycle.on('gap', (gap) => void gaps.push(gap))
  if (listens) client.on('news', () => {})
  let looked = 0
  let lookedAt: unknown

  const stage = {
    client,
    platform,
    log,
    errors,
    gaps,
    status: () => client.getState().status,
    pending: () => client.getState().pending,
    error(): HoldfastError {
      const state = client.getState()
      if (!('error' in state) || !state.error) throw new Error(`There is no error in the state ${state.status}`)
      return state.error
    },
    /** The server says this. */
    say(...frames: (Frame | string | ArrayBuffer)[]): void {
      for (const frame of frames) {
        platform.link.deliver(typeof frame === 'string' || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame))
      }
    },
    /** What the client has said on this link since it was last asked. */
    heard(): Frame[] {
      const { link } = platform
      if (link !== lookedAt) looked = 0
      lookedAt = link
      const frames = link.written.slice(looked).map((frame) => JSON.parse(String(frame)) as Frame)
      looked = link.written.length
      return frames
    },
    /** The sequences of the messages that the client has sent since it was last asked. */
    sequences: (): unknown[] =>
      stage
        .heard()
        .filter(({ t }) => t === 'm')
        .map(({ s }) => s),
    /** Up to the open socket. */
    async open(): Promise<void> {
      if (stage.status() !== 'connecting') client.connect()
      await platform.settle()
      platform.link.accept()
    },
    async greeted(greeting: Frame = {}): Promise<void> {
      await stage.open()
      stage.say({ ...GREETING, ...greeting })
    },
    async live({ greeting = {}, welcome = {} }: { greeting?: Frame; welcome?: Frame } = {}): Promise<void> {
      await stage.greeted(greeting)
      stage.say({ ...WELCOME, ...welcome })
    },
    /** The link ends, and the client dials again. */
    async cut(code = 1006): Promise<void> {
      platform.link.close(code)
      await platform.advance(1_000)
    },
  }
  return stage
}
