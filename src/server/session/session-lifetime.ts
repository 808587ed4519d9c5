import type { EngineContext } from '../base/context.js'

/** Until when a session lives, and when its store hears next that it does. */
export class SessionLifetime {
  /** When the store is to be told; `Infinity` while the client is away. */
  touchAt = Infinity
  /** When the session ends by itself; `Infinity` while the client is here. */
  expiresAt = Infinity
  readonly #context: Pick<EngineContext, 'platform' | 'streams'>

  constructor(context: Pick<EngineContext, 'platform' | 'streams'>) {
    this.#context = context
  }

  /** The client is here. */
  connected(): void {
    this.expiresAt = Infinity
    this.touched()
  }

  /** The client is away, from now on or still. */
  away(): void {
    const { platform, streams } = this.#context
    this.touchAt = Infinity
    this.expiresAt = platform.now() + streams.ttlMs
  }

  /** The store has heard of the session just now. */
  touched(): void {
    const { platform, streams } = this.#context
    this.touchAt = platform.now() + streams.ttlMs / 3
  }

  over(): void {
    this.touchAt = this.expiresAt = Infinity
  }
}
