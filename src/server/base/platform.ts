import { randomFillSync } from 'node:crypto'
import { NUMBER_MAX } from '../../shared/validate.js'
import type { StreamsPlatform } from '../stores/stream-store.js'

/** Clocks, chance and timers of the engine; the simulation has its own. */
export interface ServerPlatform extends Omit<StreamsPlatform, 'onForeign' | 'onOverflow'> {
  /** Milliseconds since 1970. */
  wallNow(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Calls back once after `delayMs`; the returned function cancels that. */
  setTimer(callback: () => void, delayMs: number): () => void
  /** Prints what no listener was told of; absent: nobody reads it. */
  warn?(text: string, error: Error): void
}

const ID_BYTES = 16

/** Random bytes for many ids at once, since a call into the system costs more than the bytes. */
const pool = Buffer.alloc(256 * ID_BYTES)
let poolOffset = pool.length

function createId(): string {
  if (poolOffset === pool.length) {
    randomFillSync(pool)
    poolOffset = 0
  }
  return pool.toString('base64url', poolOffset, (poolOffset += ID_BYTES))
}

/** Node. Its timers do not keep a process alive: sockets do. */
export const nodePlatform: ServerPlatform = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  createId,
  random: () => Math.random(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), NUMBER_MAX)).unref()
    return () => clearTimeout(timer)
  },
  warn: (text, error) => console.error(text, error),
}
