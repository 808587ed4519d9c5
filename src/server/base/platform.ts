import { randomBytes } from 'node:crypto'
import { NUMBER_MAX } from '../../shared/validate.js'
import type { StreamsPlatform } from '../stores/stream-store.js'

/** Clocks, chance and timers of the engine; the simulation has its own. */
export interface ServerPlatform extends StreamsPlatform {
  /** Milliseconds since 1970. */
  wallNow(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Calls back once after `delayMs`; the returned function cancels that. */
  setTimer(callback: () => void, delayMs: number): () => void
}

const ID_BYTES = 16

/** Random bytes are made for so many ids at once, since a call into the system costs more than they do. */
let pool = Buffer.alloc(0)

function createId(): string {
  if (!pool.length) pool = randomBytes(256 * ID_BYTES)
  const id = pool.toString('base64url', 0, ID_BYTES)
  pool = pool.subarray(ID_BYTES)
  return id
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
}
