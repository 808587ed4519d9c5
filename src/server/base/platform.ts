import { randomBytes } from 'node:crypto'
import { NUMBER_MAX } from '../../shared/validate.js'
import type { StreamsPlatform } from '../stores/stream-store.js'

/** Everything that the engine takes from its surroundings; the simulation brings its own. */
export interface ServerPlatform extends StreamsPlatform {
  /** Milliseconds since 1970. */
  wallNow(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Calls back once after `delayMs`; the returned function calls it off. */
  setTimer(callback: () => void, delayMs: number): () => void
}

/** Node. Its timers do not keep a process alive: sockets do. */
export const nodePlatform: ServerPlatform = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  createId: () => randomBytes(16).toString('base64url'),
  random: () => Math.random(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), NUMBER_MAX)).unref()
    return () => clearTimeout(timer)
  },
}
