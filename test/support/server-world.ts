import assert from 'node:assert/strict'
import type { HoldfastError } from '../../src/shared/errors.js'
import type { Session } from '../../src/server/base/api.js'
import type { SocketConnection } from '../../src/server/connection/connection-host.js'
import { createEngine, type Engine } from '../../src/server/engine/engine.js'
import type { EngineOptions } from '../../src/server/base/options.js'
import type { Upgrade } from '../../src/server/base/upgrade-request.js'
import type { ServerPlatform } from '../../src/server/base/platform.js'
import type { Body, Received } from '../../src/protocol/codec.js'
import { jsonFrames } from '../../src/protocol/frame-codec.js'
import type { UpFrame } from '../../src/protocol/frames.js'
import { msgpackFrames } from '../../src/protocol/msgpack-frames.js'
import { createFakeClock, type FakeClock } from './fake-platform.js'

/** A frame as a test writes and reads it. */
export type Frame = Record<string, unknown> & { t: string }

/** A client in the hands of a test: what it says is said, and what it hears is kept. */
export interface FakeClient {
  readonly connection: SocketConnection
  /** Every frame that the server has sent, oldest first. */
  readonly frames: readonly Frame[]
  /** How the server has closed the connection. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined
  /** What the socket says of itself. */
  bufferedAmount: number
  bytesRead: number
  bytesWritten: number
  /** Sends frames; a text goes as it is. */
  say(...frames: (Frame | string)[]): void
  /** The frames since the last call. */
  heard(): Frame[]
  /** The frames of one type. */
  of(type: string): Frame[]
  /** The connection breaks off. */
  drop(): void
}

/** A frame as the other side's socket hands it over. */
export const receivedOf = (frame: Body): Received => (typeof frame === 'string' ? frame : frame.slice().buffer)

/** An engine with a virtual clock, and clients by hand. */
export interface FakeWorld {
  readonly engine: Engine
  readonly clock: FakeClock
  readonly platform: ServerPlatform
  readonly sessions: Session[]
  readonly errors: HoldfastError[]
  /** The newest session. */
  readonly session: Session
  connect(request?: Partial<Upgrade>): FakeClient
  /** A client that has said hello and heard the welcome; both are taken out of `heard`. */
  welcome(hello?: Partial<Frame>): FakeClient
}

/**
 * @param clock shared by the servers of one test
 * @param isListening false where nobody listens to `session` yet
 */
export function createFakeWorld(options: EngineOptions = {}, clock = createFakeClock(), isListening = true): FakeWorld {
  const platform = createServerPlatform(clock)
  const engine = createEngine(options, platform)
  const sessions: Session[] = []
  const errors: HoldfastError[] = []
  if (isListening) engine.on('session', (session) => sessions.push(session))
  engine.on('error', (error) => errors.push(error))

  const world: FakeWorld = {
    engine,
    clock,
    platform,
    sessions,
    errors,
    get session() {
      const session = sessions.at(-1)
      assert(session, 'there is no session')
      return session
    },
    connect: (request = {}) => connect(engine, request),
    welcome(hello = {}) {
      const client = world.connect()
      client.say({ t: 'hello', writers: {}, ...hello })
      client.heard()
      return client
    },
  }
  return world
}

let lives = 0

/** The surroundings of an engine: ids that tell the lives apart, and no luck at all. */
export function createServerPlatform(clock: FakeClock): ServerPlatform {
  const life = ++lives
  let ids = 0
  return {
    now: () => clock.now,
    wallNow: () => clock.wallNow(),
    createId: () => `${life}id${++ids}`,
    random: () => 0.5,
    setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
  }
}

function connect(engine: Engine, request: Partial<Upgrade>): FakeClient {
  const frames: Frame[] = []
  let heard = 0
  let closed: FakeClient['closed']

  const client: FakeClient = {
    frames,
    bufferedAmount: 0,
    bytesRead: 0,
    bytesWritten: 0,
    get connection() {
      return connection
    },
    get closed() {
      return closed
    },
    say(...said) {
      for (const frame of said) {
        const { d, ...head } = typeof frame === 'string' ? { d: undefined } : frame
        if (typeof frame === 'string') connection.receive(frame)
        else connection.receive(receivedOf(codec.write(head as UpFrame, codec.encode('', d))))
      }
    },
    heard: () => frames.slice(heard, (heard = frames.length)),
    of: (type) => frames.filter(({ t }) => t === type),
    drop: () => connection.closed(1006, ''),
  }
  const codec = request.subprotocol === msgpackFrames.subprotocol ? msgpackFrames : jsonFrames
  const connection = engine.accept(
    {
      send(frame) {
        assert(!closed, `a frame was sent after the close: ${String(frame)}`)
        frames.push(codec.read(receivedOf(frame)) as Frame)
      },
      close(code, reason) {
        closed ??= { code, reason }
      },
      terminate() {
        closed ??= { code: 1006, reason: '' }
      },
      get bufferedAmount() {
        return client.bufferedAmount
      },
      get bytesRead() {
        return client.bytesRead
      },
      get bytesWritten() {
        return client.bytesWritten
      },
      get bytesLeft() {
        return client.bytesWritten - client.bufferedAmount
      },
    },
    { url: '/', headers: {}, ...request },
  )
  return client
}

/** The ids that a welcome gave. */
export const sessionOf = (client: FakeClient): string => String(client.of('welcome')[0]?.session)

/** Where a client stands in its stream: what a `hello` says to resume after the last message that it has heard. */
export function placeOf(client: FakeClient): object {
  const last = client.frames.filter(({ g }) => g !== undefined).at(-1)
  return { id: sessionOf(client), s: last?.s ?? 0, ...(last && { g: last.g }) }
}
