import type { Session } from '../base/api.js'
import type { Handlers } from './handlers.js'

type Shared = 'id' | 'user' | 'isConnected' | 'rooms' | 'lifecycle' | 'flush' | 'join' | 'leave' | 'close'

/** A session, from the side of its public face. */
interface SessionCore extends Pick<Session, Shared> {
  readonly handlers: Handlers
  send(event: string, data: unknown): void
  volatile(event: string, data: unknown): void
}

/** A session, as the application sees it. */
export class PublicSession implements Session {
  readonly id: string
  readonly user: string
  readonly #session: SessionCore

  constructor(session: SessionCore) {
    this.id = session.id
    this.user = session.user
    this.#session = session
  }

  get isConnected(): boolean {
    return this.#session.isConnected
  }

  get rooms(): ReadonlySet<string> {
    return this.#session.rooms
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

  send(event: string, data?: unknown): void {
    this.#session.send(event, data)
  }

  volatile(event: string, data?: unknown): void {
    this.#session.volatile(event, data)
  }

  flush(): Promise<void> {
    return this.#session.flush()
  }

  join(room: string): void {
    this.#session.join(room)
  }

  leave(room: string): void {
    this.#session.leave(room)
  }

  close(code?: number, reason?: string): void {
    this.#session.close(code, reason)
  }
}
