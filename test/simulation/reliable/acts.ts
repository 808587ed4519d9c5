/** Until then there are faults; afterwards everything must come to rest. */
export const FAULTY_MS = 12_000

/** What the application says of one message up; its handler does as it says. */
export interface Wish {
  /** How long its handler takes. */
  readonly handlerMs: number
  readonly isBad: boolean
  /** How many bytes it is made longer. */
  readonly padding: number
}

/** How a client speaks as a writer of which it has read the name, and does not know the secret. */
export interface Forgery {
  readonly way: 'hello' | 'leap' | 'message' | 'skip'
  /** Whether it brings another secret, or none. */
  readonly hasSecret: boolean
}

/** One thing that happens, at its time. `page`, `link` and `session` choose among those there are then. */
export type Act =
  | { type: 'send'; page: number; count: number; wish: Wish; ttlMs?: number; key?: string; validForMs?: number }
  | { type: 'ask'; page: number; wish: Wish; timeoutMs?: number; abortAfterMs?: number }
  | { type: 'volatile'; page: number; padding?: number }
  | { type: 'remove'; page: number }
  | { type: 'push'; session: number; count: number; isVolatile?: boolean; isForAll?: boolean; padding?: number }
  | { type: 'cut'; link: number; tellClientMs: number | null; tellServerMs: number | null; keep: number }
  | { type: 'silence'; link: number; way: 'up' | 'down' | 'both' }
  | { type: 'stall'; link: number; way: 'up' | 'down' | 'both'; forMs: number }
  | { type: 'lag'; page: number; forMs: number }
  | { type: 'refuse'; forMs: number; isSilent: boolean }
  | { type: 'crash'; page: number; isSilent: boolean; backAfterMs: number }
  | { type: 'reload'; page: number; lingersMs: number | null; backAfterMs: number; lastWords?: number }
  | { type: 'close'; page: number; drainMs: number; backAfterMs: number }
  | { type: 'reopen'; page: number; drainMs: number; afterMs: number }
  | { type: 'freeze'; page: number; forMs: number; lastWords?: number }
  | { type: 'sleep'; page: number; forMs: number }
  | { type: 'hide'; page: number; forMs: number; everyMs: number }
  | { type: 'auth'; page: number; forMs: number; isStale: boolean }
  | { type: 'signal'; page: number; signal: 'wake' | 'doubt' }
  | { type: 'reconnect'; page: number }
  | { type: 'restart'; memory: 'kept' | 'empty'; isSilent: boolean; downMs: number }
  | { type: 'rollback'; backMs: number; isLive: boolean; isSilent: boolean; downMs: number; isBlind?: boolean }
  | { type: 'drain'; windowMs: number; downMs: number }
  | { type: 'disk'; forMs: number }
  | { type: 'store'; forMs: number }
  | { type: 'clock'; page: number; byMs: number }
  | { type: 'expel'; session: number; code: number }
  | ({ type: 'forge'; writer: number } & Forgery)
