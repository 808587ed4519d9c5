import { createEvents } from '../events.js'
import { DeliveryError, StorageError, type HoldfastError } from '../errors.js'
import { GOING_AWAY, INTERNAL_ERROR, NORMAL_CLOSURE, SUPERSEDED, TRY_AGAIN_LATER } from '../protocol/close-codes.js'
import { sizeOf, type Body } from '../protocol/codec.js'
import type { EndReason, MessageContext, Session, SessionEvents } from './api.js'
import { refuse } from './check.js'
import type { Core, Member } from './core.js'
import { createHandlers, requireName } from './handlers.js'
import { settle } from './settle.js'
import type { Attached, StreamEntry, StreamMessage } from './streams.js'
import { createWorker, type WorkSource } from './worker.js'

/** The connection that has a session, from the session's side. */
export interface SessionLink extends WorkSource {
  deliver(message: StreamMessage): void
  writeVolatile(frame: Body): void
  /** Closes the connection; the session is told nothing more. */
  close(code: number, reason: string, error?: HoldfastError): void
}

/** A session, from the engine's side. */
export interface ServerSession extends Member {
  readonly id: string
  readonly user: string
  /** What the application sees. */
  readonly door: Session
  readonly isAway: boolean
  readonly isIdle: boolean
  /** A connection has it from now on, which is sent what was missed; an older one is closed with 4409. */
  attach(link: SessionLink, attached: Pick<Attached, 'epoch' | 'messages'>, handled: number): void
  /** The connection is gone: from now on it has so long to come back as the store keeps its stream. */
  detach(link: SessionLink, closeCode: number, closeReason: string): void
  /** The client has handled the stream up to here; false when that is no news. */
  acknowledge(sequence: number): boolean
  work(): void
  receiveVolatile(event: string, data: unknown): void
  end(reason: EndReason, closeCode?: number, closeReason?: string): void
}

/** How a connection is closed whose session has ended. */
const CLOSE_CODES: Record<EndReason, number> = {
  bye: NORMAL_CLOSURE,
  closed: NORMAL_CLOSURE,
  expired: TRY_AGAIN_LATER,
  overflow: TRY_AGAIN_LATER,
  evicted: TRY_AGAIN_LATER,
  lost: SUPERSEDED,
  superseded: SUPERSEDED,
  failed: INTERNAL_ERROR,
  stopped: GOING_AWAY,
}

/** The store has forgotten these streams by itself, has another's now, or shall keep them. */
const KEPT_IN_STORE: ReadonlySet<EndReason> = new Set<EndReason>(['overflow', 'lost', 'superseded', 'stopped'])

/** @param changed told when the session has come, gone away or ended */
export function createSession(
  core: Core,
  {
    id,
    user,
    sequence: startsAt,
    acknowledged: startsFrom,
  }: Pick<ServerSession, 'id' | 'user'> & {
    readonly sequence: number
    readonly acknowledged: number
  },
  changed: (session: ServerSession, state: 'here' | 'away' | 'ended') => void,
): ServerSession {
  const { platform, streams, codec } = core
  const rooms = new Set<string>()
  const handlers = createHandlers(codec, core.report)
  const lifecycle = createEvents<SessionEvents>(core.report)
  const deadline = core.deadlines.create(elapsed)
  const flushes: { sequence: number; resolve: () => void; reject: (error: DeliveryError) => void }[] = []
  let link: SessionLink | undefined
  let epoch = 0
  let hasEnded = false
  let lastSequence = startsAt
  let acknowledged = startsFrom
  let touchAt = Infinity
  let expiresAt = Infinity

  const schedule = (): void => {
    if (!hasEnded) deadline.set(Math.min(touchAt, expiresAt, worker.deadline))
  }

  const storeFailed = (cause: unknown): void =>
    fail(new StorageError('STORAGE_FAILED', `The store failed; ending session ${id.slice(0, 4)}…`, cause))

  const fail = (error: StorageError): void => {
    core.report(error)
    end('failed')
  }

  function touch(sequence: number): void {
    touchAt = platform.now() + streams.ttlMs / 3
    const asked = epoch
    settle(
      () => streams.acknowledge(id, asked, sequence),
      (isOurs) => void (isOurs || asked !== epoch || end('superseded')),
      storeFailed,
    )
  }

  function elapsed(now: number): void {
    if (hasEnded) return
    if (now >= expiresAt) return end('expired')
    if (now >= touchAt) touch(0)
    if (now >= worker.deadline) worker.work()
    schedule()
  }

  function append(entry: StreamEntry): boolean {
    if (hasEnded) return false
    lastSequence++
    put(entry)
    return !hasEnded
  }

  function put(entry: StreamEntry): void {
    const asked = epoch
    const appended = (result: StreamMessage | 'overflow' | 'gone'): void => {
      if (result === 'overflow') end('overflow')
      else if (result !== 'gone') link?.deliver(result)
      else if (asked === epoch) end('superseded')
      // It is ours again, under the epoch of the connection that came meanwhile.
      else put(entry)
    }
    settle(() => streams.append(id, asked, entry), appended, storeFailed)
  }

  function end(reason: EndReason, closeCode = CLOSE_CODES[reason], closeReason: string = reason): void {
    if (hasEnded) return
    hasEnded = true
    deadline.set(Infinity)
    const last = link
    link = undefined
    worker.attach(undefined)
    last?.close(closeCode, closeReason)
    for (const room of rooms) core.rooms.leave(room, session)
    if (!KEPT_IN_STORE.has(reason))
      settle(
        () => streams.end(id, epoch),
        () => {},
        storeFailed,
      )
    const error = new DeliveryError(
      'SESSION_ENDED',
      `The session has ended (${reason}) before its client had everything`,
    )
    for (const { reject } of flushes.splice(0)) reject(error)
    changed(session, 'ended')
    if (last) lifecycle.emit('disconnected', { closeCode, closeReason })
    lifecycle.emit('ended', { reason })
  }

  const flush = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (acknowledged >= lastSequence) resolve()
      else if (hasEnded) reject(new DeliveryError('SESSION_ENDED', 'The session has ended'))
      else flushes.push({ sequence: lastSequence, resolve, reject })
    })

  const door: Session = {
    id,
    user,
    rooms,
    lifecycle: { on: lifecycle.on, once: lifecycle.once },
    get isConnected() {
      return link !== undefined
    },
    on: handlers.on,
    onAny: handlers.onAny,
    handle: handlers.handle,
    handleAny: handlers.handleAny,
    flush,
    send(event, data?: unknown) {
      requireName(event)
      const isQueued = append({ head: { t: 'm', e: event }, payload: codec.encode(event, data) })
      if (!isQueued) core.report(new DeliveryError('SESSION_ENDED', `"${event}" was sent to a session that has ended`))
    },
    volatile(event, data?: unknown) {
      requireName(event)
      session.sendVolatile(codec.write({ t: 'v', e: event }, codec.encode(event, data)))
    },
    join(room) {
      if (hasEnded) return
      rooms.add(room)
      core.rooms.join(room, session)
    },
    leave(room) {
      rooms.delete(room)
      core.rooms.leave(room, session)
    },
    close(code = NORMAL_CLOSURE, reason = 'closed') {
      checkClose(code, reason)
      end('closed', code, reason)
    },
  }

  const session: ServerSession = {
    id,
    user,
    door,
    get isAway() {
      return !link && !hasEnded
    },
    get isIdle() {
      return !worker.isRunning
    },
    append,
    end,
    sendVolatile: (frame) => link?.writeVolatile(frame),
    work() {
      worker.work()
      schedule()
    },
    attach(next, attached, handled) {
      epoch = attached.epoch
      const old = link
      link = next
      worker.attach(next)
      old?.close(SUPERSEDED, 'superseded')
      expiresAt = Infinity
      touchAt = platform.now() + streams.ttlMs / 3
      for (const message of attached.messages) next.deliver(message)
      session.acknowledge(handled)
      schedule()
      changed(session, 'here')
      lifecycle.emit('connected', undefined)
    },
    detach(gone, closeCode, closeReason) {
      if (gone !== link) return
      link = undefined
      worker.attach(undefined)
      touch(0)
      touchAt = Infinity
      if (hasEnded) return
      expiresAt = platform.now() + streams.ttlMs
      schedule()
      changed(session, 'away')
      lifecycle.emit('disconnected', { closeCode, closeReason })
    },
    acknowledge(sequence) {
      if (sequence <= acknowledged) return false
      acknowledged = sequence
      while (flushes[0] && flushes[0].sequence <= sequence) flushes.shift()?.resolve()
      touch(sequence)
      return true
    },
    receiveVolatile(event, data) {
      const context: MessageContext = { ...VOLATILE, signal: new AbortController().signal }
      handlers.run({ event, data, isRequest: false }, context, () => {})
    },
  }

  const worker = createWorker(core, session, handlers, fail)
  return session
}

const VOLATILE = { id: '', isRetransmitted: false, maybeDuplicate: false }

/** RFC 6455 sections 5.5.1 and 7.4.2. */
function checkClose(code: number, reason: string): void {
  if (code !== NORMAL_CLOSURE && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new RangeError(`code is ${code}; it must be 1000, or an integer from 3000 to 4999`)
  }
  if (typeof reason !== 'string') refuse('reason', reason, 'a string')
  if (sizeOf(reason) > 123) throw new RangeError(`reason has ${sizeOf(reason)} bytes; it must have at most 123`)
}
