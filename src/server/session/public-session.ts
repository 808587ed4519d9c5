import { NORMAL_CLOSURE } from '../../protocol/close-codes.js'
import type { RequestOptions } from '../../shared/contract.js'
import { check } from '../../shared/validate.js'
import type { Session } from '../base/api.js'
import type { Asks } from './asks.js'
import type { Handlers } from './handlers.js'
import type { SessionClient } from './session-link.js'
import type { SessionRooms } from './session-rooms.js'

type Shared = 'id' | 'user' | 'isConnected' | 'writable' | 'lifecycle' | 'flush'

/** A session, from the side of its public face. */
interface SessionCore extends Pick<Session, Shared> {
  readonly handlers: Handlers
  readonly asks: Asks
  readonly rooms: SessionRooms
  readonly client: SessionClient
  send(event: string, data: unknown): PromiseLike<void> | undefined
  volatile(event: string, data: unknown): void
  close(code: number, reason: string): void
}

/** A session, as the application sees it. Its methods work unbound too: `const { send } = session`. */
export class PublicSession implements Session {
  readonly id: string
  readonly user: string
  readonly #session: SessionCore

  constructor(session: SessionCore) {
    this.id = session.id
    this.user = session.user
    this.#session = session
  }

  get identity(): Session['identity'] {
    return this.#session.client.identity
  }

  get request(): Session['request'] {
    return this.#session.client.request
  }

  get isConnected(): boolean {
    return this.#session.isConnected
  }

  get writable(): boolean {
    return this.#session.writable
  }

  get rooms(): ReadonlySet<string> {
    return this.#session.rooms.names
  }

  get lifecycle(): Session['lifecycle'] {
    return this.#session.lifecycle
  }

  on(...args: Parameters<Session['on']>): () => void {
    return this.#session.handlers.on(...args)
  }

  onAny(...args: Parameters<Session['onAny']>): () => void {
    return this.#session.handlers.onAny(...args)
  }

  handle(...args: Parameters<Session['handle']>): () => void {
    return this.#session.handlers.handle(...args)
  }

  handleAny(...args: Parameters<Session['handleAny']>): () => void {
    return this.#session.handlers.handleAny(...args)
  }

  send(event: string, data?: unknown): PromiseLike<void> | undefined {
    return this.#session.send(event, data)
  }

  // The session knows no contract: what it is answered is what its caller says.
  ask(name: string, params?: unknown, options?: RequestOptions): Promise<never> {
    return this.#session.asks.ask(name, params, options) as Promise<never>
  }

  volatile(event: string, data?: unknown): void {
    this.#session.volatile(event, data)
  }

  flush(): Promise<void> {
    return this.#session.flush()
  }

  join(room: string): void {
    this.#session.rooms.join(room)
  }

  leave(room: string): void {
    this.#session.rooms.leave(room)
  }

  close(code = NORMAL_CLOSURE, reason = 'closed'): void {
    checkClose(code, reason)
    this.#session.close(code, reason)
  }
}

const METHODS = [
  'on',
  'onAny',
  'handle',
  'handleAny',
  'send',
  'ask',
  'volatile',
  'flush',
  'join',
  'leave',
  'close',
] as const satisfies readonly (keyof Session)[]

// Bound when it is first read: most sessions use few of their methods, and closures for all would cost memory in each.
for (const name of METHODS) bindOnRead(PublicSession.prototype, name)

function bindOnRead(prototype: PublicSession, name: (typeof METHODS)[number]): void {
  const method: (...args: never[]) => unknown = prototype[name]
  const own = (session: PublicSession, value: unknown): void => {
    Object.defineProperty(session, name, { value, writable: true, configurable: true })
  }
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: PublicSession) {
      if (this === prototype) return method
      const bound: unknown = method.bind(this)
      own(this, bound)
      return bound
    },
    set(this: PublicSession, value: unknown) {
      own(this, value)
    },
  })
}

/** @throws {TypeError | RangeError} for what no close frame of an application has: RFC 6455 sections 5.5.1 and 7.4.2 */
export function checkClose(code: number, reason: string): void {
  const isCode = code === NORMAL_CLOSURE || (Number.isInteger(code) && code >= 3000 && code <= 4999)
  check('code', code, '1000 or an integer from 3000 to 4999', isCode, RangeError)
  check('reason', reason, 'a string', typeof reason === 'string')
  const bytes = Buffer.byteLength(reason)
  check('reason', bytes, 'at most 123 bytes long', bytes <= 123, RangeError)
}
